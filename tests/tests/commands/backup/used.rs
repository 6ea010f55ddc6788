//! What the other commands make of a backup: the same, whichever form it has.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use age::secrecy::ExposeSecret as _;
use serde_json::Value;
use svdr_tests::sv_app::Options;
use svdr_tests::sv_app::document::{self, Flaw};

use super::bench::{Bench, mode};
use svdr_tests::town::{Town, assert_sound, documents};

const TIMESTAMP: &str = "2026-04-21T23:10:00Z";

/// What `jq -s add` makes of the identities and the snapshot that the stand-in gives.
fn added(bench: &Bench) -> Value {
    let options = bench.stand_in.options();
    let pieces = document::snapshot(options.snapshot, TIMESTAMP.parse().unwrap(), 6, Flaw::Sound);
    let snapshot: Value = serde_json::from_slice(&pieces.flatten().collect::<Vec<u8>>()).unwrap();
    let mut all = options.identities.clone();
    all.as_object_mut().unwrap().extend(snapshot.as_object().unwrap().clone());
    all
}

#[test]
fn an_encrypted_backup_merges_to_the_same_dump_as_a_plain_one() {
    let bench = Bench::new(Options::default());
    let pieces =
        document::snapshot(bench.stand_in.options().snapshot, TIMESTAMP.parse().unwrap(), 6, Flaw::Sound);
    bench.write("snapshot.json", pieces.flatten().collect::<Vec<u8>>());
    let recipient = bench.recipient();
    bench.backup(&[]).says(0, &[]);
    let plain = bench.path("out/plain");
    fs::rename(bench.path("out/backup"), &plain).unwrap();
    let merge = |backup: &str, out: &str, more: &[&str]| {
        let line = [
            "merge",
            "--data",
            "snapshot.json",
            "--timestamp",
            TIMESTAMP,
            "--node-identities",
            backup,
            "--out",
            out,
        ];
        bench.run(&[&line, more].concat()).says(0, &[]);
        fs::read(bench.path(out)).unwrap()
    };
    let expected = merge("out/plain", "out/plain.json", &[]);
    assert_eq!(serde_json::from_slice::<Value>(&expected).unwrap(), added(&bench));
    for armor in [&[][..], &["--armor"]] {
        bench.backup(&[&["--force", "--recipient", &recipient], armor].concat()).says(0, &[]);
        let dump = merge("out/backup", "out/dump.json", &["--force", "--age-identity", "age.key"]);
        assert!(dump == expected, "not the same dump");
        assert_eq!(mode(&bench.path("out/dump.json")), 0o600);
    }
}

#[test]
fn a_dump_takes_the_backup_and_its_age_identity_from_file_flag_or_variable() {
    let bench = Bench::new(Options::default());
    bench.backup(&["--recipient", &bench.recipient()]).says(0, &[]);
    let dump = ["dump", "--timestamp", TIMESTAMP, "--out", "out/dump.json", "--force"];
    let check = || {
        let found: Value = serde_json::from_slice(&fs::read(bench.path("out/dump.json")).unwrap()).unwrap();
        assert!(found == added(&bench), "not what jq makes of the two");
        fs::remove_file(bench.path("out/dump.json")).unwrap();
    };
    bench.run(&dump).says(0, &[]);
    check();
    fs::rename(bench.path("age.key"), bench.path("moved.key")).unwrap();
    bench.run(&dump).says(1, &["age.key cannot be read"]);
    bench.run(&[&dump[..], &["--age-identity", "moved.key"]].concat()).says(0, &[]);
    check();
    let mut command = bench.command(&dump);
    bench.finish(command.env("SVDR_AGE_IDENTITY", "moved.key").spawn().unwrap()).says(0, &[]);
    check();
    // A plain one needs none, so that it does not matter whether there is one.
    bench.backup(&["--force"]).says(0, &[]);
    bench.run(&dump).says(0, &[]);
    check();
}

/// What `check` found about the backup.
fn found(bench: &Bench) -> (String, String) {
    let told = bench.run(&["check", "--output", "json"]).json();
    let checks = told["checks"].as_array().unwrap();
    let backup = checks.iter().find(|check| check["name"] == "node identities").unwrap();
    (backup["verdict"].as_str().unwrap().to_owned(), backup["text"].as_str().unwrap().to_owned())
}

#[test]
fn check_says_in_which_form_whose_and_how_old_it_is() {
    let bench = Bench::new(Options::default());
    bench.backup(&[]).says(0, &[]);
    let (verdict, text) = found(&bench);
    assert_eq!(verdict, "passed", "{text}");
    assert!(text.starts_with("complete, of PAR::Example-SV-1::1220"), "{text}");
    assert!(text.contains("; not encrypted, ") && text.ends_with(" old"), "{text}");
    bench.backup(&["--force", "--recipient", &bench.recipient()]).says(0, &[]);
    fs::set_permissions(bench.path("out/backup"), fs::Permissions::from_mode(0o644)).unwrap();
    let (verdict, text) = found(&bench);
    assert_eq!(verdict, "passed", "{text}");
    assert!(text.contains("; encrypted, and decrypted with ") && text.contains("age.key, "), "{text}");
    fs::set_permissions(bench.path("age.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let (verdict, text) = found(&bench);
    assert!(verdict == "failed" && text.contains("age.key") && text.contains("chmod 600"), "{text}");
    fs::remove_file(bench.path("age.key")).unwrap();
    let (verdict, text) = found(&bench);
    assert!(verdict == "failed" && text.contains("age.key cannot be read"), "{text}");
    let other = age::x25519::Identity::generate().to_string();
    bench.write("age.key", other.expose_secret());
    let (verdict, text) = found(&bench);
    assert!(verdict == "failed" && text.contains("other recipients"), "{text}");
}

#[test]
fn a_session_completes_with_encrypted_backups() {
    let town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let age = age::x25519::Identity::generate();
    let key = town.agents.network.path().join("age.key");
    svdr_files::write_private(&key, age.to_string().expose_secret().as_bytes(), svdr_files::Replace::Never)
        .unwrap();
    let agents: Vec<_> = (1..=4)
        .map(|member| {
            let backup = format!("sv-{member}/identities.json");
            let recipient = age.to_public().to_string();
            let path = town.agents.network.path().join(&backup);
            let out = path.to_str().unwrap();
            let arguments = ["backup", "identities", "--out", out, "--force", "--recipient", &recipient];
            let made = town.agents.command(member, &arguments).unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            assert!(fs::read(&path).unwrap().starts_with(b"age-encryption.org/v1\n"));
            let variables = [("SVDR_AGE_IDENTITY", key.to_str().unwrap())];
            town.agents.run(member, &[], &variables).unwrap()
        })
        .collect();
    let finished: Vec<_> = agents.into_iter().map(|agent| agent.finish().unwrap()).collect();
    assert!(documents(&finished).iter().all(|document| document["attested"] == true));
    assert_sound(&town, session);
    let dump = documents(&finished)[0]["dump"].as_str().unwrap().to_owned();
    let dump: Value = serde_json::from_slice(&fs::read(dump).unwrap()).unwrap();
    assert_eq!(dump["identities"], town.agents.apps[0].options().identities["identities"]);
}
