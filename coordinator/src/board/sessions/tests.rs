#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;
use svdr_proto::limits::{MAX_FOREIGN_PROPOSALS_PER_MEMBER, MAX_STATEMENTS_PER_MEMBER};
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::Chain;
use svdr_protocol::statement::{Body, Statement, Verified};

use super::*;
use crate::fixture::Net;

fn member(name: &str) -> From {
    From::Member(name.parse().unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000).unwrap()
}

fn read(net: &Net, envelope: Envelope) -> Incoming {
    Incoming::read(envelope, &net.roster).unwrap()
}

/// Sessions of which one is open, and its id.
fn opened(net: &Net) -> (Sessions, SessionId) {
    let mut sessions = Sessions::new(Arc::clone(&net.roster), None);
    let opening = read(net, net.opening(1));
    let id = opening.session;
    sessions.restore(opening, &From::Itself, None).unwrap();
    (sessions, id)
}

fn accept(sessions: &mut Sessions, net: &Net, envelope: Envelope) -> Result<Accepted, CallRefusal> {
    sessions.accept(read(net, envelope), &member("SV-1"), at(1))
}

#[test]
fn a_session_begins_with_its_opening() {
    let net = Net::new(4);
    let mut sessions = Sessions::new(Arc::clone(&net.roster), None);
    let opening = net.opening(1);
    let id = SessionId::of_open(&opening.digest());
    let early = accept(&mut sessions, &net, net.milestone(id, 1, "early"));
    assert!(matches!(early, Err(CallRefusal::UnknownSession { .. })), "{early:?}");
    assert!(matches!(accept(&mut sessions, &net, opening), Ok(Accepted::New(_))));
    assert!(matches!(accept(&mut sessions, &net, net.milestone(id, 1, "late")), Ok(Accepted::New(_))));
}

#[test]
fn nothing_shows_before_it_is_on_disk() {
    let net = Net::new(4);
    let mut sessions = Sessions::new(Arc::clone(&net.roster), None);
    let opening = read(&net, net.opening(1));
    let id = opening.session;
    let Ok(Accepted::New(entry)) = sessions.accept(opening, &From::Itself, at(1)) else { unreachable!() };
    assert!(matches!(sessions.slot(id), Err(CallRefusal::UnknownSession { .. })));
    assert_eq!(sessions.newest_first().count(), 0);
    sessions.confirm(&entry);
    let Ok(Accepted::New(entry)) = accept(&mut sessions, &net, net.milestone(id, 1, "a")) else {
        unreachable!()
    };
    let slot = sessions.slot(id).unwrap();
    assert_eq!((slot.page(0, 10).len(), slot.session.len(), *slot.length.borrow()), (1, 1, 1));
    sessions.confirm(&entry);
    let slot = sessions.slot(id).unwrap();
    assert_eq!((slot.page(0, 10).len(), slot.session.len(), *slot.length.borrow()), (2, 2, 2));
    assert_eq!(slot.page(1, 10).len(), 1);
    assert_eq!(slot.page(2, 10).len(), 0);
    assert_eq!(slot.page(0, 1).len(), 1);
}

#[test]
fn receipts_follow_the_chain_and_repetitions_get_the_first_one() {
    let net = Net::new(4);
    let (mut sessions, id) = opened(&net);
    let mut chain = Chain::new(id);
    chain.append(sessions.slot(id).unwrap().page(0, 1)[0].receipt.statement);
    for note in ["a", "b", "c"] {
        let envelope = net.milestone(id, 1, note);
        let Ok(Accepted::New(new)) = accept(&mut sessions, &net, envelope.clone()) else { unreachable!() };
        chain.follow(&new.receipt).unwrap();
        let Ok(Accepted::Known(again)) = accept(&mut sessions, &net, envelope) else { unreachable!() };
        assert_eq!(again.receipt, new.receipt);
    }
}

#[test]
fn a_member_has_so_many_statements_and_no_more() {
    let net = Net::new(4);
    let (mut sessions, id) = opened(&net);
    for _ in 0..MAX_STATEMENTS_PER_MEMBER {
        accept(&mut sessions, &net, net.milestone(id, 1, "")).unwrap();
    }
    let more = accept(&mut sessions, &net, net.milestone(id, 1, ""));
    assert!(matches!(more, Err(CallRefusal::TooManyStatements { .. })), "{more:?}");
    accept(&mut sessions, &net, net.milestone(id, 2, "")).unwrap();
}

#[test]
fn proposals_of_other_coordinators_count_against_whoever_brings_them() {
    let net = Net::new(4);
    let (mut sessions, id) = opened(&net);
    let mut session = sessions.slot(id).unwrap().session.clone();
    for member in 0..4 {
        session.insert(net.evidence(&session, member)).unwrap();
    }
    let proposal = session.next_proposal(&session.parameters()).unwrap();
    let other = SigningKey::from_bytes(&[77; 32]);
    let foreign = |sequence| {
        let Statement { mut header, body } =
            net.sign(&session, 0, Body::Proposal(proposal.clone())).statement().clone();
        (header.signer, header.sequence) = ("coordinator".parse().unwrap(), sequence);
        read(&net, Statement { header, body }.sign(&other).unwrap())
    };
    for sequence in 1..=MAX_FOREIGN_PROPOSALS_PER_MEMBER {
        sessions.accept(foreign(sequence), &member("SV-1"), at(1)).unwrap();
    }
    let more = sessions.accept(foreign(1000), &member("SV-1"), at(1));
    assert!(matches!(more, Err(CallRefusal::TooManyForeignProposals { .. })), "{more:?}");
    sessions.accept(foreign(1001), &member("SV-2"), at(1)).unwrap();
}

#[test]
fn sessions_are_limited() {
    let net = Net::new(4);
    let mut sessions = Sessions::new(Arc::clone(&net.roster), None);
    for _ in 0..MAX_SESSIONS {
        accept(&mut sessions, &net, net.opening(1)).unwrap();
    }
    assert!(matches!(accept(&mut sessions, &net, net.opening(1)), Err(CallRefusal::TooManySessions)));
}

#[test]
fn a_convener_without_measure_leaves_the_others_their_places() {
    let net = Net::with_conveners(4, 2);
    let mut sessions = Sessions::new(Arc::clone(&net.roster), None);
    for _ in 0..MAX_SESSIONS - KEPT_SESSIONS {
        accept(&mut sessions, &net, net.opening_by(0, 1)).unwrap();
    }
    assert!(matches!(accept(&mut sessions, &net, net.opening_by(0, 1)), Err(CallRefusal::TooManySessions)));
    for _ in 0..KEPT_SESSIONS {
        accept(&mut sessions, &net, net.opening_by(1, 1)).unwrap();
    }
    assert!(matches!(accept(&mut sessions, &net, net.opening_by(1, 1)), Err(CallRefusal::TooManySessions)));
}

#[test]
fn kinds_for_newer_versions_are_kept_and_counted_for_nothing() {
    let net = Net::new(4);
    let (mut sessions, id) = opened(&net);
    let known = net.milestone(id, 1, "");
    let payload = known.verify().unwrap().payload().to_vec();
    let kind = "application/vnd.svdr.v1.astrology+protobuf".to_owned();
    let newer = Envelope::sign(kind.clone(), payload.clone(), &crate::fixture::key(1));
    sessions.restore(read(&net, newer.clone()), &member("SV-1"), None).unwrap();
    let slot = sessions.slot(id).unwrap();
    assert_eq!((slot.durable(), slot.session.len()), (2, 1));
    assert_eq!(slot.page(1, 1)[0].statement.envelope(), &newer);
    let in_anothers_name = Envelope::sign(kind.clone(), payload, &crate::fixture::key(2));
    let refused = Incoming::read(in_anothers_name, &net.roster);
    assert!(matches!(refused, Err(CallRefusal::Statement(_))), "{refused:?}");
    let stranger = Envelope::sign(kind, Vec::new(), &SigningKey::from_bytes(&[77; 32]));
    assert!(matches!(Incoming::read(stranger, &net.roster), Err(CallRefusal::Statement(_))));
}

#[test]
fn the_state_is_that_of_the_statements() {
    let net = Net::new(4);
    let (mut sessions, id) = opened(&net);
    let session = sessions.slot(id).unwrap().session.clone();
    let mut all: Vec<Arc<Verified>> = vec![Arc::clone(session.opened())];
    for member in 0..4 {
        let evidence = net.evidence(&session, member);
        sessions.restore(read(&net, evidence.envelope().clone()), &From::Itself, None).unwrap();
        all.push(evidence);
    }
    all.reverse();
    let folded = Session::fold(Arc::clone(&net.roster), all).unwrap();
    let kept = &sessions.slot(id).unwrap().session;
    let digests = |session: &Session| session.statements().map(|one| one.digest()).collect::<BTreeSet<_>>();
    assert_eq!((kept.phase(), digests(kept)), (folded.phase(), digests(&folded)));
}

#[test]
fn receipts_name_the_journal_and_their_times_never_fall() {
    let net = Net::new(4);
    let journal = JournalId::new(at(100), [7; 16]);
    let mut sessions = Sessions::new(Arc::clone(&net.roster), Some(journal));
    let opening = read(&net, net.opening(1));
    let id = opening.session;
    sessions.restore(opening, &From::Itself, Some(at(200))).unwrap();
    let mut accepted = |now| {
        let statement = read(&net, net.milestone(id, 1, "a"));
        let Accepted::New(entry) = sessions.accept(statement, &From::Itself, at(now)).unwrap() else {
            unreachable!()
        };
        assert_eq!(entry.receipt.journal, Some(journal));
        entry.receipt.accepted
    };
    // The clock goes back behind what the journal says, on, and back again.
    assert_eq!([150, 300, 250, 301].map(&mut accepted), [200, 300, 300, 301].map(|second| Some(at(second))));
    // And behind the time when the journal was made.
    let mut sessions = Sessions::new(Arc::clone(&net.roster), Some(journal));
    let Ok(Accepted::New(entry)) = sessions.accept(read(&net, net.opening(1)), &From::Itself, at(1)) else {
        unreachable!()
    };
    assert_eq!(entry.receipt.accepted, Some(at(100)));
}
