//! Exports that are under way, whatever became of the answer.

use std::time::Duration;

use svdr_tests::sv_app::ExportFault;

use super::bench::{Bench, IDLE};

const PAUSE: Duration = Duration::from_millis(60);

#[test]
fn one_that_takes_long_is_waited_for() {
    let bench = Bench::new(&[ExportFault::Slow(PAUSE)]);
    // Less than it takes, and no limit on the whole.
    bench.dump(&["--idle-timeout", IDLE, "--first-byte-timeout", "100ms"]).says(0, &[]);
    bench.assert_set();
    assert_eq!(bench.stand_in.log().exports, 1);
}

#[test]
fn one_that_a_proxy_has_lost_patience_with_is_taken_when_it_is_done() {
    let bench = Bench::new(&[ExportFault::GatewayTimeout]);
    let ended = bench.dump(&["--idle-timeout", "60s"]);
    ended.says(0, &["504", "may still be writing its dump"]);
    bench.assert_set();
    assert_eq!(bench.stand_in.log().exports, 1, "it is not asked twice");
}

#[test]
fn one_whose_answer_never_comes_is_taken_when_it_is_quiet() {
    let bench = Bench::new(&[ExportFault::Silent]);
    bench.dump(&["--idle-timeout", IDLE]).says(0, &["has not answered"]);
    bench.assert_set();
    assert_eq!(bench.stand_in.log().exports, 1);
}

#[test]
fn one_that_becomes_whole_after_the_answer_is_waited_for() {
    let bench = Bench::new(&[ExportFault::AnswerFirst(PAUSE)]);
    bench.dump(&["--idle-timeout", "60s"]).says(0, &[]);
    bench.assert_set();
}

#[test]
fn one_that_a_dying_app_left_behind_is_made_anew() {
    let bench = Bench::new(&[ExportFault::KilledAt(120_000)]);
    let ended = bench.dump(&["--idle-timeout", IDLE, "--first-byte-timeout", "2s"]);
    ended.says(0, &["try 1 failed", "closed the connection"]);
    bench.assert_set();
    assert_eq!(bench.stand_in.log().exports, 2);
}

#[test]
fn one_that_an_earlier_run_began_is_waited_for_and_not_asked_for_again() {
    let bench = Bench::new(&[ExportFault::Slow(PAUSE)]);
    let mut child = bench.command(&[]).spawn().unwrap();
    bench.wait_until(|log| log.exported > 0);
    child.kill().unwrap();
    bench.finish(child);
    bench.dump(&["--idle-timeout", "60s"]).says(0, &["exists already"]);
    bench.assert_set();
    assert_eq!(bench.stand_in.log().exports, 1);
}

#[test]
fn what_is_given_up_says_why() {
    let bench = Bench::new(&vec![ExportFault::KilledAt(120_000); 50]);
    let ended =
        bench.dump(&["--retry-for", "1s", "--idle-timeout", "500ms", "--first-byte-timeout", "500ms"]);
    ended.says(1, &["tries failed", "closed the connection"]);
    bench.assert_nothing();
    let log = bench.stand_in.log();
    assert!(log.exports > 1 && log.exports == log.exports_ended, "{log:?}");
}
