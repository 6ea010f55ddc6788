//! Nothing goes wrong.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use svdr_tests::sv_app::{Fault, Options, SnapshotShape};

use super::bench::{Bench, TIMESTAMP};

#[test]
fn a_dump_is_the_identities_and_the_snapshot() {
    let bench = Bench::new(Options { snapshot: SnapshotShape::with_acs(3, 700_001), ..Options::default() });
    let ended = bench.dump(&["--output", "json"]);
    ended.says(0, &[]);
    bench.assert_dump(TIMESTAMP, 6);
    let summary: Value = serde_json::from_str(&ended.stdout).unwrap();
    let bytes = fs::read(bench.path("out/dump.json")).unwrap();
    assert_eq!(summary["size"], bytes.len());
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(summary["sha256"], format!("sha256:{digest}"));
    assert_eq!(summary["timestamp"], TIMESTAMP);
    assert_eq!(summary["migration_id"], 6);
    let requests = bench.stand_in.log().requests;
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0].target,
        "/api/sv/v0/admin/domain/data-snapshot?timestamp=2026-04-21T23:10:00.500Z"
    );
    assert!(requests[0].authorized);
}

#[test]
fn gzip_length_and_chunks_give_the_same_dump() {
    for fault in [Fault::None, Fault::Gzip, Fault::Drip(usize::MAX, std::time::Duration::ZERO)] {
        let bench = Bench::new(Options { faults: vec![fault], ..Options::default() });
        bench.dump(&[]).says(0, &[]);
        bench.assert_dump(TIMESTAMP, 6);
    }
}

#[test]
fn the_migration_id_is_checked_and_asked_for_only_on_request() {
    let bench = Bench::new(Options::default());
    let ended = bench.dump(&["--migration-id", "9"]);
    ended.says(3, &["for migration id 6, but migration_id is 9", "--request-migration-id"]);
    assert_eq!(bench.left(), [""; 0]);
    assert_eq!(bench.stand_in.log().snapshots_asked(), 1);
    bench.dump(&["--migration-id", "9", "--request-migration-id"]).says(0, &[]);
    bench.assert_dump(TIMESTAMP, 9);
    assert!(bench.stand_in.log().requests[1].target.ends_with("&migration_id=9"));
}

#[test]
fn an_existing_file_is_replaced_only_with_force() {
    let bench = Bench::new(Options::default());
    bench.write("out/dump.json", "precious");
    let before = fs::metadata(bench.path("out/dump.json")).unwrap().ino();
    bench.dump(&[]).says(1, &["out/dump.json already exists", "--force"]);
    assert_eq!(fs::metadata(bench.path("out/dump.json")).unwrap().ino(), before);
    assert_eq!(fs::read_to_string(bench.path("out/dump.json")).unwrap(), "precious");
    assert_eq!(bench.stand_in.log().requests, [], "nothing is asked for that could not be kept");
    bench.dump(&["--force"]).says(0, &[]);
    bench.assert_dump(TIMESTAMP, 6);
}

#[test]
fn what_is_wrong_on_this_machine_is_found_before_the_first_request() {
    let bench = Bench::new(Options::default());
    bench.dump(&["--node-identities", "absent.json"]).says(1, &["absent.json"]);
    bench.write("broken.json", "{\"identities\":{\"sv_party_id\":\"stolen\"");
    bench.dump(&["--node-identities", "broken.json"]).says(3, &["broken.json"]);
    bench.dump(&["--token-file", "absent"]).says(1, &["absent cannot be read"]);
    bench.dump(&["--ca-file", "token"]).says(1, &["token contains no certificate", "ca_file"]);
    bench.dump(&["--url", "sv.example.com"]).says(2, &["--url", "is not an http or https URL"]);
    bench.write("agent.toml", "[sv_ap]\nurl = 1\n");
    bench.dump(&[]).says(2, &["agent.toml has a mistake", "line 1: sv_ap is unknown"]);
    bench.write("agent.toml", "");
    let missing = [
        "4 settings are missing",
        "agent.toml",
        "[sv_app]: url =",
        "[sv_app]: token_file =",
        "[node_identities]: backup =",
    ];
    bench.dump(&[]).says(2, &missing);
    assert_eq!(bench.stand_in.log().requests, []);
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn flags_and_variables_say_everything_without_a_file() {
    let bench = Bench::new(Options::default());
    fs::remove_file(bench.path("agent.toml")).unwrap();
    let mut command = std::process::Command::new(svdr_tests::binaries::agent());
    command.args(["dump", "--timestamp", TIMESTAMP, "--out", "out/dump.json", "--token-file", "token"]);
    command.args(["--node-identities", "identities.json", "--ca-file", "ca.pem"]);
    command.env("SVDR_SV_APP_URL", bench.stand_in.url()).env("SVDR_MIGRATION_ID", "6");
    bench.finish(bench.prepared(command).spawn().unwrap()).says(0, &[]);
    bench.assert_dump(TIMESTAMP, 6);
}

#[test]
fn logs_at_the_lowest_level_hold_no_secret() {
    let bench = Bench::new(Options::default());
    let mut command = bench.command(&["--part-digests"]);
    let ended = bench.finish(command.env("RUST_LOG", "trace").spawn().unwrap());
    ended.says(0, &["TRACE"]);
    bench.assert_dump(TIMESTAMP, 6);
}

#[test]
fn memory_does_not_grow_with_the_snapshot() {
    const SENT: u64 = 50_000_000;
    const LIMIT_KIB: u64 = 40 * 1024;
    let snapshot = SnapshotShape::with_acs(4, 40_000_000);
    let bench = Bench::new(Options { snapshot, faults: vec![Fault::StallAt(SENT)], ..Options::default() });
    let mut child = bench.command(&[]).spawn().unwrap();
    bench.wait_until(|log| log.stalled == 1);
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    child.kill().unwrap();
    bench.finish(child);
    assert!(peak < LIMIT_KIB, "{peak} KiB after {SENT} bytes");
}
