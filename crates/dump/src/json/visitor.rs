//! What a JSON reader reports, and to whom.

use super::super::error::{Defect, Position};

/// The kinds of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

impl Kind {
    pub(in super::super) const fn name(self) -> &'static str {
        match self {
            Kind::Object => "an object",
            Kind::Array => "an array",
            Kind::String => "a string",
            Kind::Number => "a number",
            Kind::Boolean => "true or false",
            Kind::Null => "null",
        }
    }
}

/// Something wrong, before the reader adds the document and the path to it.
#[derive(Debug)]
pub(in super::super) struct Fault {
    pub(in super::super) position: Position,
    /// Where it is, if not at the value being read.
    pub(in super::super) path: Option<String>,
    pub(in super::super) defect: Defect,
}

impl Fault {
    pub(in super::super) const fn at(position: Position, defect: Defect) -> Fault {
        Fault { position, path: None, defect }
    }
}

/// What a value's string holds, for the choice of the fastest way through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Content {
    Text,
    /// Expected to be base64: runs of its alphabet need no other check.
    Base64,
}

/// Receives what a [`Reader`](super::Reader) sees. Every method may refuse it.
pub(in super::super) trait Visitor {
    /// A key in the current object, unescaped.
    fn key(&mut self, at: Position, key: &str) -> Result<(), Fault>;
    /// A value starts; of strings, the answer says what to expect inside.
    fn value(&mut self, at: Position, kind: Kind) -> Result<Content, Fault>;
    /// A piece of the current string value, unescaped. A character may be cut.
    fn piece(&mut self, at: Position, piece: &[u8]) -> Result<(), Fault>;
    /// A piece of the current string value that consists of the base64 alphabet alone, of a string for which
    /// [`Content::Base64`] was answered.
    fn alphabet(&mut self, at: Position, run: &[u8]) -> Result<(), Fault> {
        self.piece(at, run)
    }
    /// The current string value has ended.
    fn string_end(&mut self, at: Position) -> Result<(), Fault>;
    /// A number, `true`, `false` or `null`, as it is written in the text; `None` where it is longer than
    /// [`MAX_SHORT_LEN`](crate::limits::MAX_SHORT_LEN).
    fn scalar(&mut self, _at: Position, _raw: Option<&str>) -> Result<(), Fault> {
        Ok(())
    }
    /// The current object or array has ended.
    fn close(&mut self, at: Position) -> Result<(), Fault>;
}
