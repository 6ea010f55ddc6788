//! Each refused statement gets a code, a reason for programs, and a message for people.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use svdr_protocol::statement::{Abort, Body};

use super::*;

async fn refused(client: &mut Client, envelope: &Envelope) -> (Code, String) {
    refusal(&submit(client, envelope).await.unwrap_err())
}

fn expected(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_do_not_hold_are_refused_by_what_is_wrong() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    let good = network.sign(2, Some(session), 1, milestone("synchronizer-stopped")).unwrap();

    let mut forged = good.to_message();
    forged.payload.push(0);
    let forged = Envelope::from_message(forged).unwrap();
    assert_eq!(refused(&mut client, &forged).await, expected(Code::InvalidArgument, "SIGNATURE"));

    let stranger = SigningKey::from_bytes(&[97; 32]);
    let payload = good.verify().unwrap().payload().to_vec();
    let by_stranger = Envelope::sign(good.payload_type().to_owned(), payload.clone(), &stranger);
    assert_eq!(refused(&mut client, &by_stranger).await, expected(Code::PermissionDenied, "STRANGER"));

    let in_anothers_name = Envelope::sign(good.payload_type().to_owned(), payload.clone(), network.key(3));
    assert_eq!(
        refused(&mut client, &in_anothers_name).await,
        expected(Code::PermissionDenied, "OTHER_SIGNER")
    );

    let abort = Body::Abort(Abort { reason: "no reason".to_owned() });
    let abort = network.sign(2, Some(session), 2, abort).unwrap();
    assert_eq!(refused(&mut client, &abort).await, expected(Code::PermissionDenied, "NOT_A_CONVENER"));

    let elsewhere = SessionId::from_bytes([9; 16]);
    let foreign = network.sign(2, Some(elsewhere), 3, milestone("x")).unwrap();
    assert_eq!(refused(&mut client, &foreign).await, expected(Code::NotFound, "UNKNOWN_SESSION"));

    let drill = network.sign_drill(2, Some(session), 4, milestone("x")).unwrap();
    assert_eq!(refused(&mut client, &drill).await, expected(Code::FailedPrecondition, "DRILL"));

    let outside = network.sign(2, None, 5, network.evidence(2)).unwrap();
    assert_eq!(refused(&mut client, &outside).await, expected(Code::InvalidArgument, "NO_SESSION"));

    let cut =
        Envelope::sign(good.payload_type().to_owned(), payload[..payload.len() / 2].to_vec(), network.key(2));
    assert_eq!(refused(&mut client, &cut).await, expected(Code::InvalidArgument, "MALFORMED"));

    let foreign_type = Envelope::sign("text/plain".to_owned(), payload, network.key(2));
    assert_eq!(refused(&mut client, &foreign_type).await, expected(Code::InvalidArgument, "MALFORMED"));

    assert_eq!(transcript(&mut client, &coordinator, session, 0).await.len(), 1);
    submit(&mut client, &good).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_made_with_another_roster_is_refused() {
    let (network, other) = (Network::new(4).unwrap(), Network::new(4).unwrap());
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let payload_of_other = other.sign(1, None, 1, opening(1)).unwrap();
    let payload = payload_of_other.verify().unwrap().payload().to_vec();
    let envelope = Envelope::sign(payload_of_other.payload_type().to_owned(), payload, network.key(1));
    assert_eq!(refused(&mut client, &envelope).await, expected(Code::FailedPrecondition, "OTHER_ROSTER"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_none_are_refused() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let empty = client.submit(v1::SubmitRequest { statement: None }).await.unwrap_err();
    assert_eq!(refusal(&empty), expected(Code::InvalidArgument, "NO_STATEMENT"));

    let mut twice = network.sign(1, None, 1, opening(1)).unwrap().to_message();
    twice.signatures.push(twice.signatures[0].clone());
    let twice = client.submit(v1::SubmitRequest { statement: Some(twice) }).await.unwrap_err();
    assert_eq!(refusal(&twice), expected(Code::InvalidArgument, "MALFORMED"));

    let mut long = network.sign(1, None, 1, opening(1)).unwrap().to_message();
    long.payload = vec![0; (4 << 20) + 1];
    let long = client.submit(v1::SubmitRequest { statement: Some(long) }).await.unwrap_err();
    assert_eq!(refusal(&long), expected(Code::InvalidArgument, "TOO_LONG"));

    let session = "no session".to_owned();
    let status = client.get_session(v1::GetSessionRequest { session: session.clone() }).await.unwrap_err();
    assert_eq!(refusal(&status), expected(Code::InvalidArgument, "MALFORMED"));
    let status = client.watch(v1::WatchRequest { session, from: 0 }).await.unwrap_err();
    assert_eq!(refusal(&status), expected(Code::InvalidArgument, "MALFORMED"));
    let session = SessionId::from_bytes([9; 16]).to_string();
    let status = client.watch(v1::WatchRequest { session, from: 0 }).await.unwrap_err();
    assert_eq!(refusal(&status), expected(Code::NotFound, "UNKNOWN_SESSION"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_limit_of_the_wire_is_refused() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let client = connect(&coordinator, network.key(1)).await;
    let mut unlimited = client.max_encoding_message_size(usize::MAX);
    let mut huge = network.sign(1, None, 1, opening(1)).unwrap().to_message();
    huge.payload = vec![0; 8 << 20];
    let status = unlimited.submit(v1::SubmitRequest { statement: Some(huge) }).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    unlimited.list_sessions(v1::ListSessionsRequest {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_reads_and_never_submits() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut member = connect(&coordinator, network.key(1)).await;
    let session = open(&mut member, &network, 1).await;
    let mut observer = connect(&coordinator, &network.observer).await;
    assert_eq!(transcript(&mut observer, &coordinator, session, 0).await.len(), 1);
    let envelope = network.sign(1, Some(session), 2, milestone("x")).unwrap();
    assert_eq!(refused(&mut observer, &envelope).await, expected(Code::PermissionDenied, "OBSERVER"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_floods_is_held_back_and_the_others_are_not() {
    let network = Arc::new(Network::new(4).unwrap());
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    // Side by side, so that they share flushes; each lane goes on until it is refused, whatever the others do.
    let next = Arc::new(AtomicU64::new(1));
    let floods = (0..64).map(|_| {
        let (mut client, network, next) = (client.clone(), Arc::clone(&network), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                assert!(n < 100_000, "a hundred thousand statements of one member were accepted");
                let envelope = network.sign(2, Some(session), n, milestone(&format!("step-{n}"))).unwrap();
                while let Err(status) = submit(&mut client, &envelope).await {
                    match refusal(&status) {
                        (_, reason) if reason == "TOO_FAST" => tokio::task::yield_now().await,
                        other => return other,
                    }
                }
            }
        })
    });
    for flood in floods.collect::<Vec<_>>() {
        assert_eq!(flood.await.unwrap(), expected(Code::ResourceExhausted, "TOO_MANY_STATEMENTS"));
    }
    let envelope = network.sign(3, Some(session), 1, milestone("x")).unwrap();
    let mut other = connect(&coordinator, network.key(3)).await;
    submit(&mut other, &envelope).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_one_client_are_limited() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await.to_string();
    let mut held = Vec::new();
    let status = loop {
        match client.watch(v1::WatchRequest { session: session.clone(), from: 0 }).await {
            Ok(stream) => held.push(stream.into_inner()),
            Err(status) => break status,
        }
        assert!(held.len() < 100);
    };
    assert_eq!(refusal(&status), expected(Code::ResourceExhausted, "TOO_MANY_STREAMS"));
    let mut other = connect(&coordinator, network.key(2)).await;
    other.watch(v1::WatchRequest { session, from: 0 }).await.unwrap();
}
