//! Backups that are made, and what is wrong on this machine.

use std::fs;
use std::time::Duration;

use age::x25519::Identity;
use sha2::{Digest as _, Sha256};
use svdr_tests::sv_app::{Fault, Options};

use super::bench::{Bench, decrypted, identities, mode};

#[test]
fn a_plain_backup_is_what_the_app_answered() {
    let bench = Bench::new(Options::default());
    let ended = bench.backup(&["--output", "json"]);
    ended.says(0, &[]);
    let path = bench.path("out/backup");
    let written = fs::read(&path).unwrap();
    assert!(written == bench.document());
    assert_eq!((mode(&path), bench.left()), (0o600, vec!["backup".to_owned()]));
    let told = ended.json();
    let digest: String = Sha256::digest(&written).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(told["sha256"], format!("sha256:{digest}"));
    assert_eq!(told["size"], written.len());
    assert_eq!(told["participant"], identities(1)["identities"]["participant"]["id"]);
    assert_eq!(told["encrypted"], false);
    let requests = bench.stand_in.log().requests;
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].target, "/api/sv/v0/admin/domain/identities-dump");
    assert!(requests[0].authorized);
    bench.backup(&["--force"]).says(0, &[]);
    assert!(
        bench.backup(&["--force"]).stdout.contains("contains private keys: keep the file on this machine")
    );
}

#[test]
fn an_encrypted_backup_opens_for_each_recipient_and_for_nobody_else() {
    for armor in [false, true] {
        let bench = Bench::new(Options::default());
        let other = Identity::generate();
        bench.write("recipients.txt", format!("# the safe\n{}\n", other.to_public()));
        let recipient = bench.recipient();
        let mut arguments =
            vec!["--recipient", &recipient, "--recipients-file", "recipients.txt", "--output", "json"];
        arguments.extend(armor.then_some("--armor"));
        let ended = bench.backup(&arguments);
        ended.says(0, &[]);
        let path = bench.path("out/backup");
        assert_eq!((mode(&path), bench.left()), (0o600, vec!["backup".to_owned()]));
        bench.assert_nothing_plain();
        let start: &[u8] =
            if armor { b"-----BEGIN AGE ENCRYPTED FILE-----\n" } else { b"age-encryption.org/v1\n" };
        assert!(fs::read(&path).unwrap().starts_with(start));
        for identity in [&bench.age, &other] {
            assert!(decrypted(&path, identity) == bench.document());
        }
        assert_eq!(ended.json()["recipients"], serde_json::json!([recipient, other.to_public().to_string()]));
        assert_eq!(ended.json()["encrypted"], true);
    }
}

/// On the day it would be too late to find out.
#[test]
fn a_backup_that_this_node_cannot_read_is_made_with_a_warning() {
    let bench = Bench::new(Options::default());
    let warning = "this node will not be able to read the backup";
    let ended = bench.backup(&["--recipient", &bench.recipient()]);
    assert!(!ended.says(0, &[]).stderr.contains(warning), "{ended:#?}");
    let other = Identity::generate().to_public().to_string();
    bench.backup(&["--force", "--recipient", &other]).says(0, &[warning, "age.key. Add the recipient"]);
    fs::remove_file(bench.path("age.key")).unwrap();
    bench.backup(&["--force", "--recipient", &other]).says(0, &[warning, "age.key cannot be read"]);
}

#[test]
fn however_it_arrives_it_is_the_same() {
    for fault in [Fault::Drip(700, Duration::ZERO), Fault::Drip(usize::MAX, Duration::ZERO)] {
        let bench = Bench::new(Options { identities_faults: vec![fault], ..Options::default() });
        bench.backup(&[]).says(0, &[]);
        assert!(fs::read(bench.path("out/backup")).unwrap() == bench.document());
    }
}

#[test]
fn an_existing_file_is_replaced_only_with_force() {
    let bench = Bench::new(Options::default());
    bench.write("out/backup", "precious");
    bench.backup(&[]).says(1, &["out/backup already exists", "--force"]);
    assert_eq!(fs::read_to_string(bench.path("out/backup")).unwrap(), "precious");
    assert_eq!(bench.stand_in.log().requests, [], "nothing is asked for that could not be kept");
    // Not even with force, before the new one is complete.
    bench.stand_in.set_token("another");
    bench.backup(&["--force", "--retry-for", "0s"]).says(1, &["answered 401"]);
    assert_eq!(fs::read_to_string(bench.path("out/backup")).unwrap(), "precious");
    bench.stand_in.set_token(&bench.stand_in.options().token);
    bench.backup(&["--force"]).says(0, &[]);
    assert!(fs::read(bench.path("out/backup")).unwrap() == bench.document());
}

#[test]
fn the_member_is_known_by_its_key_or_by_its_name() {
    let bench = Bench::new(Options::default());
    bench.backup(&["--member", "Example-SV-1", "--signing-key", "nowhere.key"]).says(0, &[]);
    fs::remove_file(bench.path("out/backup")).unwrap();
    bench.backup(&["--member", "Example-SV-9"]).says(2, &["Example-SV-9 is not a member of the roster"]);
    svdr_cli::signing_key::create(&bench.path("stranger.key")).unwrap();
    bench.backup(&["--signing-key", "stranger.key"]).says(3, &["belongs to no member of the roster"]);
    assert_eq!(bench.stand_in.log().identities_asked(), 1);
    // The right app for the wrong member.
    for arguments in [["--member", "Example-SV-2"], ["--signing-key", "member-2.key"]] {
        bench.backup(&arguments).says(
            3,
            &["PAR::Example-SV-1::1220", "PAR::Example-SV-2::1220", "the participant of Example-SV-2"],
        );
    }
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn what_is_wrong_on_this_machine_is_found_before_the_first_request() {
    let bench = Bench::new(Options::default());
    let secret = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    let ended = bench.backup(&["--recipient", secret]);
    assert!(!ended.says(2, &["secret, instead of a recipient"]).stderr.contains("1GQ9778"));
    bench.backup(&["--recipients-file", "age.key"]).says(2, &["age.key, line 2 is an age identity"]);
    bench.backup(&["--recipients-file", "nowhere"]).says(1, &["the recipients file nowhere cannot be read"]);
    bench.backup(&["--recipient", "age1qqqq"]).says(2, &["--recipient number 1 is not an age recipient"]);
    bench.backup(&["--armor"]).says(2, &["--armor is for an encrypted backup"]);
    bench.backup(&["--token-file", "absent"]).says(1, &["absent cannot be read"]);
    bench.write("agent.toml", "");
    bench.backup(&[]).says(
        2,
        &[
            "4 settings are missing",
            "at the top: roster",
            "[signing]: key",
            "--member",
            "[sv_app]: url",
            "token_file",
        ],
    );
    assert_eq!(bench.stand_in.log().requests, []);
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn logs_at_the_lowest_level_hold_no_secret() {
    let bench = Bench::new(Options::default());
    let mut command =
        bench.command(&["backup", "identities", "--out", "out/backup", "--recipient", &bench.recipient()]);
    let ended = bench.finish(command.env("RUST_LOG", "trace").spawn().unwrap());
    ended.says(0, &["TRACE"]);
    let mut command =
        bench.command(&["dump", "--timestamp", "2026-04-21T23:10:00Z", "--out", "out/dump.json"]);
    bench.finish(command.env("RUST_LOG", "trace").spawn().unwrap()).says(0, &["TRACE"]);
}
