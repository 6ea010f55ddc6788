//! A snapshot's way through: every chunk is checked, and what belongs to the dump passed on as it is.

use std::collections::HashSet;
use std::io::Write;

use sha2::{Digest as _, Sha256};

use super::digest::{DigestThread, Form};
use super::error::{Document, MergeError};
use super::json::Reader;
use super::merger::{Expectations, Parts};
use super::snapshot::SnapshotVisitor;
use super::summary::MergeSummary;

/// What the dump is called where it fails.
const DUMP: &str = "dump";

/// Which bytes of the document are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    /// What stands between its braces.
    Members,
    /// The dump that a validator's document holds, with its braces.
    Value,
}

/// A snapshot that is pushed through chunk by chunk, of any length, cut anywhere.
///
/// The output receives bytes before the snapshot is known to be good, so it must be something that can still be
/// dropped. Every chunk is written at once, without a buffer in between. The calls block: on the output, and on the
/// threads that compute digests.
pub(super) struct Passage<W: Write> {
    reader: Reader,
    visitor: SnapshotVisitor,
    passed: Passed,
    out: W,
    written: u64,
    whole: DigestThread,
}

impl<W: Write> Passage<W> {
    /// An SV's snapshot, behind `before`, which the dump begins with. `taken` are the keys that the snapshot may not
    /// have too.
    pub(super) fn of_members(
        before: &[&[u8]],
        taken: HashSet<String>,
        expectations: Expectations,
        parts: Parts,
        mut out: W,
    ) -> Result<Passage<W>, MergeError> {
        let mut sha256 = Sha256::new();
        let mut written = 0;
        // Hashed here, not on the thread: private keys are not to be copied into its buffers.
        for bytes in before {
            write(&mut out, &mut written, bytes)?;
            sha256.update(bytes);
        }
        let whole = DigestThread::start(DUMP, Form::Plain, sha256)?;
        let visitor = SnapshotVisitor::new(Document::Snapshot, expectations, taken, payloads(parts)?);
        let reader = Reader::new(Document::Snapshot);
        Ok(Passage { reader, visitor, passed: Passed::Members, out, written, whole })
    }

    /// A validator's snapshot, of which the dump is a value.
    pub(super) fn of_value(
        expectations: Expectations,
        parts: Parts,
        out: W,
    ) -> Result<Passage<W>, MergeError> {
        let document = Document::Validator;
        let whole = DigestThread::start(DUMP, Form::Plain, Sha256::new())?;
        let visitor = SnapshotVisitor::new(document, expectations, HashSet::new(), payloads(parts)?);
        Ok(Passage { reader: Reader::new(document), visitor, passed: Passed::Value, out, written: 0, whole })
    }

    /// The next chunk.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), MergeError> {
        let base = self.reader.offset();
        self.reader.push(chunk, &mut self.visitor)?;
        self.visitor.check_parts()?;
        let (start, end) = match self.passed {
            Passed::Members => (self.reader.body_start(), self.reader.body_end()),
            Passed::Value => self.visitor.value_range(),
        };
        // Where an offset of the document lies in this chunk; at its end where it is not known yet.
        let in_chunk = |offset: Option<u64>| match offset.map(|offset| offset.saturating_sub(base)) {
            Some(at) if at < chunk.len() as u64 => at as usize,
            _ => chunk.len(),
        };
        // Both lie within the chunk, and the end is seen after the start.
        self.emit(&chunk[in_chunk(start)..in_chunk(end)])
    }

    /// The snapshot has ended: writes what the dump ends with, and flushes the output.
    pub(super) fn finish(mut self, ending: &[u8]) -> Result<MergeSummary, MergeError> {
        self.reader.finish()?;
        self.emit(ending)?;
        let offset = self.written;
        self.out.flush().map_err(|source| MergeError::Write { offset, source })?;
        self.whole.cut()?;
        let sha256 = self.whole.finish()?.first().copied().flatten();
        let unread = || MergeError::Digest { of: DUMP, reason: "its thread ended early".to_owned() };
        self.visitor.summary(self.written, sha256.ok_or_else(unread)?)?.ok_or_else(unread)
    }

    fn emit(&mut self, bytes: &[u8]) -> Result<(), MergeError> {
        self.whole.push(bytes)?;
        write(&mut self.out, &mut self.written, bytes)
    }
}

/// The thread that digests the payloads, where they are to be digested.
fn payloads(parts: Parts) -> Result<Option<DigestThread>, MergeError> {
    match parts {
        Parts::Digest => DigestThread::start("snapshot's payloads", Form::Base64, Sha256::new()).map(Some),
        Parts::Skip => Ok(None),
    }
}

fn write(out: &mut impl Write, written: &mut u64, bytes: &[u8]) -> Result<(), MergeError> {
    out.write_all(bytes).map_err(|source| MergeError::Write { offset: *written, source })?;
    *written += bytes.len() as u64;
    Ok(())
}
