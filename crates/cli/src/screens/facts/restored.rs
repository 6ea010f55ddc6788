//! What there is to know after the recovery: who agrees with whom on the new synchronizer, and which steps of the
//! runbook each member has done.

use serde::Serialize;
use svdr_protocol::milestone::Step;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::{Restoration, Session};
use svdr_protocol::statement::Body;
use svdr_protocol::time::Tick;

use super::MemberFacts;

/// How the members stand to each other after the recovery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestorationFacts {
    /// Whether as many as the threshold pairwise agree.
    pub verified: bool,
    /// The last tick of the old synchronizer; only later ones count.
    pub after: Tick,
    /// The largest set of members that pairwise agree; empty, or at least two.
    pub together: Vec<MemberName>,
    /// Whose logs of the new participant are known.
    pub confirmed: Vec<ConfirmedFacts>,
    /// How many pairs agree.
    pub matching_pairs: usize,
    /// Pairs that disagree.
    pub mismatches: Vec<MismatchFacts>,
}

/// A member whose logs of the new participant are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfirmedFacts {
    /// Who.
    pub member: MemberName,
    /// The newest tick at which it reports a match with anybody.
    pub newest_match: Option<Tick>,
}

/// Two members that disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MismatchFacts {
    /// Both, in byte order.
    pub members: [MemberName; 2],
    /// The newest tick at which it is reported.
    pub tick: Tick,
    /// Who reports it there.
    pub reported_by: Vec<MemberName>,
}

impl RestorationFacts {
    /// The facts about `session`; `None` before it is completed.
    pub(super) fn of(session: &Session) -> Option<RestorationFacts> {
        Some(RestorationFacts::from(session.restoration()?.as_ref()))
    }
}

impl From<&Restoration> for RestorationFacts {
    fn from(restoration: &Restoration) -> RestorationFacts {
        let confirmed = restoration.confirmed.iter();
        let mismatches = restoration.mismatching.iter();
        RestorationFacts {
            verified: restoration.is_verified(),
            after: restoration.after,
            together: restoration.together.iter().cloned().collect(),
            confirmed: confirmed
                .map(|(member, newest)| ConfirmedFacts { member: member.clone(), newest_match: *newest })
                .collect(),
            matching_pairs: restoration.matching.len(),
            mismatches: mismatches
                .map(|((one, other), mismatch)| MismatchFacts {
                    members: [one.clone(), other.clone()],
                    tick: mismatch.tick,
                    reported_by: mismatch.by.iter().cloned().collect(),
                })
                .collect(),
        }
    }
}

/// The name of the check that says that the backup of the node identities is there, whole, and this participant's.
pub const IDENTITIES_CHECK: &str = "node identities";

/// The steps of the runbook that a member has done: those it marked, and those that its other statements show.
pub fn steps_done(session: &Session, member: &MemberFacts) -> Vec<Step> {
    let marked = |step: Step| member.milestones.iter().any(|one| one.name == step.name());
    let shown = |step: Step| match step {
        Step::IdentitiesChecked => match session.readiness().get(&member.member).map(|one| one.body()) {
            Some(Body::Readiness(readiness)) => {
                readiness.checks.iter().any(|check| check.passed && check.name == IDENTITIES_CHECK)
            }
            _ => false,
        },
        Step::DumpMade => matches!(member.dump, Some("made" | "received")),
        Step::Verified => {
            session.restoration().is_some_and(|restored| restored.together.contains(&member.member))
        }
        Step::Stopped | Step::BackedUp | Step::Delivered | Step::SynchronizerDeployed | Step::Restored => {
            false
        }
    };
    Step::ALL.into_iter().filter(|step| marked(*step) || shown(*step)).collect()
}
