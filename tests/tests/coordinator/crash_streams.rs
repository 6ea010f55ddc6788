//! A coordinator that is stopped just before and just after each flush while a stream of statements is on its way.
//!
//! `SVDR_CRASH_AT` stops the process as `kill -9` does (see `svdr_files::crash`). How many statements share a flush is up
//! to the moment; that each receipt that came is kept, and each statement is there once, is not.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use svdr_proto::v1::submit_all_response::Answer;

use super::streams::Lane;
use super::*;

/// Flushes when a journal is made.
const FLUSHES_AT_FIRST: usize = 5;
/// Flushes of two appends: the opening alone, and then what has gathered behind it.
const FLUSHES: usize = 6;

/// Sends everything, and takes the receipts that come.
async fn hand_in(
    network: &Network,
    coordinator: &Coordinator,
    statements: &[Envelope],
) -> Vec<VerifiedReceipt> {
    let mut receipts = Vec::new();
    // Where the coordinator goes first, none has come.
    let Ok(mut client) = try_connect(coordinator, network.key(2)).await else { return receipts };
    let Ok(mut lane) = Lane::open(&mut client).await else { return receipts };
    statements.iter().for_each(|statement| lane.send(statement));
    lane.close();
    while let Ok(Some(answer)) = lane.answer().await {
        let Answer::Receipt(receipt) = answer else { panic!("refused: {answer:?}") };
        receipts.push(read_receipt(receipt, coordinator));
    }
    receipts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_stopped_around_any_flush_of_a_stream_loses_and_doubles_no_statement() {
    let network = Network::new(4).unwrap();
    let mut statements = vec![network.sign(1, None, 1, opening(1)).unwrap()];
    let session = SessionId::of_open(&statements[0].digest());
    statements.extend((2..200).map(|sequence| {
        let member = sequence as usize % 4 + 1;
        network.sign(member, Some(session), sequence, milestone(&format!("step-{sequence}"))).unwrap()
    }));
    for (side, nth) in (1..=FLUSHES).flat_map(|nth| [("before", nth), ("after", nth)]) {
        let point = format!("{side}:{}", FLUSHES_AT_FIRST + nth);
        let stopped = Coordinator::start_with(network.path(), &[], &[("SVDR_CRASH_AT", &point)]).unwrap();
        let first = hand_in(&network, &stopped, &statements).await;
        assert_eq!(stopped.wait().unwrap().signal(), Some(libc::SIGABRT), "{point}");
        assert!(first.len() < statements.len(), "{point}: it did not stop");

        let coordinator = Coordinator::start(network.path(), &[]).unwrap();
        assert!(coordinator.started.journal.statements >= first.len() as u64, "{point}");
        let second = hand_in(&network, &coordinator, &statements).await;
        assert_eq!(second.len(), statements.len(), "{point}");
        for (receipt, again) in first.iter().zip(&second) {
            assert_eq!(receipt.receipt(), again.receipt(), "{point}");
        }
        let mut client = connect(&coordinator, network.key(1)).await;
        let entries = transcript(&mut client, &coordinator, session, 0).await;
        assert!(entries.iter().map(|(statement, _)| statement).eq(statements.iter()), "{point}");
        coordinator.kill().unwrap();
        fs::remove_dir_all(network.path().join("data")).unwrap();
    }
}
