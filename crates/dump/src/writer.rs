//! Makes a dump of a document that is pushed chunk by chunk: checked, digested, and passed on as it arrives.
//!
//! | made by | of | the dump |
//! | --- | --- | --- |
//! | [`DumpWriter::merge`] | an SV's data snapshot | the members of the backup of the node identities, then those of the snapshot |
//! | [`DumpWriter::keep`] | an SV's data snapshot | the snapshot byte for byte, fit to be given to other nodes |
//! | [`DumpWriter::extract`] | a validator app's answer | the value of its `data_snapshot`, and a line end |
//! | [`DumpWriter::check`] | a validator's dump | the dump byte for byte |
//! | [`DumpWriter::relocate`] | an SV's dump, exported | the dump, with the paths of its payload files changed |
//!
//! The output receives bytes before the document is known to be good, so it must be something that can still be
//! dropped: a file that gets its name only after [`DumpWriter::finish`]. Every chunk is written at once, without a
//! buffer in between. The calls block: on the output, and on the threads that compute digests.

use std::io::{Read, Write};

use svdr_files::read_in_chunks;
use zeroize::Zeroizing;

use super::digest::{DigestForm, DigestThread, PartDigests};
use super::document::{DocumentTask, DocumentVisitor, Edit, Expectations};
use super::error::MergeError;
use super::identities::Identities;
use super::json::Reader;
use super::relocation::Relocation;
use super::summary::MergeSummary;

/// Bytes read at once: large against the cost of a system call, small enough to stay in a processor's cache while
/// they are checked, hashed and written.
const CHUNK_LEN: usize = 256 << 10;

/// Whether the payloads are digested one by one, beside the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Their digests are needed: members compare them. Costs a second pass of SHA-256 on another thread.
    Digest,
    /// Only the digest of the whole is needed.
    Skip,
}

/// Makes a dump of a document; see the module.
pub struct DumpWriter<W: Write> {
    reader: Reader,
    document: DocumentVisitor,
    /// Whether the document's next byte belongs to the dump.
    passes: bool,
    /// What the dump ends with.
    end: &'static [u8],
    out: W,
    written: u64,
    sha256: DigestThread,
}

impl<W: Write> DumpWriter<W> {
    /// Merges an SV's data snapshot with `identities`, and writes what comes from those.
    ///
    /// # Errors
    /// [`MergeError::Write`], and [`MergeError::Digest`] where a thread cannot be started.
    pub fn merge(
        identities: &Identities,
        expected: Expectations,
        parts: Parts,
        out: W,
    ) -> Result<DumpWriter<W>, MergeError> {
        let task = DocumentTask::Merge { taken_keys: identities.keys().clone() };
        let mut writer = DumpWriter::new(task, expected, parts, b"}\n", out)?;
        [b"{".as_slice(), identities.body(), b","].into_iter().try_for_each(|bytes| writer.emit(bytes))?;
        Ok(writer)
    }

    /// Keeps an SV's data snapshot that is given to other nodes: it may contain neither identities, whose keys are
    /// private, nor paths of files beside it, which the receiver does not have.
    ///
    /// # Errors
    /// [`MergeError::Digest`] where a thread cannot be started.
    pub fn keep(expected: Expectations, out: W) -> Result<DumpWriter<W>, MergeError> {
        DumpWriter::new(DocumentTask::Keep, expected, Parts::Digest, b"", out)
    }

    /// Takes the dump out of a validator app's answer. The manual runbook does so with `jq '.data_snapshot'`: the
    /// result is equal to that as a JSON value, and its bytes are the app's own. It contains the validator's
    /// identities, so no error tells anything of it.
    ///
    /// # Errors
    /// [`MergeError::Digest`] where a thread cannot be started.
    pub fn extract(expected: Expectations, parts: Parts, out: W) -> Result<DumpWriter<W>, MergeError> {
        DumpWriter::new(DocumentTask::Extract, expected, parts, b"\n", out)
    }

    /// Checks a validator's dump.
    ///
    /// # Errors
    /// [`MergeError::Digest`] where a thread cannot be started.
    pub fn check(expected: Expectations, out: W) -> Result<DumpWriter<W>, MergeError> {
        DumpWriter::new(DocumentTask::Check, expected, Parts::Skip, b"", out)
    }

    /// Copies a dump that the SV app has exported, with its payloads in files, byte for byte but for the paths of
    /// those (see [`Relocation`]). `parts` is about its DARs.
    ///
    /// Unlike in a snapshot, `created_at` is when the app made the dump, by its own clock (`DomainMigrationDump.scala`
    /// calls `Instant.now()`): any timestamp will do. The time that counts is `acs_timestamp`.
    ///
    /// # Errors
    /// [`MergeError::Digest`] where a thread cannot be started.
    pub fn relocate(
        expected: Expectations,
        relocation: Relocation,
        parts: Parts,
        out: W,
    ) -> Result<DumpWriter<W>, MergeError> {
        DumpWriter::new(DocumentTask::Relocate(relocation), expected, parts, b"", out)
    }

    fn new(
        task: DocumentTask,
        expected: Expectations,
        parts: Parts,
        end: &'static [u8],
        out: W,
    ) -> Result<DumpWriter<W>, MergeError> {
        let digests = match parts {
            Parts::Digest => Some(PartDigests::start()?),
            Parts::Skip => None,
        };
        Ok(DumpWriter {
            reader: Reader::new(task.document()),
            passes: task.passes_start(),
            document: DocumentVisitor::new(task, expected, digests),
            end,
            out,
            written: 0,
            sha256: DigestThread::start("dump", DigestForm::Plain)?,
        })
    }

    /// Takes the next chunk of the document, of any length, cut anywhere.
    ///
    /// # Errors
    /// [`MergeError::Refused`] at the first byte that is wrong, [`MergeError::Write`], [`MergeError::Digest`].
    /// After an error the dump cannot be finished.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), MergeError> {
        let base = self.reader.offset();
        self.reader.push(chunk, &mut self.document)?;
        let mut from = 0;
        for Edit { at, insert, passes } in self.document.take_edits()? {
            // Each was made at a byte of this chunk, at the earliest before it and at the latest after it.
            let at = (at - base) as usize;
            if self.passes {
                // Edits come in the document's order.
                self.emit(&chunk[from..at])?;
            }
            self.emit(insert.as_bytes())?;
            (from, self.passes) = (at, passes);
        }
        if self.passes { self.emit(&chunk[from..]) } else { Ok(()) }
    }

    /// The document has ended: writes the rest of the dump and flushes the output. Size and digest in the summary are
    /// those of everything that was written.
    ///
    /// # Errors
    /// [`MergeError::Refused`] where the document is truncated, and as [`DumpWriter::push`].
    pub fn finish(mut self) -> Result<MergeSummary, MergeError> {
        self.reader.finish()?;
        self.emit(self.end)?;
        let offset = self.written;
        self.out.flush().map_err(|source| MergeError::Write { offset, source })?;
        self.document.summary(self.written, self.sha256.finish_one()?)
    }

    /// Reads the whole document from `source` and finishes. `advance` is given the length of each chunk.
    ///
    /// # Errors
    /// As [`DumpWriter::push`] and [`DumpWriter::finish`], and [`MergeError::Read`].
    pub fn read(
        mut self,
        source: impl Read,
        mut advance: impl FnMut(u64),
    ) -> Result<MergeSummary, MergeError> {
        let document = self.reader.document();
        let failed = |offset, source| MergeError::Read { document, offset, source };
        // Wiped: private keys may pass through it.
        let mut buffer = Zeroizing::new(vec![0; CHUNK_LEN]);
        read_in_chunks(source, &mut buffer, failed, |chunk| {
            self.push(chunk)?;
            advance(chunk.len() as u64);
            Ok(())
        })?;
        self.finish()
    }

    fn emit(&mut self, bytes: &[u8]) -> Result<(), MergeError> {
        self.sha256.push(bytes)?;
        let offset = self.written;
        self.out.write_all(bytes).map_err(|source| MergeError::Write { offset, source })?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}
