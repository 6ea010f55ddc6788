//! An export's folder, opened so that nothing in it can lead elsewhere.
//!
//! The folder and its files are opened by their plain names below the folder above, without following links, and
//! what was opened is looked at, not what has the name a moment later. A pipe is not waited for.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use super::{ExportError, Volume};
use svdr_dump::Relocation;

/// Write permission of everybody.
const WORLD_WRITABLE: u32 = 0o002;
/// Read permission of everybody.
const WORLD_READABLE: u32 = 0o004;
/// The permission bits.
const MODE: u32 = 0o7777;

/// An open export folder.
#[derive(Debug)]
pub(super) struct ExportFolder {
    path: PathBuf,
    opened: File,
    owner: u32,
}

/// An open file of it.
#[derive(Debug)]
pub(super) struct OpenedFile {
    /// Its path, for messages.
    pub(super) path: PathBuf,
    name: String,
    pub(super) file: File,
    state: FileState,
}

/// What changes of a file when it is written, replaced or moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileState {
    identity: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    fn of(metadata: &Metadata) -> FileState {
        FileState {
            identity: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl ExportFolder {
    /// Opens the folder of an export.
    pub(super) fn open(volume: &Volume, relocation: &Relocation) -> Result<ExportFolder, ExportError> {
        let unmounted = |source| ExportError::Volume { path: volume.dir.clone(), source };
        let parent = File::open(&volume.dir).map_err(unmounted)?;
        let name = relocation.folder();
        let path = volume.dir.join(&name);
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = match openat(&parent, &name, flags, Mode::empty()) {
            Ok(opened) => File::from(opened),
            Err(Errno::NOENT) => return Err(ExportError::Absent { path }),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return Err(ExportError::Foreign { path, expected: "the folder", found: "a file or a link" });
            }
            Err(error) => return Err(ExportError::Read { path, source: error.into() }),
        };
        let metadata = opened.metadata().map_err(ExportError::read(&path))?;
        let folder = ExportFolder { path, opened, owner: metadata.uid() };
        folder.check_access(&folder.path, &metadata)?;
        Ok(folder)
    }

    /// Where it is, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file in it. `name` must be a plain name.
    pub(super) fn open_file(&self, name: &str) -> Result<OpenedFile, ExportError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let foreign = |found| ExportError::Foreign { path: path.clone(), expected: "the file", found };
        let file = match openat(&self.opened, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Err(ExportError::Missing { path }),
            Err(Errno::LOOP) => return Err(foreign("a symbolic link")),
            Err(Errno::NXIO) => return Err(foreign("a socket")),
            Err(error) => return Err(ExportError::Read { path, source: error.into() }),
        };
        let metadata = file.metadata().map_err(ExportError::read(&path))?;
        if metadata.is_dir() {
            return Err(foreign("a folder"));
        }
        if !metadata.is_file() {
            return Err(foreign("a device or pipe"));
        }
        self.check_access(&path, &metadata)?;
        Ok(OpenedFile { path, name: name.to_owned(), file, state: FileState::of(&metadata) })
    }

    /// Whether the open file still is what has its name, and as it was when it was opened.
    pub(super) fn check_unchanged(&self, source: &OpenedFile) -> Result<(), ExportError> {
        let open = source.file.metadata().map_err(ExportError::read(&source.path))?;
        let is_named = match statat(&self.opened, &source.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) => (named.st_dev, named.st_ino) == source.state.identity,
            Err(Errno::NOENT) => false,
            Err(error) => return Err(ExportError::read(&source.path)(error.into())),
        };
        match is_named && FileState::of(&open) == source.state {
            true => Ok(()),
            false => Err(ExportError::Changed { path: source.path.clone() }),
        }
    }

    /// Warns of what is in the folder beside the export's own files.
    pub(super) fn warn_of_others(&self, own: &[&str]) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            if !own.iter().any(|own| name == *own) {
                tracing::warn!(
                    "{} is not part of the export, and stays there",
                    self.path.join(name).display()
                );
            }
        }
        Ok(())
    }

    fn check_access(&self, path: &Path, metadata: &Metadata) -> Result<(), ExportError> {
        if metadata.uid() != self.owner {
            let (path, found) = (path.to_owned(), metadata.uid());
            return Err(ExportError::OtherOwner { path, expected: self.owner, found });
        }
        if metadata.mode() & WORLD_WRITABLE != 0 {
            return Err(ExportError::Writable { path: path.to_owned(), mode: metadata.mode() & MODE });
        }
        Ok(())
    }
}

impl OpenedFile {
    /// Its size when it was opened, in bytes.
    pub(super) const fn size(&self) -> u64 {
        self.state.size
    }

    /// Whether it was written after `other`.
    pub(super) fn is_newer_than(&self, other: &OpenedFile) -> bool {
        self.state.modified > other.state.modified
    }

    /// Whether everybody on this machine can read it.
    pub(super) fn is_world_readable(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.mode() & WORLD_READABLE != 0)
    }
}
