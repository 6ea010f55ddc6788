//! SHA-256 beside the work: a thread that is sent bytes through a short queue of buffers, used again and again.
//!
//! Hashing takes longer than checking and writing together, so it has a processor of its own. The queue is short:
//! when the thread falls behind, the sender waits, and memory stays what it is. The buffers are wiped when they are
//! dropped: private keys pass through them.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use svdr_protocol::digest::Digest;
use zeroize::Zeroizing;

use super::error::MergeError;
use super::relocation::PayloadPart;
use super::summary::{MergeSummary, Payload};

/// Bytes in a buffer: large against the cost of handing it over, small against the second-level cache.
const BUFFER_LEN: usize = 256 << 10;
/// Buffers of one thread: one being filled, one being hashed, two between them.
const BUFFERS: usize = 4;
/// Text decoded at once; a multiple of four.
const DECODED_AT_ONCE: usize = 4096;

type Buffer = Zeroizing<Vec<u8>>;

fn buffer() -> Buffer {
    // Never grows, which would leave a copy behind.
    Zeroizing::new(Vec::with_capacity(BUFFER_LEN))
}

enum Message {
    Bytes(Buffer),
    End,
}

/// What the bytes are.
#[derive(Clone, Copy, Debug)]
pub(super) enum DigestForm {
    /// Hash them as they are.
    Plain,
    /// They are base64: hash what it encodes.
    Base64,
}

/// A running thread.
pub(super) struct DigestThread {
    of: &'static str,
    buffer: Buffer,
    sender: SyncSender<Message>,
    spare: Receiver<Buffer>,
    thread: JoinHandle<Vec<Option<Digest>>>,
}

impl DigestThread {
    /// Starts a thread; `of` is for an error.
    pub(super) fn start(of: &'static str, form: DigestForm) -> Result<DigestThread, MergeError> {
        let (sender, messages) = sync_channel(BUFFERS);
        let (used, spare) = sync_channel(BUFFERS);
        for _ in 1..BUFFERS {
            // The queue has room for all of them, and its other end is held here.
            let _ = used.try_send(buffer());
        }
        let thread = thread::Builder::new()
            .name("digest".to_owned())
            .spawn(move || hash(&messages, &used, form))
            .map_err(|error| MergeError::Digest { of, reason: error.to_string() })?;
        Ok(DigestThread { of, buffer: buffer(), sender, spare, thread })
    }

    /// Hashes `bytes` after those before.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), MergeError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER_LEN - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == BUFFER_LEN {
                self.send_buffer()?;
            }
        }
        Ok(())
    }

    /// Ends a digest; what follows belongs to the next.
    pub(super) fn end(&mut self) -> Result<(), MergeError> {
        self.send_buffer()?;
        self.sender.send(Message::End).map_err(|error| self.died(&error))
    }

    /// The digests that have been ended; `None` where the bytes were not base64.
    pub(super) fn finish(self) -> Result<Vec<Option<Digest>>, MergeError> {
        drop(self.sender);
        let of = self.of;
        self.thread
            .join()
            .map_err(|_panic| MergeError::Digest { of, reason: "its thread panicked".to_owned() })
    }

    /// The one digest of all that was pushed.
    pub(super) fn finish_one(mut self) -> Result<Digest, MergeError> {
        self.end()?;
        let of = self.of;
        match self.finish()?.as_slice() {
            [Some(digest)] => Ok(*digest),
            _ => Err(MergeError::Digest { of, reason: "its thread ended early".to_owned() }),
        }
    }

    fn send_buffer(&mut self) -> Result<(), MergeError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let empty = self.spare.recv().map_err(|error| self.died(&error))?;
        let full = std::mem::replace(&mut self.buffer, empty);
        self.sender.send(Message::Bytes(full)).map_err(|error| self.died(&error))
    }

    fn died(&self, error: &dyn std::error::Error) -> MergeError {
        MergeError::Digest { of: self.of, reason: error.to_string() }
    }
}

fn hash(messages: &Receiver<Message>, used: &SyncSender<Buffer>, form: DigestForm) -> Vec<Option<Digest>> {
    let mut hasher = Hasher { form, sha256: Sha256::new(), cut: Vec::new(), broken: false };
    let mut digests = Vec::new();
    while let Ok(message) = messages.recv() {
        match message {
            Message::End => digests.push(hasher.take()),
            Message::Bytes(mut bytes) => {
                hasher.update(&bytes);
                bytes.clear();
                // Once nobody waits for it, the buffer is dropped.
                let _ = used.try_send(bytes);
            }
        }
    }
    digests
}

/// The digests of a document's parts, each computed where it is in the document.
pub(super) struct PartDigests {
    thread: DigestThread,
    /// The parts that have ended.
    parts: Vec<DigestedPart>,
    /// Why the thread failed: whoever pushes can only complain about the document.
    failure: Option<MergeError>,
}

/// A part that is digested where it is in the document.
pub(super) enum DigestedPart {
    Payload(PayloadPart),
    /// A DAR, by its place among them.
    Dar(usize),
}

impl PartDigests {
    pub(super) fn start() -> Result<PartDigests, MergeError> {
        let thread = DigestThread::start("payloads", DigestForm::Base64)?;
        Ok(PartDigests { thread, parts: Vec::new(), failure: None })
    }

    /// More of the current part's base64.
    pub(super) fn push(&mut self, piece: &[u8]) {
        let pushed = self.thread.push(piece);
        self.note(pushed);
    }

    /// The current part has ended, and was this one.
    pub(super) fn end(&mut self, part: DigestedPart) {
        let ended = self.thread.end();
        self.note(ended);
        self.parts.push(part);
    }

    fn note(&mut self, result: Result<(), MergeError>) {
        self.failure = self.failure.take().or(result.err());
    }

    /// A failure, if there was one.
    pub(super) fn check(&mut self) -> Result<(), MergeError> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Adds the digests to the summary.
    pub(super) fn fill(self, summary: &mut MergeSummary) -> Result<(), MergeError> {
        let of = self.thread.of;
        let missing = || MergeError::Digest { of, reason: "one of them has none".to_owned() };
        let digests = self.thread.finish()?;
        if digests.len() != self.parts.len() {
            return Err(missing());
        }
        for (part, digest) in self.parts.iter().zip(digests) {
            let place = match part {
                DigestedPart::Dar(at) => summary.dars.get_mut(*at).map(|dar| &mut dar.sha256),
                DigestedPart::Payload(part) => match summary.payload_mut(*part) {
                    Some(Payload::Inline { sha256, .. }) => Some(sha256),
                    // It was a path.
                    _ => None,
                },
            };
            if let Some(place) = place {
                *place = Some(digest.ok_or_else(missing)?);
            }
        }
        Ok(())
    }
}

struct Hasher {
    form: DigestForm,
    sha256: Sha256,
    /// The start of a group of four characters whose end has not arrived.
    cut: Vec<u8>,
    broken: bool,
}

impl Hasher {
    fn update(&mut self, mut bytes: &[u8]) {
        if matches!(self.form, DigestForm::Plain) {
            return self.sha256.update(bytes);
        }
        if !self.cut.is_empty() {
            let missing = (4 - self.cut.len()).min(bytes.len());
            let (end, later) = bytes.split_at(missing);
            self.cut.extend_from_slice(end);
            bytes = later;
            if self.cut.len() < 4 {
                return;
            }
            let group = std::mem::take(&mut self.cut);
            self.decode(&group);
        }
        let (groups, cut) = bytes.split_at(bytes.len() / 4 * 4);
        self.cut.extend_from_slice(cut);
        self.decode(groups);
    }

    fn decode(&mut self, groups: &[u8]) {
        let mut decoded = [0; DECODED_AT_ONCE / 4 * 3];
        for text in groups.chunks(DECODED_AT_ONCE) {
            match STANDARD.decode_slice(text, &mut decoded) {
                // The decoder says how much of the buffer it has filled.
                Ok(len) => self.sha256.update(&decoded[..len]),
                Err(_) => self.broken = true,
            }
        }
    }

    fn take(&mut self) -> Option<Digest> {
        let digest = Digest::from_bytes(self.sha256.finalize_reset().into());
        let whole = self.cut.is_empty() && !self.broken;
        self.cut.clear();
        self.broken = false;
        whole.then_some(digest)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_of_many_buffers_have_one_digest() {
        let mut thread = DigestThread::start("test", DigestForm::Plain).unwrap();
        let long = vec![b'x'; 3 * BUFFER_LEN + 1];
        for piece in [b"abc".as_slice(), &long] {
            thread.push(piece).unwrap();
        }
        assert_eq!(thread.finish_one().unwrap(), Digest::of(&[b"abc".as_slice(), &long].concat()));
    }

    #[test]
    fn a_text_that_is_not_base64_has_no_digest_and_leaves_no_trace_on_the_next() {
        let mut thread = DigestThread::start("test", DigestForm::Base64).unwrap();
        for text in ["AAA", "A-AA", "", "AAAA"] {
            thread.push(text.as_bytes()).unwrap();
            thread.end().unwrap();
        }
        let digests = thread.finish().unwrap();
        assert_eq!(digests, [None, None, Some(Digest::of(b"")), Some(Digest::of(&[0; 3]))]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn decodes_across_pieces(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..4), piece in 1usize..9) {
            let mut thread = DigestThread::start("test", DigestForm::Base64).unwrap();
            for part in &parts {
                for piece in STANDARD.encode(part).as_bytes().chunks(piece) {
                    thread.push(piece).unwrap();
                }
                thread.end().unwrap();
            }
            let expected: Vec<_> = parts.iter().map(|part| Some(Digest::of(part))).collect();
            prop_assert_eq!(thread.finish().unwrap(), expected);
        }
    }
}
