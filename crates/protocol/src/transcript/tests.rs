#![allow(clippy::unwrap_used)]

use ed25519_dalek::SigningKey;

use super::*;
use crate::fixture::{Net, abandonment, agreement, coordinator_key, key};
use crate::receipt::Receipt;
use crate::session::NotAccepted;
use crate::time::Timestamp;

/// The statements of a completed session, in an order that a coordinator could have had them in.
fn statements(net: &Net) -> Vec<Arc<Verified>> {
    let (mut session, _) = net.agreed();
    for member in 0..3 {
        net.attest(member, &mut session, 1);
    }
    let mut all: Vec<_> = session.statements().cloned().collect();
    all.sort_by_key(|one| one.header().sequence);
    all
}

fn acknowledged(statements: &[Arc<Verified>], key: &SigningKey) -> Vec<String> {
    in_journal(statements, key, None, 0)
}

/// As a coordinator has them in that journal, accepted one a second.
fn in_journal(
    statements: &[Arc<Verified>],
    key: &SigningKey,
    journal: Option<JournalId>,
    from: i64,
) -> Vec<String> {
    let mut chain = Chain::new(statements[0].session().unwrap());
    let receipt = |(second, one): (i64, &Arc<Verified>)| {
        let accepted = journal.map(|_| at(second));
        [Receipt { journal, accepted, ..chain.append(one.digest()) }.sign(key)]
    };
    let receipts: Vec<[Envelope; 1]> = (from..).zip(statements).map(receipt).collect();
    let mut lines = Vec::new();
    let entries = statements.iter().zip(&receipts).map(|(one, receipt)| (one.envelope(), receipt.as_slice()));
    write(entries, |line| lines.push(line.to_owned()));
    lines
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000).unwrap()
}

fn report(net: &Net, lines: &[String]) -> Report {
    verify(lines.iter().enumerate().map(|(at, line)| (at + 1, line.as_bytes())), &net.roster)
}

#[test]
fn a_whole_transcript_holds() {
    let net = Net::new(4);
    let statements = statements(&net);
    let lines = acknowledged(&statements, &coordinator_key());
    let report = report(&net, &lines);
    assert!(report.holds());
    let [session] = report.sessions.as_slice() else { panic!("one session") };
    assert_eq!(session.phase, Phase::Completed(1));
    assert_eq!(session.completed.len(), 1);
    let [proposal] = session.proposals.as_slice() else { panic!("one proposal") };
    assert!(proposal.certified && proposal.refused.is_none());
    let [chain] = report.chains.as_slice() else { panic!("one chain") };
    assert_eq!(chain.len, statements.len() as u64);
}

#[test]
fn two_coordinators_transcripts_in_one_file_hold() {
    let net = Net::new(4);
    let mut statements = statements(&net);
    let mut lines = acknowledged(&statements, &coordinator_key());
    statements[1..].reverse();
    lines.extend(acknowledged(&statements, &key(100)));
    lines.push("  ".to_owned());
    let report = report(&net, &lines);
    assert!(report.holds());
    assert_eq!(report.chains.len(), 2);
    assert_eq!(report.sessions.len(), 1);
}

#[test]
fn a_coordinator_may_acknowledge_what_a_newer_version_said() {
    let net = Net::new(4);
    let statements = statements(&net);
    let session = statements[0].session().unwrap();
    let (known, opening) = statements.split_last().map(|(last, _)| (last, &statements[0])).unwrap();
    assert_eq!(opening.session(), Some(session));
    let payload = known.envelope().to_message().payload;
    let member = (0..4).find(|member| net.name(*member) == *known.signer()).unwrap();
    let newer = Envelope::sign("application/vnd.svdr.v1.later+protobuf".to_owned(), payload, &key(member));
    let mut chain = Chain::new(session);
    let mut lines = Vec::new();
    let envelopes = statements.iter().map(|one| one.envelope());
    for one in envelopes.chain([&newer]) {
        lines.extend([one.to_json(), chain.append(one.digest()).sign(&coordinator_key()).to_json()]);
    }
    let whole = report(&net, &lines);
    assert!(whole.holds(), "{whole:?}");
    assert_eq!((whole.chains[0].len, whole.sessions[0].session.unknown()), (statements.len() as u64 + 1, 1));
    // Without the statement itself, its receipt shows that it was withheld.
    lines.remove(lines.len() - 2);
    assert!(!report(&net, &lines).holds());
}

#[test]
fn a_certificate_alone_holds_and_says_what_it_cannot_show() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    for member in 0..3 {
        net.attest(member, &mut session, 1);
    }
    let certificate = session.completion_certificate().unwrap();
    let lines: Vec<String> = certificate.statements().map(|one| one.envelope().to_json()).collect();
    let report = report(&net, &lines);
    assert!(report.holds());
    assert_eq!(report.sessions[0].completed, [certificate]);
    assert!(matches!(report.sessions[0].proposals[0].refused, Some(Unconfirmed::Missing { .. })));
}

#[test]
fn whatever_is_left_out_of_a_transcript_is_missed() {
    let net = Net::new(4);
    let statements = statements(&net);
    let lines = acknowledged(&statements, &coordinator_key());
    for at in 0..lines.len() {
        let mut some = lines.clone();
        some.remove(at);
        let held = report(&net, &some).holds();
        // Only a transcript that ends earlier cannot be told from a whole one.
        assert_eq!(held, at == lines.len() - 1, "line {at}");
    }
}

#[test]
fn altered_lines_are_named() {
    let net = Net::new(4);
    let mut lines = acknowledged(&statements(&net), &coordinator_key());
    lines[2] = lines[2].replace("\"payload\":\"", "\"payload\":\"AAAA");
    lines.push("not an envelope".to_owned());
    let report = report(&net, &lines);
    let refused: Vec<usize> = report
        .lines
        .iter()
        .filter(|line| matches!(line.content, Content::Refused(_)))
        .map(|line| line.number)
        .collect();
    assert_eq!(refused, [3, lines.len()]);
    assert!(!report.holds());
}

#[test]
fn a_rewritten_transcript_is_proven_by_its_receipts() {
    let net = Net::new(4);
    let mut statements = statements(&net);
    let mut lines = acknowledged(&statements, &coordinator_key());
    statements.swap(3, 4);
    lines.extend(acknowledged(&statements, &coordinator_key()));
    let report = report(&net, &lines);
    assert!(!report.forks.is_empty() && !report.holds());
    assert_eq!(report.forks[0].first.receipt().position, 3);
}

#[test]
fn equivocators_are_named_with_both_statements() {
    let net = Net::new(4);
    let mut statements = statements(&net);
    let id = statements[0].session().unwrap();
    statements.push(net.sign(0, id, abandonment(1)));
    statements.push(net.sign(1, id, agreement(1, Digest::of(b"another"))));
    let report = report(&net, &acknowledged(&statements, &coordinator_key()));
    let names: Vec<_> = report.equivocations.iter().map(|one| one.signer.clone()).collect();
    assert_eq!(names, [net.name(0), net.name(1)]);
    assert!(!report.holds());
    assert!(report.sessions[0].completed.is_empty(), "their word counts for nothing");
}

#[test]
fn a_proposal_that_does_not_follow_is_refused_although_enough_agreed() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let mut proposal = session.next_proposal(&session.parameters()).unwrap();
    proposal.candidate.history_lost_seconds = 1;
    let digest = net.say(0, &mut session, Body::Proposal(proposal)).digest();
    for member in 0..3 {
        net.say(member, &mut session, agreement(1, digest));
    }
    let mut all: Vec<_> = session.statements().cloned().collect();
    all.sort_by_key(|one| one.header().sequence);
    let report = report(&net, &acknowledged(&all, &coordinator_key()));
    let [proposal] = report.sessions[0].proposals.as_slice() else { panic!("one proposal") };
    assert!(proposal.certified);
    assert!(matches!(proposal.refused, Some(Unconfirmed::Differs(_))));
    assert!(!report.holds());
}

#[test]
fn drill_statements_in_a_real_session_and_unknown_kinds_are_told_apart() {
    let net = Net::new(4);
    let statements = statements(&net);
    let mut lines = acknowledged(&statements, &coordinator_key());
    let unknown = "application/vnd.svdr.v1.prophecy+protobuf".to_owned();
    let said = net.sign(0, statements[0].session().unwrap(), abandonment(1));
    lines.push(Envelope::sign(unknown, said.envelope().to_message().payload, &key(0)).to_json());
    assert!(report(&net, &lines).holds());
    let here = report(&net, &lines).sessions[0].session.id();
    let mut drill = net.statement(3, Some(here), abandonment(1));
    drill.header.drill = true;
    lines.push(net.verified(&drill, 3).envelope().to_json());
    let report = report(&net, &lines);
    assert!(!report.holds());
    assert!(matches!(
        report.lines.last().map(|line| &line.content),
        Some(Content::Refused(LineError::NotAdmitted(NotAdmitted::NotAccepted(NotAccepted::Drill {
            drill: true,
            ..
        }))))
    ));
}

#[test]
fn the_journals_of_one_coordinator_are_histories_of_their_own_as_long_as_each_ends_before_the_next() {
    let net = Net::new(4);
    let mut statements = statements(&net);
    let journal = |made| Some(JournalId::new(at(made), [7; 16]));
    let mut lines = in_journal(&statements, &coordinator_key(), journal(0), 1);
    // The next one has another order, and begins after the last receipt of this one.
    statements[1..].reverse();
    let end = i64::try_from(statements.len()).unwrap() + 1;
    lines.extend(in_journal(&statements, &coordinator_key(), journal(end), end));
    let whole = report(&net, &lines);
    assert!(whole.holds(), "{:?}", whole.forks);
    assert_eq!(
        whole.chains.iter().map(|chain| chain.journal).collect::<Vec<_>>(),
        [journal(0), journal(end)]
    );
    // A third one begins while the second goes on: that proves two histories, whoever tells of them.
    lines.extend(in_journal(&statements, &coordinator_key(), journal(end + 2), end + 2));
    let forked = report(&net, &lines);
    assert!(!forked.holds());
    let [fork] = forked.forks.as_slice() else { panic!("{:?}", forked.forks) };
    assert_eq!(
        [&fork.first, &fork.second].map(|one| one.receipt().journal),
        [journal(end), journal(end + 2)]
    );
    assert!(fork.first.contradicts(&fork.second));
    // Another coordinator may do what it wants meanwhile.
    let mut lines = in_journal(&statements, &coordinator_key(), journal(0), 1);
    lines.extend(in_journal(&statements, &key(100), journal(2), 2));
    assert!(report(&net, &lines).holds());
}
