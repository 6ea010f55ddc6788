//! A validator's dump: what is taken out of its app's answer, and what is refused without telling anything of it.

use serde_json::Value;

use super::super::{Defect, Document, Found, Refusal};
use super::*;

/// When the app made the dump, which is later than the time that it is of.
const MADE: &str = "1970-01-02T03:04:05.678901Z";

/// The value of `data_snapshot`.
fn dump_text(extra: &str) -> String {
    format!(
        r#"{{"participant":{{"id":"PAR::v::1220","keys":[{{"keyPair":"{SECRET}"}}]}},"participant_users":{{"users":[]}},"acs_snapshot":"AAEC","acs_timestamp":"{AT}","dars":[{{"hash":"1220ab","content":"UEsDBA=="}}],"migration_id":6,"domain_id":"global::1220","created_at":"{MADE}","synchronizer_was_paused":false,"separate_payload_files":false{extra}}}"#
    )
}

fn answer_text() -> String {
    format!(
        " {{\"new\":[1,{{\"data_snapshot\":{{}}}}],\"data_snapshot\": {} , \"other\":{{}} }}\n",
        dump_text("")
    )
}

fn extract(answer: &[u8], chunk: usize) -> Result<(String, MergeSummary), MergeError> {
    let mut out = Vec::new();
    let mut extractor = DumpWriter::extract(expectations(), Parts::Digest, &mut out)?;
    for chunk in answer.chunks(chunk) {
        extractor.push(chunk)?;
    }
    let summary = extractor.finish()?;
    Ok((String::from_utf8(out).unwrap(), summary))
}

fn checked(dump: &[u8], advance: impl FnMut(u64)) -> Result<MergeSummary, MergeError> {
    DumpWriter::check(expectations(), std::io::sink())?.read(dump, advance)
}

fn refusal(answer: &str) -> Refusal {
    match extract(answer.as_bytes(), answer.len().max(1)) {
        Err(MergeError::Refused(refusal)) => *refusal,
        other => panic!("{answer}: {other:?}"),
    }
}

#[test]
fn the_dump_is_the_value_alone_byte_for_byte() {
    for chunk in [1, 2, 3, 7, 64, 100_000] {
        let (dump, summary) = extract(answer_text().as_bytes(), chunk).unwrap();
        assert_eq!(dump, dump_text("") + "\n");
        assert_eq!(summary.size, dump.len() as u64);
        assert_eq!(summary.sha256, svdr_protocol::digest::Digest::of(dump.as_bytes()));
        assert_eq!((summary.migration_id, summary.dars.len()), (6, 1));
        assert_eq!(summary.synchronizer_was_paused, Some(false));
    }
}

#[test]
fn a_dump_is_checked_again_whatever_its_white_space() {
    let (dump, made) = extract(answer_text().as_bytes(), 9).unwrap();
    assert_eq!(checked(dump.as_bytes(), |_| ()).unwrap().sha256, made.sha256);
    let value: Value = serde_json::from_str(&dump).unwrap();
    let printed = serde_json::to_string_pretty(&value).unwrap();
    let mut advanced = 0;
    let again = checked(printed.as_bytes(), |bytes| advanced += bytes).unwrap();
    assert_eq!((again.size, advanced), (printed.len() as u64, printed.len() as u64));
    // The answer is not the dump, nor is an SV's.
    for other in [answer_text(), good_snapshot(), identities_text(), String::new(), dump[..60].to_owned()] {
        let error = checked(other.as_bytes(), |_| ()).unwrap_err();
        assert!(error.is_refusal(), "{error}");
        assert_eq!(error.document(), Some(Document::ValidatorDump));
    }
}

#[test]
fn the_time_it_was_made_at_is_none_it_is_of() {
    let other = answer_text()
        .replace(&format!(r#""acs_timestamp":"{AT}""#), r#""acs_timestamp":"1970-01-01T00:00:01Z""#);
    assert!(matches!(refusal(&other).defect, Defect::OtherTimestamp { .. }));
    // `created_at` is told by the app's clock.
    let earlier = answer_text().replace(MADE, "1969-12-31T23:59:59Z");
    assert!(extract(earlier.as_bytes(), 50).is_ok());
    let no_time = answer_text().replace(MADE, "yesterday");
    assert_eq!(refusal(&no_time).defect, Defect::NotATimestamp { found: Found::Kind("another value") });
}

#[test]
fn the_migration_id_is_checked_where_it_is_there() {
    let other = answer_text().replace(r#""migration_id":6"#, r#""migration_id":7"#);
    assert_eq!(refusal(&other).defect, Defect::OtherMigrationId { expected: 6, found: 7 });
    let without = answer_text().replace(r#""migration_id":6,"#, "");
    assert_eq!(extract(without.as_bytes(), 50).unwrap().1.migration_id, 6);
}

#[test]
fn what_the_import_needs_has_to_be_there() {
    for key in ["participant", "acs_snapshot", "acs_timestamp", "dars"] {
        let without = answer_text().replace(&format!("\"{key}\":"), &format!("\"un{key}\":"));
        let refusal = refusal(&without);
        assert!(
            matches!(refusal.defect, Defect::Missing { key: missing, .. } if missing == key),
            "{refusal}"
        );
        assert_eq!(refusal.path, "data_snapshot");
    }
    // What an SV app answers has no identities in it.
    let of_an_sv = refusal(&good_snapshot());
    assert!(of_an_sv.to_string().contains("not of an SV app's"), "{of_an_sv}");
    for (from, to) in [
        ("\"data_snapshot\": {", "\"data_snapshot\": 1, \"was\": {"),
        ("\"data_snapshot\": {", "\"snapshot\": {"),
        ("\"other\":", "\"data_snapshot\":"),
        ("\"dars\":[", "\"dars\":[1,"),
        ("\"AAEC\"", "\"AAE\""),
        ("\"AAEC\"", "\"\""),
        (r#"{"id":"PAR::v::1220","#, r#"[1],"was":{"id":"PAR::v::1220","#),
        ("} }\n", "} } {}"),
        ("} }\n", "}"),
    ] {
        assert!(answer_text().contains(from), "{from}");
        refusal(&answer_text().replacen(from, to, 1));
    }
}

#[test]
fn separate_payload_files_are_paths() {
    let separate = answer_text()
        .replace(r#""separate_payload_files":false"#, r#""separate_payload_files":true"#)
        .replace("AAEC", "/dump/acs-snapshot");
    let (_, summary) = extract(separate.as_bytes(), 30).unwrap();
    assert!(summary.separate_payload_files);
    let inline = answer_text().replace("AAEC", "/dump/acs-snapshot");
    assert_eq!(refusal(&inline).path, "data_snapshot.acs_snapshot");
}

#[test]
fn an_answer_cut_anywhere_is_refused() {
    let answer = answer_text();
    let end = answer.trim_end().len();
    for cut in 0..end {
        assert!(extract(&answer.as_bytes()[..cut], 40).is_err(), "{cut}");
    }
}

#[test]
fn no_refusal_tells_a_value() {
    // Every byte in turn becomes something that JSON does not allow, or another text.
    let answer = answer_text();
    for at in 0..answer.len() {
        for byte in [b'}', b'"', b'x', 0x80, b'\n', b'7'] {
            let mut damaged = answer.clone().into_bytes();
            damaged[at] = byte;
            let Err(error) = extract(&damaged, 33) else { continue };
            let text = format!("{error} {error:?}");
            for part in SECRET.as_bytes().windows(6) {
                assert!(!text.contains(std::str::from_utf8(part).unwrap()), "{at}: {text}");
            }
            for value in ["PAR::v", "yesterday", "1220ab", "UEsD"] {
                assert!(!text.contains(value), "{at}: {text}");
            }
        }
    }
}
