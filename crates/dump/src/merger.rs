//! The merge itself: the identities, and then the snapshot as it comes.

use std::io::{Read, Write};

use svdr_protocol::time::Timestamp;

use super::error::{Document, MergeError};
use super::identities::Identities;
use super::passage::Passage;
use super::summary::MergeSummary;

/// Bytes read at once: large against the cost of a system call, small enough to stay in a processor's cache
/// while they are checked, hashed and written.
pub(super) const CHUNK_LEN: usize = 256 << 10;

/// What the snapshot must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// When it was taken: `acs_timestamp` must be this instant, and so must an SV's `created_at`.
    pub timestamp: Timestamp,
    /// The id of the migration that it is for, where that is known.
    pub migration_id: Option<u64>,
}

/// Whether the payloads are digested one by one, beside the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Their digests are needed: members compare them. Costs a second pass of SHA-256 on another thread.
    Digest,
    /// Only the digest of the whole is needed.
    Skip,
}

/// Merges a snapshot that is pushed to it chunk by chunk into an output.
///
/// The output receives bytes before the snapshot is known to be good, so it must be something that can still be
/// dropped: a file that gets its name only after [`Merger::finish`]. Every chunk is written at once, without a
/// buffer in between. The calls block: on the output, and on the threads that compute digests.
pub struct Merger<W: Write>(Passage<W>);

impl<W: Write> Merger<W> {
    /// Starts a merge: writes what comes from the identities document.
    ///
    /// # Errors
    /// [`MergeError::Write`], and [`MergeError::Digest`] where a thread cannot be started.
    pub fn new(
        identities: &Identities,
        expectations: Expectations,
        parts: Parts,
        out: W,
    ) -> Result<Merger<W>, MergeError> {
        let before = [b"{".as_slice(), identities.body(), b","];
        Passage::of_members(&before, identities.keys().clone(), expectations, parts, out).map(Merger)
    }

    /// Takes the next chunk of the snapshot, of any length, cut anywhere.
    ///
    /// # Errors
    /// [`MergeError::Refused`] at the first byte that is wrong, [`MergeError::Write`], [`MergeError::Digest`].
    /// After an error the merge is over.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), MergeError> {
        self.0.push(chunk)
    }

    /// The snapshot has ended: writes the rest and flushes the output.
    ///
    /// # Errors
    /// [`MergeError::Refused`] where the snapshot is cut short, and as [`Merger::push`].
    pub fn finish(self) -> Result<MergeSummary, MergeError> {
        self.0.finish(b"}\n")
    }
}

/// Merges a snapshot that is read from `source` into `out`. `progress` is told the bytes of each chunk.
///
/// # Errors
/// As [`Merger`], and [`MergeError::Read`].
pub fn merge(
    identities: &Identities,
    mut source: impl Read,
    expectations: Expectations,
    parts: Parts,
    out: impl Write,
    mut progress: impl FnMut(u64),
) -> Result<MergeSummary, MergeError> {
    let mut merger = Merger::new(identities, expectations, parts, out)?;
    let mut buffer = vec![0; CHUNK_LEN];
    let mut offset = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return merger.finish(),
            Ok(read) => {
                merger.push(&buffer[..read])?;
                offset += read as u64;
                progress(read as u64);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(MergeError::Read { document: Document::Snapshot, offset, source }),
        }
    }
}
