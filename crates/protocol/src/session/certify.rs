//! The phase of a session, and the certificates that prove it.

use std::fmt;
use std::sync::Arc;

use super::Session;
use crate::certificate::{AgreementCertificate, CompletionCertificate};
use crate::statement::Verified;

/// The phase of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Members report evidence; nothing is proposed yet.
    Gathering,
    /// The latest round has a proposal.
    Proposed(u32),
    /// Enough members agreed to one in the latest round.
    Agreed(u32),
    /// They did, and a dump of it is made, or an SV app cannot make it.
    Recovering(u32),
    /// Enough dumps of the round are made: the network can be recovered.
    Completed(u32),
    /// It is completed, and as many members as the threshold agree with each other on the new synchronizer.
    Verified(u32),
    /// A convener ended it.
    Aborted,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Phase::Gathering => write!(f, "gathering evidence"),
            Phase::Proposed(round) => write!(f, "round {round} is proposed"),
            Phase::Agreed(round) => write!(f, "round {round} is agreed"),
            Phase::Recovering(round) => write!(f, "round {round} is recovering"),
            Phase::Completed(round) => write!(f, "round {round} is completed"),
            Phase::Verified(round) => write!(f, "round {round} is completed, and the network verified"),
            Phase::Aborted => write!(f, "aborted"),
        }
    }
}

impl Session {
    /// The phase of the session.
    pub fn phase(&self) -> Phase {
        if let Some(completed) = self.completion_certificate() {
            let round = completed.round().round;
            let verified = self.restoration_of(&completed).is_verified();
            return if verified { Phase::Verified(round) } else { Phase::Completed(round) };
        }
        if !self.aborts.is_empty() {
            return Phase::Aborted;
        }
        let round = self.latest_round();
        if round == 0 {
            return Phase::Gathering;
        }
        let Some(certificate) = self.agreement_certificate(round) else { return Phase::Proposed(round) };
        let attested = !self.attestations(round, &certificate.proposal().digest()).is_empty();
        let recovering = attested || self.obstacles(round).next().is_some();
        if recovering { Phase::Recovering(round) } else { Phase::Agreed(round) }
    }

    /// The agreement certificate of a round. There is at most one: two would need members that agreed twice, and
    /// those do not count.
    pub fn agreement_certificate(&self, round: u32) -> Option<AgreementCertificate> {
        self.proposals(round).find_map(|proposal| self.certify_agreement(round, proposal))
    }

    /// The completion certificate; if members' equivocation or a release made two, that of the lower round.
    pub fn completion_certificate(&self) -> Option<CompletionCertificate> {
        self.completion_certificates().next()
    }

    /// Every completion certificate, from the lowest round: more than one only if members equivocated or
    /// released.
    pub fn completion_certificates(&self) -> impl Iterator<Item = CompletionCertificate> {
        self.rounds.keys().filter_map(|round| {
            let agreement = self.agreement_certificate(*round)?;
            let attestations = self.attestations(*round, &agreement.proposal().digest());
            if attestations.len() < self.roster.threshold() {
                return None;
            }
            let statements = agreement.statements().chain(attestations.into_values()).cloned();
            CompletionCertificate::check(&self.roster, statements).ok()
        })
    }

    /// The lowest round that somebody may see as completed: it has enough attestations, an equivocator's included.
    /// Nothing moves on from it.
    pub fn settled(&self) -> Option<u32> {
        let threshold = self.roster.threshold();
        self.rounds.iter().find_map(|(round, at)| {
            let mut proposals = at.attestations.keys().map(|(proposal, _)| proposal);
            proposals
                .any(|proposal| self.attested_by_anybody(*round, proposal) >= threshold)
                .then_some(*round)
        })
    }

    fn certify_agreement(&self, round: u32, proposal: &Arc<Verified>) -> Option<AgreementCertificate> {
        let agreements = self.agreements(round, &proposal.digest());
        if agreements.len() < self.roster.threshold() {
            return None;
        }
        let statements = [&self.opened, proposal].into_iter().chain(agreements.into_values()).cloned();
        AgreementCertificate::check(&self.roster, statements).ok()
    }
}
