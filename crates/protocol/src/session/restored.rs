//! Whether the network works again: who agrees with whom on the new synchronizer.
//!
//! After the recovery each member's participant exchanges ACS commitments with the others again. Its logs are read again,
//! and what they say is signed as a `confirmation`. Confirmations are for people: no rule uses them.
//!
//! * Confirmations of the completed round count, the latest of each member.
//! * Whatever the evidence of the round's proposal reports is the old synchronizer's, which may be in the same files. Only
//!   ticks count that are newer than the newest that more than a third of the members' evidence reaches, and newer than
//!   the newest of both members' own. So an evidence that reports ticks of the future takes its own member out, and
//!   nobody else.
//! * Two members agree with each other if both report a match at one such tick, and neither reports a mismatch with
//!   the other at that tick or a later one. They disagree if one of them reports a mismatch that no such tick
//!   follows.
//! * The session is verified once as many members as the threshold pairwise agree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Phase, Session};
use crate::certificate::CompletionCertificate;
use crate::clique::{Budget, Graph, VertexSet};
use crate::digest::Digest;
use crate::evidence::{Evidence, Observations, Ticks};
use crate::failure::{CommandError, Exit};
use crate::names::MemberName;
use crate::statement::{Body, Confirmation, RoundOf, SessionId, Verified};
use crate::time::{Tick, Timestamp};

/// Steps for the largest set of members that agree: ordinary graphs take some dozen, and nothing but what is shown
/// depends on it.
const SEARCH_STEPS: u64 = 1_000_000;

/// Which members agree with each other after the recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoration {
    /// The completed round.
    pub round: RoundOf,
    /// The last tick of the old synchronizer; only later ones count. A member's own evidence may reach further.
    pub after: Tick,
    /// Whose confirmation counts, with the newest tick that each reports a match at.
    pub confirmed: BTreeMap<MemberName, Option<Tick>>,
    /// Pairs that agree, each in byte order of the names, with the newest tick at which they do.
    pub matching: BTreeMap<(MemberName, MemberName), Tick>,
    /// Pairs that disagree, likewise, with the newest tick at which one of them says so.
    pub mismatching: BTreeMap<(MemberName, MemberName), OpenMismatch>,
    /// The largest set of members that pairwise agree: empty, or at least two.
    pub together: BTreeSet<MemberName>,
    /// How many it takes.
    pub threshold: usize,
}

/// A mismatch that no later match has healed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenMismatch {
    /// The newest tick at which it is reported.
    pub tick: Tick,
    /// Who reports it there.
    pub by: BTreeSet<MemberName>,
}

impl Restoration {
    /// Whether the threshold pairwise agrees.
    pub fn is_verified(&self) -> bool {
        self.together.len() >= self.threshold
    }
}

/// Why there is nothing to confirm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotConfirmable {
    /// No round is completed.
    #[error(
        "session {session} is not completed ({phase}), so there is no recovery to confirm\n\
         help: confirm once the session is completed and the new synchronizer is up"
    )]
    NotCompleted {
        /// The session.
        session: SessionId,
        /// Its phase.
        phase: Phase,
    },
    /// The logs say nothing about the new synchronizer.
    #[error(
        "the logs report nothing about any member after {after}, the last tick of the old synchronizer{}\n\
         help: give the new participant's logs once its first commitment period has ended (30 minutes on Splice \
         networks by default)",
        newest.map_or(String::new(), |newest| format!(", and end with {newest}"))
    )]
    Nothing {
        /// The last tick of the old synchronizer.
        after: Tick,
        /// The newest tick that they do report.
        newest: Option<Tick>,
    },
}

impl CommandError for NotConfirmable {
    fn exit(&self) -> Exit {
        match self {
            NotConfirmable::NotCompleted { .. } => Exit::Refused,
            NotConfirmable::Nothing { .. } => Exit::Impossible,
        }
    }
}

/// The last result, with the confirmations that it was computed from: it is needed again at every decision, and hostile
/// evidence may take long. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct LastAnswer(Arc<Mutex<Option<Answer>>>);

/// What it was computed from, and the result.
type Answer = (Vec<Digest>, Arc<Restoration>);

impl Session {
    /// Which members agree with each other after the recovery; `None` before the session is completed.
    pub fn restoration(&self) -> Option<Arc<Restoration>> {
        Some(self.restoration_of(&self.completion_certificate()?))
    }

    /// What a member signs about the new synchronizer: what `evidence`, read from its new participant's logs, says after
    /// the last tick of the old one.
    ///
    /// # Errors
    /// [`NotConfirmable`] if the session is not completed, or the logs say nothing of that time.
    pub fn confirmation(&self, mut evidence: Evidence) -> Result<Confirmation, NotConfirmable> {
        let Some(completed) = self.completion_certificate() else {
            return Err(NotConfirmable::NotCompleted { session: self.id, phase: self.phase() });
        };
        let proposal = completed.agreement().proposal();
        let old = self.old_ticks(proposal);
        let (after, newest) = (old.floor(&evidence.member), newest_report(&evidence));
        let later = |ticks: &Ticks| ticks.iter().filter(|tick| *tick > after).collect();
        for about in evidence.about.values_mut() {
            (about.matches, about.mismatches) = (later(&about.matches), later(&about.mismatches));
        }
        evidence.about.retain(|_, about| !about.is_empty());
        if evidence.about.is_empty() {
            return Err(NotConfirmable::Nothing { after, newest });
        }
        Ok(Confirmation { round: completed.round().round, proposal: proposal.digest(), evidence })
    }

    pub(super) fn restoration_of(&self, completed: &CompletionCertificate) -> Arc<Restoration> {
        let round = completed.round();
        let proposal = completed.agreement().proposal();
        let confirmed = self.confirmations.iter().filter_map(|(member, one)| match one.body() {
            Body::Confirmation(confirmation)
                if confirmation.round == round.round
                    && confirmation.proposal == proposal.digest()
                    && !self.is_void(round.round, member) =>
            {
                Some((one.digest(), &confirmation.evidence))
            }
            _ => None,
        });
        let (mut of, evidence): (Vec<Digest>, Vec<&Evidence>) = confirmed.unzip();
        // What the proposal was computed from may still be arriving, and moves the ticks of the old synchronizer.
        let old = self.old_ticks(proposal);
        of.extend(old.evidence.iter().copied().chain([proposal.digest()]));
        let mut last = self.restored.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, answer)) = last.as_ref()
            && *known == of
        {
            return Arc::clone(answer);
        }
        let answer = Arc::new(restoration(round, &old, &evidence, self.roster.threshold()));
        *last = Some((of, Arc::clone(&answer)));
        answer
    }

    /// How far the old synchronizer's ticks go, as what the proposal was computed from says.
    fn old_ticks(&self, proposal: &Verified) -> OldTicks {
        let mut old = OldTicks { after: Tick(Timestamp::MIN), own: BTreeMap::new(), evidence: Vec::new() };
        let Body::Proposal(body) = proposal.body() else { return old };
        for digest in &body.evidence {
            if let Some(Body::Evidence(evidence)) = self.statement(digest).map(|one| one.body()) {
                old.evidence.push(*digest);
                if let Some(newest) = newest_report(evidence) {
                    old.own.insert(evidence.member.clone(), newest);
                }
            }
        }
        let mut newest: Vec<Tick> = old.own.values().copied().collect();
        newest.sort_unstable_by(|one, other| other.cmp(one));
        // After as many liars as the protocol's threshold tolerates, the next member is honest.
        let liars = self.roster.members().len().saturating_sub(1) / 3;
        let reached = newest.get(liars).or(newest.last()).copied();
        old.after = reached.map_or(body.candidate.tick, |reached| reached.max(body.candidate.tick));
        old
    }
}

/// How far the old synchronizer's ticks go.
struct OldTicks {
    /// For everybody.
    after: Tick,
    /// The newest that each member's own evidence reports.
    own: BTreeMap<MemberName, Tick>,
    /// The evidence that says so, as far as it has arrived.
    evidence: Vec<Digest>,
}

impl OldTicks {
    /// Only later ticks count in what this member says.
    fn floor(&self, member: &MemberName) -> Tick {
        self.own.get(member).map_or(self.after, |own| self.after.max(*own))
    }
}

fn newest_report(evidence: &Evidence) -> Option<Tick> {
    let about = evidence.about.values();
    about.flat_map(|about| [about.matches.newest(), about.mismatches.newest()]).flatten().max()
}

/// The rule: `evidence`, at most one of a member, after the old synchronizer's ticks.
fn restoration(round: RoundOf, old: &OldTicks, evidence: &[&Evidence], threshold: usize) -> Restoration {
    let mut sorted = evidence.to_vec();
    sorted.sort_by(|a, b| a.member.cmp(&b.member));
    let mut restoration = Restoration {
        round,
        after: old.after,
        confirmed: BTreeMap::new(),
        matching: BTreeMap::new(),
        mismatching: BTreeMap::new(),
        together: BTreeSet::new(),
        threshold,
    };
    let mut graph = Graph::new();
    for (b, other) in sorted.iter().enumerate() {
        let newest = other.about.values().filter_map(|about| about.matches.newest());
        let newest = newest.max().filter(|tick| *tick > old.floor(&other.member));
        restoration.confirmed.insert(other.member.clone(), newest);
        for (a, one) in sorted.iter().enumerate().take(b) {
            let pair = || (one.member.clone(), other.member.clone());
            let after = old.floor(&one.member).max(old.floor(&other.member));
            match standing(one, other, after) {
                Standing::Matching(tick) => {
                    graph.connect(a, b);
                    restoration.matching.insert(pair(), tick);
                }
                Standing::Mismatching(mismatch) => {
                    restoration.mismatching.insert(pair(), mismatch);
                }
                Standing::Unknown => {}
            }
        }
    }
    let largest = graph.maximum_clique(VertexSet::first(sorted.len()), 2, &mut Budget::new(SEARCH_STEPS));
    // If the search runs out of steps, nobody is shown as verified.
    let largest = largest.ok().flatten().unwrap_or(VertexSet::EMPTY);
    restoration.together = largest.iter().filter_map(|at| Some(sorted.get(at)?.member.clone())).collect();
    restoration
}

enum Standing {
    Matching(Tick),
    Mismatching(OpenMismatch),
    Unknown,
}

/// Whether two members agree with each other.
fn standing(one: &Evidence, other: &Evidence, after: Tick) -> Standing {
    let nothing = Observations::default();
    let about = |from: &Evidence, to: &Evidence| from.about.get(&to.member).cloned();
    let [ones, others] = [about(one, other), about(other, one)];
    let [ones, others] = [ones.as_ref().unwrap_or(&nothing), others.as_ref().unwrap_or(&nothing)];
    let mismatches = [(one, ones), (other, others)].map(|(by, said)| {
        let newest = said.mismatches.newest().filter(|tick| *tick > after);
        newest.map(|tick| (tick, &by.member))
    });
    let newest_mismatch = mismatches.iter().flatten().map(|(tick, _)| *tick).max();
    // A match counts only after every mismatch, so the search may stop there.
    let floor = newest_mismatch.unwrap_or(after);
    match (newest_common(ones, others, floor), newest_mismatch) {
        (Some(tick), _) => Standing::Matching(tick),
        (None, Some(tick)) => {
            let by = mismatches.into_iter().flatten().filter(|(at, _)| *at == tick);
            Standing::Mismatching(OpenMismatch { tick, by: by.map(|(_, member)| member.clone()).collect() })
        }
        (None, None) => Standing::Unknown,
    }
}

/// The newest tick after `floor` at which both report a match.
fn newest_common(ones: &Observations, others: &Observations, floor: Tick) -> Option<Tick> {
    let all = |said: &'_ Observations| said.matches.newest();
    let (mut a, mut b) = (all(ones)?, all(others)?);
    while a > floor && b > floor {
        match a.cmp(&b) {
            std::cmp::Ordering::Equal => return Some(a),
            std::cmp::Ordering::Greater => a = ones.matches.newest_until(b.0)?,
            std::cmp::Ordering::Less => b = others.matches.newest_until(a.0)?,
        }
    }
    None
}

#[cfg(test)]
mod tests;
