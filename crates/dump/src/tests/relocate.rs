//! A whole dump as the SV app exports it: copied byte for byte but for its paths, and refused where it is another.

use proptest::prelude::*;

use super::super::{Defect, Document, ExportedFile, Found, Payload, PayloadPart, Relocation};
use super::*;

const FOLDER: &str = "/domain-upgrade-dump/export_at_0";

fn dump_text(acs: &str, genesis: &str, flag: &str) -> String {
    let identities =
        identities_text().replace(r#""participant":{"#, r#""participant":{"id":"PAR::sv::1220","#);
    let identities = identities.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    format!(
        r#"{{ "migration_id":6,{identities},"data_snapshot":{{"genesis_state":"{genesis}","acs_snapshot":"{acs}","acs_timestamp":"{AT}","dars":[{{"hash":"1220ab","content":"UEsDBA=="}}]{flag}}},"participant_users":{{"users":[]}},"created_at":"2026-04-21T23:31:00.123456789Z"}}
"#
    )
}

fn good() -> String {
    let flag = r#","synchronizer_was_paused":false,"separate_payload_files":true"#;
    dump_text(&format!("{FOLDER}/{AT}-acs-snapshot"), &format!("{FOLDER}/{AT}-genesis-state"), flag)
}

fn copy(text: &[u8], piece: usize) -> Result<(String, MergeSummary), MergeError> {
    let mut out = Vec::new();
    let relocation = Relocation::new("/domain-upgrade-dump", AT.parse().unwrap());
    let mut copy = DumpWriter::relocate(expectations(), relocation, Parts::Digest, &mut out)?;
    for piece in text.chunks(piece.max(1)) {
        copy.push(piece)?;
    }
    let read = copy.finish()?;
    Ok((String::from_utf8(out).unwrap(), read))
}

fn defect(text: &str) -> Defect {
    match copy(text.as_bytes(), 7).unwrap_err() {
        MergeError::Refused(refusal) => {
            assert_eq!(refusal.document, Document::Dump);
            refusal.defect
        }
        other => panic!("failed rather than refused: {other}"),
    }
}

#[test]
fn only_the_paths_are_others() {
    let good = good();
    let expected = good
        .replace(&format!("{FOLDER}/{AT}-acs-snapshot"), "/domain-upgrade-dump/acs_snapshot-0")
        .replace(&format!("{FOLDER}/{AT}-genesis-state"), "/domain-upgrade-dump/genesis_state-0");
    for piece in [1, 2, 3, 64, 4096] {
        let (text, read) = copy(good.as_bytes(), piece).unwrap();
        assert_eq!(text, expected, "in pieces of {piece}");
        assert_eq!(read.size, text.len() as u64);
        assert_eq!(read.sha256, svdr_protocol::digest::Digest::of(text.as_bytes()));
        assert_eq!(read.participant.as_deref(), Some("PAR::sv::1220"));
        let file = |part, file: &str| ExportedFile { part, file: format!("{AT}-{file}") };
        let files = [
            file(PayloadPart::GenesisState, "genesis-state"),
            file(PayloadPart::AcsSnapshot, "acs-snapshot"),
        ];
        assert_eq!(read.exported_files, files);
        let path = "/domain-upgrade-dump/acs_snapshot-0".to_owned();
        assert_eq!(read.acs_snapshot, Payload::File { path, checked: None });
        let dar = svdr_protocol::digest::Digest::of(b"PK\x03\x04");
        assert_eq!(read.dars[0].sha256, Some(dar));
    }
}

#[test]
fn escaped_paths_are_the_same_paths() {
    let escaped = good().replace("/domain-upgrade-dump/export", "\\/domain-upgrade-dump\\/e\\u0078port");
    for piece in [1, 5, 4096] {
        let (text, _) = copy(escaped.as_bytes(), piece).unwrap();
        assert!(text.contains(r#""acs_snapshot":"/domain-upgrade-dump/acs_snapshot-0""#), "{text}");
        assert!(!text.contains("export"), "{text}");
    }
}

#[test]
fn another_dump_than_asked_for_is_refused() {
    let good = good();
    let other_time =
        good.replace(&format!("\"acs_timestamp\":\"{AT}\""), "\"acs_timestamp\":\"1970-01-01T00:00:01Z\"");
    assert!(matches!(defect(&other_time), Defect::OtherTimestamp { .. }));
    let other_id = good.replace("\"migration_id\":6", "\"migration_id\":7");
    assert_eq!(defect(&other_id), Defect::OtherMigrationId { expected: 6, found: 7 });
    assert_eq!(defect(&good.replace("files\":true", "files\":false")), Defect::NotSeparate);
    assert_eq!(defect(&good.replace(r#","separate_payload_files":true"#, "")), Defect::NotSeparate);
    assert_eq!(
        defect(&good.replace("2026-04-21T23:31", "2026-04-21 23:31")),
        Defect::NotATimestamp { found: Found::Kind("another value") }
    );
    for field in ["identities", "created_at", "migration_id", "data_snapshot", "acs_snapshot", "dars"] {
        let without = good.replace(&format!("\"{field}\":"), "\"something\":");
        assert!(matches!(defect(&without), Defect::Missing { key, .. } if key == field), "{field}");
    }
}

#[test]
fn files_lie_in_the_exports_folder_one_for_each_payload() {
    let acs = format!("{FOLDER}/{AT}-acs-snapshot");
    for path in
        ["/etc/passwd", "acs", "/domain-upgrade-dump/export_at_0/../x", "/domain-upgrade-dump/export_at_1/x"]
    {
        let found = defect(&good().replace(&acs, path));
        assert!(matches!(found, Defect::OtherPath { .. }), "{path}: {found}");
    }
    let same = good().replace("-acs-snapshot", "-genesis-state");
    assert!(matches!(defect(&same), Defect::SamePath { .. }));
    let long = good().replace(&acs, &"A".repeat(1_000_000));
    assert_eq!(defect(&long), Defect::NotSeparate);
    assert!(matches!(defect(&good().replace(&acs, "")), Defect::EmptyValue { .. }));
}

#[test]
fn nothing_of_its_keys_is_ever_told() {
    let good = good();
    for at in 0..good.trim_end().len() {
        let error = copy(&good.as_bytes()[..at], 9).unwrap_err();
        assert!(!format!("{error:?} {error}").contains(SECRET), "cut at {at}");
    }
    let broken = good.replace(&format!("\"{SECRET}\""), SECRET);
    let error = copy(broken.as_bytes(), 9).unwrap_err();
    let told = format!("{error:?} {error}");
    assert!(!told.contains(&SECRET[..6]) && told.contains("another character"), "{told}");
}

proptest! {
    #[test]
    fn every_cut_is_refused_and_the_pieces_do_not_matter(cut in any::<prop::sample::Index>(), piece in 1usize..300) {
        let good = good();
        let end = good.trim_end().len();
        prop_assert!(copy(&good.as_bytes()[..cut.index(end)], piece).is_err());
        prop_assert_eq!(copy(good.as_bytes(), piece).unwrap(), copy(good.as_bytes(), good.len()).unwrap());
    }
}

#[test]
fn the_laws_of_the_fuzz_targets_hold_for_their_seeds() {
    use super::super::fuzz;
    let seeds = |target: &str| {
        let folder = format!("{}/../../fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
        let files =
            std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.collect::<Vec<_>>()
    };
    assert!(seeds("chunks").len() > 2 && seeds("export").len() > 2);
    seeds("chunks").iter().for_each(|seed| fuzz::chunks_are_chunks(seed));
    seeds("export").iter().for_each(|seed| fuzz::exports_are_copied(seed));
}

proptest! {
    #[test]
    fn the_law_of_exports_holds_for_damaged_ones(at in any::<prop::sample::Index>(), byte: u8, piece in 1u8..) {
        let mut dump = good().replace("/domain-upgrade-dump/", "/dump/").into_bytes();
        let at = at.index(dump.len());
        dump[at] = byte;
        super::super::fuzz::exports_are_copied(&[&[piece][..], &dump].concat());
    }
}
