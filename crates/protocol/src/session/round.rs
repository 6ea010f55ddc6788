//! One round: who said what in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use crate::digest::Digest;
use crate::names::MemberName;
use crate::statement::{Body, Donation, Obstacle, ObstacleKind, Verified, abandons};
use crate::time::Timestamp;

const MICROSECOND: Duration = Duration::from_micros(1);

/// The statements of one round, each by what makes it count once.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    /// Conveners' before coordinators', then by digest: the order of preference if there are several.
    pub(super) proposals: BTreeMap<(bool, Digest), Arc<Verified>>,
    /// By proposal and member.
    pub(super) agreements: BTreeMap<(Digest, MemberName), Arc<Verified>>,
    pub(super) rejections: BTreeMap<(Digest, MemberName), Arc<Verified>>,
    pub(super) attestations: BTreeMap<(Digest, MemberName), Arc<Verified>>,
    pub(super) obstacles: BTreeMap<MemberName, Arc<Verified>>,
    pub(super) abandonments: BTreeMap<MemberName, Arc<Verified>>,
    pub(super) releases: BTreeMap<MemberName, Arc<Verified>>,
    pub(super) donations: BTreeMap<MemberName, Arc<Verified>>,
}

/// The bounds of the recovery timestamp under which every SV app that said it cannot make a dump could.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The earliest: just after the latest time that anybody has pruned.
    pub not_before: Option<Timestamp>,
    /// The latest: just before the earliest time that anybody has not caught up to.
    pub not_after: Option<Timestamp>,
}

impl Bounds {
    /// Whether no timestamp suits everybody, so that a pruned or lagging member must be excluded.
    pub fn are_empty(&self) -> bool {
        matches!((self.not_before, self.not_after), (Some(from), Some(to)) if to < from)
    }
}

impl Round {
    pub(super) fn add_proposal(&mut self, one: Arc<Verified>) {
        self.proposals.insert((!one.by_member(), one.digest()), one);
    }
}

impl Session {
    /// The highest round with a proposal, such that every lower round has one; 0 before the first.
    pub fn latest_round(&self) -> u32 {
        let proposed = |round: &u32| self.rounds.get(round).is_some_and(|at| !at.proposals.is_empty());
        (1..).take_while(proposed).last().unwrap_or(0)
    }

    /// The proposals of a round: conveners' first, then by digest.
    pub fn proposals(&self, round: u32) -> impl Iterator<Item = &Arc<Verified>> {
        self.rounds.get(&round).into_iter().flat_map(|round| round.proposals.values())
    }

    /// The agreements to a proposal that count, by member.
    pub fn agreements(&self, round: u32, proposal: &Digest) -> BTreeMap<&MemberName, &Arc<Verified>> {
        self.counted(
            round,
            proposal,
            |at| &at.agreements,
            |one| match one.body() {
                Body::Agreement(agreement) => {
                    crate::certificate::unfollowed(agreement, &self.opening.predecessors).is_none()
                }
                _ => false,
            },
        )
    }

    /// The rejections of a proposal, by member.
    pub fn rejections(&self, round: u32, proposal: &Digest) -> BTreeMap<&MemberName, &Arc<Verified>> {
        self.of_proposal(round, proposal, |at| &at.rejections).collect()
    }

    /// The attestations of a proposal that count, by member: each of a plan that was agreed on, by a member that
    /// agreed, and not released.
    pub fn attestations(&self, round: u32, proposal: &Digest) -> BTreeMap<&MemberName, &Arc<Verified>> {
        let agreed = self.agreements(round, proposal);
        let plan = self.statement(proposal).and_then(|one| match one.body() {
            Body::Proposal(proposal) if proposal.round == round => Some(proposal.plan),
            _ => None,
        });
        let Some(plan) = plan else { return BTreeMap::new() };
        if agreed.len() < self.roster.threshold() {
            return BTreeMap::new();
        }
        self.counted(
            round,
            proposal,
            |at| &at.attestations,
            |one| match one.body() {
                Body::Attestation(attestation) => {
                    attestation.recovery_timestamp == plan.recovery_timestamp()
                        && attestation.migration_id == plan.migration_id()
                        && agreed.contains_key(one.signer())
                        && !self.released(round, one.signer())
                }
                _ => false,
            },
        )
    }

    /// Each member's obstacle to its dump of a round.
    pub fn obstacles(&self, round: u32) -> impl Iterator<Item = (&MemberName, &Obstacle)> {
        let at = self.rounds.get(&round);
        at.into_iter().flat_map(|at| &at.obstacles).filter_map(|(member, one)| match one.body() {
            Body::Obstacle(obstacle) => Some((member, obstacle)),
            _ => None,
        })
    }

    /// The donations of a proposal that count, the latest of each member: each of a plan that was agreed on, by a member
    /// that it covers and that agreed, and that has not contradicted itself in the round.
    pub fn donations(&self, round: u32, proposal: &Digest) -> BTreeMap<&MemberName, (Digest, &Donation)> {
        let agreed = self.agreements(round, proposal);
        let Some(Body::Proposal(body)) = self.statement(proposal).map(|one| one.body()) else {
            return BTreeMap::new();
        };
        if agreed.len() < self.roster.threshold() {
            return BTreeMap::new();
        }
        let all = self.rounds.get(&round).into_iter().flat_map(|at| &at.donations);
        let counted = all.filter_map(|(member, one)| match one.body() {
            Body::Donation(donation)
                if donation.proposal == *proposal
                    && donation.recovery_timestamp == body.plan.recovery_timestamp()
                    && donation.migration_id == body.plan.migration_id()
                    && body.candidate.covered.contains(member)
                    && agreed.contains_key(member)
                    && !self.is_void(round, member) =>
            {
                Some((member, (one.digest(), donation)))
            }
            _ => None,
        });
        counted.collect()
    }

    /// The bounds that would suit everybody who met an obstacle in any round.
    pub fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::default();
        for (_, obstacle) in self.rounds.keys().flat_map(|round| self.obstacles(*round)) {
            let at = obstacle.recovery_timestamp;
            match obstacle.kind {
                ObstacleKind::Pruned => {
                    let after = at.checked_add(MICROSECOND).unwrap_or(at);
                    bounds.not_before = bounds.not_before.max(Some(after));
                }
                ObstacleKind::Behind => {
                    let before = at.checked_sub(MICROSECOND).unwrap_or(at);
                    bounds.not_after = Some(bounds.not_after.map_or(before, |known| known.min(before)));
                }
            }
        }
        bounds
    }

    /// Who has taken its attestation of a round back.
    pub fn releases(&self, round: u32) -> impl Iterator<Item = (&MemberName, &Arc<Verified>)> {
        self.rounds.get(&round).into_iter().flat_map(|at| &at.releases)
    }

    /// Who has promised not to attest a round, with the statement that may prove it: an
    /// abandonment or a release, or else the agreement of a higher round. What an equivocator promised about the
    /// round does not count.
    pub fn abandonments(&self, round: u32) -> BTreeMap<&MemberName, &Arc<Verified>> {
        let of = self.round_of(round);
        let higher = self.rounds.range(round + 1..).flat_map(|(_, at)| at.agreements.iter());
        let mut found: BTreeMap<&MemberName, &Arc<Verified>> = higher
            .filter(|(_, one)| abandons(one.statement(), of))
            .map(|((_, member), one)| (member, one))
            .collect();
        // These replace an agreement: a statement that names the round is the better proof.
        if let Some(at) = self.rounds.get(&round) {
            found.extend(&at.abandonments);
            found.extend(&at.releases);
        }
        found.retain(|member, _| !self.is_void(round, member));
        found
    }

    /// Whether a member has taken its attestation of a round back.
    pub fn released(&self, round: u32, member: &MemberName) -> bool {
        self.rounds.get(&round).is_some_and(|at| at.releases.contains_key(member))
    }

    /// Whether a member contradicted itself about a round, so that its word counts for nothing in it.
    pub fn is_void(&self, round: u32, member: &MemberName) -> bool {
        self.void.contains(&(round, member.clone()))
    }

    fn counted<'a>(
        &'a self,
        round: u32,
        proposal: &Digest,
        kind: impl Fn(&'a Round) -> &'a BTreeMap<(Digest, MemberName), Arc<Verified>>,
        counts: impl Fn(&Verified) -> bool,
    ) -> BTreeMap<&'a MemberName, &'a Arc<Verified>> {
        let all = self.of_proposal(round, proposal, kind);
        all.filter(|(member, one)| !self.is_void(round, member) && counts(one)).collect()
    }

    fn of_proposal<'a>(
        &'a self,
        round: u32,
        proposal: &Digest,
        kind: impl Fn(&'a Round) -> &'a BTreeMap<(Digest, MemberName), Arc<Verified>>,
    ) -> impl Iterator<Item = (&'a MemberName, &'a Arc<Verified>)> {
        let proposal = *proposal;
        let all = self.rounds.get(&round).into_iter().flat_map(kind);
        all.filter(move |((of, _), _)| *of == proposal).map(|((_, member), one)| (member, one))
    }

    /// Members with an attestation of a proposal that is not released, an equivocator's included.
    pub(super) fn attested_by_anybody(&self, round: u32, proposal: &Digest) -> usize {
        let all = self.of_proposal(round, proposal, |at| &at.attestations);
        all.filter(|(member, _)| !self.released(round, member)).count()
    }
}
