#![allow(clippy::unwrap_used)]

use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;

fn fingerprint(seed: u8) -> String {
    format!("1220{}", hex::encode([seed; 32]))
}

fn key(seed: u8) -> PublicKey {
    SigningKey::from_bytes(&[seed; 32]).verifying_key().into()
}

fn member(seed: u8) -> String {
    let (fingerprint, key) = (fingerprint(seed), key(seed));
    let convener = if seed == 1 { "convener = true\n" } else { "" };
    format!(
        "[[member]]\nname = \"SV-{seed}\"\nparticipant = \"PAR::sv-{seed}::{fingerprint}\"\nkey = \"{key}\"\n{convener}\n"
    )
}

fn head() -> String {
    format!("network = \"DevNet\"\nsynchronizer = \"global-domain::{}\"\n\n", fingerprint(0xbe))
}

fn roster(members: u8) -> String {
    head() + &(1..=members).map(member).collect::<String>()
}

fn mistakes(text: &str) -> String {
    Roster::parse(text).unwrap_err().to_string()
}

#[test]
fn the_governance_threshold_is_that_of_the_dso() {
    let thresholds = [2, 3, 4, 7, 13, 16, 128].map(|n| (n, governance_threshold(n)));
    assert_eq!(thresholds, [(2, 2), (3, 2), (4, 3), (7, 5), (13, 9), (16, 11), (128, 86)]);
    for n in 1..=128 {
        let (t, f) = (governance_threshold(n), (n - 1) / 3);
        assert!(2 * t - n > f, "two sets of {t} of {n} share fewer than {f} + 1");
    }
}

#[test]
fn members_are_found_by_their_keys_and_nobody_else_is() {
    let text = format!("{}[[observer]]\nname = \"V\"\nkey = \"{}\"\n", roster(4), key(9));
    let roster = Roster::parse(&text).unwrap();
    for member in roster.members() {
        assert_eq!(roster.member_by_key(&member.key), Some(member));
        assert_eq!(roster.verifying_key(&member.key), Some(&member.key.verifying_key()));
        assert_eq!(roster.key_by_text(&member.key.to_string()), Some(member.key));
    }
    for nobody in [key(5), key(9)] {
        assert_eq!(roster.member_by_key(&nobody), None);
        assert_eq!(roster.verifying_key(&nobody), None);
        assert_eq!(roster.key_by_text(&nobody.to_string()), None);
    }
}

#[test]
fn the_fingerprint_is_over_the_meaning() {
    let text = roster(4);
    let expected = Roster::parse(&text).unwrap().fingerprint();
    let reordered = head() + &[3, 1, 4, 2].map(member).concat();
    let commented = text.replace("[[member]]", "# one of us\n[[member]] # here").replace(" = ", "=");
    let explicit = format!("threshold = 3\n{text}");
    for same in [reordered, commented, explicit] {
        assert_eq!(Roster::parse(&same).unwrap().fingerprint(), expected);
    }
    let observer = format!("[[observer]]\nname = \"V\"\nkey = \"{}\"\n", key(9));
    for other in [
        format!("threshold = 4\n{text}"),
        text.replace("DevNet", "MainNet"),
        text.replace("SV-4", "SV-5"),
        text.replace("convener = true\n", "") + "convener = true",
        text.clone() + &observer,
        roster(5),
    ] {
        assert_ne!(Roster::parse(&other).unwrap().fingerprint(), expected, "{other}");
    }
}

#[test]
fn the_spoken_form_has_twelve_words() {
    let words = Roster::parse(&roster(4)).unwrap().spoken_fingerprint();
    assert_eq!(words.len(), 12);
    svdr_snapshot::assert_snapshot!("spoken", words.join(" "));
}

#[test]
fn every_mistake_is_reported_with_its_line() {
    let text = r#"network = ""
synchronizer = "global-domain::1220be58c29e"
threshold = "three"
colour = "red"

[[member]]
name = " A"
participant = "PAR::A::1220e5a29d39..."
key = "ed25519:AAAA"
convener = "yes"

[[member]]
nickname = "B"
participant = 7

[[observer]]
name = "C"
key = "ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
participant = "PAR::C::1220"
"#;
    svdr_snapshot::assert_snapshot!("mistakes", mistakes(text));
}

#[test]
fn members_must_be_told_apart() {
    let twice = roster(4) + &member(1).replace("convener = true\n", "");
    svdr_snapshot::assert_snapshot!("twice", mistakes(&twice));
    let alike = member(4).replace("SV-4", "SV-9").replace(&key(4).to_string(), &key(9).to_string()).replace(
        &fingerprint(4),
        &fingerprint(4).replace("0404040404", "0404040405").replacen("0404040405", "0404040404", 1),
    );
    svdr_snapshot::assert_snapshot!("alike", mistakes(&(roster(4) + &alike)));
}

#[test]
fn too_few_or_too_many_do_not_make_a_roster() {
    svdr_snapshot::assert_snapshot!("one", mistakes(&roster(1)));
    assert!(Roster::parse(&roster(128)).is_ok());
    svdr_snapshot::assert_snapshot!("many", mistakes(&roster(129)));
    svdr_snapshot::assert_snapshot!("no_convener", mistakes(&roster(3).replace("convener = true\n", "")));
    for threshold in ["2", "5", "-1", "0x2", "99999999999999999999"] {
        assert!(
            mistakes(&format!("threshold = {threshold}\n{}", roster(4))).contains("line 1: the threshold")
        );
    }
    let huge = "#".repeat(MAX_ROSTER_LEN + 1);
    assert!(mistakes(&huge).contains("expected at most 4194304"));
}

#[test]
fn what_is_not_toml_is_said_with_its_line() {
    svdr_snapshot::assert_snapshot!("not_toml", mistakes("network = \"DevNet\"\n[[member]\nname = \n"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        let _ = Roster::parse(&text);
    }

    #[test]
    fn a_damaged_roster_never_panics(at in 0usize..900, byte in any::<u8>()) {
        let mut bytes = roster(3).into_bytes();
        let at = at.min(bytes.len() - 1);
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = Roster::parse(&text);
        }
    }
}
