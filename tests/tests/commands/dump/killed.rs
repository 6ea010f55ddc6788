//! The program is stopped in the middle of a download.

use std::process::Command;
use std::time::Duration;

use svdr_tests::sv_app::document::Noise;
use svdr_tests::sv_app::{Fault, Options, SnapshotShape};

use super::bench::{Bench, TIMESTAMP, has_temporary};

/// Bytes of a document that are sent at most before the kill: of 3 MB of contracts, which become 4 MB of base64.
const MOST_SENT: u64 = 3_900_000;

fn bench(faults: Vec<Fault>) -> Bench {
    Bench::new(Options { snapshot: SnapshotShape::with_acs(5, 3_000_000), faults, ..Options::default() })
}

#[test]
fn a_kill_at_any_point_leaves_nothing_that_the_next_run_does_not_clear() {
    let mut noise = Noise::new(u64::from(std::process::id()));
    let points: Vec<u64> = (0..6).map(|_| noise.word() % MOST_SENT).collect();
    let drip = Fault::DripThenStall(100_000, Duration::from_millis(10), MOST_SENT);
    let bench = bench(vec![drip; points.len()]);
    let mut sent = 0;
    for point in points {
        // In the output of a test that fails.
        eprintln!("killed after {point} bytes");
        let mut child = bench.command(&[]).spawn().unwrap();
        bench.wait_until(|log| log.sent >= sent + point);
        child.kill().unwrap();
        assert_eq!(bench.finish(child).code, None);
        // The stand-in notices the closed connection; what it sent until then counts for the next round.
        sent = bench.stand_in.log().sent;
        assert!(!bench.left().contains(&"dump.json".to_owned()), "half a dump has its name");
    }
    bench.dump(&[]).says(0, &[]);
    bench.assert_dump(TIMESTAMP, 6);
}

#[test]
fn a_kill_leaves_a_temporary_file_and_the_next_run_removes_it() {
    let bench = bench(vec![Fault::StallAt(2_000_000)]);
    let mut child = bench.command(&[]).spawn().unwrap();
    bench.wait_until(|log| log.stalled == 1);
    while !has_temporary(&bench.path("out")) {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    child.kill().unwrap();
    bench.finish(child);
    assert!(has_temporary(&bench.path("out")), "this test is to see a stale file");
    bench.dump(&[]).says(0, &[]);
    bench.assert_dump(TIMESTAMP, 6);
}

#[test]
fn a_signal_ends_it_in_good_order() {
    for signal in ["-INT", "-TERM"] {
        let bench = bench(vec![Fault::StallAt(2_000_000)]);
        let child = bench.command(&[]).spawn().unwrap();
        bench.wait_until(|log| log.stalled == 1);
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        bench.finish(child).says(1, &["stopped by a signal"]);
        assert_eq!(bench.left(), [""; 0]);
    }
}
