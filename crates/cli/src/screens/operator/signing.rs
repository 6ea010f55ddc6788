//! The text before each signature: what is signed, for which session, what follows, and whether it can be withdrawn.
//!
//! The text is shown before the question, also with `--yes`, so that a runbook's log contains what was signed.

use crate::screens::heading::{DRILL, all};
use crate::screens::{lost, short};
use svdr_protocol::certificate::AgreementCertificate;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{
    Abandonment, Agreement, Appointment, Body, Confirmation, Milestone, Proposal, Readiness, Rejection,
    Release, abandonments_needed,
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

/// The proposal with that digest, if this session has it.
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
            "\nThe network goes back to {} as migration {}, and loses {} of history.\n\
             Covered: {}. Left behind: {}.\n",
            proposal.plan.recovery_timestamp(),
            proposal.plan.migration_id(),
            lost(candidate.history_lost_seconds),
            all(&covered),
            all(&left)
        );
        if !candidate.bracketed {
            text += "NOT BRACKETED: at least one covered pair has no match at or before that time.\n";
        }
        if !candidate.covered.contains(me) {
            text += &format!("This proposal leaves {me} BEHIND.\n");
        }
    }
    let (threshold, members) = (session.roster().threshold(), session.roster().members().len());
    text += &format!(
        "\nThe proposal is {}. This agent has recomputed it from the signed evidence.\n\
         With {threshold} of {members} agreements, this agent makes its dump and attests it automatically.\n\
         {me} cannot withdraw an agreement, and cannot agree to another proposal of round {round} or below.",
        agreement.proposal
    );
    let abandoned: Vec<String> = (1..round)
        .filter(|lower| agreement.abandons(session.id(), session.round_of(*lower)))
        .map(|lower| lower.to_string())
        .collect();
    if !abandoned.is_empty() {
        text +=
            &format!("\nThis agreement promises that {me} will never attest round {}.", abandoned.join(", "));
    }
    for attested in agreement.attested.keys() {
        text += &format!(
            "\n{me} has attested {attested}. The attached proof shows that {me} may leave that round."
        );
    }
    shown(&text)
}

/// Before a rejection.
pub fn rejection(session: &Session, me: &MemberName, rejection: &Rejection) -> String {
    let Rejection { round, proposal, reason } = rejection;
    let text = opening(session, me, &format!("a REJECTION of proposal {} of round {round}", short(proposal)));
    shown(&format!(
        "{text}\nReason, which all members can read: {reason}\n\n\
         A rejection is for people and binds nobody: {me} can still agree, and the others can continue without {me}. \
         To make sure that {me} never attests the round, abandon the round instead."
    ))
}

/// Before an abandonment.
pub fn abandonment(session: &Session, me: &MemberName, abandonment: &Abandonment) -> String {
    let Abandonment { round, reason } = abandonment;
    let mut text = opening(session, me, &format!("an ABANDONMENT of round {round}"));
    let needed = abandonments_needed(session.roster());
    let already: Vec<MemberName> = session.abandonments(*round).into_keys().cloned().collect();
    text += &format!(
        "\nReason, which all members can read: {reason}\n\n\
         {me} promises never to attest round {round}, and cannot withdraw that promise.\n\
         When {needed} of {} members have abandoned the round, it can never be completed, and members that attested it \
         can agree to another round. Abandoned so far by: {}.",
        session.roster().members().len(),
        all(&already)
    );
    shown(&text)
}

/// Before a release: the only step after which somebody can act on a certificate that is no longer valid.
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
        "\nReason, which all members can read: {reason}\n\n\
         This can split the network.\n\
         {me} has attested its dump{dump} in round {round} ({}). Somebody may already have a completion certificate \
         of round {round} with that attestation, and may be importing a dump now. To anybody who does not see the \
         release, that certificate looks valid. If the network then completes another round, two parts of it recover \
         to different times.\n\n\
         Attestations of round {round} that this agent has seen: {} ({}), of {} that a certificate needs.\n\n\
         Do this first:\n  \
         1. Try to complete round {round}: bring a missing member back.\n  \
         2. Otherwise, try to end round {round} with abandonments (needed: {}).\n  \
         3. Ask every operator on the call. Each must say that they have no certificate of round {round}, and that \
         they have not imported its dump.\n\
         Release only after that.\n\n\
         {me} cannot withdraw a release. Every screen and svdr-agent verify will show the release with the name {me}.",
        short(attestation),
        attested.len(),
        all(&attested),
        session.roster().threshold(),
        abandonments_needed(session.roster())
    );
    shown(&text)
}

/// The two questions before a release.
pub fn release_questions(round: u32, me: &MemberName) -> [String; 2] {
    [
        format!(
            "Has every operator on the call said that they have no completion certificate of round {round}, and have not \
             imported its dump?"
        ),
        format!("Withdraw the attestation of round {round} by {me}?"),
    ]
}

/// Before the appointment of a coordinator.
pub fn appointment(session: &Session, me: &MemberName, appointment: &Appointment) -> String {
    let text = opening(session, me, "the APPOINTMENT of a coordinator");
    let listed: String = session.opening().coordinators.iter().map(|key| format!("\n  {key}")).collect();
    let appointed: String = session.appointments().keys().map(|key| format!("\n  {key}")).collect();
    shown(&format!(
        "{text}\nThe coordinator with the key {} may propose round 1 from then on. Compare the key with the operator of \
         that coordinator.\n\
         Coordinators that the opening lists:{listed}{}{appointed}\n\n\
         {me} cannot withdraw an appointment. Every SV recomputes a proposal before it agrees.",
        appointment.coordinator,
        if appointed.is_empty() { "" } else { "\nCoordinators that conveners appointed:" },
    ))
}

/// Before a milestone.
pub fn milestone(session: &Session, me: &MemberName, milestone: &Milestone) -> String {
    let Milestone { name, note } = milestone;
    let text = opening(session, me, "that a step of the runbook is DONE");
    let note = if note.is_empty() { String::new() } else { format!("\nNote: {note}") };
    shown(&format!("{text}\nStep: {name}{note}\n\nAll members of the session see this with the name {me}."))
}

/// Before a confirmation.
pub fn confirmation(session: &Session, me: &MemberName, confirmation: &Confirmation) -> String {
    let Confirmation { round, evidence, .. } = confirmation;
    let text = opening(session, me, "what its logs report about the NEW synchronizer");
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
        count => format!("\nMISMATCHES that the logs attribute to no member: {count}."),
    };
    shown(&format!(
        "{text}\nAfter the recovery of round {round}, commitments of:{}{silent}{unattributed}\n\n\
         All members of the session see this with the name {me}. It is not a promise, and a newer confirmation replaces \
         it.",
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
        "{text}{checks}\n\nAll members of the session see this with the name {me}, without the details."
    ))
}
