//! Every refusal, by vectors named after their defect, with the whole message as an operator reads it.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::io;
use std::mem::discriminant;

use proptest::prelude::*;

use super::super::limits::*;
use super::super::{Defect, Document, Identities, MergeError};
use super::*;

/// A vector's name, and what it changes in a good document: the first text into the second.
type Change = (&'static str, &'static str, &'static str);

/// In a [`Change`]: the whole document.
const WHOLE: &str = "";

fn changed(good: &str, from: &str, to: &str) -> Vec<u8> {
    if from == WHOLE {
        return to.as_bytes().to_vec();
    }
    assert!(good.contains(from), "{from} is not there to be changed");
    good.replacen(from, to, 1).into_bytes()
}

fn refusal(error: MergeError) -> super::super::Refusal {
    match error {
        MergeError::Refused(refusal) => *refusal,
        other => panic!("failed rather than refused: {other}"),
    }
}

fn snapshot_vectors() -> Vec<(&'static str, Vec<u8>)> {
    let good = good_snapshot();
    let changes: &[Change] = &[
        ("array-instead-of-object", WHOLE, "[1]"),
        ("number-instead-of-object", WHOLE, "1"),
        ("html-of-a-proxy", WHOLE, "<html><body>502 Bad Gateway</body></html>"),
        ("empty", WHOLE, ""),
        ("only-white-space", WHOLE, " \n\t"),
        ("byte-order-mark", "{", "\u{feff}{"),
        ("second-document", "[]}}", "[]}} {}"),
        ("trailing-comma-after-document", "[]}}", "[]}},"),
        ("trailing-comma-in-object", "[]}}", "[],}}"),
        ("trailing-comma-in-array", "[]", "[1,]"),
        ("comma-first-in-object", "\"users\":[]", ",\"users\":[]"),
        ("comma-first-in-array", "[]", "[,1]"),
        ("unquoted-key", "\"users\"", "users"),
        ("missing-colon", "\"users\":", "\"users\" "),
        ("missing-comma-in-object", "6,", "6 "),
        ("missing-comma-in-array", "[]", "[1 2]"),
        ("mismatched-bracket", "[]", "[}"),
        ("leading-zero", "6,", "06,"),
        ("leading-plus", "6,", "+6,"),
        ("bare-minus", "[]", "[-]"),
        ("no-digit-before-point", "[]", "[.5]"),
        ("no-digit-after-point", "[]", "[5.]"),
        ("no-digit-in-exponent", "[]", "[5e+]"),
        ("misspelt-literal", "[]", "[tru]"),
        ("not-a-number-literal", "[]", "[NaN]"),
        ("single-quotes", "[]", "['a']"),
        ("comment", "[]", "[/**/]"),
        ("raw-line-end-in-string", "[]", "[\"a\nb\"]"),
        ("nul-in-string", "[]", "[\"a\0b\"]"),
        ("unknown-escape", "[]", "[\"\\x41\"]"),
        ("short-unicode-escape", "[]", "[\"\\u12\"]"),
        ("lone-high-surrogate", "[]", "[\"\\ud83d\"]"),
        ("lone-low-surrogate", "[]", "[\"\\ude00\"]"),
        ("high-surrogate-before-text", "[]", "[\"\\ud83dx\"]"),
        ("high-surrogate-before-other-escape", "[]", "[\"\\ud83d\\n\"]"),
        ("two-high-surrogates", "[]", "[\"\\ud83d\\ud83d\"]"),
        ("duplicate-top-level-key", "\"participant_users\"", "\"created_at\""),
        ("duplicate-key-hidden-by-escape", "\"participant_users\"", "\"created\\u005fat\""),
        ("duplicate-unknown-top-level-key", "\"participant_users\"", "\"x\":1,\"x\""),
        ("duplicate-payload", "\"genesis_state\"", "\"acs_snapshot\""),
        ("duplicate-key-in-dar", "\"hash\"", "\"hash\":\"1220\",\"hash\""),
        ("key-of-identities-document", "\"participant_users\"", "\"identities\""),
        ("key-of-identities-document-hidden-by-escape", "\"participant_users\"", "\"\\u0069dentities\""),
        ("no-created-at", "\"created_at\"", "\"createdAt\""),
        ("no-migration-id", "\"migration_id\"", "\"migrationId\""),
        ("no-data-snapshot", "\"data_snapshot\"", "\"dataSnapshot\""),
        ("no-acs-snapshot", "\"acs_snapshot\"", "\"acsSnapshot\""),
        ("no-acs-timestamp", "\"acs_timestamp\"", "\"acsTimestamp\""),
        ("no-dars", "\"dars\"", "\"DARs\""),
        ("no-hash-of-dar", "\"hash\"", "\"Hash\""),
        ("no-content-of-dar", "\"content\"", "\"Content\""),
        ("fields-one-level-too-high", "\"data_snapshot\":{", "\"data_snapshot\":{},\"x\":{"),
        ("timestamp-as-number", "\"1970-01-01T00:00:00Z\"", "0"),
        ("timestamp-with-offset", "00Z\"", "00+00:00\""),
        ("timestamp-without-such-a-day", "1970-01-01", "1970-02-30"),
        ("timestamp-finer-than-canton", "00Z\"", "00.0000001Z\""),
        ("created-at-another-time", "00:00:00Z", "00:00:01Z"),
        ("acs-at-another-time", "acs_timestamp\":\"1970", "acs_timestamp\":\"1971"),
        ("migration-id-of-another-migration", "6,", "5,"),
        ("migration-id-as-string", "6,", "\"6\","),
        ("migration-id-with-point", "6,", "6.0,"),
        ("migration-id-with-exponent", "6,", "6e0,"),
        ("migration-id-negative", "6,", "-6,"),
        ("migration-id-beyond-64-bits", "6,", "9223372036854775808,"),
        ("empty-acs-snapshot", "\"AAEC\"", "\"\""),
        ("null-acs-snapshot", "\"AAEC\"", "null"),
        ("url-safe-base64", "AAEC", "AA-_"),
        ("base64-without-padding", "\"AA==\"", "\"AA\""),
        ("base64-with-stray-bits", "\"AA==\"", "\"AB==\""),
        ("base64-after-padding", "\"AA==\"", "\"AA==AAAA\""),
        ("base64-with-escaped-line-end", "AAEC", "AA\\nEC"),
        ("dar-that-is-not-base64", "UEsDBA==", "UEsDBA="),
        ("dar-that-is-a-path", "UEsDBA==", "some.dar"),
        ("empty-dar", "UEsDBA==", ""),
        ("empty-hash-of-dar", "1220ab", ""),
        ("dars-as-object", "[{\"hash\":\"1220ab\",\"content\":\"UEsDBA==\"}]", "{}"),
        ("dar-as-string", "{\"hash\":\"1220ab\",\"content\":\"UEsDBA==\"}", "\"UEsDBA==\""),
        ("flag-as-string", "\"acs_timestamp\"", "\"separate_payload_files\":\"true\",\"acs_timestamp\""),
        ("users-as-array", "{\"users\":[]}", "[]"),
        ("path-without-the-flag", "AAEC", "dump/acs.bin"),
        (
            "path-with-the-flag-false",
            "\"acs_snapshot\":\"AAEC\"",
            "\"separate_payload_files\":false,\"acs_snapshot\":\"a.bin\"",
        ),
    ];
    let mut vectors: Vec<_> =
        changes.iter().map(|(name, from, to)| (*name, changed(&good, from, to))).collect();
    let long = |len| "a".repeat(len);
    let separate = r#","separate_payload_files":true"#;
    vectors.extend([
        ("too-deep", changed(&good, "[]", &"[".repeat(MAX_DEPTH))),
        ("key-too-long", changed(&good, "users", &long(MAX_KEY_LEN + 1))),
        ("hash-too-long", changed(&good, "1220ab", &long(MAX_SHORT_LEN + 1))),
        ("timestamp-too-long", changed(&good, "1970", &long(MAX_SHORT_LEN + 1))),
        ("migration-id-too-long", changed(&good, "6,", &format!("{},", "6".repeat(MAX_SHORT_LEN + 1)))),
        ("too-many-keys", {
            let keys = (0..MAX_UNIQUE_KEYS).fold(String::new(), |keys, n| keys + &format!("\"k{n}\":0,"));
            changed(&good, "{", &format!("{{{keys}"))
        }),
        ("too-many-dars", {
            let dars = r#"{"hash":"h","content":"AAAA"},"#.repeat(MAX_DARS);
            changed(&good, "\"dars\":[", &format!("\"dars\":[{dars}"))
        }),
        ("path-too-long", {
            let path = format!("\"{}\"{separate}", "a".repeat(MAX_PATH_LEN + 4));
            changed(&good, "\"AAEC\"", &path)
        }),
        ("neither-path-nor-base64", {
            let text = format!("\"-{}\"{separate}", "a".repeat(MAX_PATH_LEN));
            changed(&good, "\"AAEC\"", &text)
        }),
        ("empty-path", {
            let good =
                snapshot_text(&format!(r#""acs_snapshot":"acs.bin","genesis_state":""{separate}"#), "");
            good.into_bytes()
        }),
        (
            "not-utf8",
            changed(&good, "users", "u?sers").iter().map(|&b| if b == b'?' { 0xff } else { b }).collect(),
        ),
        ("cut-in-the-payload", good.split("EC").next().unwrap().as_bytes().to_vec()),
        ("cut-before-the-end", good.as_bytes()[..good.len() - 1].to_vec()),
        ("cut-after-a-key", good.split(':').next().unwrap().as_bytes().to_vec()),
        (
            "cut-in-an-escape",
            changed(&good, "AAEC", "\\")
                .split(|&b| b == b'\\')
                .next()
                .unwrap()
                .iter()
                .copied()
                .chain(*b"\\")
                .collect(),
        ),
    ]);
    vectors
}

fn identities_vectors() -> Vec<(&'static str, Vec<u8>)> {
    let good = identities_text();
    let changes: &[Change] = &[
        ("identities-empty", WHOLE, ""),
        ("identities-exchanged-with-snapshot", "\"identities\"", "\"data_snapshot\""),
        ("identities-without-participant", "\"participant\"", "\"Participant\""),
        ("identities-without-mediator", "\"mediator\"", "\"Mediator\""),
        ("identities-with-key-twice", "\"mediator\"", "\"sequencer\":{},\"mediator\""),
        ("identities-node-as-string", "\"sequencer\":{}", "\"sequencer\":\"s3cr3t\""),
        ("identities-empty-party", "sv::1220", ""),
        ("identities-with-broken-secret", SECRET, "s3cr3t\u{1}"),
        ("identities-with-bare-secret", "\"c3Vw", "s3cr3t\"c3Vw"),
        ("identities-as-text", "{", "s3cr3t"),
    ];
    changes.iter().map(|(name, from, to)| (*name, changed(&good, from, to))).collect()
}

#[test]
fn every_refusal_says_what_happened_where_and_what_to_do() {
    let good = identities(&identities_text()).unwrap();
    merge(&good, good_snapshot().as_bytes()).expect("the vectors' starting point is accepted");
    let mut text = String::new();
    let mut defects = HashSet::new();
    for (name, snapshot) in snapshot_vectors() {
        let refused = refusal(merge(&good, &snapshot).expect_err(name));
        assert_eq!(refused.document, Document::Snapshot);
        defects.insert(discriminant(&refused.defect));
        writeln!(text, "{name}\n  {refused}").unwrap();
    }
    for (name, document) in identities_vectors() {
        let refused = refusal(Identities::parse(Zeroizing::new(document)).expect_err(name));
        assert_eq!(refused.document, Document::Identities);
        assert!(!format!("{refused} {refused:?}").contains("s3cr3t"));
        writeln!(text, "{name}\n  {refused}").unwrap();
    }
    // Every variant of `Defect` is among them.
    assert_eq!(defects.len(), 24);
    svdr_snapshot::assert_snapshot!("refusals", text);
}

#[test]
fn every_other_failure_says_what_to_do() {
    let full = || io::Error::from(io::ErrorKind::StorageFull);
    let errors = [
        MergeError::IdentitiesTooLarge,
        MergeError::Read { document: Document::Snapshot, offset: 9, source: full() },
        MergeError::Write { offset: 9, source: full() },
        MergeError::Digest { of: "merged dump", reason: "its thread panicked".to_owned() },
    ];
    let text = errors.iter().fold(String::new(), |text, error| text + &format!("{error}\n"));
    svdr_snapshot::assert_snapshot!("failures", text);
    assert_eq!(errors.map(|error| error.is_refusal()), [true, false, false, false]);
}

#[test]
fn a_broken_payload_that_cannot_be_a_path_is_refused_before_its_end() {
    let good = identities(&identities_text()).unwrap();
    let mut merger = DumpWriter::merge(&good, expectations(), Parts::Skip, io::sink()).unwrap();
    merger.push(br#"{"data_snapshot":{"acs_snapshot":"AAA-"#).unwrap();
    let refused = refusal(merger.push(&[b'A'; MAX_PATH_LEN]).unwrap_err());
    assert!(matches!(refused.defect, Defect::NotBase64(_)), "{refused}");
    assert_eq!((refused.position.offset, refused.path.as_str()), (37, "data_snapshot.acs_snapshot"));
}

#[test]
fn lines_and_columns_are_those_of_an_editor() {
    let good = identities(&identities_text()).unwrap();
    let snapshot = good_snapshot().replace("\"migration_id\":6", "\r\n\n  \"migration_id\": x");
    let refused = refusal(merge(&good, snapshot.as_bytes()).unwrap_err());
    assert_eq!((refused.position.line, refused.position.column), (3, 19));
}

#[test]
fn an_identities_document_has_a_limit_and_may_reach_it() {
    let mut text = identities_text().into_bytes();
    text.resize(MAX_IDENTITIES_LEN, b' ');
    assert!(Identities::read(text.as_slice(), None).is_ok());
    assert!(Identities::read(text.as_slice(), Some(text.len() as u64)).is_ok());
    text.push(b' ');
    for hint in [None, Some(1), Some(u64::MAX)] {
        assert!(matches!(Identities::read(text.as_slice(), hint), Err(MergeError::IdentitiesTooLarge)));
    }
}

#[test]
fn debug_shows_nothing_of_the_identities() {
    assert_eq!(format!("{:?}", identities(&identities_text()).unwrap()), "Identities(private)");
}

proptest! {
    /// Whatever happens to an identities document, no error tells of the secret in it.
    #[test]
    fn no_error_carries_a_secret(at in any::<prop::sample::Index>(), edit in prop_oneof![
        Just(None), any::<u8>().prop_map(Some),
    ]) {
        let mut text = identities_text().into_bytes();
        let at = at.index(text.len());
        match edit {
            Some(byte) => text[at] = byte,
            None => text.truncate(at),
        }
        if let Err(error) = Identities::parse(Zeroizing::new(text)) {
            let shown = format!("{error} {error:?}");
            for secret in SECRET.as_bytes().windows(6).chain([&b"48151623"[..]]) {
                let secret = std::str::from_utf8(secret).unwrap();
                prop_assert!(!shown.contains(secret), "{}", shown);
            }
        }
    }
}

#[test]
fn vectors_have_names_of_their_own() {
    let mut names = BTreeMap::new();
    for (name, _) in snapshot_vectors().into_iter().chain(identities_vectors()) {
        assert_eq!(names.insert(name, ()), None, "{name}");
    }
}
