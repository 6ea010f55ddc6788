//! Nothing goes wrong.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use sha2::{Digest as _, Sha256};
use svdr_tests::completed::Completed;
use svdr_tests::sv_app::{Fault, Options, SnapshotShape};

use super::bench::{Bench, TIMESTAMP};

#[test]
fn a_dump_is_the_value_of_the_answer() {
    let bench = Bench::new(Options { snapshot: SnapshotShape::with_acs(3, 700_001), ..Options::default() });
    let ended = bench.dump(&["--output", "json"]);
    ended.says(0, &["is completed in round 1", "Back to 2026-04-22T00:44:00Z, migration id 6"]);
    bench.assert_dump();
    let summary = ended.json();
    let bytes = fs::read(bench.path("out/dump.json")).unwrap();
    assert_eq!(summary["size"], bytes.len());
    assert_eq!(summary["sha256"], format!("sha256:{}", hex::encode(Sha256::digest(&bytes))));
    assert_eq!((&summary["timestamp"], &summary["migration_id"]), (&TIMESTAMP.into(), &6.into()));
    assert_eq!((&summary["drill"], &summary["round"]), (&false.into(), &1.into()));
    assert_eq!(summary["roster"], bench.fingerprint());
    assert!(summary["delivered_to"].is_null() && summary["delivered_by"].is_null());
    let requests = bench.stand_in.log().requests;
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0].target,
        "/api/validator/v0/admin/domain/data-snapshot?timestamp=2026-04-22T00:44:00Z&force=true"
    );
    assert!(requests[0].authorized);
}

#[test]
fn a_transcript_and_standard_input_do_as_well() {
    let bench = Bench::empty(Options::default());
    let completed = Completed::attested(&bench.network, false, 4).unwrap();
    let lines: Vec<String> = completed.said.iter().map(|one| one.to_json()).collect();
    bench.write_lines("certificate.jsonl", &lines);
    bench.dump(&[]).says(0, &["4 of 4 SVs have attested"]);
    bench.assert_dump();
    let fingerprint = bench.fingerprint();
    let mut command = bench.unconfirmed(&["--certificate", "-", "--fingerprint", &fingerprint, "--force"]);
    command.stdin(fs::File::open(bench.path("certificate.jsonl")).unwrap());
    bench.finish(command.spawn().unwrap()).says(0, &[]);
    bench.assert_dump();
}

#[test]
fn gzip_length_and_chunks_give_the_same_dump() {
    for fault in [Fault::None, Fault::Gzip, Fault::Drip(usize::MAX, std::time::Duration::ZERO)] {
        let bench = Bench::new(Options { faults: vec![fault], ..Options::default() });
        bench.dump(&[]).says(0, &[]);
        bench.assert_dump();
    }
}

#[test]
fn the_migration_id_is_the_certificates() {
    let bench = Bench::new(Options { migration_id: 8, ..Options::default() });
    let ended = bench.dump(&[]);
    ended.says(3, &["for migration id 9, but the SVs agreed on 6", "--request-migration-id"]);
    assert_eq!((bench.left().len(), bench.stand_in.log().snapshots_asked()), (0, 1));
    bench.dump(&["--request-migration-id"]).says(0, &[]);
    bench.assert_dump();
    assert!(bench.stand_in.log().requests[1].target.ends_with("&migration_id=6&force=true"));
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
    bench.assert_dump();
}

#[test]
fn flags_and_variables_say_everything_without_a_file() {
    let bench = Bench::new(Options::default());
    fs::remove_file(bench.path("agent.toml")).unwrap();
    let mut command = bench.unconfirmed(&["--certificate", "certificate.jsonl", "--token-file", "token"]);
    command.args(["--ca-file", "ca.pem"]);
    command.env("SVDR_VALIDATOR_APP_URL", bench.stand_in.url()).env("SVDR_ROSTER", "roster.toml");
    command.env("SVDR_ROSTER_FINGERPRINT", bench.fingerprint());
    bench.finish(command.spawn().unwrap()).says(0, &[]);
    bench.assert_dump();
}

#[test]
fn a_token_of_an_oauth2_server_is_as_good() {
    let bench = Bench::new(Options::default());
    let options = bench.stand_in.options();
    bench.write("secret", &options.client_secret);
    let oauth2 = format!(
        "[validator_app.oauth2]\ntoken_url = \"{}\"\nclient_id = \"{}\"\nclient_secret_file = \"secret\"\nca_file = \"ca.pem\"",
        bench.stand_in.token_url(),
        options.client_id
    );
    bench.configure("", &oauth2);
    bench.dump(&[]).says(0, &[]);
    bench.assert_dump();
}

#[test]
fn logs_at_the_lowest_level_hold_no_secret() {
    let bench = Bench::new(Options::default());
    let mut command = bench.command(&[]);
    let ended = bench.finish(command.env("RUST_LOG", "trace").spawn().unwrap());
    ended.says(0, &["TRACE"]);
    bench.assert_dump();
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
