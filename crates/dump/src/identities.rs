//! The backup of the node identities: checked, held in memory that is wiped, and never shown.

use std::collections::HashSet;
use std::fmt;
use std::io::Read;
use std::ops::Range;

use svdr_files::read_in_chunks;
use zeroize::Zeroizing;

use super::error::{Defect, Document, MergeError, Position};
use super::json::{Content, Fault, Kind, Reader, Visitor};
use super::limits::{MAX_IDENTITIES_LEN, MAX_SHORT_LEN};
use super::shape::{Node, Shape};

/// Room made for a document whose length is not known, and bytes read at once.
const FIRST_ROOM: usize = 64 << 10;

/// An identities document that has been checked. It contains private keys: its memory is wiped when it is dropped,
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
            start: Position::START,
            len: 0,
            body: 0..0,
            keys: HashSet::new(),
            participant: Vec::new(),
        };
        reader.push(&text, &mut visitor)?;
        reader.finish()?;
        let IdentitiesVisitor { body, keys, participant, .. } = visitor;
        // The document has ended, so that the visitor has seen both braces.
        let body = body.start..body.start + text[body].trim_ascii_end().len();
        // Its characters may have come in pieces; the reader has seen to it that they are UTF-8.
        let participant = String::from_utf8(participant).ok().filter(|id| !id.is_empty());
        Ok(Identities { text, body, keys, participant })
    }

    /// Reads a document to its end and checks it. `len_hint` is its length in bytes where that is known.
    ///
    /// # Errors
    /// As [`Identities::parse`], and [`MergeError::Read`].
    pub fn read(source: impl Read, len_hint: Option<u64>) -> Result<Identities, MergeError> {
        let mut text = IdentitiesText::new(len_hint);
        let failed = |offset, source| MergeError::Read { document: Document::Identities, offset, source };
        let mut buffer = Zeroizing::new(vec![0; FIRST_ROOM]);
        read_in_chunks(source, &mut buffer, failed, |piece| text.push(piece))?;
        text.finish()
    }

    /// The whole document as it arrived: private keys, for whoever writes a backup of it and for nobody else.
    pub fn expose(&self) -> &[u8] {
        &self.text
    }

    /// The id of the participant that the document is of (`identities.participant.id`), where it says.
    pub fn participant(&self) -> Option<&str> {
        self.participant.as_deref()
    }

    /// What is between the braces of the outer object; never empty.
    pub(super) fn body(&self) -> &[u8] {
        // The range was made from this text.
        &self.text[self.body.clone()]
    }

    /// The keys of the outer object.
    pub(super) const fn keys(&self) -> &HashSet<String> {
        &self.keys
    }
}

/// The text of an identities document while it arrives: in memory that is wiped, and that grows without leaving copies
/// of the keys behind. `Debug` shows nothing of it.
pub struct IdentitiesText(Zeroizing<Vec<u8>>);

impl fmt::Debug for IdentitiesText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentitiesText(private)")
    }
}

impl IdentitiesText {
    /// An empty text. `len_hint` is the length in bytes that it will have, where that is known: then it never moves.
    pub fn new(len_hint: Option<u64>) -> IdentitiesText {
        let room = len_hint.and_then(|len| usize::try_from(len).ok()).unwrap_or(FIRST_ROOM);
        IdentitiesText(Zeroizing::new(Vec::with_capacity(room.min(MAX_IDENTITIES_LEN))))
    }

    /// Adds the next piece of the text.
    ///
    /// # Errors
    /// [`MergeError::IdentitiesTooLarge`].
    pub fn push(&mut self, piece: &[u8]) -> Result<(), MergeError> {
        let len = self.0.len() + piece.len();
        if len > MAX_IDENTITIES_LEN {
            return Err(MergeError::IdentitiesTooLarge);
        }
        if len > self.0.capacity() {
            // `Vec` would grow by moving, and leave the keys behind in memory that it gives back.
            let mut grown = Zeroizing::new(Vec::with_capacity(len.max(2 * self.0.capacity())));
            grown.extend_from_slice(&self.0);
            self.0 = grown;
        }
        self.0.extend_from_slice(piece);
        Ok(())
    }

    /// Checks the document, which is complete.
    ///
    /// # Errors
    /// As [`Identities::parse`].
    pub fn finish(self) -> Result<Identities, MergeError> {
        Identities::parse(self.0)
    }
}

struct IdentitiesVisitor {
    shape: Shape,
    node: Node,
    start: Position,
    /// Length of the string being read.
    len: usize,
    /// Between the braces of the outer object, once both were seen.
    body: Range<usize>,
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
        (self.start, self.len) = (at, 0);
        if self.node == Node::IdentitiesDocument {
            // No longer than [`MAX_IDENTITIES_LEN`].
            self.body.start = at.offset as usize + 1;
        }
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

    fn string_end(&mut self, at: Position) -> Result<(), Fault> {
        if self.is_name() && self.len == 0 {
            return Err(Fault::at(at, Defect::EmptyValue { expected: self.node.expected() }));
        }
        Ok(())
    }

    fn close(&mut self, at: Position) -> Result<(), Fault> {
        let (node, keys) = self.shape.close(at)?;
        if node == Node::IdentitiesDocument {
            (self.body.end, self.keys) = (at.offset as usize, keys);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_become_the_text(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            hint in prop::option::of(0u64..200),
        ) {
            let mut text = IdentitiesText::new(hint);
            for piece in &pieces {
                text.push(piece).unwrap();
            }
            prop_assert_eq!(text.0.to_vec(), pieces.concat());
        }
    }

    #[test]
    fn there_is_a_limit() {
        let mut text = IdentitiesText::new(Some(u64::MAX));
        text.push(&vec![b'x'; MAX_IDENTITIES_LEN]).unwrap();
        assert!(matches!(text.push(b"x"), Err(MergeError::IdentitiesTooLarge)));
        assert_eq!(format!("{text:?}"), "IdentitiesText(private)");
    }
}
