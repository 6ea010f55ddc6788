//! The program is killed while it takes an export: just before and just after everything it flushes.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use svdr_tests::sv_app::ExportFault;

use super::bench::Bench;

/// More than one taking has flushes: of two payloads, the dump, and two folders.
const MANY: usize = 20;

#[test]
fn nothing_half_made_ever_has_the_name_and_the_next_run_clears_it_away() {
    for side in ["before", "after"] {
        let bench = Bench::new(&[]);
        let mut is_over = false;
        for nth in 1..MANY {
            let mut command = bench.command(&["--force"]);
            command.env("SVDR_CRASH_AT", format!("{side}:{nth}"));
            let output = command.output().unwrap();
            if output.status.success() {
                is_over = true;
                break;
            }
            assert!(output.status.signal().is_some(), "{side}:{nth}: {output:?}");
            let names = bench.names("out");
            assert!(!names.is_empty(), "{side}:{nth}: something was there");
            if Path::new(&bench.path("out/set")).exists() {
                // Whole, although the program did not get to its end.
                bench.clear_temporaries();
                bench.assert_set();
            }
        }
        assert!(is_over, "there are more flushes than {MANY}");
        bench.assert_set();
    }
}

#[test]
fn a_kill_at_any_moment_leaves_nothing_that_the_next_run_does_not_clear() {
    let bench = Bench::new(&[]);
    // The export is there, so that from here on only the taking takes time.
    bench.dump(&[]).says(0, &[]);
    let mut caught = 0;
    for moment in 0..20u32 {
        let mut child = bench.command(&["--force"]).spawn().unwrap();
        for _ in 0..moment {
            std::thread::yield_now();
        }
        while child.try_wait().unwrap().is_none() && !bench.has_temporary() && moment % 2 == 0 {
            std::thread::yield_now();
        }
        caught += u32::from(child.try_wait().unwrap().is_none() && bench.has_temporary());
        child.kill().unwrap();
        bench.finish(child);
        // What was there before, or what replaced it: always a whole one.
        assert!(bench.path("out/set").exists(), "the old set is gone and no new one there");
    }
    assert!(caught > 0, "this test is to see a set that was being made");
    bench.dump(&["--force"]).says(0, &[]);
    bench.assert_set();
}

#[test]
fn a_signal_while_the_app_is_at_work_leaves_nothing_half_made() {
    for signal in ["-INT", "-TERM"] {
        let bench = Bench::new(&[ExportFault::Slow(Duration::from_secs(1))]);
        let child = bench.command(&[]).spawn().unwrap();
        bench.wait_until(|log| log.exported > 0);
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        bench.finish(child).says(1, &["stopped by a signal"]);
        bench.assert_nothing();
    }
}
