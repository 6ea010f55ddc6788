//! Killed at any moment, a coordinator keeps what it acknowledged; a journal that lost something says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// Submits milestones of one member until the connection breaks; the receipts that arrived.
async fn submit_until_broken(
    mut client: Client,
    network: Arc<Network>,
    coordinator: Arc<Coordinator>,
    (member, session): (usize, SessionId),
    acknowledged: Arc<AtomicU64>,
) -> Vec<VerifiedReceipt> {
    let mut receipts = Vec::new();
    for n in 1.. {
        let envelope = network.sign(member, Some(session), n, milestone(&format!("step-{n}"))).unwrap();
        let Ok(receipt) = submit(&mut client, &envelope).await else { break };
        receipts.push(read_receipt(receipt, &coordinator));
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    receipts
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_statement_survives_kill_nine() {
    let network = Arc::new(Network::new(4).unwrap());
    let mut session = None;
    let mut all: Vec<VerifiedReceipt> = Vec::new();
    for round in 0..4u64 {
        let coordinator = Arc::new(Coordinator::start(network.path(), &[]).unwrap());
        let mut client = connect(&coordinator, network.key(1)).await;
        let session = match session {
            Some(session) => session,
            None => *session.insert(open(&mut client, &network, 1).await),
        };
        let entries = transcript(&mut client, &coordinator, session, 0).await;
        for receipt in &all {
            let (_, found) = &entries[receipt.receipt().position as usize];
            assert_eq!(found.receipt(), receipt.receipt());
        }
        // Clients that submit side by side, so that the kill falls between and into shared flushes.
        let acknowledged = Arc::new(AtomicU64::new(0));
        let mut tasks = Vec::new();
        for member in 1..=4 {
            let client = connect(&coordinator, network.key(member)).await;
            let (network, coordinator) = (Arc::clone(&network), Arc::clone(&coordinator));
            let acknowledged = Arc::clone(&acknowledged);
            let of = (member, session);
            tasks.push(tokio::spawn(submit_until_broken(client, network, coordinator, of, acknowledged)));
        }
        while acknowledged.load(Ordering::Relaxed) < 50 + round * 37 {
            tokio::task::yield_now().await;
        }
        coordinator.kill_now().unwrap();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
    }
    assert!(all.len() > 200);
}

#[test]
fn a_journal_that_lost_its_end_is_reported_and_not_used() {
    let network = Network::new(4).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let copy = network.path().join("copy");
    let copy_to = |from: &std::path::Path, to: &std::path::Path| {
        std::process::Command::new("cp").arg("-r").args([from, to]).status().unwrap();
    };
    let data = network.path().join("data");
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    runtime.block_on(async {
        let mut client = connect(&coordinator, network.key(1)).await;
        open(&mut client, &network, 1).await;
    });
    assert!(coordinator.stop().unwrap().success());
    copy_to(&data.join("journal"), &copy);
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    runtime.block_on(async {
        let mut client = connect(&coordinator, network.key(1)).await;
        open(&mut client, &network, 2).await;
    });
    assert!(coordinator.stop().unwrap().success());
    // The store as it was one statement ago; what has been acknowledged since says that it is.
    std::fs::remove_dir_all(data.join("journal")).unwrap();
    copy_to(&copy, &data.join("journal"));
    let error = Coordinator::start(network.path(), &[]).err().unwrap().to_string();
    assert!(error.contains("is truncated: expected 2 acknowledged records, found 1"), "{error}");
    assert!(error.contains("exit status: 3"), "{error}");
}
