//! Encrypted backups that `merge`, `dump` and `run` cannot read: each says why, and none leaves a part of a dump.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use age::secrecy::{ExposeSecret as _, SecretString};
use age::x25519::Identity;
use svdr_tests::sv_app::Options;
use svdr_tests::sv_app::document::{self, Flaw, SnapshotShape};

use super::bench::{Bench, Ended};

const TIMESTAMP: &str = "2026-04-21T23:10:00Z";

fn bench() -> Bench {
    let bench = Bench::new(Options::default());
    let pieces =
        document::snapshot(SnapshotShape::with_acs(1, 5_000), TIMESTAMP.parse().unwrap(), 6, Flaw::Sound);
    bench.write("snapshot.json", pieces.flatten().collect::<Vec<u8>>());
    bench.write("backup", bench.encrypted(&bench.document()));
    bench
}

impl Bench {
    #[track_caller]
    fn merge(&self, arguments: &[&str]) -> Ended {
        let merge = ["merge", "--data", "snapshot.json", "--timestamp", TIMESTAMP, "--out", "out/dump.json"];
        self.run(&[&merge, arguments].concat())
    }

    /// Refused by both commands with the same words, and nothing left.
    #[track_caller]
    fn refuses(&self, code: i32, backup: &[&str], texts: &[&str]) {
        self.merge(backup).says(code, texts);
        let dump = ["dump", "--timestamp", TIMESTAMP, "--out", "out/dump.json"];
        self.run(&[&dump, backup].concat()).says(code, texts);
        assert_eq!(self.left(), [""; 0]);
        assert_eq!(self.stand_in.log().requests, [], "nothing is asked for that could not be merged");
    }
}

#[test]
fn without_an_age_identity_it_is_said_how_to_give_one() {
    let bench = bench();
    let toml = fs::read_to_string(bench.path("agent.toml")).unwrap();
    bench.write("agent.toml", toml.replace("age_identity", "#"));
    let texts = [
        "is encrypted with age",
        "--age-identity",
        "age_identity under [node_identities]",
        "age_identity under [node_identities]",
    ];
    bench.refuses(2, &["--node-identities", "backup"], &texts);
}

#[test]
fn another_age_identity_is_refused() {
    let bench = bench();
    let other = Identity::generate();
    bench.write("other.key", other.to_string().expose_secret());
    let texts = ["backup cannot be decrypted with other.key", "other recipients"];
    bench.refuses(3, &["--node-identities", "backup", "--age-identity", "other.key"], &texts);
    bench.refuses(
        1,
        &["--node-identities", "backup", "--age-identity", "absent.key"],
        &["age identity absent.key"],
    );
    let texts = ["backup, line 1, is not an age identity", "snapshot.json, line 1, is not an age identity"];
    bench.refuses(3, &["--node-identities", "backup", "--age-identity", "snapshot.json"], &texts[1..]);
    bench.refuses(
        3,
        &["--node-identities", "backup", "--age-identity", "backup"],
        &["backup is encrypted with a passphrase"],
    );
}

#[test]
fn a_torn_or_altered_backup_is_refused() {
    let bench = bench();
    let sound = fs::read(bench.path("backup")).unwrap();
    let altered = |at: usize| {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        (sound[..sound.len() - 1].to_vec(), "was cut or altered after it was written"),
        (sound[..sound.len() / 2].to_vec(), "was cut or altered after it was written"),
        (sound[..100].to_vec(), "it ends in the middle"),
        (altered(sound.len() / 2), "was cut or altered after it was written"),
        (altered(sound.len() - 1), "was cut or altered after it was written"),
        ([&sound[..], b"more"].concat(), "was cut or altered after it was written"),
    ];
    for (bytes, text) in cases {
        bench.write("damaged", bytes);
        let texts = ["damaged is corrupt", text, "backup identities"];
        bench.refuses(3, &["--node-identities", "damaged", "--age-identity", "age.key"], &texts);
    }
    bench.write("damaged", bench.encrypted(b"{\"identities\":{}}"));
    let texts = ["damaged cannot be used", "is missing"];
    bench.refuses(3, &["--node-identities", "damaged", "--age-identity", "age.key"], &texts);
}

#[test]
fn a_passphrase_is_refused() {
    let bench = bench();
    let mut recipient = age::scrypt::Recipient::new(SecretString::from("correct horse".to_owned()));
    recipient.set_work_factor(2);
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as _)).unwrap();
    let mut file = Vec::new();
    encryptor.wrap_output(&mut file).unwrap().finish().unwrap();
    bench.write("passphrase", file);
    let texts = ["passphrase is encrypted with a passphrase"];
    bench.refuses(3, &["--node-identities", "passphrase", "--age-identity", "age.key"], &texts);
}

#[test]
fn an_age_identity_that_others_can_read_is_warned_of() {
    let bench = bench();
    fs::set_permissions(bench.path("age.key"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(bench.path("backup"), fs::Permissions::from_mode(0o644)).unwrap();
    let ended = bench.merge(&["--node-identities", "backup", "--age-identity", "age.key"]);
    ended.says(0, &["age.key is readable by other users (mode 0640)", "chmod 600 age.key"]);
    // The encrypted backup may be anybody's.
    assert!(!ended.stderr.contains("contains private keys"), "{ended:#?}");
}
