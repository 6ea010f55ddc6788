//! What this operator does next, with the exact command.

use serde::Serialize;
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{split, text_in_one_line};
use svdr_protocol::milestone::Step;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::Body;
use svdr_protocol::text::listed;
use svdr_protocol::vote::{Decision, VoteRefusal, Voter, Wait};

use crate::screens::facts::SessionFacts;
use crate::screens::{quoted, shown_proposal, shown_round};

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Next {
    /// In a sentence or two.
    pub what: String,
    /// The commands, in their order; none if the operator only waits.
    pub commands: Vec<String>,
}

impl Next {
    fn wait(what: impl Into<String>) -> Next {
        Next { what: what.into(), commands: Vec::new() }
    }

    fn run(what: impl Into<String>, commands: impl IntoIterator<Item = String>) -> Next {
        Next { what: what.into(), commands: commands.into_iter().collect() }
    }
}

/// What `me` does next in `session`. `voter` is the same member in the same session.
pub fn next(session: &Session, me: &MemberName, voter: &Voter<'_>) -> Next {
    let id = session.id();
    match session.phase() {
        Phase::Aborted => Next::wait("nothing in this session. Wait for a convener to open another one."),
        Phase::Completed(_) | Phase::Verified(_) => match session.completion_certificate() {
            Some(certificate) => completed(session, me, voter, &certificate),
            None => Next::wait("nothing."),
        },
        Phase::Gathering if session.evidence().contains_key(me) => {
            Next::wait("nothing. Your evidence is in the session. Wait for the others and for the proposal.")
        }
        Phase::Gathering => Next::run(
            "report your evidence. A running agent does so automatically:",
            ["svdr-agent check".to_owned(), run_command(session)],
        ),
        Phase::Proposed(round) => match shown_proposal(session, round) {
            Some((proposal, _)) => vote(session, me, voter, round, &proposal.digest()),
            None => Next::wait(format!("wait for the proposal of round {round}. Session {id} has none yet.")),
        },
        Phase::Agreed(round) | Phase::Recovering(round) => dump(session, me, voter, round),
    }
}

/// The command that starts the agent: it takes part in drills only with `--drill`.
fn run_command(session: &Session) -> String {
    format!("svdr-agent run{}", if session.drill() { " --drill" } else { "" })
}

fn vote(session: &Session, me: &MemberName, voter: &Voter<'_>, round: u32, proposal: &Digest) -> Next {
    let id = session.id();
    let rejected = session.rejections(round, proposal).contains_key(me);
    match voter.agree(proposal) {
        Decision::Signed(_) => Next::wait(format!(
            "nothing. You have agreed to round {round}. Keep the agent running ({}).",
            run_command(session)
        )),
        Decision::Sign(_) if rejected => Next::run(
            "wait for another proposal: you have rejected this one. You can still agree to it:",
            [format!("svdr-agent agree {id}")],
        ),
        Decision::Sign(_) => Next::run(
            format!("review the proposal of round {round}, then agree or reject:"),
            [
                format!("svdr-agent review {id}"),
                format!("svdr-agent agree {id}"),
                format!("svdr-agent reject {id} --reason \"…\""),
            ],
        ),
        Decision::Wait(Wait::Abandonments { round: held, open, needed, by }) if held.session == id => {
            let open: Vec<&MemberName> = open.iter().collect();
            Next::run(
                format!(
                    "you have attested round {}, which can still complete: {} of {needed} members have abandoned it. Ask \
                     {} more of {} to run the first command. The second command withdraws your own attestation. Use it \
                     only as the last resort, and read its warning:",
                    held.round,
                    by.len(),
                    needed.saturating_sub(by.len()),
                    listed(&open)
                ),
                [
                    format!("svdr-agent abandon {id} --round {} --reason \"…\"", held.round),
                    format!("svdr-agent release {id} --round {} --reason \"…\"", held.round),
                ],
            )
        }
        Decision::Wait(wait) => Next::wait(format!("{}.", text_in_one_line(&wait.to_string()))),
        Decision::Refuse(VoteRefusal::Unconfirmed(unconfirmed)) => Next::run(
            format!("do NOT agree: {}.", split(&unconfirmed.to_string()).0),
            [format!("svdr-agent review {id}"), format!("svdr-agent reject {id} --reason \"…\"")],
        ),
        Decision::Refuse(refusal) => Next::wait(format!("{}.", text_in_one_line(&refusal.to_string()))),
    }
}

fn dump(session: &Session, me: &MemberName, voter: &Voter<'_>, round: u32) -> Next {
    if session.obstacles(round).any(|(member, _)| member == me)
        && !matches!(voter.dump(round), Decision::Signed(_) | Decision::Refuse(_))
    {
        let what = "tell the conveners that your SV app cannot make this dump. The bounds that suit all SVs are above. A \
                    running agent keeps retrying";
        let proposal = shown_proposal(session, round).map(|(proposal, _)| proposal.digest());
        let donated =
            proposal.filter(|proposal| session.donations(round, proposal).keys().any(|donor| *donor != me));
        // Without a donation, another round is better: it brings all SVs back.
        return donated
            .and_then(|proposal| receive(session, me, what, (round, &proposal)))
            .unwrap_or_else(|| Next::wait(format!("{what}.")));
    }
    match voter.dump(round) {
        Decision::Signed(_) => Next::wait(format!(
            "nothing. Your dump of round {round} is attested. Do not import it before the session is completed."
        )),
        Decision::Sign(plan) => Next::run(
            format!(
                "make your dump of {}. A running agent does so automatically:",
                plan.recovery_timestamp()
            ),
            [run_command(session)],
        ),
        Decision::Refuse(VoteRefusal::NotAgreed { .. }) => match shown_proposal(session, round) {
            Some((proposal, _)) => vote(session, me, voter, round, &proposal.digest()),
            None => Next::wait("nothing."),
        },
        Decision::Wait(wait) => Next::wait(format!("{}.", text_in_one_line(&wait.to_string()))),
        Decision::Refuse(refusal) => Next::wait(format!("{}.", text_in_one_line(&refusal.to_string()))),
    }
}

fn completed(
    session: &Session,
    me: &MemberName,
    voter: &Voter<'_>,
    certificate: &CompletionCertificate,
) -> Next {
    let id = session.id();
    if session.drill() {
        return Next::run(
            "the drill is over. Do not import its dumps. You can verify its transcript:",
            [format!("svdr-coordinator session export {id} --out {id}.jsonl")],
        );
    }
    if certificate.attestations().contains_key(me) {
        return with_a_dump(session, me, certificate);
    }
    let covered = match certificate.agreement().proposal().body() {
        Body::Proposal(proposal) => proposal.candidate.covered.contains(me),
        _ => false,
    };
    let (round, proposal) = (certificate.round().round, certificate.agreement().proposal().digest());
    if covered && matches!(voter.agree(&proposal), Decision::Sign(_)) {
        return Next::run(
            format!(
                "the others have completed round {round}, which covers you. Review it and agree. A running agent then \
                 makes your dump:"
            ),
            [format!("svdr-agent review {id}"), format!("svdr-agent agree {id}"), run_command(session)],
        );
    }
    if session.abandonments(round).contains_key(me) {
        return Next::wait(format!(
            "you promised never to attest round {round}, which the others have completed. So your SV has no dump in this \
             session. Say so on the call, and agree how your SV joins the restored network."
        ));
    }
    let is_stopped = session.obstacles(round).any(|(member, _)| member == me);
    if covered && !is_stopped && session.agreements(round, &proposal).contains_key(me) {
        return Next::run(
            "finish your own dump. A running agent does so automatically:",
            [run_command(session)],
        );
    }
    let what = match is_stopped {
        true => "your SV app cannot make this dump",
        false => "you have no dump in this session",
    };
    receive(session, me, what, (round, &proposal))
        .unwrap_or_else(|| Next::wait(format!("{what}, and no other member can donate a snapshot.")))
}

/// How a member without a dump gets one: from a donation, or by asking for one. `None` if nobody else can donate.
fn receive(session: &Session, me: &MemberName, what: &str, of: (u32, &Digest)) -> Option<Next> {
    let (id, (round, proposal)) = (session.id(), of);
    let donations = session.donations(round, proposal);
    let donors: Vec<&MemberName> = donations.keys().copied().filter(|name| *name != me).collect();
    if !donors.is_empty() {
        let command = |name: &&MemberName| format!("svdr-agent receive {id} --from {}", quoted(name));
        let donate = if donors.len() > 1 { "donate (one is enough)" } else { "donates" };
        return Some(Next::run(
            format!("{what}. Make your dump from the snapshot that {} {donate}:", listed(&donors)),
            donors.iter().map(command),
        ));
    }
    let agreed = session.agreements(round, proposal);
    let covered = match session.statement(proposal)?.body() {
        Body::Proposal(body) => &body.candidate.covered,
        _ => return None,
    };
    // A member with a dump of its own has an SV app that serves the timestamp.
    let mut made = session.attestations(round, proposal);
    made.retain(|_, one| matches!(one.body(), Body::Attestation(own) if own.received.is_none()));
    let could: Vec<&MemberName> =
        agreed.keys().copied().filter(|name| *name != me && covered.contains(*name)).collect();
    let best: Vec<&MemberName> = could.iter().copied().filter(|name| made.contains_key(*name)).collect();
    let ask = if best.is_empty() { could } else { best };
    (!ask.is_empty()).then(|| {
        Next::wait(format!(
            "{what}. Ask one of {} to run `svdr-agent donate {id}`. Then run `svdr-agent receive {id} --from NAME`.",
            listed(&ask)
        ))
    })
}

/// What follows for a member whose dump is attested, as far as it has marked what it did.
fn with_a_dump(session: &Session, me: &MemberName, certificate: &CompletionCertificate) -> Next {
    let id = session.id();
    let marked = |step: Step| session.milestones().contains_key(&(me.clone(), step.name().to_owned()));
    let restoration = session.restoration();
    let agrees = restoration.as_ref().is_some_and(|restored| restored.together.contains(me));
    let runbook = format!("svdr-agent runbook {id}");
    let confirm = format!("svdr-agent confirm {id}");
    if agrees && restoration.is_some_and(|restored| restored.is_verified()) {
        return Next::wait("nothing. The network is verified, and your participant agrees with the others.");
    }
    if session.confirmations().contains_key(me) {
        return Next::run(
            "wait until the others have confirmed, and examine the mismatches. Confirm again when there is news:",
            [confirm],
        );
    }
    if marked(Step::Restored) {
        return Next::run(
            "when the first commitment period has ended, confirm that your participant agrees with the others:",
            [confirm],
        );
    }
    if marked(Step::Delivered) {
        return Next::run("continue with the runbook, which has the values of your node:", [runbook]);
    }
    let facts = SessionFacts::of(session);
    if !facts.differences.is_empty() || facts.misfits.iter().any(|one| one.member == *me) {
        return Next::wait(
            "do NOT deliver your dump yet: dumps differ, as the first lines say. Resolve this on the call first.",
        );
    }
    Next::run(
        format!(
            "put your dump of {} where the SV app imports it, mark the step, and continue with the runbook:",
            certificate.recovery_timestamp()
        ),
        [format!("svdr-agent deliver {id}"), format!("svdr-agent done {id} {}", Step::Delivered), runbook],
    )
}

/// The proposal of an operator's `agree`, `reject` and `review` without a digest.
///
/// `None` before the first proposal.
pub fn current_proposal(session: &Session) -> Option<(u32, Digest)> {
    let round = shown_round(session)?;
    shown_proposal(session, round).map(|(proposal, _)| (round, proposal.digest()))
}
