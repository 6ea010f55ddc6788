//! Nothing goes wrong.

use std::fs;

use serde_json::Value;
use svdr_tests::sv_app::{Options, SnapshotShape};

use super::bench::{Bench, IDLE};

#[test]
fn a_dump_that_the_app_wrote_is_taken_as_a_set() {
    let bench = Bench::new(&[]);
    let ended = bench.dump(&["--output", "json", "--part-digests"]);
    ended.says(0, &[]);
    bench.assert_set();
    let log = bench.stand_in.log();
    assert_eq!((log.exports, log.snapshots_asked()), (1, 0));
    assert_eq!(log.requests[0].target, "/api/sv/v0/admin/domain/migration-dump");
    let summary: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(summary["path"], bench.path("out/set/domain_migration_dump.json").to_str().unwrap());
    assert_eq!(summary["acs_snapshot"]["path"], "/domain-upgrade-dump/acs_snapshot-1776813000500");
    assert_eq!(summary["acs_snapshot"]["size"], 300_001);
    assert_eq!(summary["separate_payload_files"], true);
}

#[test]
fn both_ways_give_the_same_digests_of_the_parts() {
    let bench = Bench::new(&[]);
    let parts = |mode: &str, out: &str| {
        let arguments = ["--output", "json", "--part-digests", "--mode", mode];
        let ended = bench.finish(bench.command_to(out, &arguments).spawn().unwrap());
        ended.says(0, &[]);
        let summary: Value = serde_json::from_str(&ended.stdout).unwrap();
        let digests = |part: &Value| (part["size"].clone(), part["sha256"].clone());
        let dars: Vec<_> = summary["dars"].as_array().unwrap().iter().map(digests).collect();
        (digests(&summary["acs_snapshot"]), digests(&summary["genesis_state"]), dars)
    };
    let http = parts("http", "out/http.json");
    assert!(http.0.1.is_string());
    assert_eq!(http, parts("trigger", "out/other"));
}

#[test]
fn the_identities_come_with_it() {
    let bench = Bench::new(&[]);
    fs::remove_file(bench.path("identities.json")).unwrap();
    let text = fs::read_to_string(bench.path("agent.toml")).unwrap();
    bench.write("agent.toml", text.split("[node_identities]").next().unwrap());
    bench.dump(&[]).says(0, &["The owner of the identities in the dump is not checked"]);
    bench.assert_set();
}

#[test]
fn what_an_earlier_run_had_made_is_taken_without_asking_again() {
    let bench = Bench::new(&[]);
    bench.dump(&[]).says(0, &[]);
    fs::remove_dir_all(bench.path("out/set")).unwrap();
    bench.dump(&[]).says(0, &["exists already"]);
    bench.assert_set();
    assert_eq!(bench.stand_in.log().exports, 1);
}

#[test]
fn an_earlier_export_for_another_migration_is_made_anew() {
    let bench = Bench::new(&[svdr_tests::sv_app::ExportFault::WrongMigrationId(9)]);
    bench.dump(&[]).says(3, &["migration id", "found 9", "move the export's folder away"]);
    bench.assert_nothing();
    bench.dump(&[]).says(0, &["asking the SV app to export again"]);
    bench.assert_set();
    assert_eq!(bench.stand_in.log().exports, 2);
}

#[test]
fn an_existing_set_is_replaced_only_with_force_and_nothing_else_ever() {
    let bench = Bench::new(&[]);
    fs::create_dir(bench.path("out/set")).unwrap();
    bench.write("out/set/precious", "x");
    bench.dump(&[]).says(1, &["out/set already exists"]);
    bench.dump(&["--force"]).says(2, &["is a folder that this program did not make"]);
    assert_eq!(bench.stand_in.log().requests, [], "nothing is asked for that could not be kept");
    assert_eq!(bench.names("out/set"), ["precious"]);
    fs::remove_dir_all(bench.path("out/set")).unwrap();
    bench.dump(&[]).says(0, &[]);
    bench.dump(&["--force"]).says(0, &[]);
    bench.assert_set();
}

#[test]
fn a_json_name_becomes_the_folders_without_it() {
    let bench = Bench::new(&[]);
    bench.finish(bench.command_to("out/set.json", &[]).spawn().unwrap()).says(0, &[]);
    bench.assert_set();
}

#[test]
fn logs_at_the_lowest_level_hold_no_secret() {
    let bench = Bench::new(&[]);
    let mut command = bench.command(&["--idle-timeout", IDLE]);
    bench.finish(command.env("RUST_LOG", "trace").spawn().unwrap()).says(0, &["TRACE"]);
    bench.assert_set();
}

#[test]
fn memory_does_not_grow_with_the_payloads() {
    const LIMIT_KIB: u64 = 48 * 1024;
    let snapshot = SnapshotShape::with_acs(4, 100_000_000);
    let bench = Bench::with(Options { snapshot, ..Options::default() }, "trigger");
    let mut child = bench.command(&[]).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        // Gone, or a zombie without it, once it has ended.
        let status = fs::read_to_string(&status).unwrap_or_default();
        let found = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let found = found.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(found.unwrap_or(0));
        std::thread::yield_now();
    }
    bench.finish(child).says(0, &[]);
    assert!(peak > 0 && peak < LIMIT_KIB, "{peak} KiB");
    let set = fs::metadata(bench.path("out/set/acs_snapshot-1776813000500")).unwrap();
    assert!(set.len() > 100_000_000);
}
