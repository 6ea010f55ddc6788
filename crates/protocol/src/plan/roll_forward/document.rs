//! The outcome as the JSON document that `propose --plan roll-forward --output json` prints.
//!
//! It is for people and scripts; nothing is decided from it. Readers should expect further keys.

use serde::{Deserialize, Serialize};

use super::{Candidate, Choice, Divergence, LeftBehind, Outcome};
use crate::names::{MemberName, PhysicalSynchronizerId};
use crate::time::Timestamp;

/// The name of this plan kind.
pub const PLAN: &str = "roll_forward";

/// An [`Outcome`] in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollForwardDocument {
    /// [`PLAN`].
    pub plan: String,
    /// How many members must be covered.
    pub threshold: usize,
    /// The old physical synchronizer, in full.
    pub old_psid: PhysicalSynchronizerId,
    /// The new one.
    pub new_psid: PhysicalSynchronizerId,
    /// The candidates, the newest first.
    pub candidates: Vec<CandidateDocument>,
    /// The place of the chosen one among them; null if none reaches the threshold.
    pub chosen: Option<usize>,
    /// Why it is chosen, or why none is.
    pub reason: String,
    /// What a person should know before agreeing.
    pub warnings: Vec<String>,
}

/// A [`Candidate`] in JSON. Nothing is ever absent: what there is none of is null or empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateDocument {
    /// Null if it follows from an announced upgrade.
    pub topology_export_time: Option<Timestamp>,
    /// Likewise.
    pub traffic_export_time: Option<Timestamp>,
    /// The old sequencers sequence nothing from this time on.
    pub max_sequencing_time_exclusive: Timestamp,
    /// The new sequencers sequence nothing up to this time.
    pub lower_bound_exclusive: Timestamp,
    /// The new sequencers sequence everything after this time.
    pub upgrade_time: Timestamp,
    /// Who rolls forward together, in byte order.
    pub covered: Vec<MemberName>,
    /// Every other member, in byte order.
    pub left_behind: Vec<LeftBehindDocument>,
    /// The newest topology transaction that the new synchronizer will not know.
    pub lost_topology_until: Option<Timestamp>,
    /// Events that some have processed and others have not.
    pub divergence: Option<DivergenceDocument>,
    /// Members whose times nobody confirms, in byte order.
    pub uncorroborated: Vec<MemberName>,
}

/// A member left behind, in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftBehindDocument {
    /// Who.
    pub member: MemberName,
    /// Why, for people.
    pub reason: String,
}

/// A [`Divergence`] in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DivergenceDocument {
    /// The traffic export time.
    pub from: Timestamp,
    /// The newest event that a reporting member has processed.
    pub until: Timestamp,
    /// Who has processed later events than `from`, in byte order.
    pub members: Vec<MemberName>,
}

impl From<&Outcome> for RollForwardDocument {
    fn from(outcome: &Outcome) -> RollForwardDocument {
        RollForwardDocument {
            plan: PLAN.to_owned(),
            threshold: outcome.threshold,
            old_psid: outcome.old.clone(),
            new_psid: outcome.new.clone(),
            candidates: outcome.candidates.iter().map(CandidateDocument::from).collect(),
            chosen: match outcome.choice {
                Choice::Candidate(at) => Some(at),
                Choice::NotPossible(_) => None,
            },
            reason: outcome.reason(),
            warnings: outcome.warnings.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&Candidate> for CandidateDocument {
    fn from(candidate: &Candidate) -> CandidateDocument {
        let values = candidate.values;
        CandidateDocument {
            topology_export_time: values.exports().map(|exports| exports.topology),
            traffic_export_time: values.exports().map(|exports| exports.traffic),
            max_sequencing_time_exclusive: values.max_sequencing_time(),
            lower_bound_exclusive: values.lower_bound(),
            upgrade_time: values.upgrade_time(),
            covered: candidate.covered.clone(),
            left_behind: candidate.left_behind.iter().map(LeftBehindDocument::from).collect(),
            lost_topology_until: candidate.lost_topology_until,
            divergence: candidate.divergence.as_ref().map(DivergenceDocument::from),
            uncorroborated: candidate.uncorroborated.clone(),
        }
    }
}

impl From<&LeftBehind> for LeftBehindDocument {
    fn from(left_behind: &LeftBehind) -> LeftBehindDocument {
        LeftBehindDocument { member: left_behind.member.clone(), reason: left_behind.reason.to_string() }
    }
}

impl From<&Divergence> for DivergenceDocument {
    fn from(divergence: &Divergence) -> DivergenceDocument {
        DivergenceDocument {
            from: divergence.from,
            until: divergence.until,
            members: divergence.members.clone(),
        }
    }
}
