//! Dumps that are made of a donor's snapshot: does the attestation match the donation?
//!
//! A received dump has the parts of the donation that it names. It cannot be compared with anything else: the other
//! members' own snapshots have more than the DSO party's contracts. An attestation that does not match is not an
//! equivocation, and no rule uses it. But its donor or its receiver made something else than it says.

use std::collections::BTreeSet;

use super::Session;
use crate::digest::Digest;
use crate::names::MemberName;
use crate::statement::{Attestation, Body, Donation, Part, Received, Verified};

/// An attested dump that is made of a donor's snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedDump<'a> {
    /// Whose dump it is.
    pub member: &'a MemberName,
    /// Digest of its attestation.
    pub attestation: Digest,
    /// The round.
    pub round: u32,
    /// What it says to be made of.
    pub received: &'a Received,
    /// The donation; `None` if the session does not have it, so that nothing can be compared.
    pub donation: Option<&'a Donation>,
    /// How the two do not fit.
    pub misfit: Option<Misfit>,
}

/// How an attestation does not fit the donation that it names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// What it names is another kind of statement.
    #[error("the statement that it names is not a donation but of kind {kind}")]
    NoDonation {
        /// The kind.
        kind: &'static str,
    },
    /// Another member made the donation.
    #[error("the donation is {by}'s")]
    OtherDonor {
        /// Who.
        by: MemberName,
    },
    /// It is of another round or proposal.
    #[error("the donation is of another round or proposal")]
    OtherRound,
    /// It is of another time, or for another migration.
    #[error("the donation is of another recovery timestamp or migration id")]
    OtherTime,
    /// Parts are not the same.
    #[error("these parts differ from the donated ones: {}", .parts.iter().map(String::as_str).collect::<Vec<_>>().join(", "))]
    Parts {
        /// Their names.
        parts: BTreeSet<String>,
    },
}

impl Session {
    /// Every attestation of a received dump, in any round, in the order of the members.
    pub fn received(&self) -> Vec<ReceivedDump<'_>> {
        let attested = self.statements().filter_map(|one| self.received_dump(one));
        let mut all: Vec<ReceivedDump<'_>> = attested.collect();
        all.sort_by_key(|one| (one.round, one.member, one.attestation));
        all
    }

    /// What a statement says about a received dump, if it is an attestation of one.
    pub(crate) fn received_dump<'a>(&'a self, one: &'a Verified) -> Option<ReceivedDump<'a>> {
        let Body::Attestation(attestation) = one.body() else { return None };
        let received = attestation.received.as_ref()?;
        let named = self.statement(&received.donation);
        let (donation, misfit) = match named.map(|named| (named.signer(), named.body())) {
            None => (None, None),
            Some((by, Body::Donation(donation))) => (Some(donation), misfit(attestation, by, donation)),
            Some((_, body)) => (None, Some(Misfit::NoDonation { kind: body.kind() })),
        };
        Some(ReceivedDump {
            member: one.signer(),
            attestation: one.digest(),
            round: attestation.round,
            received,
            donation,
            misfit,
        })
    }
}

fn misfit(attestation: &Attestation, by: &MemberName, donation: &Donation) -> Option<Misfit> {
    if attestation.received.as_ref().is_some_and(|received| received.from != *by) {
        return Some(Misfit::OtherDonor { by: by.clone() });
    }
    if (attestation.round, attestation.proposal) != (donation.round, donation.proposal) {
        return Some(Misfit::OtherRound);
    }
    let attested = (attestation.recovery_timestamp, attestation.migration_id);
    if attested != (donation.recovery_timestamp, donation.migration_id) {
        return Some(Misfit::OtherTime);
    }
    let set = |parts: &[Part]| parts.iter().cloned().collect::<BTreeSet<Part>>();
    let (attested, donated) = (set(&attestation.parts), set(&donation.parts));
    let parts: BTreeSet<String> =
        attested.symmetric_difference(&donated).map(|part| part.name.clone()).collect();
    (!parts.is_empty()).then_some(Misfit::Parts { parts })
}

#[cfg(test)]
mod tests;
