#![allow(clippy::unwrap_used)]

use ed25519_dalek::SigningKey;
use svdr_cli::screens::fixture::{Meeting, key, name};
use svdr_client::{Coordinator, ReceivedEntry};
use svdr_protocol::receipt::{Chain, VerifiedReceipt};
use svdr_protocol::statement::{Header, Milestone, Statement};

use super::*;

fn envelopes(meeting: &Meeting) -> Vec<Envelope> {
    meeting.said.iter().map(|one| one.envelope().clone()).collect()
}

/// A meeting in which three have reported, as member 1's agent takes it from a coordinator.
fn seen() -> (tempfile::TempDir, Store, Meeting, Replica) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let id = meeting.session.id();
    let replica =
        Replica::open(&store, &meeting.roster, &name(1), id, &envelopes(&meeting)).unwrap().unwrap();
    (folder, store, meeting, replica)
}

fn said(meeting: &Meeting, by: usize, drill: bool, session: SessionId) -> Envelope {
    let header = Header {
        session: Some(session),
        roster: meeting.roster.fingerprint(),
        drill,
        signer: name(by),
        sequence: 9,
        software: "test".to_owned(),
    };
    let body =
        svdr_protocol::statement::Body::Milestone(Milestone { name: "a".to_owned(), note: String::new() });
    Statement { header, body }.sign(&key(by)).unwrap()
}

#[test]
fn what_was_received_is_there_after_a_restart_without_any_coordinator() {
    let (_folder, store, meeting, replica) = seen();
    assert_eq!(replica.session().len(), meeting.session.len());
    let again = Replica::stored(&store, &meeting.roster, &name(1), meeting.session.id()).unwrap().unwrap();
    assert_eq!(again.session().len(), meeting.session.len());
    // Its own evidence is among what it signed, to be sent again and counted as its promise.
    assert_eq!(store.signed(meeting.session.id()).unwrap().len(), 1);
    assert_eq!(store.mirrored(meeting.session.id()).unwrap().len(), meeting.said.len() - 1);
}

#[test]
fn what_is_known_is_not_written_again() {
    let (_folder, store, meeting, mut replica) = seen();
    assert_eq!(replica.absorb(&store, &envelopes(&meeting)).unwrap(), 0);
    assert_eq!(store.mirrored(meeting.session.id()).unwrap().len(), meeting.said.len() - 1);
}

#[test]
fn statements_that_do_not_belong_here_are_invalid() {
    let (_folder, store, meeting, mut replica) = seen();
    let id = meeting.session.id();
    let genuine = said(&meeting, 2, false, id);
    let mut message = genuine.to_message();
    message.payload[5] ^= 1;
    let altered = Envelope::from_message(message).unwrap();
    let stranger = Envelope::sign(
        genuine.payload_type().to_owned(),
        genuine.to_message().payload,
        &SigningKey::from_bytes(&[99; 32]),
    );
    let foreign = [
        altered,
        stranger,
        said(&meeting, 2, true, id),
        said(&meeting, 2, false, SessionId::from_bytes([3; 16])),
    ];
    let before = store.mirrored(id).unwrap().len();
    assert_eq!(replica.absorb(&store, &foreign).unwrap(), 0);
    assert_eq!(store.mirrored(id).unwrap().len(), before);
    assert_eq!(replica.absorb(&store, &[genuine]).unwrap(), 1);
}

#[test]
fn a_forged_copy_does_not_stand_in_the_way_of_the_genuine_opening() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let meeting = Meeting::open(false);
    let genuine = meeting.said[0].envelope();
    let mut message = genuine.to_message();
    message.signatures[0].sig[0] ^= 1;
    let forged = Envelope::from_message(message).unwrap();
    assert_eq!(forged.digest(), genuine.digest());
    let id = meeting.session.id();
    let open =
        |received: &[Envelope]| Replica::open(&store, &meeting.roster, &name(1), id, received).unwrap();
    assert!(open(std::slice::from_ref(&forged)).is_none());
    assert!(store.mirrored(id).unwrap().is_empty());
    assert_eq!(open(&[forged, genuine.clone()]).unwrap().session().len(), 1);
    assert_eq!(store.mirrored(id).unwrap(), std::slice::from_ref(genuine));
}

#[test]
fn what_a_member_signed_and_nobody_can_read_is_not_the_coordinators_fault() {
    let (_folder, store, meeting, mut replica) = seen();
    let kind = "application/vnd.svdr.v1.milestone+protobuf".to_owned();
    let unreadable = Envelope::sign(kind.clone(), b"\xff".to_vec(), &key(2));
    let by_stranger = Envelope::sign(kind, b"\xff".to_vec(), &SigningKey::from_bytes(&[91; 32]));
    let before = store.mirrored(meeting.session.id()).unwrap().len();
    assert_eq!(replica.absorb(&store, &[unreadable]).unwrap(), 0);
    assert_eq!(replica.invalid(), 0);
    assert_eq!(replica.absorb(&store, &[by_stranger]).unwrap(), 0);
    assert_eq!(replica.invalid(), 1);
    assert_eq!(store.mirrored(meeting.session.id()).unwrap().len(), before);
}

#[test]
fn proposals_of_coordinators_are_kept_up_to_a_number() {
    let (_folder, store, meeting, mut replica) = seen();
    let proposal = replica.session().next_proposal(&replica.session().parameters()).unwrap();
    let coordinator = svdr_cli::screens::fixture::coordinator_key();
    let foreign = |sequence: u64| {
        let header = Header {
            session: Some(meeting.session.id()),
            roster: meeting.roster.fingerprint(),
            drill: false,
            signer: "coordinator".parse().unwrap(),
            sequence,
            software: "test".to_owned(),
        };
        Statement { header, body: svdr_protocol::statement::Body::Proposal(proposal.clone()) }
            .sign(&coordinator)
            .unwrap()
    };
    let most = TranscriptLimits::of(&meeting.roster).foreign_proposals;
    let admitted: Vec<Envelope> = (1..=most).map(foreign).collect();
    assert_eq!(replica.absorb(&store, &admitted).unwrap() as u64, most);
    assert_eq!(replica.absorb(&store, &[foreign(most + 1), foreign(most + 2)]).unwrap(), 0);
    assert_eq!(replica.invalid(), 2);
    // Everybody else's go on being taken.
    let mark = said(&meeting, 2, false, meeting.session.id());
    assert_eq!(replica.absorb(&store, &[mark]).unwrap(), 1);
}

#[test]
fn a_kind_that_is_not_known_is_kept_and_counts_for_nothing() {
    let (_folder, store, meeting, mut replica) = seen();
    let kind = "application/vnd.svdr.v1.later+protobuf".to_owned();
    let header = said(&meeting, 2, false, meeting.session.id()).to_message().payload;
    let unknown = Envelope::sign(kind, header, &key(2));
    let before = replica.session().len();
    assert_eq!(replica.absorb(&store, std::slice::from_ref(&unknown)).unwrap(), 0);
    assert_eq!(replica.session().len(), before);
    assert!(store.mirrored(meeting.session.id()).unwrap().contains(&unknown));
}

#[test]
fn a_session_of_another_roster_is_refused_and_told_apart_from_an_unknown_one() {
    let (_folder, store, meeting, _replica) = seen();
    let text = svdr_cli::screens::fixture::roster_text().replace("DevNet", "TestNet");
    let other = Arc::new(Roster::parse(&text).unwrap());
    let refused = Replica::stored(&store, &other, &name(1), meeting.session.id()).unwrap_err();
    assert!(matches!(refused, ReplicaError::Session(SessionError::Opening { .. })), "{refused}");
    assert_eq!(svdr_protocol::failure::CommandError::exit(&refused), svdr_protocol::failure::Exit::Refused);
    let unknown = Replica::stored(&store, &meeting.roster, &name(1), SessionId::from_bytes([3; 16]));
    assert!(unknown.unwrap().is_none());
    assert!(others(&store, &other, &name(1), SessionId::from_bytes([3; 16])).unwrap().is_empty());
}

#[test]
fn a_statement_that_another_command_has_signed_is_seen() {
    let (_folder, store, meeting, mut replica) = seen();
    let signer = crate::store::Signer {
        member: name(1),
        key: key(1),
        roster: meeting.roster.fingerprint(),
        software: "test".to_owned(),
    };
    let body =
        svdr_protocol::statement::Body::Milestone(Milestone { name: "b".to_owned(), note: String::new() });
    let signed = store.lock().unwrap().sign(&signer, replica.session(), body).unwrap();
    assert_eq!(replica.refresh(&store).unwrap(), 1);
    assert_eq!(replica.refresh(&store).unwrap(), 0);
    assert!(replica.session().statement(&signed.digest()).is_some());
}

#[test]
fn a_rewritten_history_is_refused_after_a_restart_with_both_receipts_kept() {
    let (_folder, store, meeting, _replica) = seen();
    let liar = SigningKey::from_bytes(&[77; 32]);
    let coordinator =
        Coordinator { url: "https://coordinator.example.com".to_owned(), key: liar.verifying_key().into() };
    let transcript = |order: &[usize]| -> Vec<ReceivedEntry> {
        let mut chain = Chain::new(meeting.session.id());
        let entry = |at: &usize| {
            let statement = meeting.said[*at].envelope().clone();
            let receipt = chain.append(statement.digest());
            let receipt = VerifiedReceipt::read(receipt.sign(&liar), Some(&coordinator.key)).unwrap();
            ReceivedEntry { position: receipt.receipt().position, statement, receipt }
        };
        order.iter().map(entry).collect()
    };
    let id = meeting.session.id();
    Ledger::open(&store, &meeting.roster, id, &coordinator)
        .unwrap()
        .follow(&store, &transcript(&[0, 1, 2, 3]))
        .unwrap();
    let mut again = Ledger::open(&store, &meeting.roster, id, &coordinator).unwrap();
    let error = again.follow(&store, &transcript(&[0, 2, 1, 3])).unwrap_err();
    assert_eq!(svdr_protocol::failure::CommandError::exit(&error), svdr_protocol::failure::Exit::Refused);
    let ReplicaError::History { proof, .. } = error else { panic!("{error}") };
    let kept = std::fs::read_to_string(proof).unwrap();
    let receipts: Vec<VerifiedReceipt> = kept
        .lines()
        .map(|line| Envelope::from_json(line.as_bytes()).unwrap())
        .map(|envelope| VerifiedReceipt::read(envelope, Some(&coordinator.key)).unwrap())
        .collect();
    assert!(receipts.len() == 2 && receipts[0].contradicts(&receipts[1]));
}
