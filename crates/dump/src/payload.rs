//! A payload on its way: base64, or the path of a separate file, which only the end of the snapshot decides.
//!
//! `separate_payload_files` may follow the payloads in the document. So a defect in the base64 is remembered
//! until the flag is known, and the text kept as far as it may be a path. What is too long for a path is refused
//! at its first defect: nobody waits for the end of gigabytes that are already known to be wrong.

use super::base64::{Base64Check, Base64Defect};
use super::error::{Defect, Position};
use super::json::Fault;
use super::limits::MAX_PATH_LEN;

/// Why a payload cannot be what it was taken for, and where.
type Flaw = (Position, Base64Defect);

/// The payload that is being read.
#[derive(Debug)]
pub(super) struct PayloadReader {
    check: Base64Check,
    flaw: Option<Flaw>,
    len: u64,
    /// Its start, as far as it may be a path.
    start: Vec<u8>,
    /// Whether it may be the path of a file instead.
    may_be_path: bool,
}

/// A payload that has been read.
#[derive(Debug)]
pub(super) struct ReadPayload {
    /// Bytes it encodes, or why it is no base64.
    base64: Result<u64, Flaw>,
    /// The text, where it is no longer than a path.
    path: Option<String>,
    start: Position,
}

impl PayloadReader {
    pub(super) const fn new(may_be_path: bool) -> PayloadReader {
        PayloadReader { check: Base64Check::new(), flaw: None, len: 0, start: Vec::new(), may_be_path }
    }

    /// Whether what has been read so far is base64.
    pub(super) const fn is_base64(&self) -> bool {
        self.flaw.is_none()
    }

    /// Bytes of its text so far.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Takes the next piece; with `alphabet`, it is known to consist of the base64 alphabet.
    pub(super) fn push(&mut self, at: Position, piece: &[u8], alphabet: bool) -> Result<(), Fault> {
        if self.flaw.is_none() {
            let pushed = if alphabet { self.check.push_alphabet(piece) } else { self.check.push(piece) };
            self.flaw = pushed.err().map(|(index, defect)| (at.forward(index), defect));
        }
        self.len += piece.len() as u64;
        if self.len <= MAX_PATH_LEN as u64 {
            self.start.extend_from_slice(piece);
        }
        match self.flaw {
            Some((position, defect)) if !self.may_be_path || self.len > MAX_PATH_LEN as u64 => {
                Err(Fault::at(position, Defect::NotBase64(defect)))
            }
            _ => Ok(()),
        }
    }

    /// The payload ends at `end`.
    pub(super) fn finish(self, start: Position, end: Position) -> Result<ReadPayload, Fault> {
        let base64 = match self.flaw {
            Some(flaw) => Err(flaw),
            None => self.check.finish().map_err(|defect| (end, defect)),
        };
        match base64 {
            Err((position, defect)) if !self.may_be_path => {
                Err(Fault::at(position, Defect::NotBase64(defect)))
            }
            _ => {
                let path = (self.len <= MAX_PATH_LEN as u64)
                    .then(|| String::from_utf8_lossy(&self.start).into_owned());
                Ok(ReadPayload { base64, path, start })
            }
        }
    }
}

impl ReadPayload {
    /// The text, where it may be a path.
    pub(super) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The bytes it encodes, now that it is known to be base64 or nothing. `at` is where it is, for an error.
    pub(super) fn into_size(self, at: impl FnOnce() -> String) -> Result<u64, Fault> {
        self.base64.map_err(|(position, defect)| Fault {
            position,
            path: Some(at()),
            defect: Defect::NotBase64(defect),
        })
    }

    /// The path of its file, now that it is known to be in one. `at` is where it is, for an error.
    pub(super) fn into_path(self, at: impl FnOnce() -> String) -> Result<String, Fault> {
        let fault = |defect| Fault { position: self.start, path: Some(at()), defect };
        match self.path {
            None => Err(fault(Defect::PathTooLong)),
            Some(empty) if empty.is_empty() => {
                Err(fault(Defect::EmptyValue { expected: "the path of a separate payload file" }))
            }
            Some(path) => Ok(path),
        }
    }
}
