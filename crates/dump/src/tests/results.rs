//! What comes out of a merge that succeeds.

use std::io::{self, Write};

use super::super::Payload;
use super::*;

fn merge_from(
    identities: &Identities,
    source: impl io::Read,
    out: impl Write,
) -> Result<MergeSummary, MergeError> {
    DumpWriter::merge(identities, expectations(), Parts::Skip, out)?.read(source, |_| ())
}

#[test]
fn the_result_is_the_union_in_the_documents_own_bytes() {
    let id = identities(" \n{ \"note\" : 1.50 , \"identities\":{\"sv_party_id\":\"a\",\"dso_party_id\":\"b\",\"domain_alias\":\"c\",\"domain_id\":\"d\",\"participant\":{},\"sequencer\":{},\"mediator\":{}} } \n").unwrap();
    let snapshot = snapshot_text(
        r#""acs_snapshot":"AAEC""#,
        r#","big":[1e400,100000000000000000000000,-0,1.0,"\/\u00e9",{"a":1,"a":2}]"#,
    );
    let (text, summary) = merge(&id, format!("\t{snapshot} \r\n").as_bytes()).unwrap();
    let body = snapshot.strip_prefix('{').unwrap();
    let head = "{ \"note\" : 1.50 , \"identities\":{\"sv_party_id\":\"a\",\"dso_party_id\":\"b\",\"domain_alias\":\"c\",\"domain_id\":\"d\",\"participant\":{},\"sequencer\":{},\"mediator\":{}},";
    assert_eq!(text, format!("{head}{body}\n"));
    assert_eq!(summary.size, text.len() as u64);
}

#[test]
fn the_summary_has_stable_keys_and_digests_of_decoded_parts() {
    let id = identities(&identities_text()).unwrap();
    let snapshot = snapshot_text(
        r#""acs_snapshot":"A\u0041E\u0043","genesis_state":"AA=\u003d","synchronizer_was_paused":true"#,
        "",
    );
    let (_, summary) = merge(&id, snapshot.as_bytes()).unwrap();
    svdr_snapshot::assert_snapshot!("summary", serde_json::to_string_pretty(&summary).unwrap());
}

#[test]
fn slashes_may_be_escaped_in_base64() {
    let id = identities(&identities_text()).unwrap();
    let (_, summary) = merge(&id, snapshot_text(r#""acs_snapshot":"\/\/\/\/""#, "").as_bytes()).unwrap();
    let sha256 = Some(svdr_protocol::digest::Digest::of(&[0xff; 3]));
    assert_eq!(summary.acs_snapshot, Payload::Inline { size: 3, sha256 });
}

#[test]
fn the_flag_makes_payloads_paths_before_and_after_them() {
    let id = identities(&identities_text()).unwrap();
    let payloads = r#""acs_snapshot":"export_at_1/acs snapshot.bin","genesis_state":"AAAA""#;
    let flag = r#""separate_payload_files":true"#;
    for data in [format!("{flag},{payloads}"), format!("{payloads},{flag}")] {
        let (_, summary) = merge(&id, snapshot_text(&data, "").as_bytes()).unwrap();
        let file = |path: &str| Payload::File { path: path.to_owned(), checked: None };
        assert_eq!(summary.acs_snapshot, file("export_at_1/acs snapshot.bin"));
        assert_eq!(summary.genesis_state, Some(file("AAAA")));
        assert!(summary.separate_payload_files);
    }
}

#[test]
fn optional_fields_may_be_absent_null_or_empty_where_that_means_something() {
    let id = identities(&identities_text()).unwrap();
    for (data, extra) in [
        (r#""acs_snapshot":"AAEC""#, ""),
        (
            r#""acs_snapshot":"AAEC","genesis_state":null,"separate_payload_files":null"#,
            r#","participant_users":null"#,
        ),
    ] {
        let (_, summary) = merge(&id, snapshot_text(data, extra).as_bytes()).unwrap();
        assert_eq!((summary.genesis_state, summary.synchronizer_was_paused), (None, None));
    }
}

#[test]
fn equal_instants_may_be_written_differently() {
    let id = identities(&identities_text()).unwrap();
    let snapshot = good_snapshot().replace("00Z", "00.000Z");
    assert!(merge(&id, snapshot.as_bytes()).is_ok());
}

/// Fails once so much has been written.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.0.min(bytes.len());
        self.0 -= room;
        if room == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(room) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.0 == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

#[test]
fn a_disk_that_fills_up_at_any_byte_fails_the_merge() {
    let id = identities(&identities_text()).unwrap();
    let snapshot = good_snapshot();
    let size = merge(&id, snapshot.as_bytes()).unwrap().0.len();
    for room in 0..=size {
        let merged = merge_from(&id, snapshot.as_bytes(), Full(room));
        assert!(matches!(merged, Err(MergeError::Write { .. })), "{room}");
    }
    assert!(merge_from(&id, snapshot.as_bytes(), Full(size + 1)).is_ok());
}

/// Reads a little, is interrupted, and in the end fails.
struct Failing<'a>(&'a [u8], bool);

impl io::Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match self.0.read(&mut buffer[..3])? {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            read => Ok(read),
        }
    }
}

#[test]
fn a_source_that_fails_is_not_taken_for_one_that_ends() {
    let (id, snapshot) = (identities_text(), good_snapshot());
    let error = Identities::read(Failing(id.as_bytes(), false), None).unwrap_err();
    assert!(
        matches!(error, MergeError::Read { document: super::super::Document::Identities, offset, .. } if offset == id.len() as u64)
    );
    let id = identities(&id).unwrap();
    let source = Failing(snapshot.as_bytes(), false);
    let error = merge_from(&id, source, io::sink()).unwrap_err();
    assert!(
        matches!(error, MergeError::Read { document: super::super::Document::Snapshot, offset, .. } if offset == snapshot.len() as u64)
    );
}
