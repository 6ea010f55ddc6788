//! Files that have secrets or take long to make: private from the first byte, and complete or absent.
//!
//! A [`PrivateFile`] is written beside its target and moved there at the end:
//!
//! 1. Remove stale temporary files of the folder (`stale.rs`).
//! 2. Refuse a target that exists, unless it is to be replaced; refuse what is not a regular file.
//! 3. Create `.NAME.svdr-PID-RANDOM.tmp` in the target's folder, exclusively, with mode 0600.
//! 4. Lock it. The lock ends with the process, however that ends, so an unlocked file is stale. If the name is gone by
//!    now, another process removed it as stale between 3 and 4: go back to 3.
//! 5. Write. Another thread flushes what has been written meanwhile (`flush.rs`).
//! 6. On commit, flush the file. From here its bytes survive a loss of power.
//! 7. Check the target again, as in 2. Then give the file its name: by `rename` if it may replace another. If not, by
//!    `link`, which fails if the name is taken; then remove the temporary name.
//! 8. Flush the folder. From here the name survives a loss of power.
//!
//! After a stop before 7 there is a temporary file, and the target is unchanged. After a stop between `link` and the
//! removal, the target is complete and has a second, temporary name. Step 1 of the next run in that folder removes both.
//! A file that is dropped without commit is removed.
//!
//! If the file system has no hard links, the name is claimed by creating an empty file exclusively, which
//! `rename` then replaces: nobody else's file is ever replaced, but a stop just there leaves an empty file, which
//! the next run refuses to replace without force.
//!
//! The crate `tempfile` would give steps 3 and 7: mode 0600 before the first byte, the same folder, and a name that
//! replaces nothing. It flushes neither file nor folder, locks nothing, and never finds what a killed process has left,
//! which here contains private keys. That is nearly all of this crate, so `tempfile` would not make it simpler.
//!
//! Targets that are not regular files are refused, also with force. A folder cannot be replaced. A device or pipe
//! (`/dev/stdout`, `/dev/null`) can be neither private nor atomic. A symbolic link, dangling or not, would either be
//! replaced itself, or put the file into another folder than the one that was named.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

mod chunks;
pub mod crash;
mod error;
mod flush;
mod folder;
pub mod hashing;
mod partial;
mod stale;

pub use chunks::read_in_chunks;
pub use error::{FileError, FileIoError, FileStep};
use flush::Flusher;
pub use folder::{FolderFile, PrivateFolder};
pub use partial::{PartialFile, PartialReader};

/// Read and write for the owner, nothing for anybody else.
const PRIVATE: u32 = 0o600;
/// That, and read for everybody else.
const SHARED: u32 = 0o644;
/// Bytes of the target's name in the temporary one: with what is added it stays below the 255 of file systems.
const MAX_STEM: usize = 160;
/// Tries to find a temporary name. One collision of 64 random bits is already unlikely.
const MAX_TRIES: usize = 16;

/// Whether an existing file may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// Never: the file must not exist.
    Never,
    /// It may exist; it is replaced whole, at commit.
    Force,
}

impl Replace {
    /// What a `--force` flag says.
    pub const fn from_force(force: bool) -> Replace {
        if force { Replace::Force } else { Replace::Never }
    }
}

/// A file with mode 0600 that appears under its name when it is complete, or not at all. See the module.
///
/// Its `Write` is not buffered. Errors of `Write` are [`io::Error`]s of the original kind that hold a
/// [`FileError`], so they too name the file.
#[derive(Debug)]
pub struct PrivateFile {
    target: PathBuf,
    folder: PathBuf,
    replace: Replace,
    /// `None` once it has been moved to its target.
    temporary: Option<PathBuf>,
    flusher: Flusher,
    /// Holds the lock; closed last.
    file: File,
}

impl PrivateFile {
    /// Starts a file that will be called `path`.
    ///
    /// # Errors
    /// [`FileError`] if `path` names no file, exists and may not be replaced, is not a regular file, or its
    /// folder cannot be written.
    pub fn create(path: impl AsRef<Path>, replace: Replace) -> Result<PrivateFile, FileError> {
        let target = path.as_ref();
        let name = file_name(target)?;
        let folder = parent_of(target);
        check_target(target, replace)?;
        stale::remove_in(&folder);
        let (temporary, file) = create_temporary(target, &folder, name)?;
        Ok(PrivateFile {
            target: target.to_owned(),
            folder,
            replace,
            temporary: Some(temporary),
            flusher: Flusher::new(),
            file,
        })
    }

    /// The path that the file will have.
    pub fn path(&self) -> &Path {
        &self.target
    }

    /// Lets everybody read the file, if it has no secret: from now on its mode is 0644.
    ///
    /// # Errors
    /// [`FileError`] if the system reports an error.
    pub fn share(&self) -> Result<(), FileError> {
        let shared = self.file.set_permissions(fs::Permissions::from_mode(SHARED));
        shared.map_err(|source| self.error(FileStep::Create, source))
    }

    /// Writes `bytes`, and gives the file its name as [`PrivateFile::commit`] does.
    ///
    /// # Errors
    /// [`FileError`]; the target is then as it was before, as with `commit`.
    pub fn commit_with(mut self, bytes: &[u8]) -> Result<(), FileError> {
        let written = self.file.write_all(bytes);
        written.map_err(|source| self.error(FileStep::Write, source))?;
        self.commit()
    }

    /// Flushes the file and gives it its name.
    ///
    /// # Errors
    /// [`FileError`]; the target is then as it was before, unless the step that failed is
    /// [`FileStep::FlushFolder`]: then it is complete, but might not survive a loss of power.
    pub fn commit(mut self) -> Result<(), FileError> {
        let flushed = self.flusher.finish().and_then(|()| self.file.sync_all());
        flushed.map_err(|source| self.error(FileStep::Flush, source))?;
        // Writing may have taken hours, so the target may have changed.
        check_target(&self.target, self.replace)?;
        if let Some(temporary) = self.temporary.take() {
            let published = self.publish(&temporary);
            if published.is_err() {
                self.temporary = Some(temporary);
            }
            published?;
        }
        flush_folder(&self.folder).map_err(|source| self.error(FileStep::FlushFolder, source))
    }

    fn publish(&self, temporary: &Path) -> Result<(), FileError> {
        let renamed = |temporary| fs::rename(temporary, &self.target);
        if self.replace == Replace::Force {
            return renamed(temporary).map_err(|source| self.error(FileStep::Name, source));
        }
        match fs::hard_link(temporary, &self.target) {
            // The target is complete; a temporary name that stays is removed by the next run.
            Ok(()) => {
                let _ = fs::remove_file(temporary);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(FileError::Exists { path: self.target.clone() })
            }
            Err(error) if has_no_links(&error) => {
                claim(&self.target)?;
                renamed(temporary).map_err(|source| {
                    // Ours, and empty.
                    let _ = fs::remove_file(&self.target);
                    self.error(FileStep::Name, source)
                })
            }
            Err(source) => Err(self.error(FileStep::Name, source)),
        }
    }

    fn error(&self, step: FileStep, source: io::Error) -> FileError {
        FileError::at(&self.target, step)(source)
    }
}

impl Write for PrivateFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes) {
            Ok(written) => {
                self.flusher.written(written as u64, &self.file);
                Ok(written)
            }
            // Callers try again after this one; it must stay what it is.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(io::Error::new(error.kind(), self.error(FileStep::Write, error))),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// To read back what was written, or to have the file system share another file's blocks.
impl AsFd for PrivateFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // The next run removes it if this fails.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Writes a small private file at once.
///
/// # Errors
/// As [`PrivateFile::create`] and [`PrivateFile::commit`], and if the bytes cannot be written.
pub fn write_private(path: impl AsRef<Path>, bytes: &[u8], replace: Replace) -> Result<(), FileError> {
    PrivateFile::create(path, replace)?.commit_with(bytes)
}

/// The last part of a path that can name a file.
fn file_name(target: &Path) -> Result<&OsStr, FileError> {
    // To `Path`, `dump/` and `dump` are the same.
    let names_folder = target.as_os_str().as_bytes().ends_with(b"/");
    target.file_name().filter(|_| !names_folder).ok_or_else(|| FileError::NoName { path: target.to_owned() })
}

/// The folder of a path.
fn parent_of(target: &Path) -> PathBuf {
    match target.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn check_target(target: &Path, replace: Replace) -> Result<(), FileError> {
    let path = || target.to_owned();
    let kind = match fs::symlink_metadata(target) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(FileError::at(target, FileStep::Look)(source)),
    };
    if kind.is_dir() {
        Err(FileError::Folder { path: path() })
    } else if kind.is_symlink() {
        let look = FileError::at(target, FileStep::Look);
        Err(FileError::SymbolicLink { path: path(), to: fs::read_link(target).map_err(&look)? })
    } else if !kind.is_file() {
        Err(FileError::Special { path: path() })
    } else if replace == Replace::Never {
        Err(FileError::Exists { path: path() })
    } else {
        Ok(())
    }
}

/// Steps 3 and 4.
fn create_temporary(target: &Path, folder: &Path, name: &OsStr) -> Result<(PathBuf, File), FileError> {
    let error = FileError::at(target, FileStep::Create);
    for _ in 0..MAX_TRIES {
        let random = getrandom::u64().map_err(|source| error(io::Error::other(source)))?;
        let path = folder.join(temporary_name(name, std::process::id(), random));
        let file = match OpenOptions::new().read(true).write(true).create_new(true).mode(PRIVATE).open(&path)
        {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(source) => return Err(error(source)),
        };
        match lock(&file, &path) {
            Ok(true) => return Ok((path, file)),
            Ok(false) => {}
            Err(source) => {
                let _ = fs::remove_file(&path);
                return Err(error(source));
            }
        }
    }
    Err(error(io::Error::other("every temporary name was taken")))
}

/// Whether the new file is ours: locked, and still there under its name.
fn lock(file: &File, path: &Path) -> io::Result<bool> {
    // The mode given at creation is cut by the umask.
    file.set_permissions(fs::Permissions::from_mode(PRIVATE))?;
    lock_temporary(file, path)
}

/// Locks a new temporary file or folder; whether it is still there under its name.
fn lock_temporary(file: &File, path: &Path) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => {}
        // Another process is removing it as stale.
        Err(TryLockError::WouldBlock) => return Ok(false),
        // Without locks on this file system, no other process can find it stale either.
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, path = %path.display(), "the file system has no locks");
        }
    }
    let ours = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// `.NAME.svdr-PID-RANDOM.tmp`
fn temporary_name(name: &OsStr, pid: u32, random: u64) -> OsString {
    let stem = name.as_bytes().get(..MAX_STEM).unwrap_or(name.as_bytes());
    let mut temporary = b".".to_vec();
    temporary.extend_from_slice(stem);
    temporary.extend_from_slice(format!("{}{pid}-{random:016x}{}", stale::MARK, stale::SUFFIX).as_bytes());
    OsString::from_vec(temporary)
}

/// Whether a link failed because the file system has none, rather than for this file.
fn has_no_links(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || matches!(error.raw_os_error(), Some(libc::EPERM | libc::EOPNOTSUPP | libc::ENOSYS))
}

/// Takes a name that nobody has, with an empty file.
fn claim(target: &Path) -> Result<(), FileError> {
    let claimed = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(target);
    claimed.map(drop).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists { path: target.to_owned() },
        _ => FileError::at(target, FileStep::Name)(source),
    })
}

fn flush_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems cannot flush a folder, and keep names by themselves.
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOSYS)) =>
        {
            Ok(())
        }
        result => result,
    }
}

#[cfg(test)]
mod tests;
