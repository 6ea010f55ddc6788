//! Certificates: enough members agreed, and enough members attested their dumps.
//!
//! Both are types that only their check makes, and functions that need a certificate take one as an argument. A
//! certificate is the statements themselves, so that anybody can check it again with only the roster. Its file has their
//! envelopes, one a line.
//!
//! A certificate is checked alone. Only somebody who has a contradicting statement can see that a signer equivocated.
//! [`Session`](crate::session::Session) does not count equivocators when it makes one.
//!
//! The statement that opened the session is part of the certificate. It names the completed sessions that this one
//! follows, and attestations of those need no proof that their round cannot complete.
//!
//! A completion certificate includes its agreements: each of its attestations is by a member that agreed, and that
//! agreement says which other rounds its signer may still attest. So two completion certificates with different
//! timestamps identify a member that signed both sides, or a release.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::digest::Digest;
use crate::names::MemberName;
use crate::roster::Roster;
use crate::statement::{Agreement, Body, Plan, RoundOf, SessionId, Verified};
use crate::time::Timestamp;

/// The opening of a session, a proposal in it, and agreements to it by at least `threshold` members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreementCertificate {
    round: RoundOf,
    drill: bool,
    plan: Plan,
    opened: Arc<Verified>,
    proposal: Arc<Verified>,
    agreements: BTreeMap<MemberName, Arc<Verified>>,
}

/// An agreement certificate, and attestations of its round by at least `threshold` of the members that agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletionCertificate {
    agreement: AgreementCertificate,
    attestations: BTreeMap<MemberName, Arc<Verified>>,
}

/// Why statements are not a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is not exactly one proposal, or one opening.
    #[error(
        "a certificate has exactly one statement of kind {kind}, but this one has {found}\n\
         help: take the statements of one round and the one that opened its session"
    )]
    NotOne {
        /// The kind.
        kind: &'static str,
        /// How many there are.
        found: usize,
    },
    /// It was made with another roster.
    #[error(
        "the certificate was made with the roster {found}, but this roster is {expected}\n\
         help: do not act on the certificate before all members have compared the roster's fingerprint"
    )]
    OtherRoster {
        /// This roster's fingerprint.
        expected: Digest,
        /// The certificate's.
        found: Digest,
    },
    /// An agreement moves on from a session that is not a predecessor.
    #[error(
        "{signer} agreed without proof that {round} cannot complete, and that session is not a predecessor of this \
         one\nhelp: take that agreement out and check the certificate again"
    )]
    NoPredecessor {
        /// Who.
        signer: MemberName,
        /// The round it attested.
        round: RoundOf,
    },
    /// A statement in it has nothing to do with the proposal.
    #[error(
        "the {kind} of {signer} ({digest}) does not belong to the certificate of proposal {proposal}\n\
         help: take that statement out and check the certificate again"
    )]
    Foreign {
        /// Its kind.
        kind: &'static str,
        /// Who signed it.
        signer: MemberName,
        /// Its digest.
        digest: Digest,
        /// The proposal's digest.
        proposal: Digest,
    },
    /// A member is in it twice.
    #[error(
        "the certificate has two statements of kind {kind} by {signer}, and a member counts once\n\
         help: check with `svdr-agent verify` on the transcript whether {signer} contradicted itself"
    )]
    Repeated {
        /// Their kind.
        kind: &'static str,
        /// Who signed them.
        signer: MemberName,
    },
    /// A member attests what it did not agree to.
    #[error(
        "{signer} attests the round, but its agreement is not in the certificate\nhelp: get the whole certificate"
    )]
    NotAgreed {
        /// Who.
        signer: MemberName,
    },
    /// Too few members.
    #[error(
        "the certificate is not complete: it has a statement of kind {kind} by {found} of the {needed} members that it \
         needs\nhelp: do not act on it before all {needed} have signed"
    )]
    TooFew {
        /// The kind.
        kind: &'static str,
        /// How many did.
        found: usize,
        /// How many must.
        needed: usize,
    },
}

impl AgreementCertificate {
    /// Checks that `statements` are the opening of a session, one proposal, and agreements to it by enough
    /// members.
    ///
    /// # Errors
    /// [`CertificateError`], for the first thing that is wrong.
    pub fn check(
        roster: &Roster,
        statements: impl IntoIterator<Item = Arc<Verified>>,
    ) -> Result<AgreementCertificate, CertificateError> {
        let (mut opened, mut proposals, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for one in statements {
            match one.body() {
                Body::Open(open) => opened.push((open.clone(), one)),
                Body::Proposal(proposal) => proposals.push((proposal.round, proposal.plan, one)),
                _ => others.push(one),
            }
        }
        let (opening, opened) = only("open", opened)?;
        let (round, plan, proposal) = only("proposal", proposals)?;
        let [expected, found] = [roster.fingerprint(), opened.header().roster];
        if expected != found {
            return Err(CertificateError::OtherRoster { expected, found });
        }
        let session = SessionId::of_open(&opened.digest());
        // Only this ties the proposal to the session.
        belongs_to(&opened, &proposal, &proposal, proposal.may_sign(&opening))?;
        let mut agreements = BTreeMap::new();
        for one in others {
            let fits = match one.body() {
                Body::Agreement(agreement) => {
                    if let Some(round) = unfollowed(agreement, &opening.predecessors) {
                        return Err(CertificateError::NoPredecessor { signer: one.signer().clone(), round });
                    }
                    agreement.round == round && agreement.proposal == proposal.digest()
                }
                _ => false,
            };
            belongs_to(&opened, &proposal, &one, fits)?;
            add(&mut agreements, one)?;
        }
        enough("agreement", agreements.len(), roster)?;
        let drill = opened.header().drill;
        Ok(AgreementCertificate {
            round: RoundOf { session, round },
            drill,
            plan,
            opened,
            proposal,
            agreements,
        })
    }

    /// The round agreed on.
    pub const fn round(&self) -> RoundOf {
        self.round
    }

    /// The session agreed in.
    pub const fn session(&self) -> SessionId {
        self.round.session
    }

    /// Whether it is of a rehearsal.
    pub const fn drill(&self) -> bool {
        self.drill
    }

    /// The statement that opened the session.
    pub const fn opened(&self) -> &Arc<Verified> {
        &self.opened
    }

    /// What was agreed.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The proposal agreed to.
    pub const fn proposal(&self) -> &Arc<Verified> {
        &self.proposal
    }

    /// The agreements, by member.
    pub const fn agreements(&self) -> &BTreeMap<MemberName, Arc<Verified>> {
        &self.agreements
    }

    /// The statements it consists of: opening, proposal, and the agreements in the order of their signers.
    pub fn statements(&self) -> impl Iterator<Item = &Arc<Verified>> {
        [&self.opened, &self.proposal].into_iter().chain(self.agreements.values())
    }
}

impl CompletionCertificate {
    /// Checks that `statements` are an agreement certificate, and attestations of its plan by enough of the
    /// members that agreed.
    ///
    /// # Errors
    /// [`CertificateError`], for the first thing that is wrong.
    pub fn check(
        roster: &Roster,
        statements: impl IntoIterator<Item = Arc<Verified>>,
    ) -> Result<CompletionCertificate, CertificateError> {
        let (attested, rest): (Vec<_>, Vec<_>) =
            statements.into_iter().partition(|one| matches!(one.body(), Body::Attestation(_)));
        let agreement = AgreementCertificate::check(roster, rest)?;
        let mut attestations = BTreeMap::new();
        for one in attested {
            let fits = match one.body() {
                Body::Attestation(attestation) => {
                    attestation.round == agreement.round.round
                        && attestation.proposal == agreement.proposal.digest()
                        && attestation.recovery_timestamp == agreement.plan.recovery_timestamp()
                        && attestation.migration_id == agreement.plan.migration_id()
                }
                _ => false,
            };
            belongs_to(&agreement.opened, &agreement.proposal, &one, fits)?;
            // Only an agreement says which other rounds its signer may still attest.
            if !agreement.agreements.contains_key(one.signer()) {
                return Err(CertificateError::NotAgreed { signer: one.signer().clone() });
            }
            add(&mut attestations, one)?;
        }
        enough("attestation", attestations.len(), roster)?;
        Ok(CompletionCertificate { agreement, attestations })
    }

    /// The agreement that was carried out.
    pub const fn agreement(&self) -> &AgreementCertificate {
        &self.agreement
    }

    /// The round completed.
    pub const fn round(&self) -> RoundOf {
        self.agreement.round
    }

    /// The time that the network goes back to.
    pub const fn recovery_timestamp(&self) -> Timestamp {
        self.agreement.plan.recovery_timestamp()
    }

    /// The attestations, by member.
    pub const fn attestations(&self) -> &BTreeMap<MemberName, Arc<Verified>> {
        &self.attestations
    }

    /// The statements it consists of: opening, proposal, agreements, attestations.
    pub fn statements(&self) -> impl Iterator<Item = &Arc<Verified>> {
        self.agreement.statements().chain(self.attestations.values())
    }
}

/// The first round that an agreement moves on from without proof, and whose session is not a predecessor.
pub(crate) fn unfollowed(agreement: &Agreement, predecessors: &BTreeSet<SessionId>) -> Option<RoundOf> {
    let mut without_proof = agreement.attested.iter().filter(|(_, proof)| proof.is_empty());
    without_proof.find(|(round, _)| !predecessors.contains(&round.session)).map(|(round, _)| *round)
}

/// The only one there is.
fn only<T>(kind: &'static str, items: Vec<T>) -> Result<T, CertificateError> {
    let found = items.len();
    let mut items = items.into_iter();
    match (items.next(), items.next()) {
        (Some(item), None) => Ok(item),
        _ => Err(CertificateError::NotOne { kind, found }),
    }
}

fn belongs_to(
    opened: &Verified,
    proposal: &Verified,
    one: &Verified,
    fits: bool,
) -> Result<(), CertificateError> {
    let same_session = one.session() == Some(SessionId::of_open(&opened.digest()))
        && one.header().roster == opened.header().roster
        && one.header().drill == opened.header().drill;
    if fits && same_session {
        return Ok(());
    }
    Err(CertificateError::Foreign {
        kind: one.body().kind(),
        signer: one.signer().clone(),
        digest: one.digest(),
        proposal: proposal.digest(),
    })
}

fn add(to: &mut BTreeMap<MemberName, Arc<Verified>>, one: Arc<Verified>) -> Result<(), CertificateError> {
    let (kind, signer) = (one.body().kind(), one.signer().clone());
    match to.entry(signer.clone()) {
        Entry::Occupied(_) => Err(CertificateError::Repeated { kind, signer }),
        Entry::Vacant(vacant) => {
            vacant.insert(one);
            Ok(())
        }
    }
}

fn enough(kind: &'static str, found: usize, roster: &Roster) -> Result<(), CertificateError> {
    let needed = roster.threshold();
    if found < needed { Err(CertificateError::TooFew { kind, found, needed }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
