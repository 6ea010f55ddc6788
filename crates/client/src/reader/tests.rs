#![allow(clippy::unwrap_used)]

use ed25519_dalek::SigningKey;
use svdr_cli::screens::fixture::{Meeting, key};
use svdr_protocol::receipt::{Chain, VerifiedReceipt};

use super::*;
use crate::limits::MAX_INVALID;

const URL: &str = "https://coordinator.example.com";

/// A coordinator's transcript of these statements.
fn transcript(session: SessionId, statements: &[Envelope]) -> Vec<ReceivedEntry> {
    let coordinator = SigningKey::from_bytes(&[77; 32]);
    let mut chain = Chain::new(session);
    let entry = |statement: &Envelope| {
        let receipt = chain.append(statement.digest());
        let receipt = VerifiedReceipt::read(receipt.sign(&coordinator), None).unwrap();
        ReceivedEntry { position: receipt.receipt().position, statement: statement.clone(), receipt }
    };
    statements.iter().map(entry).collect()
}

fn reported() -> (Meeting, Vec<Envelope>) {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let statements = meeting.said.iter().map(|one| one.envelope().clone()).collect();
    (meeting, statements)
}

fn by_stranger(number: u64) -> Envelope {
    let kind = "application/vnd.svdr.v1.milestone+protobuf".to_owned();
    Envelope::sign(kind, number.to_be_bytes().to_vec(), &SigningKey::from_bytes(&[91; 32]))
}

#[test]
fn a_session_is_what_its_statements_say_in_the_order_of_any_coordinator() {
    let (meeting, mut statements) = reported();
    let id = meeting.session.id();
    let mut reader = SessionReader::new(id, Arc::clone(&meeting.roster));
    assert!(reader.session().is_none());
    for entry in &transcript(id, &statements) {
        assert!(matches!(reader.follow(URL, entry).unwrap(), Some(Verdict::Counts(_))));
    }
    assert_eq!(reader.session().unwrap().len(), meeting.session.len());
    // Another coordinator has another order: nothing of it is new.
    statements[1..].reverse();
    reader.begin_again();
    for entry in &transcript(id, &statements) {
        assert!(reader.follow(URL, entry).unwrap().is_none());
    }
    assert_eq!(reader.next(), statements.len() as u64);
}

#[test]
fn invalid_statements_are_left_out_up_to_a_number() {
    let (meeting, mut statements) = reported();
    let id = meeting.session.id();
    let unknown = "application/vnd.svdr.v1.later+protobuf".to_owned();
    // All kinds begin with the same header.
    let header = meeting.said[3].envelope().to_message().payload;
    statements.push(Envelope::sign(unknown, header, &key(2)));
    statements.extend((0..=MAX_INVALID as u64).map(by_stranger));
    let entries = transcript(id, &statements);
    let (last, others) = entries.split_last().unwrap();
    let mut reader = SessionReader::new(id, Arc::clone(&meeting.roster));
    for entry in others {
        reader.follow(URL, entry).unwrap();
    }
    assert_eq!(reader.session().unwrap().len(), meeting.session.len());
    let error = reader.follow(URL, last).unwrap_err();
    assert!(
        matches!(error, SessionError::Call(CallError::TooManyInvalid { limit: MAX_INVALID, .. })),
        "{error}"
    );
}

#[test]
fn an_opening_of_another_roster_is_refused() {
    let (meeting, statements) = reported();
    let text = svdr_cli::screens::fixture::roster_text().replace("DevNet", "TestNet");
    let other = Arc::new(Roster::parse(&text).unwrap());
    let mut reader = SessionReader::new(meeting.session.id(), other);
    let error = reader.follow(URL, &transcript(meeting.session.id(), &statements)[0]).unwrap_err();
    assert!(matches!(error, SessionError::Opening { .. }), "{error}");
}

#[test]
fn a_certificate_is_checked_as_a_whole() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..4).for_each(|by| drop(meeting.agree(by, proposal)));
    (0..3).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    let id = meeting.session.id();
    let certificate = meeting.session.completion_certificate().unwrap();
    let statements: Vec<Envelope> = certificate.statements().map(|one| one.envelope().clone()).collect();
    let of = |session, statements| verified_certificate(URL, &meeting.roster, session, statements);
    assert_eq!(of(id, statements.clone()).unwrap(), certificate);
    let repeated = [statements.clone(), vec![statements[2].clone()]].concat();
    assert!(matches!(of(id, repeated), Err(SessionError::Certificate { .. })));
    assert!(matches!(of(id, statements[..4].to_vec()), Err(SessionError::Certificate { .. })));
    assert!(matches!(of(id, Vec::new()), Err(SessionError::Certificate { .. })));
    let invalid = of(id, vec![by_stranger(1)]).unwrap_err();
    assert!(matches!(invalid, SessionError::CertificateStatement { number: 1, .. }), "{invalid}");
    let elsewhere = SessionId::from_bytes([9; 16]);
    assert!(matches!(of(elsewhere, statements), Err(SessionError::OtherCertificate { .. })));
}
