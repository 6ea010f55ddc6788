//! Files that arrive in parts and outlive the process that writes them: a broken transfer continues where it was.
//!
//! A partial file has the given name and mode 0600, and the one process that writes it locks it. It is never flushed:
//! after a crash of the process all its bytes are there, but after a loss of power some may be missing or wrong. So the
//! complete file must be checked before it is used.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::{FileError, FileStep, PRIVATE, Replace, check_target, file_name};

/// A private file that is continued where an earlier process left it.
#[derive(Debug)]
pub struct PartialFile {
    path: PathBuf,
    len: u64,
    /// Holds the lock.
    file: File,
}

/// Reads a partial file from its start to the length that it had.
#[derive(Debug)]
pub struct PartialReader {
    file: File,
    at: u64,
    end: u64,
}

impl PartialFile {
    /// Opens the file, or makes it if there is none, and locks it.
    ///
    /// # Errors
    /// [`FileError`] if another process has it, it is not a regular file, or the system reports an error.
    pub fn open(path: impl AsRef<Path>) -> Result<PartialFile, FileError> {
        let path = path.as_ref();
        file_name(path)?;
        check_target(path, Replace::Force)?;
        let error = FileError::at(path, FileStep::Create);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(PRIVATE);
        // Neither follows a link nor waits for a pipe, if the file has been exchanged by now.
        let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).map_err(&error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FileError::Busy { path: path.to_owned() }),
            // Without locks two processes would overwrite each other's bytes, which the check of the complete file detects.
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, path = %path.display(), "the file system has no locks");
            }
        }
        file.set_permissions(fs::Permissions::from_mode(PRIVATE)).map_err(&error)?;
        let len = file.metadata().map_err(&error)?.len();
        Ok(PartialFile { path: path.to_owned(), len, file })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes in it.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads what is in it, from the start.
    ///
    /// # Errors
    /// If the system gives no second descriptor.
    pub fn reader(&self) -> Result<PartialReader, FileError> {
        let file = self.file.try_clone().map_err(|source| self.error(FileStep::Look, source))?;
        Ok(PartialReader { file, at: 0, end: self.len })
    }

    /// Begins again, with nothing in it.
    ///
    /// # Errors
    /// If it cannot be emptied.
    pub fn restart(&mut self) -> Result<(), FileError> {
        self.file.set_len(0).map_err(|source| self.error(FileStep::Write, source))?;
        self.len = 0;
        Ok(())
    }

    /// Reserves room on the disk for it to become `len` bytes long: a disk that is too small is noticed before the first
    /// byte arrives, and writing takes less of the processor. Its length stays what it is. If the file system cannot do
    /// that, or is interrupted, nothing happens.
    ///
    /// # Errors
    /// If there is no room.
    pub fn reserve(&mut self, len: u64) -> Result<(), FileError> {
        let Some(more) = len.checked_sub(self.len).filter(|more| *more > 0) else { return Ok(()) };
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.len, more) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => Ok(()),
            Err(errno) => Err(self.error(FileStep::Write, errno.into())),
        }
    }

    /// Adds bytes at its end.
    ///
    /// # Errors
    /// If they cannot be written. Some may be in the file then; they do not count, and the next append overwrites them.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all_at(bytes, self.len).map_err(|source| self.error(FileStep::Write, source))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Removes it.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(self) -> Result<(), FileError> {
        fs::remove_file(&self.path).map_err(|source| self.error(FileStep::Name, source))
    }

    fn error(&self, step: FileStep, source: io::Error) -> FileError {
        FileError::at(&self.path, step)(source)
    }
}

impl Read for PartialReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        // `left` is at most the length of the buffer.
        let read = self.file.read_at(&mut buffer[..left], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::symlink;

    use super::*;

    fn text(file: &PartialFile) -> String {
        let mut text = String::new();
        file.reader().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn goes_on_where_an_earlier_one_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.partial");
        let mut file = PartialFile::open(&path).unwrap();
        assert!(file.is_empty());
        file.append(b"one ").unwrap();
        drop(file);
        let mut file = PartialFile::open(&path).unwrap();
        assert_eq!((file.len(), text(&file).as_str()), (4, "one "));
        file.append(b"two").unwrap();
        assert_eq!(text(&file), "one two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, PRIVATE);
        file.restart().unwrap();
        file.append(b"x").unwrap();
        assert_eq!(text(&file), "x");
        file.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn reserved_room_is_not_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = PartialFile::open(folder.path().join("a.partial")).unwrap();
        file.reserve(1 << 20).unwrap();
        file.append(b"one").unwrap();
        file.reserve(2).unwrap();
        assert_eq!((file.len(), text(&file).as_str()), (3, "one"));
        assert_eq!(fs::metadata(file.path()).unwrap().len(), 3);
        // More than any disk has.
        let refused = file.reserve(1 << 60).unwrap_err();
        assert!(refused.to_string().contains("a.partial"), "{refused}");
        assert_eq!(text(&file), "one");
    }

    #[test]
    fn is_private_whatever_it_was_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.partial");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let file = PartialFile::open(&path).unwrap();
        assert_eq!(text(&file), "old");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, PRIVATE);
    }

    #[test]
    fn belongs_to_one_writer_and_is_never_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.partial");
        let first = PartialFile::open(&path).unwrap();
        assert!(matches!(PartialFile::open(&path), Err(FileError::Busy { .. })));
        drop(first);
        PartialFile::open(&path).unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(PartialFile::open(&link), Err(FileError::SymbolicLink { .. })));
        assert!(matches!(PartialFile::open(folder.path()), Err(FileError::Folder { .. })));
    }
}
