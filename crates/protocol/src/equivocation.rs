//! Two statements that one signer may not both sign.
//!
//! An equivocation needs no witness: the two envelopes prove it, whatever the order in which they were made or found.
//! An agent that follows the voting rules makes none of these pairs, even if its machine crashes at any moment, because
//! it writes each vote to its disk before anybody sees it.
//!
//! * agreements to two proposals of one round;
//! * two evidences of one kind, of one session, with one sequence number;
//! * an attestation of a round, and a promise never to attest it: an abandonment, or an agreement that
//!   [abandons](crate::statement::Agreement::abandons) it;
//! * two attestations of one round that differ in the proposal, the timestamp or the dump;
//! * agreements in two sessions of one network of which neither follows the other.
//!
//! A release is not an equivocation: it is the one way to take an attestation back.

use std::fmt;
use std::sync::Arc;

use crate::names::MemberName;
use crate::statement::{Attestation, Body, RoundOf, SessionId, Verified};

/// What two statements of one signer contradict each other about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contradiction {
    /// Agreements to two proposals of one round.
    TwoProposals {
        /// The round.
        round: RoundOf,
    },
    /// Two different evidences with one sequence number.
    TwoEvidences {
        /// The session; none for evidence made outside of any.
        session: Option<SessionId>,
        /// The sequence number.
        sequence: u64,
    },
    /// An attestation of a round, and a promise never to attest it.
    AttestedAndAbandoned {
        /// The round attested.
        round: RoundOf,
        /// The round whose agreement abandons it; `None` for an abandonment.
        by: Option<RoundOf>,
    },
    /// Two attestations of one round that differ.
    TwoAttestations {
        /// The round.
        round: RoundOf,
    },
    /// Agreements in two sessions of which neither follows the other.
    TwoSessions {
        /// One of them.
        first: RoundOf,
        /// The other.
        second: RoundOf,
    },
}

/// A proof that one signer contradicted itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// Who.
    pub signer: MemberName,
    /// About what.
    pub contradiction: Contradiction,
    /// One statement; of the two, the one with the smaller digest.
    pub first: Arc<Verified>,
    /// The other.
    pub second: Arc<Verified>,
}

impl Contradiction {
    /// The rounds in which nothing that the signer says counts.
    pub fn rounds(&self) -> impl Iterator<Item = RoundOf> {
        let rounds = match *self {
            Contradiction::TwoProposals { round } | Contradiction::TwoAttestations { round } => {
                [Some(round), None]
            }
            Contradiction::TwoEvidences { .. } => [None, None],
            Contradiction::AttestedAndAbandoned { round, by } => [Some(round), by],
            Contradiction::TwoSessions { first, second } => [Some(first), Some(second)],
        };
        rounds.into_iter().flatten()
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contradiction::TwoProposals { round } => write!(f, "agreements to two proposals in {round}"),
            Contradiction::TwoEvidences { sequence, .. } => {
                write!(f, "two different evidences with the sequence number {sequence}")
            }
            Contradiction::AttestedAndAbandoned { round, by: None } => {
                write!(f, "an attestation and an abandonment of {round}")
            }
            Contradiction::AttestedAndAbandoned { round, by: Some(by) } => {
                write!(f, "an attestation of {round}, and an agreement in {by} that abandons it")
            }
            Contradiction::TwoAttestations { round } => {
                write!(f, "two attestations of {round} that differ")
            }
            Contradiction::TwoSessions { first, second } => {
                write!(f, "agreements in {first} and in {second}, of which neither follows the other")
            }
        }
    }
}

impl fmt::Display for Equivocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = [self.first.digest(), self.second.digest()];
        write!(f, "{} signed {}: {first} and {second}", self.signer, self.contradiction)
    }
}

/// The contradiction between two statements, if there is one. The order of the two does not matter.
pub fn contradiction(one: &Verified, other: &Verified) -> Option<Contradiction> {
    let comparable = one.by_member()
        && other.by_member()
        && one.signer() == other.signer()
        && one.digest() != other.digest()
        && one.header().roster == other.header().roster
        && one.header().drill == other.header().drill;
    if !comparable {
        return None;
    }
    let [first, second] = if one.digest() < other.digest() { [one, other] } else { [other, one] };
    pair(first, second).or_else(|| pair(second, first))
}

/// Finds a contradiction in the order in which the kinds are named here.
fn pair(first: &Verified, second: &Verified) -> Option<Contradiction> {
    if let (Body::Evidence(_), Body::Evidence(_)) | (Body::Sequencing(_), Body::Sequencing(_)) =
        (first.body(), second.body())
    {
        let [one, other] = [first.header(), second.header()];
        let (session, sequence) = (one.session, one.sequence);
        return (one.session == other.session && one.sequence == other.sequence)
            .then_some(Contradiction::TwoEvidences { session, sequence });
    }
    let (own, other) = (first.session()?, second.session()?);
    let same = own == other;
    match (first.body(), second.body()) {
        (Body::Agreement(one), Body::Agreement(two)) => {
            let [at, also] =
                [RoundOf { session: own, round: one.round }, RoundOf { session: other, round: two.round }];
            if same {
                let round = at;
                return (one.round == two.round && one.proposal != two.proposal)
                    .then_some(Contradiction::TwoProposals { round });
            }
            // A drill binds only within itself.
            let apart = !first.header().drill && !one.follows(own, also) && !two.follows(other, at);
            apart.then(|| Contradiction::TwoSessions { first: at.min(also), second: at.max(also) })
        }
        (Body::Attestation(one), Body::Attestation(two)) => {
            let round = RoundOf { session: own, round: one.round };
            (same && one.round == two.round && differ(one, two))
                .then_some(Contradiction::TwoAttestations { round })
        }
        (Body::Attestation(attestation), Body::Abandonment(abandonment)) => {
            let round = RoundOf { session: own, round: attestation.round };
            (same && attestation.round == abandonment.round)
                .then_some(Contradiction::AttestedAndAbandoned { round, by: None })
        }
        (Body::Attestation(attestation), Body::Agreement(agreement)) => {
            let round = RoundOf { session: own, round: attestation.round };
            let by = Some(RoundOf { session: other, round: agreement.round });
            let promised = agreement.abandons(other, round) && (same || !first.header().drill);
            promised.then_some(Contradiction::AttestedAndAbandoned { round, by })
        }
        _ => None,
    }
}

/// Whether two attestations say different things; the same said twice, with other times or by other software,
/// contradicts nothing.
fn differ(one: &Attestation, two: &Attestation) -> bool {
    let said = |of: &Attestation| (of.proposal, of.recovery_timestamp, of.migration_id, of.dump.digest);
    said(one) != said(two)
}

/// Every equivocation among `statements`, of any sessions: one proof for each signer and contradiction.
pub fn find<'a>(statements: impl IntoIterator<Item = &'a Arc<Verified>>) -> Vec<Equivocation> {
    let mut found = Contradictions::default();
    for statement in statements {
        found.insert(statement);
    }
    found.equivocations().collect()
}

mod found;

pub(crate) use found::Contradictions;

#[cfg(test)]
mod tests;
