#![allow(clippy::unwrap_used)]

use ed25519_dalek::SigningKey;
use svdr_protocol::receipt::Receipt;

use svdr_protocol::time::Timestamp;

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

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000).unwrap()
}

/// An honest coordinator's transcript in the journal made at that second, in which each was accepted so much later.
fn journal(texts: &[&str], made: i64, later: i64) -> Vec<ReceivedEntry> {
    let id = JournalId::new(at(made), [7; 16]);
    let name = |entry: ReceivedEntry| {
        let accepted = Some(at(made + later));
        let receipt = Receipt { journal: Some(id), accepted, ..*entry.receipt.receipt() };
        ReceivedEntry { receipt: signed(&receipt), ..entry }
    };
    transcript(texts).into_iter().map(name).collect()
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
        again.remember(entry.receipt.clone()).unwrap();
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

#[test]
fn a_coordinator_that_was_started_anew_has_forgotten_and_contradicts_nothing() {
    let mut history = followed(&journal(&["a", "b", "c"], 10, 5));
    // In the middle of a reading, the reading has to begin again.
    let anew = journal(&["a", "x"], 20, 0);
    assert!(matches!(history.follow(&anew[1]), Err(HistoryError::OtherJournal)));
    assert!(matches!(history.acknowledged(anew[1].receipt.clone()), Err(HistoryError::OtherJournal)));
    assert_eq!(history.next(), 3);
    history.begin_again();
    assert_eq!((history.next(), history.owed()), (0, None));
    assert!(anew.iter().all(|entry| history.follow(entry).unwrap()));
    assert_eq!(history.journals().count(), 2);
    let statements: Vec<Digest> = history.acknowledged_statements().collect();
    assert_eq!(statements, ["a", "x"].map(|text| statement(text).digest()));
    assert!(!history.has_acknowledged(&statement("b").digest()));
    // The journal is compared with itself as before.
    let rewritten = journal(&["a", "y"], 20, 0);
    assert!(matches!(history.follow(&rewritten[1]), Err(HistoryError::Forked(_))));
}

#[test]
fn a_receipt_in_an_older_journal_that_goes_on_is_refused_with_both_receipts() {
    // Whichever of the two was seen first.
    for newer_first in [true, false] {
        let mut entries = [journal(&["a", "b"], 10, 11), journal(&["a"], 20, 0)];
        if newer_first {
            entries.reverse();
        }
        let mut history = History::new(session(), LIMITS);
        for entry in &entries[0] {
            history.remember(entry.receipt.clone()).unwrap();
        }
        let error = history.follow(&entries[1][0]).unwrap_err();
        let HistoryError::Forked(fork) = &error else { panic!("{error}") };
        assert!(fork.first.contradicts(&fork.second) && error.to_string().contains("two histories"));
        assert_eq!(history.proof(&error, Some(&entries[1][0])).len(), 2);
    }
}

#[test]
fn journals_without_end_are_refused() {
    let mut history = History::new(session(), LIMITS);
    let most = i64::try_from(MAX_JOURNALS).unwrap();
    for made in 0..most {
        history.begin_again();
        history.follow(&journal(&["a"], made, 0)[0]).unwrap();
    }
    history.begin_again();
    let error = history.follow(&journal(&["a"], most, 0)[0]).unwrap_err();
    assert!(matches!(error, HistoryError::TooManyJournals { .. }), "{error}");
    assert_eq!(history.proof(&error, None).len(), 1);
}
