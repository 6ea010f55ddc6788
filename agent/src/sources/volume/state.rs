//! The state of an export's folder: names, sizes and times of its files, without reading any.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::DUMP_FILE;

/// The files of an export's folder at a moment. Two equal states mean that nothing was written between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderState {
    /// Of each file: its inode, its size, and when it was last written.
    files: BTreeMap<OsString, (u64, u64, i64, i64)>,
}

impl FolderState {
    /// Looks at the folder of an export; one that does not exist is empty.
    ///
    /// # Errors
    /// Where it cannot be looked at.
    pub fn of(folder: &Path) -> io::Result<FolderState> {
        let mut files = BTreeMap::new();
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FolderState::default()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) => {
                    let state = (metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec());
                    files.insert(entry.file_name(), state);
                }
                // Gone since the folder was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(FolderState { files })
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|(_, size, _, _)| size).sum()
    }

    /// Whether the dump itself is there, which the app writes last.
    pub fn has_dump(&self) -> bool {
        self.files.keys().any(|name| name == DUMP_FILE)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}
