//! What `verify` says of transcripts that hold, and of each way in which they do not.

#![allow(clippy::unwrap_used)]

use std::fs;

use ed25519_dalek::SigningKey;
use svdr_cli::screens::fixture::{Meeting, at, name};
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::plan::dump::Parameters;
use svdr_protocol::receipt::Chain;
use svdr_protocol::statement::{Body, Proposal};
use tempfile::TempDir;

use super::*;

const PLAIN: Style = Style { colours: false, width: 120 };

/// The key of the coordinator.
fn coordinator() -> SigningKey {
    SigningKey::from_bytes(&[99; 32])
}

/// The transcript of a meeting: each statement with its receipt.
fn transcript(meeting: &Meeting) -> Vec<String> {
    let mut chain = Chain::new(meeting.session.id());
    let entry = |one: &Arc<svdr_protocol::statement::Verified>| {
        let receipt = chain.append(one.digest()).sign(&coordinator());
        [one.envelope().to_json(), receipt.to_json()]
    };
    meeting.said.iter().flat_map(entry).collect()
}

fn completed(drill: bool) -> (Meeting, Digest) {
    let mut meeting = Meeting::open(drill);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    (0..3).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    (meeting, proposal)
}

/// Writes the lines, verifies them, and gives the document, the certificates there are, and the text.
fn verified(meeting: &Meeting, lines: &[String]) -> (VerifyDocument, usize, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    let (document, completed) = read(&[path], &meeting.roster).unwrap();
    let text = text::text(&document, false, PLAIN).replace(&format!("{}/", folder.path().display()), "");
    (document, completed, text)
}

/// The part of the text behind the table of lines.
fn conclusion(text: &str) -> String {
    text.split_once("\n\n").map_or(text, |(_, rest)| rest).to_owned()
}

#[test]
fn a_transcript_of_a_completed_session_holds() {
    let (meeting, _) = completed(false);
    let (document, completed, text) = verified(&meeting, &transcript(&meeting));
    assert!(document.holds);
    assert_eq!(completed, 1);
    svdr_snapshot::assert_snapshot!("completed", conclusion(&text));
}

#[test]
fn a_drill_is_no_certificate_for_anybody() {
    let (meeting, _) = self::completed(true);
    let (document, completed, text) = verified(&meeting, &transcript(&meeting));
    assert!(document.holds);
    assert_eq!(completed, 0);
    assert!(text.contains("DRILL") && text.contains("COMPLETION CERTIFICATE OF A DRILL"), "{text}");
}

#[test]
fn a_certificate_holds_by_itself() {
    let (meeting, _) = completed(false);
    let certificate = meeting.session.completion_certificate().unwrap();
    let lines: Vec<String> = certificate.statements().map(|one| one.envelope().to_json()).collect();
    let (document, completed, text) = verified(&meeting, &lines);
    assert!(document.holds, "{text}");
    assert_eq!(completed, 1);
    assert!(document.sessions[0].proposals[0].follows.is_none());
    svdr_snapshot::assert_snapshot!("certificate", conclusion(&text));
}

#[test]
fn an_altered_line_is_named() {
    let (meeting, _) = completed(false);
    let mut lines = transcript(&meeting);
    let other = Meeting::open(true).said[0].envelope().to_json();
    let payload = |line: &str| line.split('"').nth(7).map(str::to_owned);
    lines[2] = lines[2].replace(&payload(&lines[2]).unwrap(), &payload(&other).unwrap());
    let (document, _, text) = verified(&meeting, &lines);
    assert!(!document.holds);
    let failed: Vec<usize> =
        document.statements.iter().filter(|one| !one.holds).map(|one| one.line).collect();
    assert_eq!(failed, [3]);
    assert!(text.contains("session.jsonl:3"), "{text}");
}

#[test]
fn a_coordinator_that_leaves_something_out_is_found() {
    let (meeting, _) = completed(false);
    let all = transcript(&meeting);
    let without_statement: Vec<String> = [&all[..4], &all[5..]].concat();
    let without_both: Vec<String> = [&all[..4], &all[6..]].concat();
    for lines in [without_statement, without_both] {
        let (document, _, text) = verified(&meeting, &lines);
        assert!(!document.holds);
        assert!(text.contains("BROKEN after "), "{text}");
        assert!(document.findings().contains(&"1 hash chain is broken".to_owned()));
    }
}

#[test]
fn a_coordinator_that_rewrites_its_history_is_proved_to() {
    let (meeting, _) = completed(false);
    let mut lines = transcript(&meeting);
    let mut chain = Chain::new(meeting.session.id());
    chain.append(meeting.said[0].digest());
    lines.push(chain.append(meeting.said[2].digest()).sign(&coordinator()).to_json());
    let (document, _, text) = verified(&meeting, &lines);
    assert!(!document.holds);
    assert_eq!(document.forks.len(), 1);
    assert!(document.forks[0].first["payload"].is_string());
    assert!(text.contains("CONTRADICTION of a coordinator"), "{text}");
}

#[test]
fn a_proposal_that_does_not_follow_is_named() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let honest = meeting.session.next_proposal(&meeting.session.parameters()).unwrap();
    let mut candidate = honest.candidate.clone();
    candidate.history_lost_seconds = 0;
    let forged = meeting.say(0, Body::Proposal(Proposal { candidate, ..honest })).digest();
    meeting.agree(1, forged);
    let (document, _, text) = verified(&meeting, &transcript(&meeting));
    assert_eq!(document.sessions[0].proposals[0].follows, Some(false));
    assert!(!document.holds);
    svdr_snapshot::assert_snapshot!("wrong_proposal", conclusion(&text));
}

#[test]
fn an_equivocator_is_named_with_both_envelopes() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let own = meeting.session.parameters();
    let first = meeting.session.next_proposal(&own).unwrap();
    let parameters = Parameters { not_after: Some(at("23:09:30")), ..own };
    let second = meeting.session.next_proposal(&parameters).unwrap();
    let [first, second] = [first, second].map(|proposal| meeting.say(0, Body::Proposal(proposal)).digest());
    meeting.agree(2, first);
    meeting.agree(2, second);
    let (document, _, text) = verified(&meeting, &transcript(&meeting));
    let [equivocation] = document.equivocations.as_slice() else { panic!("{text}") };
    assert_eq!(equivocation.signer, name(2));
    let mut lines = [equivocation.first.line, equivocation.second.line];
    lines.sort();
    assert_eq!(lines, [15, 17]);
    for proof in [&equivocation.first, &equivocation.second] {
        let envelope = Envelope::from_json(proof.envelope.to_string().as_bytes()).unwrap();
        assert_eq!(envelope.digest(), proof.digest);
        assert!(envelope.verify().is_ok());
    }
    svdr_snapshot::assert_snapshot!("equivocator", conclusion(&text));
}

#[test]
fn many_lines_are_only_listed_where_they_do_not_hold() {
    let (mut meeting, _) = completed(false);
    (0..40).for_each(|_| meeting.report(0, &["23:25:00"]));
    let (document, _, text) = verified(&meeting, &transcript(&meeting));
    assert!(document.holds && !text.contains("statement  "), "{text}");
    assert!(text::text(&document, true, PLAIN).contains("evidence"));
}

#[test]
fn what_is_no_file_of_statements_is_refused() {
    let meeting = Meeting::open(false);
    let folder = TempDir::new().unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n\n").unwrap();
    assert!(matches!(read(&[empty], &meeting.roster), Err(VerifyError::Empty { .. })));
    let absent = folder.path().join("absent");
    assert!(matches!(read(&[absent], &meeting.roster), Err(VerifyError::Io(_))));
    let (document, _, text) = verified(&meeting, &["hello \u{1b}[2J".to_owned(), "{}".to_owned()]);
    assert!(!document.holds && document.statements.iter().all(|one| !one.holds));
    assert!(!text.contains('\u{1b}'));
}
