#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixture::{coordinator_key, key};

fn session() -> SessionId {
    SessionId::from_bytes([7; 16])
}

fn read(receipt: &Receipt) -> VerifiedReceipt {
    VerifiedReceipt::read(receipt.sign(&coordinator_key()), None).unwrap()
}

#[test]
fn the_chain_is_pinned() {
    let mut chain = Chain::new(session());
    let first = chain.append(Digest::of(b"a"));
    let second = chain.append(Digest::of(b"b"));
    let head = Digest::of(&[b"svdr transcript v1".as_slice(), &[7; 16]].concat());
    let one = Digest::of(&[head.as_bytes().as_slice(), Digest::of(b"a").as_bytes()].concat());
    let two = Digest::of(&[one.as_bytes().as_slice(), Digest::of(b"b").as_bytes()].concat());
    assert_eq!((first.position, first.head), (0, one));
    assert_eq!((second.position, second.head), (1, two));
    assert_eq!((chain.len(), chain.head(), chain.is_empty()), (2, two, false));
}

#[test]
fn a_receipt_is_its_coordinators() {
    let receipt = Chain::new(session()).append(Digest::of(b"a"));
    let envelope = receipt.sign(&coordinator_key());
    let coordinator = PublicKey::from(coordinator_key().verifying_key());
    let verified = VerifiedReceipt::read(envelope.clone(), Some(&coordinator)).unwrap();
    assert_eq!((*verified.receipt(), verified.coordinator()), (receipt, coordinator));
    let other = PublicKey::from(key(1).verifying_key());
    let error = VerifiedReceipt::read(envelope, Some(&other)).unwrap_err();
    assert!(matches!(error, ReceiptError::OtherCoordinator { .. }));
    let statement = Envelope::sign("text/plain".to_owned(), Vec::new(), &coordinator_key());
    assert!(matches!(VerifiedReceipt::read(statement, None), Err(ReceiptError::OtherType { .. })));
    let empty = Envelope::sign(PAYLOAD_TYPE.to_owned(), Vec::new(), &coordinator_key());
    assert!(matches!(
        VerifiedReceipt::read(empty, None),
        Err(ReceiptError::Field { field: "session", found: 0, expected: 16 })
    ));
    let torn = Envelope::sign(PAYLOAD_TYPE.to_owned(), vec![0xff], &coordinator_key());
    assert!(matches!(VerifiedReceipt::read(torn, None), Err(ReceiptError::Decode(_))));
}

#[test]
fn a_chain_follows_what_continues_it_and_nothing_else() {
    let mut coordinator = Chain::new(session());
    let receipts = [b"a", b"b", b"c"].map(|of| coordinator.append(Digest::of(of)));
    let mut chain = Chain::new(session());
    chain.follow(&receipts[0]).unwrap();
    assert!(chain.follow(&receipts[2]).is_err(), "one is withheld");
    assert!(chain.follow(&receipts[0]).is_err(), "one is repeated");
    let rewritten = Receipt { statement: Digest::of(b"x"), ..receipts[1] };
    assert!(chain.follow(&rewritten).is_err(), "one is replaced");
    let foreign = Receipt { session: SessionId::from_bytes([8; 16]), ..receipts[1] };
    assert!(chain.follow(&foreign).is_err(), "one is of another session");
    chain.follow(&receipts[1]).unwrap();
    chain.follow(&receipts[2]).unwrap();
    assert_eq!(chain, coordinator);
}

#[test]
fn two_heads_at_one_position_prove_a_rewritten_transcript() {
    let one = Chain::new(session()).append(Digest::of(b"a"));
    let two = Chain::new(session()).append(Digest::of(b"b"));
    assert!(read(&one).contradicts(&read(&two)));
    assert!(!read(&one).contradicts(&read(&one)));
    let elsewhere = Chain::new(SessionId::from_bytes([8; 16])).append(Digest::of(b"b"));
    assert!(!read(&one).contradicts(&read(&elsewhere)));
    let other = VerifiedReceipt::read(two.sign(&key(3)), None).unwrap();
    assert!(!read(&one).contradicts(&other), "each coordinator has a transcript of its own");
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000).unwrap()
}

fn journal(second: i64) -> JournalId {
    JournalId::new(at(second), [u8::try_from(second).unwrap(); 16])
}

/// The receipt for the first statement of a session, in the journal made at one second and accepted at another.
fn accepted(of: &[u8], session: SessionId, made: Option<i64>, accepted: Option<i64>) -> VerifiedReceipt {
    let receipt = Chain::new(session).append(Digest::of(of));
    read(&Receipt { journal: made.map(journal), accepted: accepted.map(at), ..receipt })
}

#[test]
fn a_receipt_names_its_journal_and_its_time() {
    let named = accepted(b"a", session(), Some(3), Some(7));
    assert_eq!((named.receipt().journal, named.receipt().accepted), (Some(journal(3)), Some(at(7))));
    assert_eq!(journal(3).to_string(), "1970-01-01T00:00:03Z/0303030303030303");
    let message = v1::Receipt {
        session: vec![7; 16],
        statement: vec![0; 32],
        head: vec![0; 32],
        ..v1::Receipt::default()
    };
    let read = |message: &v1::Receipt| {
        let envelope = Envelope::sign(PAYLOAD_TYPE.to_owned(), message.encode_to_vec(), &coordinator_key());
        VerifiedReceipt::read(envelope, None)
    };
    // As earlier versions sign.
    let unnamed = read(&message).unwrap();
    assert_eq!((unnamed.receipt().journal, unnamed.receipt().accepted), (None, None));
    let short = read(&v1::Receipt { journal: vec![0; 23], ..message.clone() });
    assert!(matches!(short, Err(ReceiptError::Field { field: "journal", found: 23, expected: 24 })));
    let never = read(&v1::Receipt { journal: vec![0x7f; 24], ..message.clone() });
    assert!(matches!(never, Err(ReceiptError::Time { field: "journal", .. })));
    let never = read(&v1::Receipt { accepted: Some(i64::MIN), ..message });
    assert!(matches!(never, Err(ReceiptError::Time { field: "accepted", .. })));
}

#[test]
fn a_new_journal_is_a_new_history_and_no_contradiction() {
    // Whatever it says of the same position, as long as the old one has ended.
    let old = accepted(b"a", session(), Some(3), Some(9));
    for new in [10, 9] {
        assert!(!old.contradicts(&accepted(b"b", session(), Some(new), Some(new))));
    }
    let unnamed = accepted(b"a", session(), None, None);
    assert!(!unnamed.contradicts(&accepted(b"b", session(), Some(3), Some(9))));
}

#[test]
fn a_receipt_in_an_older_journal_later_than_a_newer_one_proves_two_histories() {
    let elsewhere = SessionId::from_bytes([8; 16]);
    for older in [Some(3), None] {
        let old = accepted(b"a", session(), older, Some(11));
        // Of any session: a journal has all of them.
        for of in [session(), elsewhere] {
            let new = accepted(b"a", of, Some(10), Some(10));
            assert!(old.contradicts(&new) && new.contradicts(&old));
            let fork = Fork { first: new, second: old.clone() };
            assert!(fork.to_string().contains("two histories under one key"), "{fork}");
        }
    }
    let old = accepted(b"a", session(), Some(3), Some(11));
    let others = accepted(b"a", session(), Some(10), Some(10)).receipt().sign(&key(3));
    assert!(!old.contradicts(&VerifiedReceipt::read(others, None).unwrap()));
}
