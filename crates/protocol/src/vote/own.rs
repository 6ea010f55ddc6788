//! What an agent has promised so far, from its record and from the statements that others have of it.

use std::collections::BTreeMap;

use super::Record;
use crate::digest::Digest;
use crate::names::MemberName;
use crate::session::Session;
use crate::statement::{Agreement, Body, RoundOf, SessionId, Verified};

/// The statements of one member that bind it.
pub(super) struct Own<'a> {
    agreements: BTreeMap<RoundOf, Vec<(&'a Agreement, Digest)>>,
    attestations: BTreeMap<RoundOf, &'a Verified>,
    abandonments: BTreeMap<RoundOf, Digest>,
    releases: BTreeMap<RoundOf, &'a Verified>,
}

impl<'a> Own<'a> {
    pub(super) fn new(
        me: &MemberName,
        record: &'a Record,
        session: &'a Session,
        others: &'a [&'a Session],
    ) -> Own<'a> {
        let sessions = std::iter::once(session).chain(others.iter().copied());
        let seen = sessions.flat_map(Session::statements).filter(|one| one.by_member() && one.signer() == me);
        let mut own = Own {
            agreements: BTreeMap::new(),
            attestations: BTreeMap::new(),
            abandonments: BTreeMap::new(),
            releases: BTreeMap::new(),
        };
        for one in record.signed.iter().chain(seen) {
            let Some(of) = one.session() else { continue };
            // A drill binds within itself alone, and nothing of a drill counts in a real session.
            if of != session.id() && (session.drill() || one.header().drill) {
                continue;
            }
            own.add(of, one);
        }
        own
    }

    fn add(&mut self, session: SessionId, one: &'a Verified) {
        let at = |round| RoundOf { session, round };
        match one.body() {
            Body::Agreement(agreement) => {
                let all = self.agreements.entry(at(agreement.round)).or_default();
                all.push((agreement, one.digest()));
            }
            Body::Attestation(attestation) => {
                self.attestations.insert(at(attestation.round), one);
            }
            Body::Abandonment(abandonment) => {
                self.abandonments.insert(at(abandonment.round), one.digest());
            }
            Body::Release(release) => {
                self.releases.insert(at(release.round), one);
            }
            _ => {}
        }
    }

    /// Its agreement to a proposal.
    pub(super) fn agreement_to(&self, session: SessionId, proposal: &Digest) -> Option<Digest> {
        let here = self.agreements.iter().filter(|(round, _)| round.session == session);
        let mut all = here.flat_map(|(_, all)| all);
        all.find(|(agreement, _)| agreement.proposal == *proposal).map(|(_, digest)| *digest)
    }

    /// The proposal of a round that it agreed to.
    pub(super) fn agreed(&self, round: RoundOf) -> Option<Digest> {
        self.agreements.get(&round)?.first().map(|(agreement, _)| agreement.proposal)
    }

    /// The highest round of a session that it agreed to.
    pub(super) fn highest_agreed(&self, session: SessionId) -> Option<u32> {
        self.elsewhere_and_here().get(&session).copied()
    }

    fn elsewhere_and_here(&self) -> BTreeMap<SessionId, u32> {
        // Ascending, so that the last of a session is its highest.
        self.agreements.keys().map(|of| (of.session, of.round)).collect()
    }

    /// The highest round it agreed to, of each session but one.
    pub(super) fn elsewhere(&self, but: SessionId) -> BTreeMap<SessionId, u32> {
        let mut elsewhere = self.elsewhere_and_here();
        elsewhere.remove(&but);
        elsewhere
    }

    /// Every round that it attested.
    pub(super) fn attested(&self) -> impl Iterator<Item = RoundOf> {
        self.attestations.keys().copied()
    }

    pub(super) fn attestation_of(&self, round: RoundOf) -> Option<&'a Verified> {
        self.attestations.get(&round).copied()
    }

    pub(super) fn abandonment_of(&self, round: RoundOf) -> Option<Digest> {
        self.abandonments.get(&round).copied()
    }

    pub(super) fn release_of(&self, round: RoundOf) -> Option<&'a Verified> {
        self.releases.get(&round).copied()
    }

    /// What it promised never to attest the round with: the statement's digest.
    pub(super) fn abandoned(&self, round: RoundOf) -> Option<Digest> {
        let all = self.agreements.iter().flat_map(|(of, all)| all.iter().map(move |one| (of.session, one)));
        let mut implied = all.filter(|(session, (agreement, _))| agreement.abandons(*session, round));
        self.abandonment_of(round).or_else(|| implied.next().map(|(_, (_, digest))| *digest))
    }

    /// Whether it abandoned the round in a way that no proof can use.
    pub(super) fn owes_abandonment(&self, round: RoundOf) -> bool {
        let all = self.agreements.iter().flat_map(|(of, all)| all.iter().map(move |one| (of.session, one)));
        let mut implied =
            all.filter(|(session, (agreement, _))| agreement.abandons(*session, round)).peekable();
        implied.peek().is_some()
            && implied.all(|(_, (agreement, _))| !agreement.attested.is_empty())
            && self.abandonment_of(round).is_none()
            && self.attestation_of(round).is_none()
    }
}
