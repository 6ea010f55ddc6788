//! SHA-256 beside the work: a thread that is sent bytes through a short queue of buffers, used again and again.
//!
//! Hashing takes longer than checking and writing together, so it has a processor of its own. The queue is
//! short: when the thread falls behind, the sender waits, and memory stays what it is.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use svdr_protocol::digest::Digest;

use super::error::MergeError;

/// Bytes in a buffer: large against the cost of handing it over, small against the second-level cache.
const BUFFER_LEN: usize = 256 << 10;
/// Buffers of one thread: one being filled, one being hashed, two between them.
const BUFFERS: usize = 4;
/// Text decoded at once; a multiple of four.
const DECODED_AT_ONCE: usize = 4096;

enum Message {
    Bytes(Vec<u8>),
    Cut,
}

/// What the bytes stand for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// Hash them as they are.
    Plain,
    /// They are base64: hash what it encodes.
    Base64,
}

/// A running thread.
pub(super) struct DigestThread {
    of: &'static str,
    buffer: Vec<u8>,
    sender: SyncSender<Message>,
    spare: Receiver<Vec<u8>>,
    thread: JoinHandle<Vec<Option<Digest>>>,
}

impl DigestThread {
    /// Starts a thread. `so_far` holds what was hashed before; `of` is for an error.
    pub(super) fn start(of: &'static str, form: Form, so_far: Sha256) -> Result<DigestThread, MergeError> {
        let (sender, messages) = sync_channel(BUFFERS);
        let (used, spare) = sync_channel(BUFFERS);
        for _ in 1..BUFFERS {
            // The queue has room for all of them, and its other end is held here.
            let _ = used.try_send(Vec::with_capacity(BUFFER_LEN));
        }
        let thread = thread::Builder::new()
            .name("digest".to_owned())
            .spawn(move || hash(&messages, &used, form, so_far))
            .map_err(|error| MergeError::Digest { of, reason: error.to_string() })?;
        Ok(DigestThread { of, buffer: Vec::with_capacity(BUFFER_LEN), sender, spare, thread })
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
    pub(super) fn cut(&mut self) -> Result<(), MergeError> {
        self.send_buffer()?;
        self.sender.send(Message::Cut).map_err(|error| self.died(&error))
    }

    /// The digests, one for each cut; `None` where the bytes were not base64.
    pub(super) fn finish(self) -> Result<Vec<Option<Digest>>, MergeError> {
        drop(self.sender);
        let of = self.of;
        self.thread
            .join()
            .map_err(|_panic| MergeError::Digest { of, reason: "its thread panicked".to_owned() })
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

fn hash(
    messages: &Receiver<Message>,
    used: &SyncSender<Vec<u8>>,
    form: Form,
    so_far: Sha256,
) -> Vec<Option<Digest>> {
    let mut hasher = Hasher { form, sha256: so_far, cut: Vec::new(), broken: false };
    let mut digests = Vec::new();
    while let Ok(message) = messages.recv() {
        match message {
            Message::Cut => digests.push(hasher.take()),
            Message::Bytes(mut bytes) => {
                hasher.update(&bytes);
                bytes.clear();
                // Where nobody waits for it any more, the buffer is simply dropped.
                let _ = used.try_send(bytes);
            }
        }
    }
    digests
}

struct Hasher {
    form: Form,
    sha256: Sha256,
    /// The start of a group of four characters whose end has not arrived.
    cut: Vec<u8>,
    broken: bool,
}

impl Hasher {
    fn update(&mut self, mut bytes: &[u8]) {
        if matches!(self.form, Form::Plain) {
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
    fn hashes_on_from_what_was_hashed_before() {
        let mut so_far = Sha256::new();
        so_far.update(b"abc");
        let mut thread = DigestThread::start("test", Form::Plain, so_far).unwrap();
        let long = vec![b'x'; 3 * BUFFER_LEN + 1];
        thread.push(&long).unwrap();
        thread.cut().unwrap();
        let expected = Digest::of(&[b"abc".as_slice(), &long].concat());
        assert_eq!(thread.finish().unwrap(), [Some(expected)]);
    }

    #[test]
    fn a_text_that_is_not_base64_has_no_digest_and_leaves_no_trace_on_the_next() {
        let mut thread = DigestThread::start("test", Form::Base64, Sha256::new()).unwrap();
        for text in ["AAA", "A-AA", "", "AAAA"] {
            thread.push(text.as_bytes()).unwrap();
            thread.cut().unwrap();
        }
        let digests = thread.finish().unwrap();
        assert_eq!(digests, [None, None, Some(Digest::of(b"")), Some(Digest::of(&[0; 3]))]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn decodes_across_pieces(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..4), piece in 1usize..9) {
            let mut thread = DigestThread::start("test", Form::Base64, Sha256::new()).unwrap();
            for part in &parts {
                for piece in STANDARD.encode(part).as_bytes().chunks(piece) {
                    thread.push(piece).unwrap();
                }
                thread.cut().unwrap();
            }
            let expected: Vec<_> = parts.iter().map(|part| Some(Digest::of(part))).collect();
            prop_assert_eq!(thread.finish().unwrap(), expected);
        }
    }
}
