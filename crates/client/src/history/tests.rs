#![allow(clippy::unwrap_used)]

use ed25519_dalek::SigningKey;
use svdr_protocol::receipt::Receipt;

use super::*;

const LIMITS: TranscriptLimits = TranscriptLimits { statements: 3, bytes: 100, foreign_proposals: 0 };

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// The session that the statement "a" opens.
fn session() -> SessionId {
    SessionId::of_open(&statement("a").digest())
}

fn statement(text: &str) -> Envelope {
    Envelope::sign("text/plain".to_owned(), text.as_bytes().to_vec(), &key())
}

fn signed(receipt: &Receipt) -> VerifiedReceipt {
    VerifiedReceipt::read(receipt.sign(&key()), None).unwrap()
}

/// An honest coordinator's transcript.
fn transcript(texts: &[&str]) -> Vec<ReceivedEntry> {
    let mut chain = Chain::new(session());
    let entry = |text: &&str| {
        let statement = statement(text);
        let receipt = chain.append(statement.digest());
        ReceivedEntry { position: receipt.position, receipt: signed(&receipt), statement }
    };
    texts.iter().map(entry).collect()
}

fn followed(entries: &[ReceivedEntry]) -> History {
    let mut history = History::new(session(), LIMITS);
    entries.iter().for_each(|entry| assert!(history.follow(entry).unwrap()));
    history
}

#[test]
fn an_honest_transcript_is_followed_and_may_be_followed_again() {
    let entries = transcript(&["a", "b", "c"]);
    let history = followed(&entries);
    assert_eq!(history.next(), 3);
    let mut again = History::new(session(), LIMITS);
    for entry in &entries {
        again.acknowledged(entry.receipt.clone()).unwrap();
    }
    // Their receipts are known, so that none has to be kept again.
    assert!(entries.iter().all(|entry| !again.follow(entry).unwrap()));
}

#[test]
fn a_rewritten_history_is_proved_by_two_receipts() {
    let mut history = History::new(session(), LIMITS);
    for entry in &transcript(&["a", "b", "c"]) {
        history.acknowledged(entry.receipt.clone()).unwrap();
    }
    let rewritten = transcript(&["a", "x", "c"]);
    history.follow(&rewritten[0]).unwrap();
    let error = history.follow(&rewritten[1]).unwrap_err();
    let HistoryError::Forked(fork) = &error else { panic!("{error}") };
    assert!(fork.first.contradicts(&fork.second));
    assert_eq!(history.proof(&error, Some(&rewritten[1])).len(), 2);
    assert_eq!(history.next(), 1);
}

#[test]
fn a_withheld_replayed_or_reordered_statement_breaks_the_chain() {
    let entries = transcript(&["a", "b", "c"]);
    for wrong in [[0, 2], [0, 0], [1, 0], [2, 1]] {
        let mut history = History::new(session(), LIMITS);
        let results = wrong.map(|at: usize| history.follow(&entries[at]).is_ok());
        assert!(results.contains(&false), "{wrong:?}");
    }
}

#[test]
fn a_statement_is_shown_once() {
    let entries = transcript(&["a", "b", "b"]);
    let mut history = followed(&entries[..2]);
    let error = history.follow(&entries[2]).unwrap_err();
    assert!(matches!(error, HistoryError::Repeated { first: 1, again: 2, .. }), "{error}");
    assert_eq!(history.proof(&error, Some(&entries[2])).len(), 2);
    assert_eq!(history.next(), 2);
}

#[test]
fn a_transcript_ends_at_its_limits() {
    let entries = transcript(&["a", "b", "c", "d"]);
    let mut history = followed(&entries[..3]);
    let error = history.follow(&entries[3]).unwrap_err();
    assert!(matches!(error, HistoryError::TooManyStatements { limit: 3, .. }), "{error}");
    assert_eq!(history.proof(&error, Some(&entries[3])).len(), 1);
    assert_eq!(history.next(), 3);

    let entries = transcript(&["a", &"b".repeat(99), "c"]);
    let mut history = followed(&entries[..2]);
    let error = history.follow(&entries[2]).unwrap_err();
    assert!(matches!(error, HistoryError::TooManyBytes { limit: 100, .. }), "{error}");
    assert_eq!(history.next(), 2);
}

#[test]
fn a_statement_with_anothers_receipt_is_refused() {
    let entries = transcript(&["a", "b"]);
    let mixed = ReceivedEntry { statement: statement("x"), ..entries[0].clone() };
    let mut history = History::new(session(), LIMITS);
    let error = history.follow(&mixed).unwrap_err();
    assert!(matches!(error, HistoryError::OtherStatement { .. }), "{error}");
    let moved = ReceivedEntry { position: 1, ..entries[0].clone() };
    assert!(matches!(history.follow(&moved), Err(HistoryError::OtherStatement { .. })));
}

#[test]
fn a_receipt_for_a_submission_is_held_against_what_comes_later() {
    let entries = transcript(&["a", "b"]);
    let mut history = followed(&entries[..1]);
    assert!(history.acknowledged(entries[1].receipt.clone()).unwrap());
    let other = transcript(&["a", "x"]);
    assert!(matches!(history.follow(&other[1]), Err(HistoryError::Forked(_))));
}

#[test]
fn the_receipts_of_another_session_do_not_fit() {
    let mut chain = Chain::new(SessionId::from_bytes([2; 16]));
    let foreign = statement("a");
    let receipt = chain.append(foreign.digest());
    let entry = ReceivedEntry { position: 0, receipt: signed(&receipt), statement: foreign };
    assert!(matches!(History::new(session(), LIMITS).follow(&entry), Err(HistoryError::Broken { .. })));
}

#[test]
fn a_transcript_begins_with_the_opening() {
    let entries = transcript(&["b", "a"]);
    let error = History::new(session(), LIMITS).follow(&entries[0]).unwrap_err();
    assert!(matches!(error, HistoryError::NotTheOpening { .. }), "{error}");
}

#[test]
fn a_receipt_of_another_session_is_no_receipt_for_what_was_submitted() {
    let foreign = Chain::new(SessionId::from_bytes([2; 16])).append(statement("a").digest());
    let mut history = History::new(session(), LIMITS);
    let error = history.acknowledged(signed(&foreign)).unwrap_err();
    assert!(matches!(error, HistoryError::OtherSession { .. }), "{error}");
    assert_eq!(history.proof(&error, None).len(), 1);
}

#[test]
fn what_was_acknowledged_is_owed_until_it_is_shown() {
    let entries = transcript(&["a", "b", "c"]);
    let mut history = followed(&entries[..1]);
    assert_eq!(history.owed(), None);
    history.acknowledged(entries[2].receipt.clone()).unwrap();
    assert_eq!(history.owed(), Some(2));
    history.follow(&entries[1]).unwrap();
    assert_eq!(history.owed(), Some(2));
    history.follow(&entries[2]).unwrap();
    assert_eq!(history.owed(), None);
}
