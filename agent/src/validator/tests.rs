//! A certificate is followed where all of it holds, and nothing else is.

#![allow(clippy::unwrap_used)]

use std::fs;

use svdr_cli::screens::fixture::{Meeting, name, roster_text};
use tempfile::TempDir;

use super::*;

/// A session that everybody has agreed in, and so many have attested.
fn meeting(drill: bool, attested: usize) -> Meeting {
    let mut meeting = Meeting::open(drill);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..4).for_each(|by| drop(meeting.agree(by, proposal)));
    (0..attested).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    meeting
}

fn certificate(meeting: &Meeting) -> Vec<String> {
    let certificate = meeting.session.completion_certificate().unwrap();
    certificate.statements().map(|one| one.envelope().to_json()).collect()
}

fn said(meeting: &Meeting) -> Vec<String> {
    meeting.said.iter().map(|one| one.envelope().to_json()).collect()
}

fn read_with(
    roster: &Arc<Roster>,
    lines: &[String],
    wanted: WantedSession,
) -> Result<Recovery, RecoveryError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("certificate.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    Recovery::of_file(&path, roster, wanted)
}

fn read(meeting: &Meeting, lines: &[String]) -> Result<Recovery, RecoveryError> {
    read_with(&meeting.roster, lines, WantedSession::default())
}

const DRILL: WantedSession = WantedSession { drill: true, session: None };

#[test]
fn a_certificate_says_where_the_network_goes_back_to() {
    let meeting = meeting(false, 3);
    let recovery = read(&meeting, &certificate(&meeting)).unwrap();
    assert_eq!(recovery.round(), meeting.session.round_of(1));
    assert_eq!(recovery.migration_id(), 6);
    assert_eq!(Some(recovery.recovery_timestamp()), {
        meeting.session.completion_certificate().map(|one| one.recovery_timestamp())
    });
    assert_eq!(recovery.opening().1, &name(0));
    assert!(!recovery.opening().0.is_empty());
    assert_eq!(recovery.attested_by().count(), 3);
    // The order of lines means nothing, nor do blank ones.
    let mut lines = certificate(&meeting);
    lines.reverse();
    lines.insert(2, String::new());
    assert_eq!(read(&meeting, &lines).unwrap(), recovery);
}

#[test]
fn a_transcript_says_the_same() {
    let meeting = meeting(false, 4);
    let recovery = read(&meeting, &said(&meeting)).unwrap();
    assert_eq!(recovery, read(&meeting, &certificate(&meeting)).unwrap());
    let wanted = WantedSession { drill: false, session: Some(meeting.session.id()) };
    assert!(read_with(&meeting.roster, &said(&meeting), wanted).is_ok());
}

#[test]
fn a_forged_signature_makes_all_of_it_worthless() {
    let meeting = meeting(false, 4);
    for at in 0..certificate(&meeting).len() {
        let mut lines = certificate(&meeting);
        let mut envelope: serde_json::Value = serde_json::from_str(&lines[at]).unwrap();
        let signature = envelope["signatures"][0]["sig"].as_str().unwrap().to_owned();
        let flipped = if signature.starts_with('A') { "B" } else { "A" };
        envelope["signatures"][0]["sig"] = format!("{flipped}{}", &signature[1..]).into();
        lines[at] = envelope.to_string();
        let error = read(&meeting, &lines).unwrap_err();
        assert!(matches!(error, RecoveryError::Line { line, .. } if line == at + 1), "{error}");
        let mut transcript = said(&meeting);
        transcript.push(lines[at].clone());
        assert!(matches!(read(&meeting, &transcript), Err(RecoveryError::Line { .. })));
    }
}

#[test]
fn another_roster_accepts_nothing() {
    let meeting = meeting(false, 4);
    let text = roster_text().replace("DevNet", "TestNet");
    let other = Arc::new(Roster::parse(&text).unwrap());
    let error = read_with(&other, &certificate(&meeting), WantedSession::default()).unwrap_err();
    assert!(matches!(error, RecoveryError::Line { line: 1, .. }), "{error}");
}

#[test]
fn too_few_attestations_or_none_are_no_certificate() {
    for attested in 0..3 {
        let meeting = meeting(false, attested);
        let agreement = meeting.session.agreement_certificate(1).unwrap();
        let attestations = meeting.said.iter().filter(|one| matches!(one.body(), Body::Attestation(_)));
        let lines: Vec<String> =
            agreement.statements().chain(attestations).map(|one| one.envelope().to_json()).collect();
        let error = read(&meeting, &lines).unwrap_err();
        let RecoveryError::Certificate { source, .. } = error else { panic!("{error}") };
        let expected = format!("by {attested} of the 3 members that it needs");
        assert!(source.to_string().contains(&expected), "{source}");
        let error = read(&meeting, &said(&meeting)).unwrap_err();
        assert!(matches!(error, RecoveryError::NotCompleted { needed: 3, .. }), "{error}");
    }
}

#[test]
fn drills_and_real_sessions_are_kept_apart() {
    let [drill, real] = [meeting(true, 3), meeting(false, 3)];
    for lines in [certificate(&drill), said(&drill)] {
        assert!(matches!(read(&drill, &lines), Err(RecoveryError::Drill { .. })));
        assert!(read_with(&drill.roster, &lines, DRILL).unwrap().drill());
    }
    for lines in [certificate(&real), said(&real)] {
        assert!(matches!(read_with(&real.roster, &lines, DRILL), Err(RecoveryError::Real { .. })));
    }
    // Both in one file: what is wanted is taken out of a transcript, and a certificate is one of one session.
    let both = [said(&drill), said(&real)].concat();
    assert_eq!(read(&real, &both).unwrap().round().session, real.session.id());
    assert_eq!(read_with(&real.roster, &both, DRILL).unwrap().round().session, drill.session.id());
    let both = [certificate(&drill), certificate(&real)].concat();
    assert!(matches!(read(&real, &both), Err(RecoveryError::Certificate { .. })));
}

#[test]
fn another_session_than_the_one_asked_for_is_refused() {
    let meeting = meeting(false, 3);
    let other = WantedSession { drill: false, session: Some(SessionId::from_bytes([7; 16])) };
    let error = read_with(&meeting.roster, &certificate(&meeting), other).unwrap_err();
    assert!(matches!(error, RecoveryError::OtherSession { .. }), "{error}");
    let error = read_with(&meeting.roster, &said(&meeting), other).unwrap_err();
    assert!(matches!(error, RecoveryError::NotOneSession { .. }), "{error}");
}

#[test]
fn a_transcript_in_which_something_does_not_hold_is_not_followed() {
    let mut meeting = meeting(false, 4);
    let attested = said(&meeting);
    assert!(read(&meeting, &attested).is_ok());
    // An attestation and an abandonment of one round: an equivocation, although three are left.
    meeting.abandon(3, 1, "pruned after all");
    assert!(matches!(read(&meeting, &said(&meeting)), Err(RecoveryError::Transcript { .. })));
    // The certificate of the three is whole, and shows nothing of it.
    assert_eq!(read(&meeting, &certificate(&meeting)).unwrap().attested_by().count(), 3);
}

#[test]
fn nothing_and_nonsense_are_said_to_be_that() {
    let meeting = meeting(false, 3);
    for lines in [vec![], vec![String::new(), "  ".to_owned()]] {
        assert!(matches!(read(&meeting, &lines), Err(RecoveryError::Empty { .. })));
    }
    for nonsense in ["{}", "<html>", "null", "\u{0}"] {
        let error = read(&meeting, &[nonsense.to_owned()]).unwrap_err();
        assert!(matches!(error, RecoveryError::Line { line: 1, .. }), "{nonsense}: {error}");
    }
    let absent = Recovery::of_file(Path::new("/nowhere/c.jsonl"), &meeting.roster, WantedSession::default());
    assert!(matches!(absent, Err(RecoveryError::Io(_))));
}
