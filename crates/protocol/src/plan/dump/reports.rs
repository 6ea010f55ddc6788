//! Who reports what about whom, with members as vertices in byte order of their names.
//!
//! A report of a match counts only if the same member does not report a mismatch for the same tick. A
//! vouched member has no reports: what the other member of a pair reports counts for both.

use std::cmp::Ordering;
use std::time::Duration;

use crate::clique::VertexSet;
use crate::evidence::{Evidence, Observations};
use crate::names::MemberName;
use crate::roster::Roster;
use crate::time::{Tick, Timestamp};

use super::Parameters;

pub(super) struct Reports<'a> {
    names: Vec<&'a MemberName>,
    /// `by * names.len() + about`.
    observations: Vec<Option<&'a Observations>>,
    newest_mutual: Vec<Option<Tick>>,
    margin: Duration,
    /// Members that have evidence.
    pub(super) heard: VertexSet,
    pub(super) excluded: VertexSet,
    pub(super) vouched: VertexSet,
}

impl<'a> Reports<'a> {
    /// `evidence` has passed its check against `roster`, one of a member, and `parameters` theirs.
    pub(super) fn new(roster: &'a Roster, evidence: &[&'a Evidence], parameters: &Parameters) -> Reports<'a> {
        let mut names: Vec<&MemberName> = roster.members().iter().map(|member| &member.name).collect();
        names.sort_unstable();
        let vertex = |name: &MemberName| names.binary_search(&name).ok();
        let mut observations = vec![None; names.len() * names.len()];
        for one in evidence {
            let Some(by) = vertex(&one.member) else { continue };
            for (counterparty, reported) in &one.about {
                if let Some(about) = vertex(counterparty) {
                    observations[by * names.len() + about] = Some(reported);
                }
            }
        }
        let heard = evidence.iter().filter_map(|one| vertex(&one.member)).collect();
        let excluded = parameters.excluded.iter().filter_map(vertex).collect();
        let vouched = parameters.vouched.iter().filter_map(vertex).collect();
        let margin = parameters.margin;
        let newest_mutual = Vec::new();
        let mut reports = Reports { names, observations, newest_mutual, margin, heard, excluded, vouched };
        reports.newest_mutual = (0..reports.names.len())
            .flat_map(|b| (0..b).map(move |a| (a, b)))
            .map(|(a, b)| reports.find_newest_mutual(a, b))
            .collect();
        reports
    }

    pub(super) fn name(&self, vertex: usize) -> MemberName {
        self.names[vertex].clone()
    }

    pub(super) fn names_of(&self, vertices: VertexSet) -> Vec<MemberName> {
        vertices.iter().map(|vertex| self.name(vertex)).collect()
    }

    pub(super) fn members(&self) -> VertexSet {
        VertexSet::first(self.names.len())
    }

    /// The members that can be covered.
    pub(super) fn eligible(&self) -> VertexSet {
        self.members().minus(self.excluded)
    }

    /// The members whose matches are known, by themselves or by the others.
    pub(super) fn known(&self) -> VertexSet {
        self.eligible() & (self.heard | self.vouched)
    }

    pub(super) fn recovery_timestamp(&self, tick: Tick) -> Option<Timestamp> {
        tick.recovery_timestamp(self.margin)
    }

    pub(super) fn observations(&self, by: usize, about: usize) -> Option<&'a Observations> {
        self.observations.get(by * self.names.len() + about).copied().flatten()
    }

    /// The reports that decide about a pair: the others' count for a vouched member's. `None` if there
    /// are none or one is missing.
    pub(super) fn of_pair(&self, a: usize, b: usize) -> Option<[&'a Observations; 2]> {
        match (self.vouched.contains(a), self.vouched.contains(b)) {
            (true, true) => None,
            (true, false) => self.observations(b, a).map(|one| [one, one]),
            (false, true) => self.observations(a, b).map(|one| [one, one]),
            (false, false) => Some([self.observations(a, b)?, self.observations(b, a)?]),
        }
    }

    /// Everything that either says about the other.
    fn said(&self, a: usize, b: usize) -> impl Iterator<Item = &'a Observations> {
        [self.observations(a, b), self.observations(b, a)].into_iter().flatten()
    }

    /// Whether either reports any mismatch with the other.
    pub(super) fn contested(&self, a: usize, b: usize) -> bool {
        self.said(a, b).any(|said| !said.mismatches.is_empty())
    }

    /// The mismatch between `a` and `b` that would come back at `tick`.
    ///
    /// The newest mismatch at or before the tick decides: it is after the recovery timestamp R,
    /// or it is what was last reported up to R, unless something was reported after it and not after R.
    pub(super) fn mismatch_in_the_way(&self, a: usize, b: usize, tick: Tick) -> Option<Tick> {
        let newest = self.said(a, b).filter_map(|said| said.mismatches.newest_until(tick.0)).max()?;
        let recovery = self.recovery_timestamp(tick)?;
        let healed = self.said(a, b).any(|said| {
            said.matches.any_between(newest.0, recovery) || said.mismatches.any_between(newest.0, recovery)
        });
        (!healed).then_some(newest)
    }

    /// Whether each that is not vouched reports a match with the other at `tick`.
    pub(super) fn mutual_at(&self, a: usize, b: usize, tick: Tick) -> bool {
        self.vouched.contains(a) && self.vouched.contains(b)
            || self.of_pair(a, b).is_some_and(|pair| pair.into_iter().all(|one| counts(one, tick)))
    }

    /// Whether `a` and `b` are connected at `tick`.
    pub(super) fn connected(&self, a: usize, b: usize, tick: Tick) -> bool {
        self.mutual_at(a, b, tick) && self.mismatch_in_the_way(a, b, tick).is_none()
    }

    /// The newest tick of a mutual match, in all the evidence. `None` for two vouched members.
    pub(super) fn newest_mutual(&self, a: usize, b: usize) -> Option<Tick> {
        let (low, high) = (a.min(b), a.max(b));
        self.newest_mutual.get(high * high.saturating_sub(1) / 2 + low).copied().flatten()
    }

    fn find_newest_mutual(&self, a: usize, b: usize) -> Option<Tick> {
        let [one, other] = self.of_pair(a, b)?;
        let all = |one: &'a Observations| one.matches.descending(Timestamp::MIN, Timestamp::MAX);
        let (mut ones, mut others) = (all(one), all(other));
        while let (Some(x), Some(y)) = (ones.peek(), others.peek()) {
            match x.cmp(&y) {
                Ordering::Greater => ones.pass_newer(y),
                Ordering::Less => others.pass_newer(x),
                Ordering::Equal if counts(one, x) && counts(other, x) => return Some(x),
                Ordering::Equal => {
                    ones.pass(1);
                    others.pass(1);
                }
            }
        }
        None
    }

    /// The newest tick that anybody matched.
    pub(super) fn newest_matched(&self) -> Option<Tick> {
        self.observations.iter().flatten().filter_map(|one| newest_counting(one, Timestamp::MAX)).max()
    }

    /// The newest tick, not after `until`, that a member matched with another, neither of them excluded.
    pub(super) fn newest_eligible(&self, until: Timestamp) -> Option<Tick> {
        let eligible = self.eligible();
        let pairs = eligible.iter().flat_map(|by| eligible.iter().map(move |about| (by, about)));
        pairs.filter_map(|(by, about)| newest_counting(self.observations(by, about)?, until)).max()
    }

    /// Whether `by` reports a match with `about` at a tick not after `until`.
    pub(super) fn matched_until(&self, by: usize, about: usize, until: Timestamp) -> bool {
        self.observations(by, about).is_some_and(|one| newest_counting(one, until).is_some())
    }

    /// Whether anybody reports a match with `about`.
    pub(super) fn seen(&self, about: usize) -> bool {
        self.members().iter().any(|by| self.matched_until(by, about, Timestamp::MAX))
    }
}

fn counts(reported: &Observations, tick: Tick) -> bool {
    reported.matches.contains(tick) && !reported.mismatches.contains(tick)
}

fn newest_counting(reported: &Observations, until: Timestamp) -> Option<Tick> {
    let mut matches = reported.matches.descending(Timestamp::MIN, until);
    matches.find(|tick| !reported.mismatches.contains(*tick))
}
