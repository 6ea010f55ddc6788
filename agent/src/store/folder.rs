//! The files of the store's folders: their names, and how they are read, written and locked.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use svdr_files::Replace;
use svdr_files::crash::around_flush;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::{Envelope, EnvelopeError, MAX_JSON_LEN};

use super::StoreError;
use super::error::RecordFault;

/// Read, write and enter for the owner, nothing for anybody else.
const PRIVATE_FOLDER: u32 = 0o700;

/// Ends the name of a file that is corrupt and was set aside.
pub(super) const CORRUPT: &str = ".corrupt";

/// Begins the last field of a record: the digest of the record without this field. A record is not signed, so without
/// it an altered digit would be believed, and attested.
const CHECK: &str = ",\n  \"check\": \"";
/// Ends that field and the record.
const CHECK_END: &str = "\"\n}";

/// `000001-evidence.json`
pub(super) fn file_name(sequence: u64, kind: &str) -> String {
    format!("{sequence:06}-{kind}.json")
}

/// The files of a session's folder whose names start with a sequence number, by that number.
pub(super) fn numbered_files(folder: &Path) -> Result<BTreeMap<u64, Vec<String>>, StoreError> {
    let mut files: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for name in names_in(folder)? {
        let number = name.split_once('-').and_then(|(number, _)| number.parse().ok());
        if let (Some(sequence), true) = (number, name.ends_with(".json")) {
            files.entry(sequence).or_default().push(name);
        }
    }
    files.values_mut().for_each(|names| names.sort());
    Ok(files)
}

/// The names in a folder, temporary ones aside; none if the folder does not exist.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>, StoreError> {
    let error = |source| StoreError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(error(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.map_err(error)?.file_name().into_string()
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// The name under which a corrupt file is set aside.
pub(super) fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(CORRUPT);
    PathBuf::from(name)
}

/// Reads a statement of this member.
pub(super) fn read_envelope(path: &Path) -> Result<Envelope, StoreError> {
    let read = |source| StoreError::Read { path: path.to_owned(), source };
    let corrupt = |source| StoreError::Promise { path: path.to_owned(), source };
    let found = fs::metadata(path).map_err(read)?.len();
    if found > MAX_JSON_LEN as u64 + 1 {
        let found = usize::try_from(found).unwrap_or(usize::MAX);
        return Err(corrupt(EnvelopeError::TooLong { found, limit: MAX_JSON_LEN }));
    }
    Envelope::from_json(&fs::read(path).map_err(read)?).map_err(corrupt)
}

pub(super) fn write_envelope(path: &Path, envelope: &Envelope) -> Result<(), StoreError> {
    let line = format!("{}\n", envelope.to_json());
    around_flush(|| svdr_files::write_private(path, line.as_bytes(), Replace::Never))?;
    Ok(())
}

/// Reads the record at `path`; `None` if there is no file.
pub(super) fn read_record<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let json = match fs::read(path) {
        Ok(json) => json,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Read { path: path.to_owned(), source }),
    };
    let record = checked(&json).and_then(|json| serde_json::from_slice(&json).map_err(RecordFault::Json));
    record.map(Some).map_err(|source| StoreError::Record { path: path.to_owned(), source })
}

/// Writes a record to `path`, flushed. An earlier one is replaced.
pub(super) fn write_record(path: &Path, record: &impl Serialize) -> Result<(), StoreError> {
    let fault = |source| StoreError::Record { path: path.to_owned(), source: RecordFault::Json(source) };
    let json = serde_json::to_string_pretty(record).map_err(fault)?;
    let fields = json.strip_suffix("\n}").unwrap_or(&json);
    let json = format!("{fields}{CHECK}{}{CHECK_END}", Digest::of(json.as_bytes()));
    around_flush(|| svdr_files::write_private(path, json.as_bytes(), Replace::Force))?;
    Ok(())
}

/// The record without its check, which must be right. A record of an earlier version has none.
fn checked(json: &[u8]) -> Result<Vec<u8>, RecordFault> {
    let json = std::str::from_utf8(json).map_err(RecordFault::Text)?;
    let Some((fields, check)) = json.rsplit_once(CHECK) else { return Ok(json.as_bytes().to_vec()) };
    let record = format!("{fields}\n}}");
    let found = Digest::of(record.as_bytes());
    match check.strip_suffix(CHECK_END) {
        Some(expected) if expected == found.to_string() => Ok(record.into_bytes()),
        _ => Err(RecordFault::Check { found }),
    }
}

pub(super) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    let error = |source| StoreError::Folder { path: folder.to_owned(), source };
    if folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(folder).map_err(error)?;
    // The name must survive a loss of power as the files in it do.
    match folder.parent() {
        Some(parent) if parent != Path::new("") => File::open(parent).and_then(|parent| parent.sync_all()),
        _ => Ok(()),
    }
    .map_err(error)
}

pub(super) fn open_lock(path: &Path) -> Result<File, StoreError> {
    let opened = File::options().create(true).append(true).mode(0o600).open(path);
    opened.map_err(|source| StoreError::Lock { path: path.to_owned(), source })
}
