//! Exports as the app leaves them, whole and otherwise.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use svdr_files::{FileError, Replace};
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError as _, Exit};
use tempfile::TempDir;

use super::*;
use crate::sources::cancel::{CancelOnDrop, Cancelled};
use svdr_dump::{Payload, PayloadFileError};

const AT: &str = "2026-04-21T23:10:00.500Z";
const EXPORT: &str = "export_at_1776813000500";
const PARTICIPANT: &str = "PAR::sv::1220ab";

/// A volume with an export in it, and a folder to take it to.
struct Place {
    folder: TempDir,
    volume: Volume,
}

fn chunked(chunks: &[&[u8]]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| [&(chunk.len() as u32).to_be_bytes()[..], chunk].concat()).collect()
}

fn document(acs: &str) -> String {
    format!(
        r#"{{"migration_id":6,"identities":{{"sv_party_id":"sv::1","dso_party_id":"DSO::1","domain_alias":"global","domain_id":"g::1","participant":{{"id":"{PARTICIPANT}","keys":[]}},"sequencer":{{}},"mediator":{{}}}},"data_snapshot":{{"acs_snapshot":"/domain-upgrade-dump/{EXPORT}/{acs}","acs_timestamp":"{AT}","dars":[],"separate_payload_files":true}},"created_at":"2026-04-22T01:02:03.123456789Z"}}"#
    )
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let volume = Volume { dir: folder.path().join("volume"), app_dir: APP_DIR.to_owned() };
        let place = Place { folder, volume };
        fs::create_dir_all(place.export("")).unwrap();
        place.write("acs", &chunked(&[b"abc", b"defg"]));
        place.write(DUMP_FILE, document("acs").as_bytes());
        place
    }

    fn export(&self, name: &str) -> PathBuf {
        self.volume.dir.join(EXPORT).join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.export(name), bytes).unwrap();
        fs::set_permissions(self.export(name), fs::Permissions::from_mode(0o640)).unwrap();
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("set")
    }

    fn take(&self) -> Result<svdr_dump::MergeSummary, ExportError> {
        self.take_unless(&Cancelled::default())
    }

    fn take_unless(&self, cancelled: &Cancelled) -> Result<svdr_dump::MergeSummary, ExportError> {
        let export = Export {
            volume: &self.volume,
            expected: Expectations { timestamp: AT.parse().unwrap(), migration_id: Some(6) },
            participant: Some(PARTICIPANT),
            parts: Parts::Digest,
        };
        let taken = take(&export, &self.out(), Replace::Never, cancelled);
        let left = fs::read_dir(self.folder.path()).unwrap().count();
        assert_eq!(left, 1 + usize::from(self.out().exists()), "something was left behind");
        taken
    }

    #[track_caller]
    fn refuses(&self, may_settle: bool) -> ExportError {
        let error = self.take().unwrap_err();
        assert_eq!(error.may_settle(), may_settle, "{error}");
        assert!(!self.out().exists());
        error
    }
}

#[test]
fn a_whole_export_becomes_a_private_set() {
    let place = Place::new();
    let summary = place.take().unwrap();
    let digest = Digest::of(b"abcdefg");
    let file = "acs_snapshot-1776813000500";
    let expected = CheckedFileOf { file, size: 7, digest };
    assert_eq!(expected, CheckedFileOf::of(&summary.acs_snapshot));
    assert_eq!(fs::read(place.out().join(file)).unwrap(), chunked(&[b"abc", b"defg"]));
    let text = fs::read_to_string(place.out().join(DUMP_FILE)).unwrap();
    assert_eq!(text, document("acs").replace(&format!("{EXPORT}/acs"), file));
    assert_eq!((summary.size, summary.sha256), (text.len() as u64, Digest::of(text.as_bytes())));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(place.out()), 0o700);
    for name in [file, DUMP_FILE] {
        assert_eq!(mode(place.out().join(name)), 0o600, "{name}");
    }
    let again = place.take().unwrap_err();
    assert!(matches!(again, ExportError::File(FileError::Exists { .. })), "{again}");
}

/// The parts of a payload that are compared.
#[derive(Debug, PartialEq, Eq)]
struct CheckedFileOf<'a> {
    file: &'a str,
    size: u64,
    digest: Digest,
}

impl<'a> CheckedFileOf<'a> {
    fn of(payload: &'a Payload) -> CheckedFileOf<'a> {
        let Payload::File { checked: Some(checked), .. } = payload else { panic!("{payload:?}") };
        CheckedFileOf { file: &checked.file, size: checked.size, digest: checked.sha256 }
    }
}

#[test]
fn what_the_app_has_not_finished_may_settle() {
    let whole = chunked(&[b"abc", b"defg"]);
    for torn in [&whole[..whole.len() - 1], &whole[..8], b"", &[whole.as_slice(), b"\0"].concat()] {
        let place = Place::new();
        place.write("acs", torn);
        place.write(DUMP_FILE, document("acs").as_bytes());
        let error = place.refuses(true);
        assert!(matches!(error, ExportError::Payload { source: PayloadFileError::Chunks(_), .. }), "{error}");
    }
    let place = Place::new();
    fs::remove_file(place.export("acs")).unwrap();
    assert!(matches!(place.refuses(true), ExportError::Missing { .. }));
    fs::remove_file(place.export(DUMP_FILE)).unwrap();
    assert!(matches!(place.refuses(true), ExportError::Missing { .. }));
    fs::remove_dir(place.export("")).unwrap();
    assert!(matches!(place.refuses(true), ExportError::Absent { .. }));
    let whole = document("acs");
    for cut in [0, 1, 100, whole.len() - 1] {
        let place = Place::new();
        place.write(DUMP_FILE, &whole.as_bytes()[..cut]);
        assert!(matches!(place.refuses(true), ExportError::Document { .. }));
    }
}

#[test]
fn a_payload_cut_between_two_chunks_is_told_by_its_time() {
    let place = Place::new();
    // A second export has begun: the file is new, and looks whole.
    place.write("acs", &chunked(&[b"abc"]));
    let later = SystemTime::now() + Duration::from_secs(5);
    let file = fs::File::options().write(true).open(place.export("acs")).unwrap();
    file.set_modified(later).unwrap();
    assert!(matches!(place.refuses(true), ExportError::Newer { .. }));
}

#[test]
fn links_and_foreign_things_are_refused() {
    let secret = |place: &Place| {
        let path = place.folder.path().join("volume/secret");
        fs::write(&path, chunked(&[b"x"])).unwrap();
        path
    };
    for name in ["acs", DUMP_FILE] {
        let place = Place::new();
        let elsewhere = secret(&place);
        fs::remove_file(place.export(name)).unwrap();
        symlink(&elsewhere, place.export(name)).unwrap();
        let error = place.refuses(false);
        assert!(matches!(error, ExportError::Foreign { found: "a symbolic link", .. }), "{error}");
        assert_eq!(error.exit(), Exit::Refused);
        fs::remove_file(place.export(name)).unwrap();
        fs::create_dir(place.export(name)).unwrap();
        assert!(matches!(place.refuses(false), ExportError::Foreign { found: "a folder", .. }));
    }
    let place = Place::new();
    fs::rename(place.export(""), place.volume.dir.join("elsewhere")).unwrap();
    symlink("elsewhere", place.volume.dir.join(EXPORT)).unwrap();
    assert!(matches!(place.refuses(false), ExportError::Foreign { .. }));
}

#[test]
fn what_anybody_could_have_written_is_refused() {
    for (name, mode) in [("acs", 0o646), (DUMP_FILE, 0o602), ("", 0o777)] {
        let place = Place::new();
        fs::set_permissions(place.export(name), fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(place.refuses(false), ExportError::Writable { .. }), "{name}");
    }
}

#[test]
fn another_nodes_dump_is_refused() {
    let place = Place::new();
    place.write(DUMP_FILE, document("acs").replace("sv::1220ab", "sv::1220cd").as_bytes());
    let error = place.refuses(false);
    assert!(matches!(error, ExportError::OtherParticipant { .. }), "{error}");
    place.write(DUMP_FILE, document("acs").replace(r#""id":"PAR::sv::1220ab","#, "").as_bytes());
    assert!(matches!(place.refuses(false), ExportError::OtherParticipant { .. }));
    place.write(DUMP_FILE, document("../acs").as_bytes());
    let error = place.refuses(false);
    assert_eq!(error.exit(), Exit::Refused, "{error}");
}

#[test]
fn what_nobody_wants_any_more_leaves_nothing() {
    let place = Place::new();
    let cancelled = CancelOnDrop::default().cancelled();
    assert!(matches!(place.take_unless(&cancelled), Err(ExportError::Cancelled)));
    assert!(!place.out().exists());
}

#[test]
fn files_of_two_users_are_not_one_export() {
    let place = Place::new();
    // Only root can give files away.
    if std::os::unix::fs::chown(place.export("acs"), Some(12_345), None).is_ok() {
        assert!(matches!(place.refuses(false), ExportError::OtherOwner { found: 12_345, .. }));
    }
}

#[test]
fn a_volume_that_is_not_mounted_is_said() {
    let place = Place::new();
    fs::rename(&place.volume.dir, place.folder.path().join("moved")).unwrap();
    assert!(matches!(place.refuses(false), ExportError::Volume { .. }));
}

#[test]
fn the_state_of_a_folder_changes_with_every_byte() {
    let place = Place::new();
    let export = place.volume.export(AT.parse().unwrap());
    let first = FolderState::of(&export).unwrap();
    assert!(first.has_dump() && first.bytes() > 15);
    assert_eq!(first, FolderState::of(&export).unwrap());
    place.write("acs", b"more");
    assert_ne!(first, FolderState::of(&export).unwrap());
    assert!(FolderState::of(&export.with_extension("none")).unwrap().is_empty());
}

#[test]
fn a_set_is_not_called_like_a_single_file() {
    assert_eq!(set_folder(Path::new("a/dump.json")), Path::new("a/dump"));
    assert_eq!(set_folder(Path::new("a/dump.d")), Path::new("a/dump.d"));
}
