//! What members get: receipts, transcripts, watches, and a coordinator that stops in an orderly way.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_statement_again_gets_the_same_receipt() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    let envelope = network.sign(2, Some(session), 1, milestone("a")).unwrap();
    let first = submit(&mut client, &envelope).await.unwrap();
    let other = network.sign(3, Some(session), 1, milestone("b")).unwrap();
    submit(&mut client, &other).await.unwrap();
    let mut somebody_else = connect(&coordinator, network.key(4)).await;
    assert_eq!(submit(&mut somebody_else, &envelope).await.unwrap(), first);
    let receipt = read_receipt(first, &coordinator);
    assert_eq!((receipt.receipt().position, receipt.receipt().session), (1, session));
    assert_eq!(transcript(&mut client, &coordinator, session, 0).await.len(), 3);
    assert_eq!(transcript(&mut client, &coordinator, session, 2).await.len(), 1);
    assert_eq!(transcript(&mut client, &coordinator, session, u64::MAX).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_submitted_many_times_at_once_is_there_once() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    let envelope = network.sign(2, Some(session), 1, milestone("a")).unwrap();
    let submits = (0..32).map(|_| {
        let (mut client, envelope) = (client.clone(), envelope.clone());
        tokio::spawn(async move { submit(&mut client, &envelope).await.unwrap() })
    });
    let mut receipts = Vec::new();
    for submit in submits.collect::<Vec<_>>() {
        receipts.push(submit.await.unwrap());
    }
    receipts.dedup();
    assert_eq!(receipts.len(), 1);
    assert_eq!(transcript(&mut client, &coordinator, session, 0).await.len(), 2);
}

async fn next_entry(stream: &mut tonic::Streaming<v1::WatchResponse>) -> v1::TranscriptEntry {
    loop {
        match stream.message().await.unwrap().unwrap().event.unwrap() {
            Event::Entry(entry) => return entry,
            Event::KeepAlive(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_follows_and_resumes_where_it_ended() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    let watch = |from| v1::WatchRequest { session: session.to_string(), from };
    let mut stream = client.watch(watch(0)).await.unwrap().into_inner();
    assert_eq!(next_entry(&mut stream).await.position, 0);
    for n in 1..=3 {
        let envelope = network.sign(2, Some(session), n, milestone(&format!("step-{n}"))).unwrap();
        submit(&mut client, &envelope).await.unwrap();
        let entry = next_entry(&mut stream).await;
        assert_eq!((entry.position, entry.statement), (n, Some(envelope.to_message())));
    }
    drop(stream);
    // One that begins beyond the end waits until it is there.
    let mut resumed = client.watch(watch(4)).await.unwrap().into_inner();
    let envelope = network.sign(2, Some(session), 4, milestone("step-4")).unwrap();
    submit(&mut client, &envelope).await.unwrap();
    assert_eq!(next_entry(&mut resumed).await.position, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_does_not_read_hinders_nobody() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    let mut lazy = connect(&coordinator, network.key(3)).await;
    let request = v1::WatchRequest { session: session.to_string(), from: 0 };
    let _never_read = lazy.watch(request).await.unwrap().into_inner();
    for n in 1..=500 {
        let envelope = network.sign(2, Some(session), n, milestone(&format!("step-{n}"))).unwrap();
        submit(&mut client, &envelope).await.unwrap();
    }
    assert_eq!(transcript(&mut client, &coordinator, session, 0).await.len(), 501);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_ends_streams_with_a_reason_and_itself_with_success() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    let request = v1::WatchRequest { session: session.to_string(), from: 0 };
    let mut stream = client.watch(request).await.unwrap().into_inner();
    assert_eq!(next_entry(&mut stream).await.position, 0);
    coordinator.tell_to_stop().unwrap();
    let status = stream.message().await.unwrap_err();
    assert_eq!(refusal(&status), (Code::Unavailable, "STOPPING".to_owned()));
    drop((stream, client));
    let ended = tokio::task::spawn_blocking(move || coordinator.stop());
    // It may have ended already, before it could be told again.
    if let Ok(Ok(status)) = ended.await {
        assert!(status.success(), "{status}");
    }
    let again = Coordinator::start(network.path(), &[]).unwrap();
    assert_eq!((again.started.journal.statements, again.started.journal.unacknowledged), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_proposes_once_everybody_has_reported() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    for member in 1..=4 {
        let get = v1::GetSessionRequest { session: session.to_string() };
        let found = client.get_session(get).await.unwrap().into_inner();
        assert_eq!(found.summary.unwrap().state(), v1::SessionState::Gathering);
        let envelope = network.sign(member, Some(session), 2, network.evidence(member)).unwrap();
        submit(&mut client, &envelope).await.unwrap();
    }
    let request = v1::WatchRequest { session: session.to_string(), from: 5 };
    let mut stream = client.watch(request).await.unwrap().into_inner();
    let entry = next_entry(&mut stream).await;
    assert_eq!(entry.statement.unwrap().payload_type, "application/vnd.svdr.v1.proposal+protobuf");
    let get = v1::GetSessionRequest { session: session.to_string() };
    let found = client.get_session(get).await.unwrap().into_inner();
    let (summary, proposal) = (found.summary.unwrap(), found.proposal.unwrap());
    assert_eq!((summary.state(), summary.round), (v1::SessionState::Proposed, 1));
    assert_eq!(proposal.covered.len(), 4);
    assert_eq!(proposal.proposed_by, "coordinator");
    assert!(found.members.iter().all(|member| member.evidence && member.statements > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_proposes_after_the_grace_period_when_the_threshold_has_reported() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &["--grace", "0s"]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    for member in 1..=3 {
        let envelope = network.sign(member, Some(session), 2, network.evidence(member)).unwrap();
        submit(&mut client, &envelope).await.unwrap();
    }
    let request = v1::WatchRequest { session: session.to_string(), from: 4 };
    let mut stream = client.watch(request).await.unwrap().into_inner();
    let entry = next_entry(&mut stream).await;
    assert_eq!(entry.statement.unwrap().payload_type, "application/vnd.svdr.v1.proposal+protobuf");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_coordinator_accepted_another_takes_over() {
    let network = Network::new(4).unwrap();
    let first = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&first, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    for member in 1..=4 {
        let envelope = network.sign(member, Some(session), 2, network.evidence(member)).unwrap();
        submit(&mut client, &envelope).await.unwrap();
    }
    let request = v1::WatchRequest { session: session.to_string(), from: 5 };
    next_entry(&mut client.watch(request).await.unwrap().into_inner()).await;
    let entries = transcript(&mut client, &first, session, 0).await;
    assert_eq!(entries.len(), 6);
    first.kill().unwrap();
    // An empty one with another key; the first one's own proposal goes along.
    std::fs::remove_file(network.path().join("coordinator.key")).unwrap();
    svdr_cli::signing_key::create(&network.path().join("coordinator.key")).unwrap();
    std::fs::rename(network.path().join("data"), network.path().join("data-of-the-first")).unwrap();
    let second = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&second, network.key(2)).await;
    for (statement, _) in &entries {
        submit(&mut client, statement).await.unwrap();
    }
    let again = transcript(&mut client, &second, session, 0).await;
    let digests = |entries: &[(Envelope, VerifiedReceipt)]| {
        entries.iter().map(|(one, _)| one.digest()).collect::<Vec<_>>()
    };
    assert!(digests(&again).starts_with(&digests(&entries)));
    let get = v1::GetSessionRequest { session: session.to_string() };
    let found = client.get_session(get).await.unwrap().into_inner();
    assert_eq!(found.summary.unwrap().state(), v1::SessionState::Proposed);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    };
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let server = *server_key(&coordinator).verifying_key().as_bytes();
    let identity = TlsIdentity::new(network.key(1)).unwrap();
    let channel = channel::channel(&coordinator.url(), server, &identity).await.unwrap();
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    for service in ["", "svdr.v1.SessionService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let status = health.check(request).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving);
    }
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel.clone());
    let requests = tokio_stream_once(request);
    let mut answers = reflection.server_reflection_info(requests).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(services) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = services.service.into_iter().map(|service| service.name).collect();
    assert!(names.contains(&"svdr.v1.SessionService".to_owned()), "{names:?}");

    use tonic_reflection::pb::v1alpha;
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
            "svdr.v1.SessionService".to_owned(),
        )),
    };
    let mut older = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let answers = older.server_reflection_info(tokio_stream_once(request)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap().message_response.unwrap();
    use v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse;
    let FileDescriptorResponse(files) = &answer else { panic!("{answer:?}") };
    for call in ["Submit", "SubmitAll", "Watch"] {
        let named = |file: &Vec<u8>| file.windows(call.len()).any(|part| part == call.as_bytes());
        assert!(files.file_descriptor_proto.iter().any(named), "{call}");
    }
}

fn tokio_stream_once<T: Send + 'static>(item: T) -> impl futures_util::Stream<Item = T> + Send + 'static {
    futures_util::stream::iter([item])
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happened() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    open(&mut client, &network, 1).await;
    let _ = try_connect(&coordinator, &SigningKey::from_bytes(&[99; 32])).await;
    let page = tokio::task::spawn_blocking(move || get(&coordinator, "/metrics")).await.unwrap();
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    for line in [
        "svdr_statements_accepted_total{kind=\"open\"} 1",
        "svdr_connections_refused_total{reason=\"handshake\"} 1",
        "svdr_sessions 1",
        "svdr_journal_flush_statements_count 1",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
}

fn get(coordinator: &Coordinator, path: &str) -> String {
    let mut stream = TcpStream::connect(coordinator.started.metrics_address.unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}
