//! A snapshot that is kept as the SV app sent it, byte for byte: what a donor hands on.
//!
//! It is looked through while it is written ([`Inspector`]), and gets its name only when all of it is sound.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use svdr_files::{FileError, PrivateFile, Replace};

use super::{Ask, Making, Of, Piece, Pieces, WriteError};
use svdr_dump::{Expectations, Inspector, MergeError, MergeSummary};

/// What to keep, and where.
#[derive(Clone, Debug)]
pub struct KeepOrder {
    /// What the snapshot has to be.
    pub expectations: Expectations,
    /// The migration id to ask for, where the app is not to use its own + 1.
    pub request_migration_id: Option<u64>,
    /// The party whose contracts are wanted.
    pub party: String,
    /// The file's path.
    pub out: PathBuf,
    /// Whether that may exist.
    pub replace: Replace,
    /// Counts the bytes as they arrive, from nothing at each try.
    pub received: Arc<AtomicU64>,
}

impl Making for KeepOrder {
    /// Size and digest are those of the file.
    type Made = MergeSummary;

    fn ask(&self) -> Ask<'_> {
        Ask {
            timestamp: self.expectations.timestamp,
            migration_id: self.request_migration_id,
            of: Of::Party(&self.party),
        }
    }

    fn received(&self) -> &AtomicU64 {
        &self.received
    }

    fn write(&self, mut pieces: Pieces) -> Result<Option<MergeSummary>, WriteError> {
        let mut file = PrivateFile::create(&self.out, self.replace)?;
        let mut inspector = Inspector::new(self.expectations)?;
        let mut written = 0;
        loop {
            match pieces.blocking_recv() {
                Some(Piece::Chunk(chunk)) => {
                    inspector.push(&chunk)?;
                    file.write_all(&chunk).map_err(|error| failed(error, written))?;
                    written += chunk.len() as u64;
                }
                Some(Piece::End) => break,
                None => return Ok(None),
            }
        }
        let summary = inspector.finish()?;
        file.commit()?;
        Ok(Some(summary))
    }
}

/// A private file's errors name the file.
fn failed(error: io::Error, offset: u64) -> WriteError {
    match error.downcast::<FileError>() {
        Ok(error) => WriteError::File(error),
        Err(source) => WriteError::Merge(MergeError::Write { offset, source }),
    }
}
