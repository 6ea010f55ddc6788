//! Encrypted files that are refused, each for its own reason, whatever they would cost.

use std::time::{Duration, Instant};

use age::secrecy::SecretString;
use svdr_protocol::failure::Told;

use super::super::error::{BackupError, Damage};
use super::super::fuzz::read;
use super::super::limits::MAX_HEADER_LEN;
use super::*;

#[track_caller]
fn damage(bytes: &[u8]) -> Damage {
    match read(bytes) {
        Err(BackupError::Damaged { damage, .. }) => damage,
        other => panic!("expected damage, found {other:?}"),
    }
}

fn armored(bytes: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN AGE ENCRYPTED FILE-----\n{}\n-----END AGE ENCRYPTED FILE-----\n", lines.join("\n"))
}

fn sound() -> Vec<u8> {
    encrypted(&identity().to_public(), document("PAR::SV-1::1220").as_bytes())
}

#[test]
fn armor_is_read_as_mail_leaves_it() {
    let text = armored(&sound());
    for text in
        [text.clone(), format!("\r\n\n  {text}\n\n"), text.replace('\n', "\r\n"), text.trim_end().to_owned()]
    {
        assert!(read(text.as_bytes()).unwrap().encrypted);
    }
    let line = text.lines().nth(1).unwrap();
    for text in [
        text.replace(line, &format!("{line}AAAA")),
        text.replace(line, &line[..63]),
        text.replace("-----END", "----END"),
        format!("{text}x"),
        text.replacen('\n', "", 1),
    ] {
        assert_eq!(damage(text.as_bytes()), Damage::Altered, "{text}");
    }
    assert_eq!(damage(armored(b"{\"identities\":{}}").as_bytes()), Damage::Header);
    assert_eq!(damage(b"-----BEGIN AGE ENCRYPTED FILE-----"), Damage::Torn);
}

/// A line that never ends is not collected in memory.
#[test]
fn armor_without_lines_is_refused_at_once() {
    let mut text = b"-----BEGIN AGE ENCRYPTED FILE-----\n".to_vec();
    text.resize(300, b'A');
    assert_eq!(damage(&text), Damage::Altered);
}

#[test]
fn other_recipients_are_told_from_damage() {
    let other = encrypted(&Identity::generate().to_public(), document("x").as_bytes());
    assert!(matches!(read(&other), Err(BackupError::OtherRecipients { .. })));
    let first = sound();
    let altered = String::from_utf8_lossy(&first).replacen("-grease", "-greasy", 1).len();
    assert_eq!(altered, String::from_utf8_lossy(&first).len());
    let at = memchr::memmem::find(&first, b"-grease").unwrap();
    let mut header = first.clone();
    header[at + 1] = b'G';
    assert_eq!(damage(&header), Damage::AlteredHeader);
    let mut body = first.clone();
    *body.last_mut().unwrap() ^= 1;
    assert_eq!(damage(&body), Damage::Altered);
    assert_eq!(damage(&first[..at]), Damage::Torn);
    // A chunk of one chunk that lacks its last byte is another chunk.
    assert_eq!(damage(&first[..first.len() - 1]), Damage::Altered);
    let long = encrypted(&identity().to_public(), &vec![b' '; 200_000]);
    assert_eq!(damage(&long[..long.len() - 3_000 - 65_552 + 3_000]), Damage::Altered);
}

/// The whole chunks of a file are each sound: only that none of them is the last tells that more is missing.
#[test]
fn a_file_cut_between_chunks_is_torn() {
    let long = encrypted(&identity().to_public(), &vec![b' '; 3 * 65_536 - 100]);
    let last = 65_536 - 100 + 16;
    assert_eq!(damage(&long[..long.len() - last]), Damage::Torn);
}

#[test]
fn a_passphrase_is_never_tried() {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from("correct horse".to_owned()));
    recipient.set_work_factor(2);
    let file = encrypted(&recipient, document("x").as_bytes());
    assert!(matches!(read(&file), Err(BackupError::Passphrase { .. })));
    // A work that would last for years; the header's code is wrong as well, but nobody gets as far as that.
    let at = memchr::memmem::find(&file, b" 2\n").unwrap();
    let hostile = [&file[..at], b" 63\n", &file[at + 3..]].concat();
    let started = Instant::now();
    assert!(matches!(read(&hostile), Err(BackupError::Passphrase { .. } | BackupError::Damaged { .. })));
    // Beside other recipients it is no valid header.
    let x25519 = sound();
    let stanza = memchr::memmem::find(&x25519, b"-> X25519").unwrap();
    let end = memchr::memmem::find(&file, b"\n---").unwrap() + 1;
    let both = [&file[..end], &x25519[stanza..]].concat();
    assert_eq!(damage(&both), Damage::Header);
    // Far more than reading costs, far less than the smallest such work.
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn other_versions_are_told() {
    for version in ["v2", "v10", "v1\r"] {
        let file = format!("age-encryption.org/{version}\nwhatever comes then");
        assert!(matches!(read(file.as_bytes()), Err(BackupError::Version { .. })), "{version}");
        assert!(matches!(read(armored(file.as_bytes()).as_bytes()), Err(BackupError::Version { .. })));
    }
}

#[test]
fn a_header_that_does_not_end_is_not_parsed() {
    let long = format!("age-encryption.org/v1\n{}", "-> a\n".repeat(MAX_HEADER_LEN / 5));
    assert_eq!(damage(long.as_bytes()), Damage::LongHeader);
    let short = "age-encryption.org/v1\n-> a\n-> a\n";
    assert_eq!(damage(short.as_bytes()), Damage::Torn);
    assert_eq!(damage(format!("{short}--- AAAA").as_bytes()), Damage::Torn);
    for end in ["---\n", "--- short\n", "--- ", "---x"] {
        let file = format!("{short}{end}{}", "A".repeat(MAX_HEADER_LEN));
        assert_eq!(damage(file.as_bytes()), Damage::Header, "{end}");
    }
    let no_stanza = format!("age-encryption.org/v1\n--- {}\nx", "A".repeat(43));
    assert_eq!(damage(no_stanza.as_bytes()), Damage::Header);
}

#[test]
fn what_is_inside_is_checked_as_any_other_document() {
    let sealed = |text: &str| read(&encrypted(&identity().to_public(), text.as_bytes()));
    for wrong in ["", "{", "{\"identities\":{}}", "<html>", "\u{feff}{}"] {
        let error = sealed(wrong).unwrap_err();
        assert!(matches!(error, BackupError::Document { encrypted: true, .. }), "{wrong}: {error}");
    }
    let twice = document("x").replace("\"id\":", "\"id\":\"y\",\"id\":");
    assert!(Told::of(&sealed(&twice).unwrap_err()).in_one_line().contains("second time"));
    // Encrypted twice is not looked through.
    let sealed_twice = read(&encrypted(&identity().to_public(), &sound())).unwrap_err();
    assert!(matches!(sealed_twice, BackupError::Document { encrypted: true, .. }));
}
