//! Many statements on one stream: answered in order, refused one by one, held back where there are too many, and there
//! once whatever becomes of the stream.

use std::time::{Duration, Instant};

use svdr_proto::v1::submit_all_response::Answer;
use svdr_protocol::time::{Tick, Timestamp};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::*;

/// Statements that one member may hand in at once; further ones come at an even rate.
const BURST: u64 = 2000;
/// That rate, in a second.
const A_SECOND: u64 = 500;

/// A stream that is open, and brings what a test gives it.
pub(crate) struct Lane {
    requests: Option<mpsc::UnboundedSender<v1::SubmitAllRequest>>,
    answers: tonic::Streaming<v1::SubmitAllResponse>,
}

impl Lane {
    pub(crate) async fn open(client: &mut Client) -> Result<Lane, Status> {
        let (requests, receiver) = mpsc::unbounded_channel();
        let answers = client.submit_all(UnboundedReceiverStream::new(receiver)).await?.into_inner();
        Ok(Lane { requests: Some(requests), answers })
    }

    pub(crate) fn send(&self, statement: &Envelope) {
        self.send_message(Some(statement.to_message()));
    }

    fn send_message(&self, statement: Option<v1::Envelope>) {
        // A coordinator that has ended the stream takes no more.
        let _ = self.requests.as_ref().unwrap().send(v1::SubmitAllRequest { statement });
    }

    /// Says that nothing more comes.
    pub(crate) fn close(&mut self) {
        self.requests = None;
    }

    /// The next answer; none where the coordinator has ended the stream.
    pub(crate) async fn answer(&mut self) -> Result<Option<Answer>, Status> {
        Ok(self.answers.message().await?.map(|answer| answer.answer.unwrap()))
    }

    async fn receipt(&mut self, coordinator: &Coordinator) -> VerifiedReceipt {
        match self.answer().await.unwrap() {
            Some(Answer::Receipt(receipt)) => read_receipt(receipt, coordinator),
            other => panic!("no receipt: {other:?}"),
        }
    }

    async fn refusal(&mut self) -> (Code, String) {
        match self.answer().await.unwrap() {
            Some(Answer::Refusal(refusal)) => {
                assert!(refusal.message.len() > 30, "{refusal:?}");
                (Code::from_i32(refusal.code), refusal.reason)
            }
            other => panic!("no refusal: {other:?}"),
        }
    }
}

/// An opening, and statements of all members in that session.
fn statements(network: &Network, count: u64) -> (SessionId, Vec<Envelope>) {
    let mut statements = vec![network.sign(1, None, 1, opening(1)).unwrap()];
    let session = SessionId::of_open(&statements[0].digest());
    statements.extend((0..count).map(|n| {
        let (member, sequence) = (n as usize % network.roster.members().len() + 1, 2 + n);
        network.sign(member, Some(session), sequence, milestone(&format!("step-{n}"))).unwrap()
    }));
    (session, statements)
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_a_stream_are_answered_and_added_in_its_order() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(2)).await;
    let (session, mut all) = statements(&network, 300);
    // Long enough that it is checked on another thread than the others; it must not be overtaken.
    let tick = |n: i64| Timestamp::from_micros(1_776_816_000_000_000 + n * n * 60_000_000).map(Tick);
    let long = network.evidence_at(3, &(0..1000).filter_map(tick).collect());
    all.insert(7, network.sign(3, Some(session), 1000, long).unwrap());
    assert!(all[7].payload_len() > 16 << 10);
    let mut lane = Lane::open(&mut client).await.unwrap();
    all.iter().for_each(|statement| lane.send(statement));
    lane.close();
    for (position, statement) in all.iter().enumerate() {
        let receipt = lane.receipt(&coordinator).await;
        assert_eq!(receipt.receipt().position, position as u64);
        assert_eq!(receipt.receipt().statement, statement.digest());
        assert_eq!(receipt.receipt().session, session);
    }
    assert!(lane.answer().await.unwrap().is_none());
    let entries = transcript(&mut client, &coordinator, session, 0).await;
    assert!(entries.iter().map(|(statement, _)| statement).eq(all.iter()));

    // On a second stream they get the same receipts, and so do single calls.
    let mut again = Lane::open(&mut client).await.unwrap();
    all.iter().rev().for_each(|statement| again.send(statement));
    for (_, receipt) in entries.iter().rev() {
        assert_eq!(again.receipt(&coordinator).await.receipt(), receipt.receipt());
    }
    let single = read_receipt(submit(&mut client, &all[7]).await.unwrap(), &coordinator);
    assert_eq!(single.receipt(), entries[7].1.receipt());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_statement_does_not_end_its_stream() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let (session, good) = statements(&network, 8);
    let mut lane = Lane::open(&mut client).await.unwrap();
    let expected = |code, reason: &str| (code, reason.to_owned());

    // Before its opening there is no session.
    lane.send(&good[1]);
    assert_eq!(lane.refusal().await, expected(Code::NotFound, "UNKNOWN_SESSION"));

    let mut forged = good[1].to_message();
    forged.payload.push(0);
    let payload = good[1].verify().unwrap().payload().to_vec();
    let stranger =
        Envelope::sign(good[1].payload_type().to_owned(), payload, &SigningKey::from_bytes(&[97; 32]));
    let mut long = good[1].to_message();
    long.payload = vec![0; (4 << 20) + 1];
    let drill = network.sign_drill(2, Some(session), 50, milestone("x")).unwrap();
    let bad = [
        (None, Code::InvalidArgument, "NO_STATEMENT"),
        (Some(forged), Code::InvalidArgument, "SIGNATURE"),
        (Some(stranger.to_message()), Code::PermissionDenied, "STRANGER"),
        (Some(long), Code::InvalidArgument, "TOO_LONG"),
        (Some(v1::Envelope::default()), Code::InvalidArgument, "MALFORMED"),
        (Some(drill.to_message()), Code::FailedPrecondition, "DRILL"),
    ];
    lane.send(&good[0]);
    for ((statement, _, _), between) in bad.iter().zip(&good[1..]) {
        lane.send_message(statement.clone());
        lane.send(between);
    }
    lane.close();
    assert_eq!(lane.receipt(&coordinator).await.receipt().position, 0);
    for ((_, code, reason), between) in bad.iter().zip(&good[1..]) {
        assert_eq!(lane.refusal().await, expected(*code, reason));
        assert_eq!(lane.receipt(&coordinator).await.receipt().statement, between.digest());
    }
    assert!(lane.answer().await.unwrap().is_none());
    assert_eq!(transcript(&mut client, &coordinator, session, 0).await.len(), 1 + bad.len());
    assert!(coordinator.metric(r#"svdr_calls_refused_total{reason="SIGNATURE"}"#).unwrap() >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_limit_ends_its_stream_behind_the_answers() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await.max_encoding_message_size(usize::MAX);
    let (session, good) = statements(&network, 20);
    let mut lane = Lane::open(&mut client).await.unwrap();
    good.iter().for_each(|statement| lane.send(statement));
    let huge = v1::Envelope { payload: vec![0; 8 << 20], ..v1::Envelope::default() };
    lane.send_message(Some(huge));
    lane.send(&good[0]);
    for statement in &good {
        assert_eq!(lane.receipt(&coordinator).await.receipt().statement, statement.digest());
    }
    assert_eq!(lane.answer().await.unwrap_err().code(), Code::OutOfRange);
    assert_eq!(transcript(&mut client, &coordinator, session, 0).await.len(), good.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_torn_in_the_middle_leaves_every_statement_once() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let (session, all) = statements(&network, 400);
    let mut receipts = Vec::new();
    for answered in [0, 1, 70, 300] {
        let mut client = connect(&coordinator, network.key(3)).await;
        let mut lane = Lane::open(&mut client).await.unwrap();
        all.iter().for_each(|statement| lane.send(statement));
        for _ in 0..answered {
            receipts.push(lane.receipt(&coordinator).await);
        }
        // The connection is gone with the stream, while statements and answers are on their way.
        drop((lane, client));
    }
    let mut client = connect(&coordinator, network.key(1)).await;
    let mut lane = Lane::open(&mut client).await.unwrap();
    all.iter().for_each(|statement| lane.send(statement));
    for _ in &all {
        receipts.push(lane.receipt(&coordinator).await);
    }
    let entries = transcript(&mut client, &coordinator, session, 0).await;
    assert!(entries.iter().map(|(statement, _)| statement).eq(all.iter()));
    for receipt in receipts {
        assert_eq!(entries[receipt.receipt().position as usize].1.receipt(), receipt.receipt());
    }
    // Nobody holds a place of those that are gone.
    let end = Instant::now() + Duration::from_secs(60);
    while coordinator.metric("svdr_streams").unwrap() > 1.0 {
        assert!(Instant::now() < end, "streams are held that nobody has");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn observers_have_no_stream_of_statements_and_members_have_so_many() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut observer = connect(&coordinator, &network.observer).await;
    let refused = Lane::open(&mut observer).await.err().unwrap();
    assert_eq!(refusal(&refused), (Code::PermissionDenied, "OBSERVER".to_owned()));

    let mut client = connect(&coordinator, network.key(2)).await;
    let mut held = Vec::new();
    let refused = loop {
        match Lane::open(&mut client).await {
            Ok(lane) => held.push(lane),
            Err(status) => break status,
        }
        assert!(held.len() < 100);
    };
    assert_eq!(refusal(&refused), (Code::ResourceExhausted, "TOO_MANY_STREAMS".to_owned()));
    let mut other = connect(&coordinator, network.key(3)).await;
    Lane::open(&mut other).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_floods_its_streams_is_held_back_and_the_others_are_not() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let started = Instant::now();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    let mut hostile = connect(&coordinator, network.key(2)).await;
    let mut lanes = Vec::new();
    for _ in 0..4 {
        lanes.push(Lane::open(&mut hostile).await.unwrap());
    }
    let floods = lanes.into_iter().enumerate().map(|(lane, stream)| {
        let statements: Vec<_> = (0..BURST / 2)
            .map(|n| network.sign(2, Some(session), lane as u64 * BURST + n + 1, milestone("flood")).unwrap())
            .collect();
        tokio::spawn(async move {
            let mut stream = stream;
            statements.iter().for_each(|statement| stream.send(statement));
            stream.close();
            let mut accepted = 0_u64;
            while let Some(answer) = stream.answer().await.unwrap() {
                assert!(matches!(answer, Answer::Receipt(_)), "{answer:?}");
                accepted += 1;
            }
            accepted
        })
    });
    let floods: Vec<_> = floods.collect();
    for n in 1..=50 {
        let envelope = network.sign(3, Some(session), n, milestone("meanwhile")).unwrap();
        submit(&mut client, &envelope).await.unwrap();
    }
    let mut accepted = 0;
    for flood in floods {
        accepted += flood.await.unwrap();
    }
    // All of them in the end, and none sooner than it may.
    assert_eq!(accepted, 2 * BURST);
    let took = started.elapsed();
    assert!(took >= Duration::from_secs((accepted - BURST) / A_SECOND), "{took:?}");

    // The limit of what one may have in a session holds on streams as well.
    let mut lane = Lane::open(&mut hostile).await.unwrap();
    for n in 0..200 {
        lane.send(&network.sign(2, Some(session), 1_000_000 + n, milestone("more")).unwrap());
    }
    lane.close();
    let mut refused = 0;
    while let Some(answer) = lane.answer().await.unwrap() {
        if let Answer::Refusal(refusal) = answer {
            assert_eq!(refusal.reason, "TOO_MANY_STATEMENTS");
            refused += 1;
        }
    }
    assert_eq!(refused, 200 - (4096 - 2 * BURST));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_stops_ends_its_streams_and_says_so() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let (_, good) = statements(&network, 5);
    let mut lane = Lane::open(&mut client).await.unwrap();
    good.iter().for_each(|statement| lane.send(statement));
    for statement in &good {
        assert_eq!(lane.receipt(&coordinator).await.receipt().statement, statement.digest());
    }
    coordinator.tell_to_stop().unwrap();
    let said = lane.answer().await.unwrap_err();
    assert_eq!(refusal(&said), (Code::Unavailable, "STOPPING".to_owned()));
    assert!(coordinator.wait().unwrap().success());
    let again = Coordinator::start(network.path(), &[]).unwrap();
    assert_eq!(again.started.journal.statements, good.len() as u64);
}
