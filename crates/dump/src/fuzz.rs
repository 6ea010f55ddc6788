//! What must hold for any documents and files, however they arrive: the bodies of fuzz targets, and of property tests.

use std::collections::HashSet;

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};
use svdr_protocol::digest::Digest;
use svdr_protocol::time::Timestamp;
use zeroize::Zeroizing;

use super::chunks::ChunkCheck;
use super::{DumpWriter, Expectations, Identities, MergeError, MergeSummary, Parts, Relocation};

/// Separates the documents in the input: a byte that no JSON document holds.
const SEPARATOR: u8 = 0xff;

/// Takes `CHUNK_LEN IDENTITIES 0xff SNAPSHOT`, merges, and panics where a law is broken:
///
/// * nothing panics, and where the snapshot is cut does not matter;
/// * what is accepted, serde_json accepts too;
/// * the result is the union of the fields of both, the text of every value unchanged.
pub fn merges_as_promised(input: &[u8]) {
    let Some((&chunk_len, documents)) = input.split_first() else { return };
    let mut documents = documents.splitn(2, |&byte| byte == SEPARATOR);
    let (Some(identities), Some(snapshot)) = (documents.next(), documents.next()) else { return };
    check(identities, snapshot, usize::from(chunk_len).max(1));
}

#[expect(clippy::panic, reason = "a broken law is reported by a panic, which the fuzzer looks for")]
pub(super) fn check(identities: &[u8], snapshot: &[u8], chunk_len: usize) -> bool {
    let Ok(checked) = Identities::parse(Zeroizing::new(identities.to_vec())) else { return false };
    let expected = Expectations { migration_id: None, ..expectations() };
    let merged = written(snapshot, chunk_len, |out| DumpWriter::merge(&checked, expected, Parts::Skip, out));
    let Ok((merged, _)) = merged else { return false };
    let [merged_members, identities_members, snapshot_members] =
        [&merged, identities, snapshot].map(|text| members(text).unwrap_or_else(|| panic!("not JSON")));
    let keys: HashSet<&str> = merged_members.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys.len(), merged_members.len(), "a key occurs twice");
    assert!(identities_members.iter().chain(&snapshot_members).eq(&merged_members), "not the union");
    // Where serde_json can hold the numbers.
    if let [Ok(Value::Object(merged)), Ok(Value::Object(mut union)), Ok(Value::Object(snapshot))] =
        [merged.as_slice(), identities, snapshot].map(serde_json::from_slice)
    {
        union.extend(snapshot);
        assert_eq!(merged, union);
    }
    true
}

/// Takes `CHUNK_LEN ANSWER`, takes the validator's dump out of the answer, and panics where a law is broken:
///
/// * nothing panics, and where the answer is cut does not matter;
/// * what is accepted, serde_json accepts too;
/// * the dump is the text of the value of `data_snapshot`, and it is accepted as a dump itself.
#[expect(clippy::panic, reason = "a broken law is reported by a panic, which the fuzzer looks for")]
pub fn takes_the_value(input: &[u8]) -> bool {
    let Some((&chunk_len, answer)) = input.split_first() else { return false };
    let extracted =
        written(answer, usize::from(chunk_len), |out| DumpWriter::extract(expectations(), Parts::Skip, out));
    let Ok((dump, _)) = extracted else { return false };
    let members = members(answer).unwrap_or_else(|| panic!("not JSON"));
    let Some((_, value)) = members.into_iter().find(|(key, _)| key == "data_snapshot") else {
        panic!("there is no data_snapshot in it");
    };
    assert_eq!(dump.strip_suffix(b"\n"), Some(value.as_bytes()), "not the value");
    let checked = written(&dump, usize::from(chunk_len), |out| DumpWriter::check(expectations(), out));
    assert!(checked.is_ok_and(|(checked, _)| checked == dump), "not a dump");
    true
}

/// What is made of a document: the same in one piece and in chunks of that length.
#[expect(clippy::panic, reason = "a broken law is reported by a panic, which the fuzzer looks for")]
fn written(
    document: &[u8],
    chunk_len: usize,
    start: impl for<'o> Fn(&'o mut Vec<u8>) -> Result<DumpWriter<&'o mut Vec<u8>>, MergeError>,
) -> Result<(Vec<u8>, MergeSummary), MergeError> {
    let push = |chunk_len: usize| {
        let mut out = Vec::new();
        let mut writer = start(&mut out)?;
        document.chunks(chunk_len.max(1)).try_for_each(|chunk| writer.push(chunk))?;
        let summary = writer.finish()?;
        assert_eq!(summary.size, out.len() as u64);
        assert_eq!(summary.sha256, Digest::of(&out));
        Ok((out, summary))
    };
    let (whole, cut) = (push(document.len()), push(chunk_len));
    match (&whole, &cut) {
        (Ok(whole), Ok(cut)) => assert_eq!(whole, cut),
        (Err::<_, MergeError>(whole), Err(cut)) => assert_eq!(whole.to_string(), cut.to_string()),
        _ => panic!("accepted or refused depending on the chunks"),
    }
    whole
}

fn expectations() -> Expectations {
    let timestamp = Timestamp::from_micros(0).unwrap_or(Timestamp::MIN);
    // A migration id that is not in the text is taken from here.
    Expectations { timestamp, migration_id: Some(6) }
}

/// The keys of an object and the texts of their values, read by serde_json, which does not look into them.
fn members(text: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut rest = text.trim_ascii_start().strip_prefix('{')?;
    let mut members = Vec::new();
    loop {
        let mut keys = Deserializer::from_str(rest).into_iter::<String>();
        let key = keys.next()?.ok()?;
        rest = rest.get(keys.byte_offset()..)?.trim_ascii_start().strip_prefix(':')?;
        let mut values = Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let (value, after) = rest.split_at_checked(values.byte_offset())?;
        members.push((key, value.trim_ascii().to_owned()));
        rest = after.trim_ascii_start();
        if let Some(end) = rest.strip_prefix('}') {
            return end.trim_ascii().is_empty().then_some(members);
        }
        rest = rest.strip_prefix(',')?;
    }
}

/// Takes `PIECE_LEN FILE`, reads the file as chunks, and panics where a law is broken: where it is cut into pieces
/// does not matter, and what is accepted is what a reader makes of it that has it whole.
#[expect(clippy::panic, reason = "a broken law is reported by a panic, which the fuzzer looks for")]
pub fn chunks_are_chunks(input: &[u8]) {
    let Some((&piece, file)) = input.split_first() else { return };
    let read = |piece: usize| {
        let (mut check, mut content) = (ChunkCheck::new(), Vec::<u8>::new());
        file.chunks(piece.max(1)).try_for_each(|piece| check.push(piece, |bytes| content.extend(bytes)))?;
        check.finish().map(|size| (size, content))
    };
    let whole = read(file.len());
    assert_eq!(whole, read(usize::from(piece)));
    let (mut rest, mut content) = (file, Some(Vec::new()));
    while let (Some(so_far), false) = (&mut content, rest.is_empty()) {
        let chunk = rest.split_first_chunk::<4>().and_then(|(length, rest)| {
            let length = usize::try_from(i32::from_be_bytes(*length)).ok().filter(|length| *length > 0)?;
            rest.split_at_checked(length)
        });
        match chunk {
            Some((chunk, behind)) => {
                so_far.extend_from_slice(chunk);
                rest = behind;
            }
            None => content = None,
        }
    }
    match (whole, content.filter(|_| !file.is_empty())) {
        (Ok((size, found)), Some(expected)) => {
            assert_eq!(size, found.len() as u64);
            assert!(found == expected, "another content");
        }
        (Err(_), None) => {}
        (whole, _) => panic!("accepted or refused otherwise: {:?}", whole.map(|(size, _)| size)),
    }
}

/// Takes `PIECE_LEN DUMP`, copies the dump of an export at the start of 1970, and panics where a law is broken:
///
/// * where it is cut into pieces does not matter;
/// * what is accepted is JSON, and the copy is the same JSON but for the paths of the payload files, which all were in
///   the export's folder and are new ones beside the dump.
pub fn exports_are_copied(input: &[u8]) {
    let Some((&piece, dump)) = input.split_first() else { return };
    let expected = Expectations { migration_id: None, ..expectations() };
    let copied = written(dump, usize::from(piece), |out| {
        DumpWriter::relocate(expected, Relocation::new("/dump", expected.timestamp), Parts::Skip, out)
    });
    let Ok((copy, summary)) = copied else { return };
    let files = summary.exported_files;
    assert!(!files.is_empty() && files.iter().all(|named| !named.file.contains('/') && named.file != ".."));
    // Where serde_json can hold the numbers, and what it does with keys that occur twice is the same in both.
    if let [Ok(mut before), Ok(mut after)] = [dump, copy.as_slice()].map(serde_json::from_slice::<Value>) {
        for part in ["acs_snapshot", "genesis_state"] {
            let [old, new] = [&mut before, &mut after].map(|dump| dump["data_snapshot"][part].take());
            let paths = [old, new].map(|path| path.as_str().unwrap_or_default().to_owned());
            if !paths.iter().all(String::is_empty) {
                assert!(paths[0].starts_with("/dump/export_at_0/") && paths[1] == format!("/dump/{part}-0"));
            }
        }
        assert_eq!(before, after);
    }
}
