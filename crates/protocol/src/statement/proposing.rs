//! `proposal`: a plan for a round, and all that is needed to compute it again.

use std::collections::BTreeSet;

use svdr_proto::v1;

use super::fields::Fields;
use super::{Body, Content, StatementError};
use crate::digest::Digest;
use crate::dsse::Envelope;
use crate::names::MemberName;
use crate::plan::dump::{Candidate, Parameters};
use crate::roster::MAX_MEMBERS;
use crate::time::{Tick, Timestamp};

/// Evidence that a proposal may be computed from: one of each member.
pub const MAX_EVIDENCE: usize = MAX_MEMBERS;

/// A plan for a round, with what it was computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The round, from 1.
    pub round: u32,
    /// What the members are to do.
    pub plan: Plan,
    /// The candidate chosen.
    pub candidate: CandidateSummary,
    /// The parameters of the rule.
    pub parameters: Parameters,
    /// Digests of the evidence it was computed from.
    pub evidence: BTreeSet<Digest>,
    /// Version of the rule ([`RULE_VERSION`](crate::plan::dump::RULE_VERSION)).
    pub rule: u32,
    /// The appointment of the coordinator that signs the proposal, if the opening does not list its key.
    pub appointment: Option<Box<Envelope>>,
}

/// What the members agree to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Each makes a migration dump as of one time.
    Dump {
        /// That time.
        recovery_timestamp: Timestamp,
        /// The migration id of the network afterwards.
        migration_id: u64,
    },
}

/// A candidate as a proposal carries it. Why members are left behind is not in it: whoever computes the
/// candidate again finds out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateSummary {
    /// The tick at which the covered members agree.
    pub tick: Tick,
    /// Who recovers together.
    pub covered: BTreeSet<MemberName>,
    /// Who does not.
    pub left_behind: BTreeSet<MemberName>,
    /// Seconds from the recovery timestamp to the newest tick that anybody's evidence matches.
    pub history_lost_seconds: i64,
    /// Whether every covered pair has a match at or before the recovery timestamp too.
    pub bracketed: bool,
}

impl From<&Candidate> for CandidateSummary {
    fn from(candidate: &Candidate) -> CandidateSummary {
        CandidateSummary {
            tick: candidate.tick,
            covered: candidate.covered.iter().cloned().collect(),
            left_behind: candidate.left_behind.iter().map(|one| one.member.clone()).collect(),
            history_lost_seconds: candidate.history_lost_seconds,
            bracketed: candidate.bracketed,
        }
    }
}

impl Plan {
    /// The time that the network goes back to.
    pub const fn recovery_timestamp(&self) -> Timestamp {
        let Plan::Dump { recovery_timestamp, .. } = self;
        *recovery_timestamp
    }

    /// The migration id of the network afterwards.
    pub const fn migration_id(&self) -> u64 {
        let Plan::Dump { migration_id, .. } = self;
        *migration_id
    }
}

fn names(names: &BTreeSet<MemberName>) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

impl Content for Proposal {
    type Message = v1::Proposal;

    fn to_message(&self, header: v1::Header) -> v1::Proposal {
        let Plan::Dump { recovery_timestamp, migration_id } = self.plan;
        v1::Proposal {
            header: Some(header),
            round: self.round,
            plan: Some(v1::proposal::Plan::Dump(v1::Dump {
                recovery_timestamp: recovery_timestamp.micros(),
                migration_id,
            })),
            candidate: Some(v1::Candidate {
                tick: self.candidate.tick.0.micros(),
                covered: names(&self.candidate.covered),
                left_behind: names(&self.candidate.left_behind),
                history_lost_seconds: self.candidate.history_lost_seconds,
                bracketed: self.candidate.bracketed,
            }),
            parameters: Some(v1::Parameters {
                margin_seconds: self.parameters.margin.as_secs(),
                // A threshold is at most the number of members; what does not fit is refused when it is read.
                threshold: u32::try_from(self.parameters.threshold).unwrap_or(u32::MAX),
                not_before: self.parameters.not_before.map(Timestamp::micros),
                not_after: self.parameters.not_after.map(Timestamp::micros),
                excluded: names(&self.parameters.excluded),
                vouched: names(&self.parameters.vouched),
            }),
            evidence: self.evidence.iter().map(|digest| digest.as_bytes().to_vec()).collect(),
            rule: self.rule,
            appointment: self.appointment.as_ref().map(|envelope| envelope.to_message()),
        }
    }

    fn take_header(message: &mut v1::Proposal) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Proposal, fields: &Fields<'_>) -> Result<Proposal, StatementError> {
        let missing = |field, expected| move || fields.error(field, "nothing".to_owned(), expected);
        // First, because a newer plan may leave everything else out.
        let v1::proposal::Plan::Dump(dump) =
            message.plan.ok_or_else(|| fields.not_known(Body::PROPOSAL, "plan"))?;
        let candidate = message.candidate.ok_or_else(missing("candidate", "a candidate"))?;
        let parameters = message.parameters.ok_or_else(missing("parameters", "parameters"))?;
        let bound = |field, bound: Option<i64>| bound.map(|at| fields.time(field, at)).transpose();
        let threshold = usize::try_from(parameters.threshold).ok().filter(|one| *one <= MAX_MEMBERS);
        let field = "evidence";
        fields.count(field, message.evidence.len(), MAX_EVIDENCE, "one evidence of each member")?;
        let evidence = message.evidence.iter().map(|digest| fields.digest(field, digest));
        Ok(Proposal {
            round: fields.round("round", message.round)?,
            plan: Plan::Dump {
                recovery_timestamp: fields.time("dump.recovery_timestamp", dump.recovery_timestamp)?,
                migration_id: dump.migration_id,
            },
            candidate: CandidateSummary {
                tick: Tick(fields.time("candidate.tick", candidate.tick)?),
                covered: fields.names("candidate.covered", &candidate.covered)?,
                left_behind: fields.names("candidate.left_behind", &candidate.left_behind)?,
                history_lost_seconds: candidate.history_lost_seconds,
                bracketed: candidate.bracketed,
            },
            parameters: Parameters {
                margin: fields.seconds("parameters.margin_seconds", parameters.margin_seconds)?,
                threshold: threshold.ok_or_else(|| {
                    let found = parameters.threshold.to_string();
                    fields.error("parameters.threshold", found, "at most as many as a roster has members")
                })?,
                not_before: bound("parameters.not_before", parameters.not_before)?,
                not_after: bound("parameters.not_after", parameters.not_after)?,
                excluded: fields.names("parameters.excluded", &parameters.excluded)?,
                vouched: fields.names("parameters.vouched", &parameters.vouched)?,
            },
            evidence: fields.ascending(field, evidence)?,
            rule: message.rule,
            appointment: message.appointment.map(Envelope::from_message).transpose()?.map(Box::new),
        })
    }
}
