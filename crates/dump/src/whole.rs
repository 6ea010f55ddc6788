//! A whole migration dump as the SV app exports it: identities and snapshot in one document, the payloads in files.
//!
//! It is checked as a merge checks its two documents, and copied byte for byte but for the two paths (see
//! [`Relocation`]). The document holds private keys: it is hashed here and not on another thread, the buffer is
//! wiped, and errors tell nothing of its values beyond times, ids and paths.
//!
//! Unlike in a snapshot, `created_at` is when the app made the dump, by its own clock (`DomainMigrationDump.scala`
//! calls `Instant.now()`): any timestamp will do. The time that counts is `acs_timestamp`.

use std::io::Write;

use sha2::{Digest as _, Sha256};
use svdr_protocol::digest::Digest;
use zeroize::Zeroizing;

use super::digest::{DigestThread, Form};
use super::error::{Document, MergeError};
use super::json::Reader;
use super::limits::MAX_PATH_LEN;
use super::merger::{CHUNK_LEN, Expectations, Parts};
use super::relocation::{PayloadPart, Relocation};
use super::snapshot::SnapshotVisitor;
use super::summary::MergeSummary;

/// The longest text of a path: every character escaped, and its quotes.
const MAX_HELD_BACK: usize = 6 * MAX_PATH_LEN + 2;

/// A payload file that the document names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// Which payload it holds.
    pub part: PayloadPart,
    /// Its name in the export's folder.
    pub file: String,
}

/// A document that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadDump {
    /// What it says; size and digest are those of the copy, in which the paths are the new ones.
    pub summary: MergeSummary,
    /// `identities.participant.id`, where it is there.
    pub participant: Option<String>,
    /// The payload files, in the document's order.
    pub files: Vec<NamedFile>,
}

/// A path in the document, and the JSON text that stands for it in the copy.
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) text: String,
}

/// Copies a dump that is pushed to it chunk by chunk, and checks it meanwhile. As with
/// [`Merger`](super::Merger), the output must be something that can still be dropped until [`DumpCopy::finish`].
pub struct DumpCopy<W: Write> {
    reader: Reader,
    visitor: SnapshotVisitor,
    out: W,
    /// What has been read and not written: nothing, or a path whose end has not arrived.
    held: Zeroizing<Vec<u8>>,
    written: u64,
    hash: Sha256,
}

impl<W: Write> DumpCopy<W> {
    /// Starts the copy of an export's document.
    ///
    /// # Errors
    /// [`MergeError::Digest`] where a thread cannot be started.
    pub fn new(
        expectations: Expectations,
        relocation: Relocation,
        parts: Parts,
        out: W,
    ) -> Result<DumpCopy<W>, MergeError> {
        let parts = match parts {
            Parts::Digest => Some(DigestThread::start("dump's DARs", Form::Base64, Sha256::new())?),
            Parts::Skip => None,
        };
        Ok(DumpCopy {
            reader: Reader::new(Document::Dump),
            visitor: SnapshotVisitor::of_dump(expectations, relocation, parts),
            out,
            // Never grows, which would leave copies of the keys behind.
            held: Zeroizing::new(Vec::with_capacity(CHUNK_LEN + MAX_HELD_BACK)),
            written: 0,
            hash: Sha256::new(),
        })
    }

    /// Takes the next bytes of the document, cut anywhere.
    ///
    /// # Errors
    /// [`MergeError::Refused`] at the first byte that is wrong, [`MergeError::Write`], [`MergeError::Digest`].
    /// After an error the copy is over.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), MergeError> {
        bytes.chunks(CHUNK_LEN).try_for_each(|chunk| self.chunk(chunk))
    }

    fn chunk(&mut self, chunk: &[u8]) -> Result<(), MergeError> {
        let held_from = self.reader.offset() - self.held.len() as u64;
        self.reader.push(chunk, &mut self.visitor)?;
        self.visitor.check_parts()?;
        self.held.extend_from_slice(chunk);
        let end = self.reader.offset();
        let safe = self.visitor.open_path().unwrap_or(end);
        // Every place that the visitor tells is at or after the first byte that is held back, and at most at `end`.
        let index = |offset: u64| (offset - held_from) as usize;
        let mut at = 0;
        for Span { start, end, text } in self.visitor.take_spans() {
            // Paths are told in the document's order, and do not overlap.
            emit(&mut self.out, &mut self.hash, &mut self.written, &self.held[at..index(start)])?;
            emit(&mut self.out, &mut self.hash, &mut self.written, text.as_bytes())?;
            at = index(end);
        }
        // A path that is open began after those that have ended.
        emit(&mut self.out, &mut self.hash, &mut self.written, &self.held[at..index(safe)])?;
        self.held.drain(..index(safe));
        Ok(())
    }

    /// The document has ended: flushes the output.
    ///
    /// # Errors
    /// [`MergeError::Refused`] where the document is cut short, and as [`DumpCopy::push`].
    pub fn finish(mut self) -> Result<ReadDump, MergeError> {
        self.reader.finish()?;
        let offset = self.written;
        self.out.flush().map_err(|source| MergeError::Write { offset, source })?;
        let sha256 = Digest::from_bytes(self.hash.finalize().into());
        let participant = self.visitor.take_participant();
        let files = self.visitor.take_files();
        let summary = self.visitor.summary(self.written, sha256)?;
        let unread =
            || MergeError::Digest { of: "dump", reason: "the document ended without its facts".to_owned() };
        Ok(ReadDump { summary: summary.ok_or_else(unread)?, participant, files })
    }
}

fn emit(out: &mut impl Write, hash: &mut Sha256, written: &mut u64, bytes: &[u8]) -> Result<(), MergeError> {
    out.write_all(bytes).map_err(|source| MergeError::Write { offset: *written, source })?;
    hash.update(bytes);
    *written += bytes.len() as u64;
    Ok(())
}
