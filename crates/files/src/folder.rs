//! A folder of private files that appears under its name with all of them, or not at all.
//!
//! For what is one thing in several files. As a [`PrivateFile`](super::PrivateFile), it is made beside its target:
//!
//! 1. Remove stale temporary files and folders of the parent.
//! 2. Refuse a target that exists, unless it is to be replaced; then only a folder that is one of ours.
//! 3. Create `.NAME.svdr-PID-RANDOM.tmp` in the parent, exclusively, with mode 0700, and lock it.
//! 4. Create the files in it, each with mode 0600 before its first byte; flush each once it is complete.
//! 5. On commit, flush the folder, so that the files' names survive a loss of power.
//! 6. Check the target again, as in 2. Then rename: without replacing anything, or by exchanging the two.
//! 7. Flush the parent. Remove what was replaced, which has the temporary name now.
//!
//! After a stop before 6 there is a temporary folder; after one between 6 and 7 a replaced one under the temporary
//! name. Both are removed by the next run that writes into the parent. If the file system can exchange no two
//! folders, the old one is moved aside first: a stop just there leaves no target and both folders under temporary
//! names, never a mixture of the two.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::flush::Flusher;
use super::{
    FileError, FileStep, MAX_TRIES, PRIVATE, Replace, file_name, flush_folder, lock_temporary, parent_of,
    stale, temporary_name,
};
use crate::crash::around_flush;

/// All for the owner, nothing for anybody else.
const PRIVATE_FOLDER: u32 = 0o700;

/// A folder with mode 0700 that appears under its name when it is complete, or not at all. See the module.
#[derive(Debug)]
pub struct PrivateFolder {
    target: PathBuf,
    parent: PathBuf,
    replace: Replace,
    /// The file that marks a folder of this kind.
    mark: &'static str,
    /// `None` once it has been moved to its target.
    temporary: Option<PathBuf>,
    /// Holds the lock; closed last.
    opened: File,
}

impl PrivateFolder {
    /// Starts a folder that will be called `path`. If that exists and may be replaced, it must be a folder of the same
    /// kind: one with a file called `mark`, and with nothing but files.
    ///
    /// # Errors
    /// [`FileError`] if `path` names nothing, exists and may not be replaced, or its parent cannot be written.
    pub fn create(
        path: impl AsRef<Path>,
        replace: Replace,
        mark: &'static str,
    ) -> Result<PrivateFolder, FileError> {
        let target = path.as_ref();
        let name = file_name(target)?;
        let parent = parent_of(target);
        check_target(target, replace, mark)?;
        stale::remove_in(&parent);
        let error = FileError::at(target, FileStep::Create);
        for _ in 0..MAX_TRIES {
            let random = getrandom::u64().map_err(|source| error(io::Error::other(source)))?;
            let temporary = parent.join(temporary_name(name, std::process::id(), random));
            match DirBuilder::new().mode(PRIVATE_FOLDER).create(&temporary) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(source) => return Err(error(source)),
            }
            match opened(&temporary) {
                Ok(Some(opened)) => {
                    return Ok(PrivateFolder {
                        target: target.to_owned(),
                        parent,
                        replace,
                        mark,
                        temporary: Some(temporary),
                        opened,
                    });
                }
                // Another process removed it as stale, between its creation and its lock.
                Ok(None) => {}
                Err(source) => {
                    let _ = fs::remove_dir(&temporary);
                    return Err(error(source));
                }
            }
        }
        Err(error(io::Error::other("every temporary name was taken")))
    }

    /// The path that the folder will have.
    pub fn path(&self) -> &Path {
        &self.target
    }

    /// Starts a file in it, which must not be there yet.
    ///
    /// # Errors
    /// [`FileError`], which names the path that the file will have.
    pub fn file(&self, name: &str) -> Result<FolderFile, FileError> {
        let path = self.target.join(name);
        let temporary = self.temporary.as_deref().unwrap_or(&self.target).join(name);
        let created =
            OpenOptions::new().read(true).write(true).create_new(true).mode(PRIVATE).open(temporary);
        let file = created.and_then(|file| {
            // The mode given at creation is cut by the umask.
            file.set_permissions(fs::Permissions::from_mode(PRIVATE))?;
            Ok(file)
        });
        match file {
            Ok(file) => Ok(FolderFile { path, flusher: Flusher::new(), file }),
            Err(source) => Err(FileError::at(&path, FileStep::Create)(source)),
        }
    }

    /// Flushes the folder and gives it its name. Every file in it must be finished before.
    ///
    /// # Errors
    /// [`FileError`]; the target is then as it was before, unless the step that failed is
    /// [`FileStep::FlushFolder`]: then it is complete, but might not survive a loss of power.
    pub fn commit(mut self) -> Result<(), FileError> {
        let Some(temporary) = self.temporary.clone() else { return Ok(()) };
        around_flush(|| flush_folder(&temporary)).map_err(|source| self.error(FileStep::Flush, source))?;
        check_target(&self.target, self.replace, self.mark)?;
        let replaced = self.publish(&temporary)?;
        self.temporary = None;
        let flushed = around_flush(|| flush_folder(&self.parent));
        flushed.map_err(|source| self.error(FileStep::FlushFolder, source))?;
        if let Some(replaced) = replaced {
            // If this fails, the next run removes it.
            let _ = remove_flat(&replaced);
        }
        Ok(())
    }

    /// Gives the folder its name; returns what it has replaced.
    fn publish(&self, temporary: &Path) -> Result<Option<PathBuf>, FileError> {
        let fails = |source: io::Error| self.error(FileStep::Name, source);
        let rename = |flags| renameat_with(CWD, temporary, CWD, &self.target, flags);
        match rename(RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(None),
            Err(Errno::EXIST) if self.replace == Replace::Never => {
                return Err(FileError::Exists { path: self.target.clone() });
            }
            Err(Errno::EXIST) => {}
            Err(error) if has_no_flags(error) => return self.publish_plainly(temporary).map_err(fails),
            Err(error) => return Err(fails(error.into())),
        }
        match rename(RenameFlags::EXCHANGE) {
            Ok(()) => Ok(Some(temporary.to_owned())),
            Err(error) if has_no_flags(error) => self.publish_plainly(temporary).map_err(fails),
            Err(error) => Err(fails(error.into())),
        }
    }

    /// Does the same on a file system that has only the plain rename, which replaces only empty folders.
    fn publish_plainly(&self, temporary: &Path) -> io::Result<Option<PathBuf>> {
        let mut aside = None;
        if self.replace == Replace::Force && self.target.exists() {
            let random = getrandom::u64().map_err(io::Error::other)?;
            let name = self.target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            let away = self.parent.join(temporary_name(name, std::process::id(), random));
            fs::rename(&self.target, &away)?;
            aside = Some(away);
        }
        match fs::rename(temporary, &self.target) {
            Ok(()) => Ok(aside),
            Err(error) => {
                if let Some(aside) = aside {
                    fs::rename(aside, &self.target)?;
                }
                Err(error)
            }
        }
    }

    fn error(&self, step: FileStep, source: io::Error) -> FileError {
        FileError::at(&self.target, step)(source)
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // The next run removes it if this fails.
            let _ = remove_flat(temporary);
        }
        // Locked until here, so that no other process removes it as stale.
        let _ = self.opened.unlock();
    }
}

/// A file of a [`PrivateFolder`] that is being written. Its `Write` is not buffered.
#[derive(Debug)]
pub struct FolderFile {
    path: PathBuf,
    flusher: Flusher,
    file: File,
}

impl FolderFile {
    /// The path that it will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Flushes it to the disk.
    ///
    /// # Errors
    /// [`FileError`] if the disk says no.
    pub fn finish(mut self) -> Result<(), FileError> {
        let flushed = around_flush(|| self.flusher.finish().and_then(|()| self.file.sync_all()));
        flushed.map_err(FileError::at(&self.path, FileStep::Flush))
    }
}

impl Write for FolderFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes) {
            Ok(written) => {
                self.flusher.written(written as u64, &self.file);
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(source) => {
                let path = self.path.clone();
                Err(io::Error::new(source.kind(), FileError::at(&path, FileStep::Write)(source)))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// To read back what was written, or to have the file system share another file's blocks.
impl AsFd for FolderFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Opens and locks the new folder; `None` if another process has removed it.
fn opened(temporary: &Path) -> io::Result<Option<File>> {
    // The mode given at creation is cut by the umask.
    let open = || {
        fs::set_permissions(temporary, fs::Permissions::from_mode(PRIVATE_FOLDER))?;
        File::open(temporary)
    };
    match open() {
        Ok(opened) => Ok(lock_temporary(&opened, temporary)?.then_some(opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn check_target(target: &Path, replace: Replace, mark: &'static str) -> Result<(), FileError> {
    let path = || target.to_owned();
    let look = FileError::at(target, FileStep::Look);
    let kind = match fs::symlink_metadata(target) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(look(source)),
    };
    if kind.is_symlink() {
        return Err(FileError::SymbolicLink { path: path(), to: fs::read_link(target).map_err(&look)? });
    }
    if replace == Replace::Never {
        return Err(FileError::Exists { path: path() });
    }
    if !kind.is_dir() {
        return Err(FileError::NotAFolder { path: path() });
    }
    let mut is_marked = false;
    for entry in fs::read_dir(target).map_err(&look)? {
        let entry = entry.map_err(&look)?;
        if !entry.file_type().map_err(&look)?.is_file() {
            return Err(FileError::ForeignFolder { path: path(), mark });
        }
        is_marked |= entry.file_name() == mark;
    }
    if is_marked { Ok(()) } else { Err(FileError::ForeignFolder { path: path(), mark }) }
}

/// Removes a folder and the files in it. A folder with other things stays, without some of its files.
fn remove_flat(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        fs::remove_file(entry?.path())?;
    }
    fs::remove_dir(folder)
}

/// Whether a rename failed because the file system knows none of its flags.
fn has_no_flags(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

#[cfg(test)]
mod tests;
