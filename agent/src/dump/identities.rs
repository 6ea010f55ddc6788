//! The identities backup: checked, held in memory that is wiped, and never shown.

use std::collections::HashSet;
use std::fmt;
use std::io::Read;

use zeroize::Zeroizing;

use super::error::{Defect, Document, MergeError, Position};
use super::json::{Content, Fault, Kind, Reader, Visitor};
use super::limits::{MAX_IDENTITIES_LEN, MAX_SHORT_LEN};
use super::shape::{Node, Shape};

/// Room made for a document whose length is not known.
const FIRST_ROOM: usize = 256 << 10;

/// An identities document that has been checked. It holds private keys: its memory is wiped when it is dropped,
/// and `Debug` shows nothing of it.
pub struct Identities {
    text: Zeroizing<Vec<u8>>,
    /// Between the braces of the outer object, in bytes of `text`, without white space at its end.
    body: (usize, usize),
    keys: HashSet<String>,
    /// `identities.participant.id`, which is no secret.
    participant: Option<String>,
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identities(private)")
    }
}

impl Identities {
    /// Checks a document that is in memory.
    ///
    /// # Errors
    /// [`MergeError::Refused`] where it is not JSON or lacks a field, [`MergeError::IdentitiesTooLarge`].
    pub fn parse(text: Zeroizing<Vec<u8>>) -> Result<Identities, MergeError> {
        if text.len() > MAX_IDENTITIES_LEN {
            return Err(MergeError::IdentitiesTooLarge);
        }
        let mut reader = Reader::new(Document::Identities);
        let mut visitor = IdentitiesVisitor {
            shape: Shape::new(Document::Identities),
            node: Node::Other,
            start: Position { offset: 0, line: 1, column: 1 },
            len: 0,
            keys: HashSet::new(),
            participant: Vec::new(),
        };
        reader.push(&text, &mut visitor)?;
        reader.finish()?;
        let offset = |at: Option<u64>| at.and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
        let (start, end) = (offset(reader.body_start()), offset(reader.body_end()));
        let body = text.get(start..end).unwrap_or_default().trim_ascii_end();
        let body = (start, start + body.len());
        let participant = String::from_utf8(visitor.participant).ok().filter(|id| !id.is_empty());
        Ok(Identities { text, body, keys: visitor.keys, participant })
    }

    /// Reads a document to its end and checks it. `len_hint` is its length in bytes where that is known: with it,
    /// the text is read into place once.
    ///
    /// # Errors
    /// As [`Identities::parse`], and [`MergeError::Read`].
    pub fn read(mut source: impl Read, len_hint: Option<u64>) -> Result<Identities, MergeError> {
        // One byte more than the hint, so that the end is seen without growing.
        let room = len_hint
            .and_then(|len| usize::try_from(len).ok())
            .map_or(FIRST_ROOM, |len| len.saturating_add(1));
        let mut text = Zeroizing::new(vec![0; room.clamp(1, MAX_IDENTITIES_LEN + 1)]);
        let mut len = 0;
        loop {
            if len > MAX_IDENTITIES_LEN {
                return Err(MergeError::IdentitiesTooLarge);
            }
            if len == text.len() {
                // `Vec` would grow by moving, and leave the keys behind in memory that it gives back.
                let mut grown = Zeroizing::new(vec![0; (2 * len).min(MAX_IDENTITIES_LEN + 1)]);
                if let Some(room) = grown.get_mut(..len) {
                    room.copy_from_slice(&text);
                }
                text = grown;
            }
            match source.read(text.get_mut(len..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(read) => len += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(MergeError::Read {
                        document: Document::Identities,
                        offset: len as u64,
                        source,
                    });
                }
            }
        }
        text.truncate(len);
        Identities::parse(text)
    }

    /// The participant whose identities they are, where the document says so.
    pub fn participant(&self) -> Option<&str> {
        self.participant.as_deref()
    }

    /// What stands between the braces of the outer object; never empty.
    pub(super) fn body(&self) -> &[u8] {
        self.text.get(self.body.0..self.body.1).unwrap_or_default()
    }

    /// The keys of the outer object.
    pub(super) const fn keys(&self) -> &HashSet<String> {
        &self.keys
    }
}

struct IdentitiesVisitor {
    shape: Shape,
    node: Node,
    start: Position,
    /// Length of the string being read.
    len: usize,
    keys: HashSet<String>,
    participant: Vec<u8>,
}

impl Visitor for IdentitiesVisitor {
    fn key(&mut self, at: Position, key: &str) -> Result<(), Fault> {
        self.shape.key(at, key)
    }

    fn value(&mut self, at: Position, kind: Kind) -> Result<Content, Fault> {
        self.node = self.shape.value(at, kind)?;
        self.start = at;
        self.len = 0;
        Ok(Content::Text)
    }

    fn piece(&mut self, _at: Position, piece: &[u8]) -> Result<(), Fault> {
        self.len += piece.len();
        if matches!(self.node, Node::PartyOrDomain | Node::ParticipantId) && self.len > MAX_SHORT_LEN {
            return Err(Fault::at(self.start, Defect::TooLong { expected: self.node.expected() }));
        }
        if self.node == Node::ParticipantId {
            self.participant.extend_from_slice(piece);
        }
        Ok(())
    }

    fn alphabet(&mut self, at: Position, run: &[u8]) -> Result<(), Fault> {
        self.piece(at, run)
    }

    fn string_end(&mut self, at: Position) -> Result<(), Fault> {
        if self.node == Node::PartyOrDomain && self.len == 0 {
            return Err(Fault::at(at, Defect::EmptyValue { expected: self.node.expected() }));
        }
        Ok(())
    }

    fn scalar(&mut self, _at: Position, _raw: Option<&str>) -> Result<(), Fault> {
        Ok(())
    }

    fn close(&mut self, at: Position) -> Result<(), Fault> {
        let (node, keys) = self.shape.close(at)?;
        if node == Node::IdentitiesDocument {
            self.keys = keys;
        }
        Ok(())
    }
}
