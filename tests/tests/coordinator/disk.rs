//! The coordinator's disk: full, or readable by others.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use svdr_protocol::evidence::Ticks;
use svdr_protocol::time::{Tick, Timestamp};

use super::*;

/// Far more statements than fit below the limit.
const MOST: u64 = 500;

/// Evidence of some hundred kB: the ticks have no even distance, so that each takes room of its own.
fn large(network: &Network, member: usize, sequence: u64, session: SessionId) -> Envelope {
    let second = |n: i64| Timestamp::from_micros(1_776_816_000_000_000 + n * 1_000_000).map(Tick);
    let ticks: Ticks = (0..2800).filter_map(|n| second(n * 60 + n * n % 59)).collect();
    network.sign(member, Some(session), sequence, network.evidence_at(member, &ticks)).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { [vec![path.clone()], files(&path)].concat() } else { vec![path] })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_what_was_acknowledged_to_be_read() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(1)).await;
    let session = open(&mut client, &network, 1).await;
    coordinator.stop().unwrap();
    // No file may become longer than this, as on a disk without room. To open its journal, sled needs a segment of 4 MiB.
    let lengths =
        files(&network.path().join("data")).into_iter().map(|path| fs::metadata(path).unwrap().len());
    let blocks = (lengths.max().unwrap() + (10 << 20)) / 512;
    let full = format!("trap '' XFSZ && ulimit -f {blocks}");
    let coordinator = Coordinator::start_limited(network.path(), &full).unwrap();
    let mut client = connect(&coordinator, network.key(2)).await;
    let mut acknowledged = Vec::new();
    let refused = loop {
        let sequence = acknowledged.len() as u64 + 1;
        assert!(sequence < MOST, "the disk is never full");
        // In turn, since each member has so many bytes and no more.
        let member = acknowledged.len() % 3 + 2;
        let statement = large(&network, member, sequence, session);
        match submit(&mut client, &statement).await {
            Ok(_) => acknowledged.push(statement.digest()),
            Err(status) => break status,
        }
    };
    assert_eq!(refusal(&refused), (Code::Unavailable, "JOURNAL_FAILED".to_owned()));
    // It stays, shows what it has acknowledged and nothing else, and accepts nothing, on any connection.
    for member in 1..=4 {
        let mut client = connect(&coordinator, network.key(member)).await;
        let listed = client.list_sessions(v1::ListSessionsRequest {}).await.unwrap().into_inner();
        assert_eq!(listed.sessions.len(), 1);
        let shown = transcript(&mut client, &coordinator, session, 0).await;
        let shown: Vec<_> = shown.iter().skip(1).map(|(statement, _)| statement.digest()).collect();
        assert_eq!(shown, acknowledged);
        let statement = network.sign(member, Some(session), MOST, milestone("stopped")).unwrap();
        let refused = submit(&mut client, &statement).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::Unavailable, "JOURNAL_FAILED".to_owned()));
    }
    assert_eq!(coordinator.metric("svdr_journal_failed").unwrap(), 1.0);
    assert_eq!(coordinator.stop().unwrap().code(), Some(1));
    // With room again, everything that was acknowledged is there, and it accepts statements.
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let mut client = connect(&coordinator, network.key(2)).await;
    let found: Vec<_> = transcript(&mut client, &coordinator, session, 0).await;
    let found: Vec<_> = found.iter().map(|(statement, _)| statement.digest()).collect();
    assert!(acknowledged.iter().all(|one| found.contains(one)));
    let statement = network.sign(2, Some(session), MOST, milestone("stopped")).unwrap();
    submit(&mut client, &statement).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_private_whatever_the_umask_and_whoever_owns_the_folder() {
    let network = Network::new(4).unwrap();
    let data = network.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    for start in 1..=2 {
        let coordinator = Coordinator::start_limited(network.path(), "umask 0").unwrap();
        let mut client = connect(&coordinator, network.key(1)).await;
        open(&mut client, &network, start).await;
        coordinator.stop().unwrap();
        let written = files(&data);
        assert!(written.len() > 3, "{written:?}");
        for path in written {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
        }
    }
}

#[test]
fn a_crash_leaves_no_memory_on_the_disk() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start_limited(network.path(), "true").unwrap();
    let limits = coordinator.limits().unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
}
