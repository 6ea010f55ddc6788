//! The backup of the node identities: checked, held in memory that is wiped, and never shown.

use std::collections::HashSet;
use std::fmt;
use std::io::Read;
use std::ops::Range;

use zeroize::Zeroizing;

use super::error::{Defect, Document, MergeError, Position};
use super::held::HeldText;
use super::json::{Content, Fault, Kind, Reader, Visitor};
use super::limits::{MAX_IDENTITIES_LEN, MAX_SHORT_LEN};
use super::shape::{Node, Shape};

/// An identities document that has been checked. It holds private keys: its memory is wiped when it is dropped,
/// and `Debug` shows nothing of it.
pub struct Identities {
    text: Zeroizing<Vec<u8>>,
    /// Between the braces of the outer object, in bytes of `text`, without white space at its end.
    body: Range<usize>,
    keys: HashSet<String>,
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
        // A document that has ended has an outer object; the text is shorter than [`MAX_IDENTITIES_LEN`].
        let (Some(start), Some(end)) = (reader.body_start(), reader.body_end()) else {
            return Err(MergeError::Digest { of: "identities", reason: "their end was not seen".to_owned() });
        };
        let start = start as usize;
        let body = start..start + text[start..end as usize].trim_ascii_end().len();
        // Its characters may have come in pieces; the reader has seen to it that they are UTF-8.
        let participant = String::from_utf8(visitor.participant).ok().filter(|id| !id.is_empty());
        Ok(Identities { text, body, keys: visitor.keys, participant })
    }

    /// Reads a document to its end and checks it. `len_hint` is its length in bytes where that is known: with it,
    /// the text is read into place once.
    ///
    /// # Errors
    /// As [`Identities::parse`], and [`MergeError::Read`].
    pub fn read(mut source: impl Read, len_hint: Option<u64>) -> Result<Identities, MergeError> {
        let mut held = HeldText::new(len_hint);
        loop {
            match source.read(held.room()?) {
                Ok(0) => return Identities::parse(held.into_text()),
                Ok(read) => held.filled(read),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let offset = held.len() as u64;
                    return Err(MergeError::Read { document: Document::Identities, offset, source });
                }
            }
        }
    }

    /// The whole document as it arrived: private keys, for whoever writes a backup of it and for nobody else.
    pub fn expose(&self) -> &[u8] {
        &self.text
    }

    /// The id of the participant that the document is of (`identities.participant.id`), where it says.
    pub fn participant(&self) -> Option<&str> {
        self.participant.as_deref()
    }

    /// What stands between the braces of the outer object; never empty.
    pub(super) fn body(&self) -> &[u8] {
        &self.text[self.body.clone()]
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
    /// The participant's id: a name that everybody knows, and all that is kept of the document's values.
    participant: Vec<u8>,
}

impl IdentitiesVisitor {
    /// Whether the string being read is short, and what it says matters.
    fn is_name(&self) -> bool {
        matches!(self.node, Node::PartyOrDomain | Node::ParticipantId)
    }
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
        if self.is_name() && self.len > MAX_SHORT_LEN {
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
        if self.is_name() && self.len == 0 {
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
