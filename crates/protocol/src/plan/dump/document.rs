//! The outcome as the JSON document that `propose --output json` prints.
//!
//! It is for people and scripts; nothing is decided from it. Readers should expect further keys.

use serde::{Deserialize, Serialize};

use crate::failure;
use crate::names::MemberName;
use crate::time::{Tick, Timestamp};

use super::{Candidate, Choice, LeftBehind, Outcome};

/// An [`Outcome`] in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalDocument {
    /// How many members must be covered.
    pub threshold: usize,
    /// Seconds from recovery timestamp to tick.
    pub margin_seconds: u64,
    /// The candidates, the newest first.
    pub candidates: Vec<CandidateDocument>,
    /// The place of the chosen one among them; `null` if none reaches the threshold.
    pub chosen: Option<usize>,
    /// Why it is chosen, or why none is.
    pub reason: String,
    /// What to do if none is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What a person should know before agreeing.
    pub warnings: Vec<String>,
}

/// A [`Candidate`] in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateDocument {
    /// The tick at which the covered members agree.
    pub tick: Tick,
    /// The tick less the margin.
    pub recovery_timestamp: Timestamp,
    /// Who recovers together, in byte order.
    pub covered: Vec<MemberName>,
    /// Who does not, in byte order.
    pub left_behind: Vec<LeftBehindDocument>,
    /// Seconds from the recovery timestamp to the newest matched tick.
    pub history_lost_seconds: i64,
    /// Whether every covered pair has a match at or before the recovery timestamp too.
    pub bracketed: bool,
}

/// A member left behind, in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftBehindDocument {
    /// Who.
    pub member: MemberName,
    /// Why, for people.
    pub reason: String,
}

impl From<&Outcome> for ProposalDocument {
    fn from(outcome: &Outcome) -> ProposalDocument {
        let (chosen, help) = match &outcome.choice {
            Choice::Candidate(at) => (Some(*at), None),
            Choice::NotPossible(shortfall) => (None, failure::split(&shortfall.to_string()).1),
        };
        ProposalDocument {
            threshold: outcome.threshold,
            margin_seconds: outcome.margin.as_secs(),
            candidates: outcome.candidates.iter().map(CandidateDocument::from).collect(),
            chosen,
            reason: outcome.reason(),
            help,
            warnings: outcome.warnings.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&Candidate> for CandidateDocument {
    fn from(candidate: &Candidate) -> CandidateDocument {
        CandidateDocument {
            tick: candidate.tick,
            recovery_timestamp: candidate.recovery_timestamp,
            covered: candidate.covered.clone(),
            left_behind: candidate.left_behind.iter().map(LeftBehindDocument::from).collect(),
            history_lost_seconds: candidate.history_lost_seconds,
            bracketed: candidate.bracketed,
        }
    }
}

impl From<&LeftBehind> for LeftBehindDocument {
    fn from(left_behind: &LeftBehind) -> LeftBehindDocument {
        LeftBehindDocument { member: left_behind.member.clone(), reason: left_behind.reason.to_string() }
    }
}
