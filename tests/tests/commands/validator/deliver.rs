//! Where the dump goes: with the dump, or by a command of its own.

use std::fs;

use svdr_tests::sv_app::{Options, SnapshotShape};

use super::bench::{Bench, Ended};

const DELIVER: &str =
    "[validator_app.deliver]\ncommand = [\"cp\", \"{dump}\", \"{pod}-{migration_id}.json\"]";

fn deliver(bench: &Bench, arguments: &[&str]) -> Ended {
    let fingerprint = bench.fingerprint();
    let proof = ["--certificate", "certificate.jsonl", "--fingerprint", &fingerprint];
    bench.agent(&[&["validator", "deliver", "out/dump.json"][..], &proof, arguments].concat())
}

#[test]
fn a_dump_is_delivered_at_once_where_that_is_asked_for() {
    let bench = Bench::new(Options::default());
    bench.configure("token_file = \"token\"", DELIVER);
    let ended = bench.dump(&["--deliver", "--yes", "--set", "pod=validator-app", "--output", "json"]);
    ended.says(0, &["handed to the command [\"cp\"", "validator-app-6.json"]);
    bench.assert_dump();
    bench.assert_is_dump(&bench.path("validator-app-6.json"));
    let command = &ended.json()["delivered_by"];
    assert_eq!(command[1], bench.path("out/dump.json").canonicalize().unwrap().display().to_string());
    assert_eq!(command[2], "validator-app-6.json");
}

#[test]
fn what_is_missing_for_the_delivery_is_said_before_anything_is_fetched() {
    let bench = Bench::new(Options::default());
    bench
        .dump(&["--deliver", "--yes"])
        .says(2, &["[validator_app.deliver]: path =", "--to", "SVDR_DELIVER_TO"]);
    bench.configure("token_file = \"token\"", DELIVER);
    bench.dump(&["--deliver", "--yes"]).says(2, &["{pod}, which has no value", "--set pod=VALUE"]);
    // That of an SV app is another's.
    bench.configure("token_file = \"token\"", "[deliver]\npath = \"sv.json\"");
    bench.dump(&["--deliver", "--yes"]).says(2, &["[validator_app.deliver]"]);
    assert_eq!(bench.stand_in.log().requests, []);
}

#[test]
fn a_command_that_fails_leaves_the_dump_to_be_delivered_later() {
    let bench = Bench::new(Options::default());
    bench.configure("token_file = \"token\"", "[validator_app.deliver]\ncommand = [\"false\", \"{dump}\"]");
    bench.dump(&["--deliver", "--yes"]).says(1, &["\"false\" failed with", "and run"]);
    bench.assert_dump();
    bench.configure("token_file = \"token\"", "[validator_app.deliver]\npath = \"volume.json\"");
    let ended = deliver(&bench, &["--yes", "--output", "json"]);
    let delivered = ended.json();
    assert_eq!(
        (&delivered["recovery_timestamp"], &delivered["migration_id"]),
        (&super::bench::TIMESTAMP.into(), &6.into())
    );
    bench.assert_is_dump(&bench.path("volume.json"));
    // Never over what is there.
    deliver(&bench, &["--yes"]).says(1, &["volume.json already exists"]);
    deliver(&bench, &["--yes", "--force"]).says(0, &[]);
    let told = deliver(&bench, &["--yes", "--to", "elsewhere.json"]);
    assert!(
        told.stdout.contains("migration.migrating: true") && told.stdout.contains("-m 6 -M"),
        "{told:#?}"
    );
}

#[test]
fn what_is_not_the_certificates_dump_is_not_delivered() {
    let bench = Bench::new(Options { snapshot: SnapshotShape::with_acs(1, 30_000), ..Options::default() });
    bench.dump(&[]).says(0, &[]);
    let good = fs::read_to_string(bench.path("out/dump.json")).unwrap();
    let to = ["--yes", "--to", "volume.json"];
    for (from, into, said) in [
        ("T00:44:00Z", "T00:44:01Z", "expected the timestamp 2026"),
        ("\"migration_id\":6", "\"migration_id\":7", "expected the migration id 6"),
        ("\"participant\":", "\"part\":", "participant\" is missing"),
        ("\"dars\":[", "\"dars\":[[", "at dars[0]"),
    ] {
        assert!(good.contains(from), "{from}");
        bench.write("out/dump.json", &good.replacen(from, into, 1));
        deliver(&bench, &to).says(3, &["out/dump.json cannot be used", said]);
    }
    bench.write("out/dump.json", &good[..good.len() / 2]);
    deliver(&bench, &to).says(3, &["the document ends here"]);
    fs::remove_file(bench.path("out/dump.json")).unwrap();
    deliver(&bench, &to).says(1, &["out/dump.json cannot be opened"]);
    assert!(!bench.path("volume.json").exists());
    // The same with a certificate of which a line is damaged.
    bench.write("out/dump.json", &good);
    let mut lines = bench.lines("certificate.jsonl");
    lines[0] = lines[0].replace("sig\":\"", "sig\":\"AAAA");
    bench.write_lines("certificate.jsonl", &lines);
    deliver(&bench, &to).says(3, &["line 1, is invalid"]);
    assert!(!bench.path("volume.json").exists());
}
