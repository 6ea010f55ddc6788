//! The merge itself: checks a chunk of the snapshot, then passes its bytes on as they are.

use std::io::{Read, Write};

use sha2::{Digest as _, Sha256};
use svdr_protocol::time::Timestamp;

use super::digest::{DigestThread, Form};
use super::error::{Document, MergeError};
use super::identities::Identities;
use super::json::Reader;
use super::snapshot::SnapshotVisitor;
use super::summary::MergeSummary;

/// Bytes read at once: large against the cost of a system call, small enough to stay in a processor's cache
/// while they are checked, hashed and written.
pub(super) const CHUNK_LEN: usize = 256 << 10;

/// What the snapshot must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// When it was taken: `created_at` and `acs_timestamp` must be this instant.
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
pub struct Merger<W: Write> {
    reader: Reader,
    snapshot: SnapshotVisitor,
    out: W,
    written: u64,
    whole: DigestThread,
}

impl<W: Write> Merger<W> {
    /// Starts a merge: writes what comes from the identities document.
    ///
    /// # Errors
    /// [`MergeError::Write`], and [`MergeError::Digest`] where a thread cannot be started.
    pub fn new(
        identities: &Identities,
        expectations: Expectations,
        parts: Parts,
        mut out: W,
    ) -> Result<Merger<W>, MergeError> {
        let mut sha256 = Sha256::new();
        let mut written = 0;
        // Hashed here, not on the thread: the private keys are not to be copied into its buffers.
        for bytes in [b"{".as_slice(), identities.body(), b","] {
            write(&mut out, &mut written, bytes)?;
            sha256.update(bytes);
        }
        let whole = DigestThread::start("merged dump", Form::Plain, sha256)?;
        let parts = match parts {
            Parts::Digest => Some(DigestThread::start("snapshot's payloads", Form::Base64, Sha256::new())?),
            Parts::Skip => None,
        };
        let snapshot = SnapshotVisitor::new(expectations, identities.keys().clone(), parts);
        Ok(Merger { reader: Reader::new(Document::Snapshot), snapshot, out, written, whole })
    }

    /// Takes the next chunk of the snapshot, of any length, cut anywhere.
    ///
    /// # Errors
    /// [`MergeError::Refused`] at the first byte that is wrong, [`MergeError::Write`], [`MergeError::Digest`].
    /// After an error the merge is over.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), MergeError> {
        let base = self.reader.offset();
        self.reader.push(chunk, &mut self.snapshot)?;
        self.snapshot.check_parts()?;
        // Where an offset of the document lies in this chunk; at its end where it is not known yet.
        let in_chunk = |offset: Option<u64>| {
            let at = offset.and_then(|offset| usize::try_from(offset.saturating_sub(base)).ok());
            at.map_or(chunk.len(), |at| at.min(chunk.len()))
        };
        let body = chunk.get(in_chunk(self.reader.body_start())..in_chunk(self.reader.body_end()));
        self.emit(body.unwrap_or_default())
    }

    /// The snapshot has ended: writes the rest and flushes the output.
    ///
    /// # Errors
    /// [`MergeError::Refused`] where the snapshot is cut short, and as [`Merger::push`].
    pub fn finish(mut self) -> Result<MergeSummary, MergeError> {
        self.reader.finish()?;
        self.emit(b"}\n")?;
        let offset = self.written;
        self.out.flush().map_err(|source| MergeError::Write { offset, source })?;
        self.whole.cut()?;
        let sha256 = self.whole.finish()?.first().copied().flatten();
        let unread = || MergeError::Digest { of: "merged dump", reason: "its thread ended early".to_owned() };
        self.snapshot.summary(self.written, sha256.ok_or_else(unread)?)?.ok_or_else(unread)
    }

    fn emit(&mut self, bytes: &[u8]) -> Result<(), MergeError> {
        self.whole.push(bytes)?;
        write(&mut self.out, &mut self.written, bytes)
    }
}

fn write(out: &mut impl Write, written: &mut u64, bytes: &[u8]) -> Result<(), MergeError> {
    out.write_all(bytes).map_err(|source| MergeError::Write { offset: *written, source })?;
    *written += bytes.len() as u64;
    Ok(())
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
                merger.push(buffer.get(..read).unwrap_or_default())?;
                offset += read as u64;
                progress(read as u64);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(MergeError::Read { document: Document::Snapshot, offset, source }),
        }
    }
}
