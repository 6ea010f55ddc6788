//! What a person should know before agreeing, besides the candidates.

use std::fmt;

use crate::evidence::Evidence;
use crate::names::MemberName;

use super::reports::Reports;
use super::{Candidate, Parameters};
use crate::text::listed;

/// Something that does not change the choice, and that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Members that are neither excluded nor vouched for have no evidence, so none of them can be covered.
    NoEvidence {
        /// Who.
        members: Vec<MemberName>,
    },
    /// Evidence has mismatches of unknown counterparties, which the rule does not see.
    Unattributed {
        /// Whose evidence.
        member: MemberName,
        /// How many.
        count: u64,
    },
    /// Nobody's evidence matches a member that is vouched for.
    VouchedUnseen {
        /// Who.
        member: MemberName,
    },
    /// The vouched members alone reach the threshold, without anybody's evidence.
    VouchedAlone {
        /// How many are vouched for.
        vouched: usize,
        /// The threshold.
        threshold: usize,
    },
    /// The chosen candidate has covered pairs without a match at or before its recovery timestamp.
    Unbracketed,
}

pub(super) fn warnings(
    reports: &Reports,
    evidence: &[&Evidence],
    parameters: &Parameters,
    chosen: Option<&Candidate>,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let members = reports.names_of(reports.eligible().minus(reports.known()));
    if !members.is_empty() {
        warnings.push(Warning::NoEvidence { members });
    }
    let unattributed = evidence.iter().filter(|one| one.unattributed_mismatches > 0);
    warnings.extend(
        unattributed.map(|one| Warning::Unattributed {
            member: one.member.clone(),
            count: one.unattributed_mismatches,
        }),
    );
    let unseen = reports.vouched.iter().filter(|member| !reports.seen(*member));
    warnings.extend(unseen.map(|member| Warning::VouchedUnseen { member: reports.name(member) }));
    let (vouched, threshold) = (parameters.vouched.len(), parameters.threshold);
    if vouched >= threshold {
        warnings.push(Warning::VouchedAlone { vouched, threshold });
    }
    if chosen.is_some_and(|chosen| !chosen.bracketed) {
        warnings.push(Warning::Unbracketed);
    }
    warnings
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::NoEvidence { members } => {
                write!(
                    f,
                    "no evidence of {}, who can be covered only with evidence or if they are vouched for",
                    listed(members)
                )
            }
            Warning::Unattributed { member, count } => write!(
                f,
                "the evidence of {member} has {count} mismatches of unknown counterparties, which the rule does not \
                 count; look at that log before you agree"
            ),
            Warning::VouchedUnseen { member } => {
                write!(f, "{member} is vouched for, but nobody's evidence matches it")
            }
            Warning::VouchedAlone { vouched, threshold } => write!(
                f,
                "{vouched} members are vouched for, and {threshold} are enough: the choice may follow from nobody's \
                 evidence; vouch for fewer"
            ),
            Warning::Unbracketed => write!(
                f,
                "the chosen candidate is not bracketed: some covered pair has no match at or before the recovery \
                 timestamp; to be sure, read logs that reach further back"
            ),
        }
    }
}
