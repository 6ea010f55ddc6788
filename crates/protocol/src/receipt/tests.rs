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
