//! A snapshot that is kept for other nodes: as it is, and refused where it must not leave its node.

use svdr_protocol::digest::Digest;

use super::super::Payload;
use super::*;

const SNAPSHOT: &str = concat!(
    r#" {"created_at":"2026-04-21T23:10:00Z","migration_id":6,"data_snapshot":{"acs_snapshot":"AAAA","#,
    r#""acs_timestamp":"2026-04-21T23:10:00Z","dars":[{"hash":"1220ab","content":"UEsDBA=="}]}}"#,
    "\n"
);

fn kept(text: &str) -> Result<MergeSummary, String> {
    let timestamp = "2026-04-21T23:10:00Z".parse().unwrap();
    let expectations = Expectations { timestamp, migration_id: Some(6) };
    let mut out = Vec::new();
    let summary = DumpWriter::keep(expectations, &mut out)
        .and_then(|writer| writer.read(text.as_bytes(), |_| {}))
        .map_err(|error| error.to_string())?;
    assert_eq!(out, text.as_bytes(), "another snapshot");
    Ok(summary)
}

#[test]
fn says_what_the_whole_and_its_parts_are() {
    let summary = kept(SNAPSHOT).unwrap();
    assert_eq!(summary.size, SNAPSHOT.len() as u64);
    assert_eq!(summary.sha256, Digest::of(SNAPSHOT.as_bytes()));
    let acs = Payload::Inline { size: 3, sha256: Some(Digest::of(&[0; 3])) };
    assert_eq!(summary.acs_snapshot, acs);
    assert_eq!(summary.dars[0].sha256, Some(Digest::of(b"PK\x03\x04")));
}

#[test]
fn identities_are_refused_wherever_they_stand_and_however_they_are_written() {
    for key in ["identities", "\\u0069dentities"] {
        let top = SNAPSHOT.replacen('{', &format!("{{\"{key}\":{{}},"), 1);
        let inside = SNAPSHOT.replace("\"acs_snapshot\"", &format!("\"{key}\":{{}},\"acs_snapshot\""));
        let deep = SNAPSHOT.replacen('{', &format!("{{\"x\":[{{\"y\":{{\"{key}\":1}}}}],"), 1);
        for text in [top, inside, deep] {
            let error = kept(&text).unwrap_err();
            assert!(error.contains("the snapshot contains identities"), "{text}: {error}");
        }
    }
}

#[test]
fn payloads_in_files_of_their_own_are_refused() {
    for flag in ["\"separate_payload_files\":true,\"acs_snapshot\"", "\"acs_snapshot\""] {
        let text = SNAPSHOT.replace("\"acs_snapshot\"", flag).replace("AAAA", "acs.bin");
        kept(&text).unwrap_err();
    }
    let flagged = SNAPSHOT.replace("\"acs_snapshot\"", "\"separate_payload_files\":true,\"acs_snapshot\"");
    assert!(kept(&flagged).unwrap_err().contains("separate files"));
    let flagged = SNAPSHOT.replace("\"acs_snapshot\"", "\"separate_payload_files\":false,\"acs_snapshot\"");
    kept(&flagged).unwrap();
}

#[test]
fn another_snapshot_or_none_is_refused() {
    for (what, instead) in [
        ("\"migration_id\":6", "\"migration_id\":7"),
        ("acs_timestamp\":\"2026-04-21T23:10", "acs_timestamp\":\"2026-04-21T23:11"),
        ("created_at\":\"2026-04-21T23:10", "created_at\":\"2026-04-21T23:11"),
        ("AAAA", "A-AA"),
        ("}}\n", "}"),
        ("}}\n", "}} {}"),
    ] {
        assert!(SNAPSHOT.contains(what));
        kept(&SNAPSHOT.replace(what, instead)).unwrap_err();
    }
}
