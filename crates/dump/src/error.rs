//! Why there is no dump: whose document, where in it, what was expected, what was found, and what to do.
//!
//! The identities document contains private keys, and so does a validator's data snapshot. So an error never has
//! anything of their values, not even a single character: [`Found`] is built for a document, and for those it keeps
//! only the kind of thing.

use std::{fmt, io};

use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::time::Timestamp;

use super::base64::Base64Defect;
use super::limits::{
    MAX_DARS, MAX_DEPTH, MAX_IDENTITIES_LEN, MAX_KEY_LEN, MAX_PATH_LEN, MAX_SHORT_LEN, MAX_SHOWN_LEN,
    MAX_SHOWN_PATH_LEN, MAX_UNIQUE_KEYS,
};

/// Which document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The backup of the node identities: private keys.
    Identities,
    /// The data snapshot of the SV app.
    Snapshot,
    /// The whole dump that the SV app has exported: private keys too.
    Dump,
    /// The answer of a validator app, with the dump in its field `data_snapshot`: private keys.
    Validator,
    /// A validator's migration dump, as it was taken out of that: private keys.
    ValidatorDump,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Document::Identities => "identities document",
            Document::Snapshot => "data snapshot",
            Document::Dump => "exported dump",
            Document::Validator => "validator's data snapshot",
            Document::ValidatorDump => "validator's migration dump",
        })
    }
}

impl Document {
    /// Whether it contains private keys.
    pub(super) const fn is_private(self) -> bool {
        !matches!(self, Document::Snapshot)
    }

    /// Adds a key to a path. Of a document with private keys only names are shown: a corrupt document may have something
    /// else where a key should be.
    pub(super) fn push_key(self, path: &mut String, key: &str) {
        let is_name = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match (self, is_name) {
            (_, true) if key.len() <= MAX_NAME_LEN => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            _ if self.is_private() => path.push_str("[…]"),
            _ => *path += &format!("[{:?}]", shown(key)),
        }
    }
}

/// The longest key that is taken for the name of a field, in bytes; the SV app's have less than thirty.
const MAX_NAME_LEN: usize = 40;

/// A place in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Bytes before it, from the start of the document.
    pub offset: u64,
    /// Line, from 1.
    pub line: u64,
    /// Column, in bytes, from 1.
    pub column: u64,
}

impl Position {
    /// The first byte of a document.
    pub(super) const START: Position = Position { offset: 0, line: 1, column: 1 };

    /// The place `bytes` before, on the same line.
    pub(super) const fn back(self, bytes: usize) -> Position {
        Position { offset: self.offset - bytes as u64, line: self.line, column: self.column - bytes as u64 }
    }

    /// The place `bytes` further on the same line.
    pub(super) const fn forward(self, bytes: usize) -> Position {
        Position { offset: self.offset + bytes as u64, line: self.line, column: self.column + bytes as u64 }
    }
}

/// What stood there instead of what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// One byte of the data snapshot.
    Byte(u8),
    /// A short text of the data snapshot, cut.
    Text(String),
    /// A kind of thing: all that is shown of a document with private keys.
    Kind(&'static str),
}

impl Found {
    /// A byte of `document`. Of one with private keys only JSON's own punctuation and control characters are shown.
    pub(super) fn byte(document: Document, byte: u8) -> Found {
        if document.is_private() && byte > b' ' && !b"{}[]:,\"".contains(&byte) {
            return Found::Kind("another character");
        }
        Found::Byte(byte)
    }

    /// A text of `document`, or only that it is one.
    pub(super) fn text(document: Document, text: &str) -> Found {
        if document.is_private() { Found::Kind("another value") } else { Found::Text(shown(text)) }
    }
}

/// `text`, cut to what a message can carry.
pub(super) fn shown(text: &str) -> String {
    cut(text, MAX_SHOWN_LEN)
}

/// A path, cut to what a message can carry; longer than other values, because its end says most.
pub(super) fn shown_path(path: &str) -> String {
    cut(path, MAX_SHOWN_PATH_LEN)
}

fn cut(text: &str, characters: usize) -> String {
    let mut shown: String = text.chars().take(characters).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Byte(byte @ b' '..=b'~') => write!(f, "`{}`", char::from(*byte)),
            Found::Byte(byte) => write!(f, "byte 0x{byte:02x}"),
            Found::Text(text) => write!(f, "{text:?}"),
            Found::Kind(kind) => f.write_str(kind),
        }
    }
}

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// Nothing but white space.
    #[error("the document is empty; expected one JSON object")]
    Empty,
    /// It ends before the object does.
    #[error("the document ends here; expected {expected}")]
    Truncated {
        /// What JSON needs next.
        expected: &'static str,
    },
    /// It starts with a byte order mark.
    #[error("expected `{{`, found a byte order mark, which JSON does not have")]
    ByteOrderMark,
    /// After the object there is something else.
    #[error("expected the end of the document, found {found}")]
    Trailing {
        /// The first byte of it.
        found: Found,
    },
    /// JSON does not allow this byte here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What JSON allows here.
        expected: &'static str,
        /// The byte.
        found: Found,
    },
    /// A string contains a control character that is not escaped.
    #[error("a string contains a control character that is not escaped: {found}")]
    ControlCharacter {
        /// The character.
        found: Found,
    },
    /// A string contains bytes that are not UTF-8.
    #[error("a string contains bytes that are not UTF-8, the only encoding of JSON")]
    NotUtf8,
    /// A `\u` escape of one half of a surrogate pair. RFC 8259 leaves its meaning open, and tools differ.
    #[error("a \\u escape is one half of a surrogate pair; expected both halves")]
    LoneSurrogate,
    /// Too many containers inside each other.
    #[error("objects and arrays are nested more than {MAX_DEPTH} deep; a dump has fewer than 10 levels")]
    TooDeep,
    /// A key is too long.
    #[error("a key is longer than {MAX_KEY_LEN} bytes; expected the name of a field or a party")]
    KeyTooLong,
    /// One object has more keys than can be kept.
    #[error("an object has more than {MAX_UNIQUE_KEYS} keys; those of a dump have fewer than 20")]
    TooManyKeys,
    /// `dars` has too many entries.
    #[error("there are more than {MAX_DARS} DARs; a network uses a few hundred")]
    TooManyDars,
    /// A value that is read is too long.
    #[error("the value is longer than {MAX_SHORT_LEN} bytes; expected {expected}")]
    TooLong {
        /// What belongs there.
        expected: &'static str,
    },
    /// A key occurs twice where readers would silently drop one of the two values.
    #[error("the key {key:?} occurs for the second time in this object; expected every key once")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Both documents have this key: the merge would silently drop the identities document's value.
    #[error(
        "the identities document has the key {key:?} too; a merge would silently drop one of the two values"
    )]
    InBoth {
        /// The key.
        key: String,
    },
    /// A field that the SV app's import needs is not there.
    #[error("the field {key:?} is missing; expected {expected}")]
    Missing {
        /// The field.
        key: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
    /// A field has another kind of value.
    #[error("expected {expected}, found {found}")]
    WrongKind {
        /// What belongs there.
        expected: &'static str,
        /// The value.
        found: Found,
    },
    /// A field that must have a value is empty.
    #[error("the value is empty; expected {expected}")]
    EmptyValue {
        /// What belongs there.
        expected: &'static str,
    },
    /// A field that must be a timestamp is not one.
    #[error("expected an existing time in RFC 3339 with Z, to the microsecond at most; found {found}")]
    NotATimestamp {
        /// The value.
        found: Found,
    },
    /// The snapshot was taken at another time than the one asked for.
    #[error("expected the timestamp {expected}, found {found}")]
    OtherTimestamp {
        /// The one asked for.
        expected: Timestamp,
        /// The document's.
        found: Timestamp,
    },
    /// The migration id is not a whole number that fits.
    #[error("expected a migration id, a whole number from 0 to 9223372036854775807, found {found}")]
    NotAMigrationId {
        /// The value.
        found: Found,
    },
    /// The snapshot is made for another migration.
    #[error("expected the migration id {expected}, found {found}")]
    OtherMigrationId {
        /// The one asked for.
        expected: u64,
        /// The document's.
        found: u64,
    },
    /// A payload is not base64, and cannot be the path of a separate file.
    #[error("expected strict base64 with padding, found {0}")]
    NotBase64(Base64Defect),
    /// `separate_payload_files` is true, but this is too long for a path.
    #[error("the path of a payload file is longer than {MAX_PATH_LEN} bytes")]
    PathTooLong,
    /// The payloads of an exported dump are in the document.
    #[error("the payload is in the dump itself; expected the path of its file (separate_payload_files)")]
    NotSeparate,
    /// An exported dump names a file elsewhere.
    #[error("expected the path of a file in {expected}, found {found:?}")]
    OtherPath {
        /// The folder of the export, as the app sees it.
        expected: String,
        /// The path.
        found: String,
    },
    /// An exported dump names one file twice.
    #[error("expected one file for each payload, found {found:?} for both")]
    SamePath {
        /// The path.
        found: String,
    },
    /// A snapshot for other nodes contains identities.
    #[error("the snapshot contains identities, and so private keys; expected a data snapshot alone")]
    Identities,
    /// A snapshot for other nodes has its payloads in separate files.
    #[error(
        "the payloads are in separate files, which the receiver does not have; expected them in the document"
    )]
    SeparateFiles,
}

impl Defect {
    /// Whether the text is not JSON, as a document is that was cut, or not written to its end.
    pub const fn is_not_json(&self) -> bool {
        matches!(
            self,
            Defect::Empty
                | Defect::Truncated { .. }
                | Defect::Trailing { .. }
                | Defect::Unexpected { .. }
                | Defect::ControlCharacter { .. }
                | Defect::NotUtf8
        )
    }
}

/// A document is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which document.
    pub document: Document,
    /// Where in its text.
    pub position: Position,
    /// Where in its structure, for example `data_snapshot.dars[3].content`; empty for the document itself.
    pub path: String,
    /// What is wrong there.
    pub defect: Defect,
}

impl Refusal {
    /// What to do now.
    fn help(&self) -> &'static str {
        match (self.document, &self.defect) {
            (_, Defect::InBoth { .. }) => {
                "give identities dump and data snapshot as the SV app answered them, neither of them merged already"
            }
            (Document::ValidatorDump, _) => "make the dump again with `svdr-agent validator dump`",
            (Document::Dump, Defect::OtherTimestamp { .. } | Defect::OtherMigrationId { .. }) => {
                "move the export's folder away, and have the SV app export again"
            }
            (_, Defect::OtherTimestamp { .. }) => {
                "take the data snapshot again at the agreed timestamp, or correct the timestamp that you gave"
            }
            (_, Defect::OtherMigrationId { .. }) => {
                "take the data snapshot again with the agreed migration id, or correct the id that you gave"
            }
            (Document::Dump, Defect::OtherPath { .. }) => {
                "set app_dump_dir to the path at which the SV app sees its dump volume, or do not import this dump"
            }
            (Document::Dump, Defect::NotSeparate) => {
                "set mode = \"http\", because this release of the SV app writes payloads into the dump"
            }
            (_, Defect::ByteOrderMark) => "save the document as UTF-8 without a byte order mark",
            (_, Defect::Trailing { .. }) => {
                "give a file with exactly one document, as the SV app answered it"
            }
            (Document::Identities, Defect::Missing { key: "identities", .. }) => {
                "give the answer of the SV app's identities-dump here, not its data snapshot"
            }
            (Document::Snapshot, Defect::Missing { key: "data_snapshot", .. }) => {
                "give the answer of the SV app's data-snapshot here, not its identities"
            }
            (Document::Validator, Defect::Missing { key: "data_snapshot" | "participant", .. }) => {
                "set url to the base of the validator app's API, not of an SV app's"
            }
            (Document::Validator, _) => "take the data snapshot again from the validator app",
            (Document::Identities, _) => {
                "use another copy of the backup of the node identities, or take it again from the SV app's identities-dump"
            }
            (_, Defect::Identities) => {
                "give this snapshot to nobody, and find out how identities came into the SV app's data-snapshot"
            }
            (Document::Snapshot, _) => "take the data snapshot again from the SV app",
            (Document::Dump, _) => {
                "check the SV app's log and the room on its volume, then have the app export again"
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { offset, line, column } = self.position;
        write!(f, "{}, line {line}, column {column} (byte {offset})", self.document)?;
        if !self.path.is_empty() {
            write!(f, ", at {}", self.path)?;
        }
        write!(f, ": {}\nhelp: {}", self.defect, self.help())
    }
}

// The defect is part of the text, so it is not a source besides.
impl std::error::Error for Refusal {}

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A document is not what it should be.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The identities document is larger than anything the SV app writes.
    #[error(
        "the identities document has more than {MAX_IDENTITIES_LEN} bytes\nhelp: use the answer of the SV app's \
         identities-dump"
    )]
    IdentitiesTooLarge,
    /// A document could not be read to its end.
    #[error(
        "the {document} could not be read after {offset} bytes\nhelp: check the file and its disk, then retry"
    )]
    Read {
        /// Which document.
        document: Document,
        /// Bytes read before.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The result could not be written.
    #[error(
        "the dump could not be written after {offset} bytes\nhelp: make room on the disk, or write elsewhere"
    )]
    Write {
        /// Bytes written before.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// A thread that computes digests could not be started or has died.
    #[error(
        "the digest of the {of} could not be computed: {reason}\nhelp: retry, and report it if it happens again"
    )]
    Digest {
        /// Of what.
        of: &'static str,
        /// Why.
        reason: String,
    },
}

impl MergeError {
    /// Whether a check said no, as opposed to a failing disk or network.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, MergeError::Refused(_) | MergeError::IdentitiesTooLarge)
    }

    /// The document at fault, where it is one.
    pub fn document(&self) -> Option<Document> {
        match self {
            MergeError::Refused(refusal) => Some(refusal.document),
            MergeError::IdentitiesTooLarge => Some(Document::Identities),
            MergeError::Read { document, .. } => Some(*document),
            MergeError::Write { .. } | MergeError::Digest { .. } => None,
        }
    }
}

impl From<Refusal> for MergeError {
    fn from(refusal: Refusal) -> MergeError {
        MergeError::Refused(Box::new(refusal))
    }
}

impl CommandError for MergeError {
    fn exit(&self) -> Exit {
        if self.is_refusal() { Exit::Refused } else { Exit::Failed }
    }
}
