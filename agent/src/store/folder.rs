//! The files of the store's folders: their names, and how they are read, written and locked.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use svdr_files::Replace;
use svdr_files::crash::around_flush;
use svdr_protocol::dsse::{Envelope, MAX_JSON_LEN};

use super::StoreError;

/// Read, write and enter for the owner, nothing for anybody else.
const PRIVATE_FOLDER: u32 = 0o700;

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

pub(super) fn read_envelope(path: &Path) -> Result<Envelope, StoreError> {
    let read = |source| StoreError::Read { path: path.to_owned(), source };
    let found = fs::metadata(path).map_err(read)?.len();
    if found > MAX_JSON_LEN as u64 + 1 {
        return Err(StoreError::TooLong { path: path.to_owned(), found });
    }
    let json = fs::read(path).map_err(read)?;
    Envelope::from_json(&json).map_err(|source| StoreError::Damaged {
        path: path.to_owned(),
        line: 1,
        source,
    })
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
    let record = serde_json::from_slice(&json);
    record.map(Some).map_err(|source| StoreError::Record { path: path.to_owned(), source })
}

/// Writes a record to `path`, flushed. An earlier one is replaced.
pub(super) fn write_record(path: &Path, record: &impl Serialize) -> Result<(), StoreError> {
    let json = serde_json::to_vec_pretty(record)
        .map_err(|source| StoreError::Record { path: path.to_owned(), source })?;
    around_flush(|| svdr_files::write_private(path, &json, Replace::Force))?;
    Ok(())
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
