//! Sessions as the wire shows them: decoded, for programs that know nothing of statements.

use std::collections::BTreeSet;

use svdr_proto::v1::{self, SessionState};
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::{Body, Verified};

use super::slot::Slot;
use crate::refusal::CallRefusal;

pub(super) fn summary(slot: &Slot) -> v1::SessionSummary {
    let session = &slot.session;
    v1::SessionSummary {
        session: session.id().to_string(),
        drill: session.drill(),
        reason: session.opening().reason.clone(),
        opened_by: session.opened().signer().to_string(),
        state: state(session.phase()).into(),
        round: session.latest_round(),
        length: slot.durable(),
    }
}

const fn state(phase: Phase) -> SessionState {
    match phase {
        Phase::Gathering => SessionState::Gathering,
        Phase::Proposed(_) => SessionState::Proposed,
        Phase::Agreed(_) => SessionState::Agreed,
        Phase::Recovering(_) => SessionState::Recovering,
        Phase::Completed(_) => SessionState::Completed,
        Phase::Verified(_) => SessionState::Verified,
        Phase::Aborted => SessionState::Aborted,
    }
}

pub(super) fn whole(slot: &Slot) -> v1::GetSessionResponse {
    let session = &slot.session;
    let proposal = proposal(session);
    v1::GetSessionResponse {
        summary: Some(summary(slot)),
        threshold: session.roster().threshold() as u32,
        members: progress(slot, proposal),
        proposal: proposal.and_then(proposal_summary),
        roster: session.roster().fingerprint().to_string(),
        head: slot.head().map_or(String::new(), |head| head.to_string()),
    }
}

/// The one completion certificate.
pub(super) fn certificate(slot: &Slot) -> Result<CompletionCertificate, CallRefusal> {
    let (session, id) = (&slot.session, slot.session.id());
    let mut certificates: Vec<_> = session.completion_certificates().collect();
    match (certificates.len(), certificates.pop()) {
        (1, Some(certificate)) => Ok(certificate),
        (0, _) => {
            let needed = session.roster().threshold();
            Err(CallRefusal::NotCompleted { session: id, phase: session.phase(), needed })
        }
        (found, _) => Err(CallRefusal::SeveralCertificates { session: id, found }),
    }
}

/// The round's proposal: the agreed one, or the first in the order in which agents look at them.
fn proposal(session: &Session) -> Option<&Verified> {
    let round = session.latest_round();
    let agreed = session.agreement_certificate(round).map(|certificate| certificate.proposal().digest());
    let agreed = agreed.and_then(|digest| session.statement(&digest));
    agreed.or_else(|| session.proposals(round).next()).map(|one| &**one)
}

fn proposal_summary(proposal: &Verified) -> Option<v1::ProposalSummary> {
    let Body::Proposal(body) = proposal.body() else { return None };
    Some(v1::ProposalSummary {
        round: body.round,
        recovery_timestamp: body.plan.recovery_timestamp().micros(),
        covered: body.candidate.covered.iter().map(ToString::to_string).collect(),
        proposed_by: proposal.signer().to_string(),
    })
}

fn progress(slot: &Slot, proposal: Option<&Verified>) -> Vec<v1::MemberProgress> {
    let session = &slot.session;
    let round = session.latest_round();
    let signers = |kind: fn(&Session, u32, &Verified) -> BTreeSet<MemberName>| {
        proposal.map_or(BTreeSet::new(), |proposal| kind(session, round, proposal))
    };
    let agreed = signers(|session, round, one| names(session.agreements(round, &one.digest()).into_keys()));
    let rejected = signers(|session, round, one| names(session.rejections(round, &one.digest()).into_keys()));
    let attested =
        signers(|session, round, one| names(session.attestations(round, &one.digest()).into_keys()));
    let evidence = names(session.evidence().into_keys());
    let equivocated: BTreeSet<_> = session.equivocations().into_iter().map(|one| one.signer).collect();
    let members = session.roster().members().iter();
    let progress = members.map(|member| v1::MemberProgress {
        member: member.name.to_string(),
        statements: slot.statements_of(&member.name),
        evidence: evidence.contains(&member.name),
        agreed: agreed.contains(&member.name),
        rejected: rejected.contains(&member.name),
        attested: attested.contains(&member.name),
        equivocated: equivocated.contains(&member.name),
    });
    progress.collect()
}

fn names<'a>(names: impl Iterator<Item = &'a MemberName>) -> BTreeSet<MemberName> {
    names.cloned().collect()
}
