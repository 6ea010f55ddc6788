//! The words before each signature: what is signed, for which session, what follows from it, and that it cannot be
//! taken back.
//!
//! They are shown before the question is asked, also with `--yes`, so that a runbook's log holds what was signed.

use crate::screens::heading::{DRILL, all};
use crate::screens::{lost, short};
use svdr_protocol::certificate::AgreementCertificate;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{
    Abandonment, Agreement, Body, Confirmation, Milestone, Proposal, Readiness, Rejection, Release,
    abandonments_needed,
};
use svdr_protocol::text::shown;
use svdr_protocol::time::Tick;

mod donating;

pub use donating::{donation, receiving};

/// The beginning of all of them.
fn opening(session: &Session, me: &MemberName, what: &str) -> String {
    let drill = if session.drill() { format!("{DRILL}\n") } else { String::new() };
    let network = session.roster().network();
    format!("{drill}{me} is about to sign {what} in session {} of {network}.\n", session.id())
}

/// The proposal that an envelope's digest names, where this session holds it.
fn proposal_of<'a>(session: &'a Session, digest: &svdr_protocol::digest::Digest) -> Option<&'a Proposal> {
    match session.statement(digest)?.body() {
        Body::Proposal(proposal) => Some(proposal),
        _ => None,
    }
}

/// Before an agreement.
pub fn agreement(session: &Session, me: &MemberName, agreement: &Agreement) -> String {
    let round = agreement.round;
    let mut text = opening(session, me, &format!("an AGREEMENT to round {round}"));
    if let Some(proposal) = proposal_of(session, &agreement.proposal) {
        let candidate = &proposal.candidate;
        let [covered, left] = [&candidate.covered, &candidate.left_behind]
            .map(|names| names.iter().cloned().collect::<Vec<_>>());
        text += &format!(
            "\nThe network goes back to {} as migration {}. {} of history are lost.\n\
             Covered: {}. Left behind: {}.\n",
            proposal.plan.recovery_timestamp(),
            proposal.plan.migration_id(),
            lost(candidate.history_lost_seconds),
            all(&covered),
            all(&left)
        );
        if !candidate.bracketed {
            text += "It is NOT BRACKETED: some covered pair has no match at or before that time.\n";
        }
        if !candidate.covered.contains(me) {
            text += &format!("{me} itself is LEFT BEHIND.\n");
        }
    }
    let (threshold, members) = (session.roster().threshold(), session.roster().members().len());
    text += &format!(
        "\nThe proposal is {}. This agent has computed it again from the signed evidence.\n\
         With {threshold} of {members} agreements, this agent makes its dump and attests it by itself.\n\
         It cannot be taken back, and {me} can agree to nothing else in round {round} or below.",
        agreement.proposal
    );
    let abandoned: Vec<String> = (1..round)
        .filter(|lower| agreement.abandons(session.id(), session.round_of(*lower)))
        .map(|lower| lower.to_string())
        .collect();
    if !abandoned.is_empty() {
        text += &format!("\n{me} thereby promises never to attest round {}.", abandoned.join(", "));
    }
    for attested in agreement.attested.keys() {
        text += &format!(
            "\n{me} moves on from {attested}, which it has attested; the proof that it may is attached."
        );
    }
    shown(&text)
}

/// Before a rejection.
pub fn rejection(session: &Session, me: &MemberName, rejection: &Rejection) -> String {
    let Rejection { round, proposal, reason } = rejection;
    let text = opening(session, me, &format!("a REJECTION of proposal {} of round {round}", short(proposal)));
    shown(&format!(
        "{text}\nReason, for everybody to read: {reason}\n\n\
         It is for people and binds nobody: {me} may still agree, and the others may go on without {me}. To make \
         sure that {me} never attests the round, abandon it instead."
    ))
}

/// Before an abandonment.
pub fn abandonment(session: &Session, me: &MemberName, abandonment: &Abandonment) -> String {
    let Abandonment { round, reason } = abandonment;
    let mut text = opening(session, me, &format!("an ABANDONMENT of round {round}"));
    let needed = abandonments_needed(session.roster());
    let already: Vec<MemberName> = session.abandonments(*round).into_keys().cloned().collect();
    text += &format!(
        "\nReason, for everybody to read: {reason}\n\n\
         {me} promises never to attest round {round}, and cannot take that back.\n\
         With {needed} abandonments the round can never be completed, and those who have attested it may move on. \
         So far it is abandoned by: {}.",
        all(&already)
    );
    shown(&text)
}

/// Before a release: the one step after which somebody could act on something that no longer holds.
pub fn release(session: &Session, me: &MemberName, release: &Release) -> String {
    let Release { round, attestation, reason } = release;
    let mut text = opening(session, me, &format!("a RELEASE of its attestation of round {round}"));
    let certificate = session.agreement_certificate(*round);
    let at = certificate.as_ref().map(AgreementCertificate::plan).map(|plan| plan.recovery_timestamp());
    let dump = at.map(|at| format!(" of {at}")).unwrap_or_default();
    let attested: Vec<MemberName> = certificate
        .map(|certificate| {
            session.attestations(*round, &certificate.proposal().digest()).into_keys().cloned().collect()
        })
        .unwrap_or_default();
    text += &format!(
        "\nReason, for everybody to read: {reason}\n\n\
         RISK. {me} has attested its dump{dump} in round {round} ({}). Whoever has received that attestation, and \
         enough others, may hold a completion certificate of round {round} already, or put one together, and may be \
         importing a dump right now. A certificate that was made before this release, by somebody who does not see \
         the release, looks valid. If the network then completes another round, it is split: two parts of it \
         recover to different times.\n\n\
         Attested so far, as this agent sees it: {} of {} needed by {}.\n\
         Release only if all operators on the call have said that nobody holds a certificate of round {round} and \
         nobody has imported its dump, and if round {round} cannot be completed in any other way: by bringing a \
         member back, or by {} abandonments.\n\
         It cannot be taken back, it is shown with {me}'s name on every screen, and verify names {me} for it.",
        short(attestation),
        attested.len(),
        session.roster().threshold(),
        all(&attested),
        abandonments_needed(session.roster())
    );
    shown(&text)
}

/// The two questions before a release.
pub fn release_questions(round: u32, me: &MemberName) -> [String; 2] {
    [
        format!(
            "Has every operator on the call said that nobody holds a completion certificate of round {round}?"
        ),
        format!("Take {me}'s attestation of round {round} back?"),
    ]
}

/// Before a milestone.
pub fn milestone(session: &Session, me: &MemberName, milestone: &Milestone) -> String {
    let Milestone { name, note } = milestone;
    let text = opening(session, me, "that a step of the runbook is DONE");
    let note = if note.is_empty() { String::new() } else { format!("\nNote: {note}") };
    shown(&format!("{text}\nStep: {name}{note}\n\nEverybody in the session sees it with {me}'s name."))
}

/// Before a confirmation.
pub fn confirmation(session: &Session, me: &MemberName, confirmation: &Confirmation) -> String {
    let Confirmation { round, evidence, .. } = confirmation;
    let text = opening(session, me, "what its logs say about the NEW synchronizer");
    let at = |tick: Option<Tick>| tick.map_or("none".to_owned(), |tick| tick.to_string());
    let about = evidence.about.iter().map(|(member, about)| {
        let mismatch = match about.mismatches.newest() {
            Some(tick) => format!(", newest MISMATCH {tick}"),
            None => String::new(),
        };
        format!("\n  {member}: newest match {}{mismatch}", at(about.matches.newest()))
    });
    let silent = session.roster().members().iter().map(|member| &member.name);
    let silent = silent.filter(|name| *name != me && !evidence.about.contains_key(*name)).cloned();
    let silent: Vec<MemberName> = silent.collect();
    let silent =
        if silent.is_empty() { String::new() } else { format!("\nNothing yet about: {}.", all(&silent)) };
    let unattributed = match evidence.unattributed_mismatches {
        0 => String::new(),
        count => format!("\nMISMATCHES that the logs do not attribute to anybody: {count}."),
    };
    shown(&format!(
        "{text}\nAfter the recovery of round {round}, commitments of:{}{silent}{unattributed}\n\n\
         Everybody in the session sees it with {me}'s name. It binds to nothing, and a later one replaces it.",
        about.collect::<String>()
    ))
}

/// Before the result of the node's own check.
pub fn readiness(session: &Session, me: &MemberName, readiness: &Readiness) -> String {
    let text = opening(session, me, "the result of its own CHECK");
    let check = |check: &svdr_protocol::statement::Check| {
        format!("\n  {}: {}", check.name, if check.passed { "ok" } else { "FAILED" })
    };
    let checks: String = readiness.checks.iter().map(check).collect();
    shown(&format!(
        "{text}{checks}\n\nEverybody in the session sees it with {me}'s name, without what was found."
    ))
}
