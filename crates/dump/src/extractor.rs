//! A validator's dump: the value of `data_snapshot` in what its app answers, and nothing else of it.
//!
//! The manual runbook takes it with `jq '.data_snapshot'`. The result here is equal to that as a JSON value, and its
//! bytes are the app's own. The value has the validator's identities in it, so nothing of it is ever told.

use std::collections::HashSet;
use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};
use svdr_protocol::digest::Digest;

use super::error::{Document, MergeError};
use super::json::Reader;
use super::merger::{CHUNK_LEN, Expectations, Parts};
use super::passage::Passage;
use super::snapshot::SnapshotVisitor;
use super::summary::MergeSummary;

/// Takes the dump out of a validator app's answer that is pushed to it chunk by chunk.
///
/// The output has to be one that can still be dropped, as that of a [`Merger`](super::Merger).
pub struct Extractor<W: Write>(Passage<W>);

impl<W: Write> Extractor<W> {
    /// Starts with nothing written.
    ///
    /// # Errors
    /// [`MergeError::Digest`] where a thread cannot be started.
    pub fn new(expectations: Expectations, parts: Parts, out: W) -> Result<Extractor<W>, MergeError> {
        Passage::of_value(expectations, parts, out).map(Extractor)
    }

    /// Takes the next chunk of the answer, of any length, cut anywhere.
    ///
    /// # Errors
    /// [`MergeError::Refused`] at the first byte that is wrong, [`MergeError::Write`], [`MergeError::Digest`].
    /// After an error it is over.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), MergeError> {
        self.0.push(chunk)
    }

    /// The answer has ended: ends the dump's line and flushes the output.
    ///
    /// # Errors
    /// [`MergeError::Refused`] where the answer is cut short, and as [`Extractor::push`].
    pub fn finish(self) -> Result<MergeSummary, MergeError> {
        self.0.finish(b"\n")
    }
}

/// Checks a validator's dump that is read from `source`: whether it is sound, and the one expected. Its digest and
/// size are those of every byte read. `progress` is told the bytes of each chunk.
///
/// # Errors
/// [`MergeError::Refused`], [`MergeError::Read`].
pub fn check_validator_dump(
    mut source: impl Read,
    expectations: Expectations,
    mut progress: impl FnMut(u64),
) -> Result<MergeSummary, MergeError> {
    let document = Document::ValidatorDump;
    let mut visitor = SnapshotVisitor::new(document, expectations, HashSet::new(), None);
    let (mut reader, mut sha256) = (Reader::new(document), Sha256::new());
    let mut buffer = vec![0; CHUNK_LEN];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                let chunk = &buffer[..read];
                reader.push(chunk, &mut visitor)?;
                sha256.update(chunk);
                progress(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(MergeError::Read { document, offset: reader.offset(), source }),
        }
    }
    reader.finish()?;
    let digest = Digest::from_bytes(sha256.finalize().into());
    let unread = || MergeError::Digest { of: "dump", reason: "its end was not seen".to_owned() };
    visitor.summary(reader.offset(), digest)?.ok_or_else(unread)
}
