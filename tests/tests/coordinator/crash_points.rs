//! A coordinator that is stopped just before and just after each flush of its journal, and started again.
//!
//! `SVDR_CRASH_AT` stops the process as `kill -9` does (see `svdr_files::crash`). In each pass a whole session, with a
//! statement of every kind, is handed in, and the coordinator is stopped at the same point of every statement's way to
//! the disk: what was on its way is handed in again to the next process, which stops at the next statement.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use svdr_protocol::digest::Digest;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::{
    Abandonment, Abort, Agreement, Attestation, Body, Check, Obstacle, ObstacleKind, Part, Proposal,
    Readiness, Rejection, Release, Verified,
};
use svdr_protocol::time::Timestamp;

use super::*;

/// Flushes when a journal is made: sled's, its mark's, its file's, those of two folders.
const FLUSHES_AT_FIRST: usize = 5;
/// Flushes of an append: sled's, its file's, the mark's.
const FLUSHES_OF_AN_APPEND: usize = 3;
/// The longest that a proposal is waited for.
const LIMIT: Duration = Duration::from_secs(120);

/// A session that is completed, and what is said in it.
struct Script {
    network: Network,
    session: SessionId,
    /// In the order in which they are accepted. That at [`PROPOSAL`](Self::PROPOSAL) is the coordinator's own.
    statements: Vec<Envelope>,
}

impl Script {
    /// Behind the opening, and the evidence of four.
    const PROPOSAL: usize = 5;

    /// Signs everything; the proposal, which all that follows names, is what a coordinator makes of the evidence.
    async fn new() -> Script {
        let network = Network::new(4).unwrap();
        let mut statements = vec![network.sign(1, None, 1, opening(1)).unwrap()];
        let session = SessionId::of_open(&statements[0].digest());
        let sign = |member, sequence, body| network.sign(member, Some(session), sequence, body).unwrap();
        statements.extend((1..=4).map(|member| sign(member, 2, network.evidence(member))));
        let coordinator = Coordinator::start(network.path(), &[]).unwrap();
        let mut client = connect(&coordinator, network.key(1)).await;
        for statement in &statements {
            submit(&mut client, statement).await.unwrap();
        }
        let proposal = proposed(&mut client, &coordinator, session).await.unwrap();
        let read = Verified::read(proposal.clone(), &network.roster).unwrap();
        let Body::Proposal(content) = read.body() else { panic!("not a proposal") };
        statements.push(proposal);
        statements.extend(votes(content, read.digest(), sign));
        let (kind, payload) =
            ("application/vnd.svdr.v1.greeting+protobuf", statements[1].verify().unwrap().payload().to_vec());
        statements.push(Envelope::sign(kind.to_owned(), payload, network.key(1)));
        Script { network, session, statements }
    }

    /// A folder with what a coordinator needs, and no journal yet.
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.network.path().join(name);
        fs::create_dir(&folder).unwrap();
        for file in ["roster.toml", "coordinator.key"] {
            fs::copy(self.network.path().join(file), folder.join(file)).unwrap();
        }
        folder
    }
}

/// What members say once there is a proposal: a statement of each kind that is left, and a completed round.
fn votes(of: &Proposal, proposal: Digest, sign: impl Fn(usize, u64, Body) -> Envelope) -> Vec<Envelope> {
    let (round, recovery_timestamp) = (of.round, of.plan.recovery_timestamp());
    let at = Timestamp::from_micros(1_776_900_000_000_000).unwrap();
    let agreement =
        || Body::Agreement(Agreement { round, proposal, attested: [].into(), elsewhere: [].into() });
    let dump = Part { name: "dump".to_owned(), digest: proposal, size: 3, file: None };
    let attestation = || {
        Body::Attestation(Attestation {
            round,
            proposal,
            recovery_timestamp,
            migration_id: of.plan.migration_id(),
            dump: dump.clone(),
            parts: Vec::new(),
            started: at,
            finished: at,
            received: None,
        })
    };
    let said = |text: &str| text.to_owned();
    let obstacle = Obstacle { round, kind: ObstacleKind::Behind, recovery_timestamp, text: said("HTTP 429") };
    let check = Check { name: said("logs"), passed: true, text: said("found") };
    vec![
        sign(4, 3, Body::Readiness(Readiness { checks: vec![check] })),
        sign(4, 4, Body::Rejection(Rejection { round, proposal, reason: said("too early") })),
        sign(1, 3, agreement()),
        sign(2, 3, agreement()),
        sign(3, 3, agreement()),
        sign(4, 5, Body::Obstacle(obstacle)),
        sign(4, 6, Body::Abandonment(Abandonment { round, reason: said("pruned") })),
        sign(4, 7, Body::Release(Release { round, attestation: proposal, reason: said("none was made") })),
        sign(1, 4, attestation()),
        sign(2, 4, attestation()),
        sign(3, 4, attestation()),
        sign(2, 5, milestone("imported")),
        sign(1, 5, Body::Abort(Abort { reason: said("over") })),
    ]
}

/// Waits for the coordinator's own proposal.
async fn proposed(
    client: &mut Client,
    coordinator: &Coordinator,
    session: SessionId,
) -> Result<Envelope, Status> {
    let request = v1::WatchRequest { session: session.to_string(), from: Script::PROPOSAL as u64 };
    let watched = tokio::time::timeout(LIMIT, async {
        let mut stream = client.watch(request).await?.into_inner();
        while let Some(message) = stream.message().await? {
            if let Some(Event::Entry(entry)) = message.event {
                read_receipt(entry.receipt.unwrap(), coordinator);
                return Ok(Envelope::from_message(entry.statement.unwrap()).unwrap());
            }
        }
        Err(Status::unavailable("the stream has ended"))
    });
    watched.await.expect("no proposal")
}

/// Hands in the statements from one to another, the coordinator's own by waiting for it. The receipts that came, also
/// where the coordinator went.
async fn hand_in(
    script: &Script,
    coordinator: &Coordinator,
    places: std::ops::Range<usize>,
    receipts: &mut Vec<VerifiedReceipt>,
) -> Result<(), Status> {
    // Whoever connects while it goes gets another error; it counts as the same.
    let connected = try_connect(coordinator, script.network.key(1)).await;
    let mut client = connected.map_err(|error| Status::unavailable(error.to_string()))?;
    for place in places {
        if place == Script::PROPOSAL {
            let proposal = proposed(&mut client, coordinator, script.session).await?;
            assert_eq!(proposal.digest(), script.statements[place].digest());
        } else {
            receipts.push(read_receipt(submit(&mut client, &script.statements[place]).await?, coordinator));
        }
    }
    Ok(())
}

/// What a coordinator has at the end: the script, each statement once, in its order, where every receipt says.
async fn assert_whole(script: &Script, coordinator: &Coordinator, receipts: &[VerifiedReceipt], point: &str) {
    let mut client = connect(coordinator, script.network.key(2)).await;
    let entries = transcript(&mut client, coordinator, script.session, 0).await;
    let found: Vec<&Envelope> = entries.iter().map(|(envelope, _)| envelope).collect();
    assert_eq!(found, script.statements.iter().collect::<Vec<_>>(), "{point}");
    for receipt in receipts {
        let (_, found) = &entries[receipt.receipt().position as usize];
        assert_eq!(found.receipt(), receipt.receipt(), "{point}");
    }
}

/// Hands in the whole script to coordinators that stop at each statement's `nth` flush.
async fn pass(script: Arc<Script>, side: &'static str, nth: usize) {
    let folder = script.folder(&format!("{side}-{nth}"));
    let mut receipts = Vec::new();
    // Before the first flush nothing is on the disk; from then on the page cache has it, and outlives the process.
    let lost = usize::from((side, nth) == ("before", 1));
    let mut held = 0;
    for target in 0..script.statements.len() {
        let ahead = if target == 0 { FLUSHES_AT_FIRST } else { (target - held) * FLUSHES_OF_AN_APPEND };
        let point = format!("{side}:{}", ahead + nth);
        let on = format!("{point}, {}", script.statements[target].payload_type());
        match Coordinator::start_with(&folder, &[], &[("SVDR_CRASH_AT", &point)]) {
            Ok(coordinator) => {
                assert_eq!(coordinator.started.journal.statements as usize, held, "{on}");
                let gone = hand_in(&script, &coordinator, held..target + 1, &mut receipts).await;
                assert!(gone.is_err(), "{on}: it did not stop");
                assert_eq!(coordinator.wait().unwrap().signal(), Some(libc::SIGABRT), "{on}");
            }
            // Its own proposal is due as soon as it starts.
            Err(error) => {
                assert!(target == Script::PROPOSAL && error.to_string().contains("SIGABRT"), "{on}: {error}")
            }
        }
        held = target + 1 - lost;
    }
    let coordinator = Coordinator::start(&folder, &[]).unwrap();
    hand_in(&script, &coordinator, 0..script.statements.len(), &mut receipts).await.unwrap();
    assert_whole(&script, &coordinator, &receipts, side).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_stopped_around_any_flush_loses_doubles_and_changes_no_statement() {
    let script = Arc::new(Script::new().await);
    let known = script.statements.iter();
    let known =
        known.filter_map(|one| Verified::read(one.clone(), &script.network.roster).ok()).map(Arc::new);
    let session = Session::fold(Arc::new(script.network.roster.clone()), known).unwrap();
    assert_eq!((session.phase(), session.len()), (Phase::Completed(1), script.statements.len() - 1));
    let kinds: std::collections::BTreeSet<_> = script.statements.iter().map(Envelope::payload_type).collect();
    assert_eq!(kinds.len(), 13, "every kind, and one that is not known: {kinds:?}");

    let points = (1..=FLUSHES_OF_AN_APPEND).flat_map(|nth| [("before", nth), ("after", nth)]);
    let passes: Vec<_> =
        points.map(|(side, nth)| tokio::spawn(pass(Arc::clone(&script), side, nth))).collect();
    for pass in passes {
        pass.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_stopped_while_it_makes_its_journal_makes_it_at_the_next_start() {
    let network = Network::new(4).unwrap();
    let opened = network.sign(1, None, 1, opening(1)).unwrap();
    for point in (1..=FLUSHES_AT_FIRST).flat_map(|nth| [format!("before:{nth}"), format!("after:{nth}")]) {
        let stopped = Coordinator::start_with(network.path(), &[], &[("SVDR_CRASH_AT", &point)]);
        assert!(stopped.unwrap_err().to_string().contains("SIGABRT"), "{point}");
        let coordinator = Coordinator::start(network.path(), &[]).unwrap();
        let mut client = connect(&coordinator, network.key(1)).await;
        let receipt = read_receipt(submit(&mut client, &opened).await.unwrap(), &coordinator);
        assert_eq!((receipt.receipt().position, coordinator.started.journal.statements), (0, 0), "{point}");
        coordinator.kill().unwrap();
        fs::remove_dir_all(network.path().join("data")).unwrap();
    }
}
