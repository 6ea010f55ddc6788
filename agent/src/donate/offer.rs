//! A snapshot that may be handed out: a file whose digest this member has signed, as long as it stays what it was.
//!
//! The file is read whole and compared with the signed digest once, when the offer is made. From then on its size and
//! time of change are looked at, before each transfer: reading gigabytes again for each would keep the disk busy, and
//! every receiver checks the digest for itself.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use svdr_cli::progress::Progress;
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::statement::SessionId;

use svdr_files::hashing;

/// A donated snapshot on this disk.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The session that it is donated in.
    pub session: SessionId,
    /// The digests of the donations that name it: this member's signed statements.
    pub donations: Vec<Digest>,
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    seen: FileFacts,
}

/// What tells that a file has been written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileFacts {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds of the last change.
    changed: (i64, i64),
}

/// Why a file is not what was signed.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    #[error(
        "the donated snapshot {} cannot be read\n\
         help: restore the file, or donate another snapshot with --again", path.display()
    )]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "{} is no longer the signed snapshot and is not served: expected {expected}, found {found}\n\
         help: restore the file, or donate another snapshot with --again", path.display()
    )]
    Changed { path: PathBuf, expected: String, found: String },
    #[error(
        "{} was changed while it was served, and is no longer served\n\
         help: run `svdr-agent donate` again, which checks the file",
        path.display()
    )]
    Touched { path: PathBuf },
}

impl CommandError for OfferError {
    fn exit(&self) -> Exit {
        match self {
            OfferError::Read { .. } => Exit::Failed,
            OfferError::Changed { .. } | OfferError::Touched { .. } => Exit::Refused,
        }
    }
}

impl Offer {
    /// The file at `path` as an offer, where it has that size and digest.
    ///
    /// # Errors
    /// [`OfferError`] where it has not, or cannot be read.
    pub fn of(
        session: SessionId,
        donations: Vec<Digest>,
        path: &Path,
        (size, sha256): (u64, Digest),
    ) -> Result<Offer, OfferError> {
        let failed = |source| OfferError::Read { path: path.to_owned(), source };
        let changed =
            |expected: String, found: String| OfferError::Changed { path: path.to_owned(), expected, found };
        let file = open(path).map_err(failed)?;
        let before = FileFacts::of(&file.metadata().map_err(failed)?);
        if before.size != size {
            return Err(changed(format!("{size} bytes"), format!("{} bytes", before.size)));
        }
        let progress = Progress::bytes("checking the donated snapshot", Some(size));
        let hashed = hashing::size_and_digest(&file, |bytes| progress.advance(bytes));
        let (_, found) = hashed.map_err(failed)?;
        if found != sha256 {
            return Err(changed(sha256.to_string(), found.to_string()));
        }
        let seen = FileFacts::of(&file.metadata().map_err(failed)?);
        if seen != before {
            return Err(OfferError::Touched { path: path.to_owned() });
        }
        Ok(Offer { session, donations, path: path.to_owned(), size, seen })
    }

    /// The same, under these donations.
    pub fn under(self, donations: Vec<Digest>) -> Offer {
        Offer { donations, ..self }
    }

    /// Opens the file, if it is what it was.
    ///
    /// # Errors
    /// [`OfferError`] where it is not.
    pub(super) fn open(&self) -> Result<File, OfferError> {
        let failed = |source| OfferError::Read { path: self.path.clone(), source };
        let file = open(&self.path).map_err(failed)?;
        self.unchanged(&file)?;
        Ok(file)
    }

    /// Looks once more.
    pub(super) fn unchanged(&self, file: &File) -> Result<(), OfferError> {
        let failed = |source| OfferError::Read { path: self.path.clone(), source };
        match FileFacts::of(&file.metadata().map_err(failed)?) == self.seen {
            true => Ok(()),
            false => Err(OfferError::Touched { path: self.path.clone() }),
        }
    }
}

impl FileFacts {
    fn of(metadata: &Metadata) -> FileFacts {
        FileFacts {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Follows no link, and waits for no pipe.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    fn session() -> SessionId {
        "0".repeat(32).parse().unwrap()
    }

    fn offer(path: &Path, signed: &[u8]) -> Result<Offer, OfferError> {
        Offer::of(session(), Vec::new(), path, (signed.len() as u64, Digest::of(signed)))
    }

    #[test]
    fn what_is_signed_is_offered_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot.json");
        fs::write(&path, b"signed").unwrap();
        let made = offer(&path, b"signed").unwrap();
        made.open().unwrap();
        fs::write(&path, b"sIgned!").unwrap();
        assert!(matches!(made.open(), Err(OfferError::Touched { .. })));
        fs::remove_file(&path).unwrap();
        assert!(matches!(made.open(), Err(OfferError::Read { .. })));
        // Another file with the same bytes is not the one that was checked.
        fs::write(&path, b"signed").unwrap();
        assert!(matches!(made.open(), Err(OfferError::Touched { .. })));
        offer(&path, b"signed").unwrap().open().unwrap();
    }

    #[test]
    fn another_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot.json");
        assert!(matches!(offer(&path, b"signed"), Err(OfferError::Read { .. })));
        for other in [b"sIgned".as_slice(), b"signed and more", b""] {
            fs::write(&path, other).unwrap();
            assert!(matches!(offer(&path, b"signed"), Err(OfferError::Changed { .. })), "{other:?}");
        }
        let link = folder.path().join("link");
        fs::write(&path, b"signed").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(offer(&link, b"signed"), Err(OfferError::Read { .. })));
        assert!(matches!(offer(folder.path(), b"signed"), Err(OfferError::Read { .. })));
    }
}
