//! What the app answers instead of making the dump.

use std::fs;

use svdr_protocol::time::Timestamp;
use svdr_tests::sv_app::{DumpVolume, ExportFault, Options};

use super::bench::{Bench, IDLE};

fn limit(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

#[test]
fn timestamps_that_it_cannot_serve_are_told_as_with_a_snapshot() {
    let pruned = Options { pruned_until: limit("2026-04-21T23:15:00Z"), ..Options::default() };
    let behind = Options { caught_up_to: limit("2026-04-21T23:05:00Z"), ..Options::default() };
    for (options, says) in [(pruned, "--not-before"), (behind, "--not-after")] {
        let bench = Bench::with(options, "trigger");
        bench.dump(&[]).says(4, &["migration-dump answered 4", says]);
        bench.assert_nothing();
        assert_eq!(bench.stand_in.log().exports, 1);
    }
}

#[test]
fn a_release_without_the_call_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::on(folder, Options { volume: DumpVolume::Unknown, ..Options::default() }, "trigger");
    bench.dump(&[]).says(1, &["answered 404", "does not have this call"]);
    bench.assert_nothing();
}

#[test]
fn an_app_without_a_dump_path_says_so_itself() {
    let folder = tempfile::tempdir().unwrap();
    let bench =
        Bench::on(folder, Options { volume: DumpVolume::Unconfigured, ..Options::default() }, "trigger");
    bench.dump(&["--retry-for", "0s"]).says(1, &["answered 500", "dump path is not configured"]);
    bench.assert_nothing();
}

#[test]
fn a_wrong_token_is_a_matter_of_the_token() {
    let bench = Bench::new(&[]);
    bench.write("token", "wrong-token");
    bench.dump(&["--retry-for", "0s"]).says(1, &["answered 401", "administrator"]);
    bench.write("token", &bench.stand_in.options().token);
    bench.dump(&[]).says(0, &[]);
    bench.assert_set();
}

#[test]
fn an_error_of_the_app_is_tried_again() {
    let bench = Bench::new(&[
        ExportFault::Status(500, "the participant is unreachable".to_owned()),
        ExportFault::Status(503, "starting up".to_owned()),
    ]);
    bench.dump(&[]).says(0, &["try 1 failed", "try 2 failed"]);
    bench.assert_set();
    assert_eq!(bench.stand_in.log().exports, 3);
}

#[test]
fn a_dump_dir_that_is_another_volume_is_said() {
    let bench = Bench::new(&[]);
    fs::create_dir(bench.path("other")).unwrap();
    let other = bench.path("other");
    let ended = bench.dump(&["--dump-dir", other.to_str().unwrap(), "--idle-timeout", IDLE]);
    ended.says(1, &["other/export_at_1776813000500", "does not exist", "dump_dir", "release of the SV app"]);
    assert_eq!(bench.stand_in.log().exports, 1, "it would be the same again");
    let ended = bench.dump(&["--dump-dir", "/nowhere"]);
    ended.says(1, &["/nowhere cannot be opened", "mount it on this machine"]);
    assert_eq!(bench.stand_in.log().exports, 1, "the app is not made to write what nobody can take");
    bench.assert_nothing();
}
