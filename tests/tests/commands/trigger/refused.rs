//! Exports that are not what was asked for, or not whole: told, and never taken.

use std::fs;

use svdr_tests::sv_app::ExportFault;

use super::bench::{Bench, EXPORT, IDLE};

/// An export with this fault is refused, with these words, and nothing is left; a further, sound one is taken.
#[track_caller]
fn refuses(fault: ExportFault, code: i32, says: &[&str]) {
    let bench = Bench::new(std::slice::from_ref(&fault));
    bench.dump(&["--retry-for", "0s", "--idle-timeout", IDLE]).says(code, says);
    bench.assert_nothing();
    assert_eq!(bench.stand_in.log().exports, 1);
    bench.dump(&["--idle-timeout", IDLE]).says(0, &[]);
    bench.assert_set();
}

#[test]
fn another_dump_than_asked_for() {
    refuses(ExportFault::WrongTimestamp(1), 3, &["expected the timestamp 2026", "23:10:00.500001Z"]);
    refuses(ExportFault::WrongMigrationId(9), 3, &["expected the migration id 6, found 9"]);
    refuses(ExportFault::OtherParticipant, 3, &["PAR::somebody-else::1220ff", "this SV's own app"]);
    refuses(ExportFault::Inline, 3, &["the payload is in the dump itself", "mode = \"http\""]);
}

#[test]
fn files_elsewhere() {
    for path in [
        "/etc/passwd",
        "{folder}/../secret",
        "{folder}/sub/file",
        "acs-snapshot",
        "/domain-upgrade-dump/export_at_1776813000501/x",
    ] {
        refuses(
            ExportFault::Path(path.to_owned()),
            3,
            &["expected the path of a file in", EXPORT, "app_dump_dir"],
        );
    }
    let genesis = "{folder}/2026-04-21T23:10:00.500Z-genesis-state";
    refuses(ExportFault::Path(genesis.to_owned()), 3, &["expected one file for each payload"]);
    refuses(ExportFault::Path("{folder}/absent".to_owned()), 1, &["does not exist yet", "is not complete"]);
}

#[test]
fn what_others_could_have_put_there() {
    let bench = Bench::new(&[ExportFault::Link]);
    bench.dump(&["--retry-for", "0s"]).says(3, &["a symbolic link", "find out who put it there"]);
    bench.assert_nothing();
    let bench = Bench::new(&[ExportFault::Writable]);
    bench.dump(&["--retry-for", "0s"]).says(3, &["is world-writable", "0666"]);
    bench.assert_nothing();
    let bench = Bench::new(&[]);
    fs::create_dir(bench.path("volume/real")).unwrap();
    std::os::unix::fs::symlink("real", bench.path("volume").join(EXPORT)).unwrap();
    bench.dump(&["--retry-for", "0s", "--idle-timeout", IDLE]).says(3, &["a file or a link"]);
    bench.assert_nothing();
}

#[test]
fn payload_files_that_are_not_whole() {
    // Chunks of 49,152 bytes and their lengths: in one, in a length, before the first.
    refuses(
        ExportFault::CutAt(100_000),
        1,
        &["is truncated: expected 49152 bytes", "have the app export again"],
    );
    refuses(ExportFault::CutAt(49_158), 1, &["2 bytes into the length", "is not complete"]);
    refuses(ExportFault::CutAt(0), 1, &["expected at least one chunk"]);
    refuses(ExportFault::Trailing(vec![0; 8]), 1, &["has the length 0"]);
    refuses(ExportFault::Trailing(vec![0xff; 4]), 1, &["has the length -1"]);
    refuses(ExportFault::Trailing(b"\n".to_vec()), 1, &["1 bytes into the length"]);
    refuses(ExportFault::CutDump, 1, &["the document ends here", "is not complete"]);
}

#[test]
fn other_things_in_the_folder_are_left_there() {
    let bench = Bench::new(&[]);
    bench.dump(&[]).says(0, &[]);
    fs::remove_dir_all(bench.path("out/set")).unwrap();
    fs::write(bench.export("notes.txt"), "x").unwrap();
    fs::create_dir(bench.path("volume/export_at_1776813000501")).unwrap();
    bench.dump(&[]).says(0, &["notes.txt is not part of the export"]);
    bench.assert_set();
}
