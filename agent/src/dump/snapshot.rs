//! The data snapshot as it passes: is it the one asked for, complete, and sound?

use std::collections::HashSet;

use svdr_protocol::digest::Digest;
use svdr_protocol::time::Timestamp;

use super::digest::DigestThread;
use super::error::{Defect, Document, Found, MergeError, Position, shown};
use super::json::{Content, Fault, Kind, Visitor};
use super::limits::{MAX_DARS, MAX_SHORT_LEN};
use super::merger::Expectations;
use super::payload::{PayloadReader, ReadPayload};
use super::shape::{Node, Shape};
use super::summary::{Dar, MergeSummary, Payload};

/// The largest migration id: Splice counts them in a signed 64-bit integer.
const MAX_MIGRATION_ID: u64 = i64::MAX as u64;

/// What identities stand under, wherever the SV app writes any.
const IDENTITIES_KEY: &str = "identities";

/// A payload that was read, and which of the digests is its own.
struct Part<T> {
    payload: T,
    digest: usize,
}

/// What the document has said so far.
#[derive(Default)]
struct Facts {
    migration_id: Option<u64>,
    acs_snapshot: Option<Part<ReadPayload>>,
    genesis_state: Option<Part<ReadPayload>>,
    payloads: Option<Payloads>,
    dars: Vec<Part<DarFacts>>,
    was_paused: Option<bool>,
    separate: Option<bool>,
}

#[derive(Default)]
struct DarFacts {
    hash: String,
    size: u64,
}

/// The two payloads once it is known where they are.
struct Payloads {
    acs_snapshot: Part<Placed>,
    genesis_state: Option<Part<Placed>>,
}

enum Placed {
    Here { size: u64 },
    File { path: String },
}

/// Checks a snapshot, an SV's or a validator's, against what was asked for.
pub(super) struct SnapshotVisitor {
    document: Document,
    shape: Shape,
    expectations: Expectations,
    taken_keys: HashSet<String>,
    /// Whether it is to leave this node.
    to_pass_on: bool,
    /// The value being read.
    node: Node,
    start: Position,
    short: Vec<u8>,
    payload: PayloadReader,
    facts: Facts,
    parts: Option<DigestThread>,
    /// Digests begun in `parts`.
    cuts: usize,
    /// Where the dump in a validator's document starts, and where it has ended.
    value: (Option<u64>, Option<u64>),
    /// Why `parts` failed: a visitor's own errors are about the document.
    broken: Option<MergeError>,
}

impl SnapshotVisitor {
    /// `taken_keys` are those of the identities document, where there is one; `parts`, where given, digests the
    /// payloads.
    pub(super) fn new(
        document: Document,
        expectations: Expectations,
        taken_keys: HashSet<String>,
        parts: Option<DigestThread>,
    ) -> SnapshotVisitor {
        SnapshotVisitor {
            document,
            shape: Shape::new(document),
            expectations,
            taken_keys,
            to_pass_on: false,
            node: Node::Other,
            start: Position { offset: 0, line: 1, column: 1 },
            short: Vec::new(),
            payload: PayloadReader::new(false),
            facts: Facts::default(),
            parts,
            cuts: 0,
            value: (None, None),
            broken: None,
        }
    }

    /// The offset of the first byte of a validator's dump in its document, once it was seen, and of the first byte
    /// behind it.
    pub(super) const fn value_range(&self) -> (Option<u64>, Option<u64>) {
        self.value
    }

    /// For a snapshot that is passed on to other nodes by itself.
    pub(super) fn to_pass_on(expectations: Expectations, parts: DigestThread) -> SnapshotVisitor {
        let visitor = SnapshotVisitor::new(Document::Snapshot, expectations, HashSet::new(), Some(parts));
        SnapshotVisitor { to_pass_on: true, ..visitor }
    }

    /// A failure beside the document, if there was one.
    pub(super) fn check_parts(&mut self) -> Result<(), MergeError> {
        self.broken.take().map_or(Ok(()), Err)
    }

    /// The summary of a document that was read to its end; `None` if it was not.
    pub(super) fn summary(self, size: u64, sha256: Digest) -> Result<Option<MergeSummary>, MergeError> {
        let digests = self.parts.map_or(Ok(Vec::new()), DigestThread::finish)?;
        let digest = |at: usize| digests.get(at).copied().flatten();
        let place = |part: Part<Placed>| match part.payload {
            Placed::Here { size } => Payload::Inline { size, sha256: digest(part.digest) },
            Placed::File { path } => Payload::File { path },
        };
        // Where a validator's dump does not name it, it is the one that was asked for.
        let migration_id = self.facts.migration_id.or(self.expectations.migration_id);
        let (Some(payloads), Some(migration_id)) = (self.facts.payloads, migration_id) else {
            return Ok(None);
        };
        let dars = self.facts.dars.into_iter().map(|part| Dar {
            hash: part.payload.hash,
            size: part.payload.size,
            sha256: digest(part.digest),
        });
        Ok(Some(MergeSummary {
            size,
            sha256,
            timestamp: self.expectations.timestamp,
            migration_id,
            acs_snapshot: place(payloads.acs_snapshot),
            genesis_state: payloads.genesis_state.map(place),
            dars: dars.collect(),
            synchronizer_was_paused: self.facts.was_paused,
            separate_payload_files: self.facts.separate.unwrap_or(false),
        }))
    }

    const fn reads_payload(&self) -> bool {
        matches!(self.node, Node::AcsSnapshot | Node::GenesisState | Node::DarContent)
    }

    const fn reads_short(&self) -> bool {
        matches!(self.node, Node::CreatedAt | Node::MadeAt | Node::AcsTimestamp | Node::DarHash)
    }

    fn payload_piece(&mut self, at: Position, piece: &[u8], alphabet: bool) -> Result<(), Fault> {
        self.payload.push(at, piece, alphabet)?;
        match &mut self.parts {
            Some(parts) if self.payload.is_base64() => {
                if let Err(error) = parts.push(piece) {
                    self.broken = Some(error);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn payload_end(&mut self, at: Position) -> Result<(), Fault> {
        let payload = std::mem::replace(&mut self.payload, PayloadReader::new(false));
        let digest = self.cuts;
        if let Some(parts) = &mut self.parts {
            if let Err(error) = parts.cut() {
                self.broken = Some(error);
            }
            self.cuts += 1;
        }
        let empty = self.start.offset + 1 == at.offset;
        if empty && self.node != Node::GenesisState {
            return Err(Fault::at(at, Defect::EmptyValue { expected: self.node.expected() }));
        }
        let payload = payload.finish(self.start, at)?;
        match self.node {
            Node::AcsSnapshot => self.facts.acs_snapshot = Some(Part { payload, digest }),
            Node::GenesisState => self.facts.genesis_state = Some(Part { payload, digest }),
            _ => {
                let size = payload.into_size(self.path("data_snapshot.dars"))?;
                if let Some(dar) = self.facts.dars.last_mut() {
                    dar.payload.size = size;
                    dar.digest = digest;
                }
            }
        }
        Ok(())
    }

    fn short_end(&mut self, at: Position) -> Result<(), Fault> {
        let text = String::from_utf8_lossy(&self.short);
        if self.node == Node::DarHash {
            if text.is_empty() {
                return Err(Fault::at(at, Defect::EmptyValue { expected: self.node.expected() }));
            }
            if let Some(dar) = self.facts.dars.last_mut() {
                dar.payload.hash = text.into_owned();
            }
            return Ok(());
        }
        let found: Timestamp = shown(&text).parse().map_err(|error| {
            let private = self.document.is_private();
            Fault::at(self.start, if private { Defect::NoTimestamp } else { Defect::NotATimestamp(error) })
        })?;
        let expected = self.expectations.timestamp;
        if found != expected && self.node != Node::MadeAt {
            return Err(Fault::at(self.start, Defect::OtherTimestamp { expected, found }));
        }
        Ok(())
    }

    fn migration_id(&mut self, raw: Option<&str>) -> Result<(), Defect> {
        let digits = raw.filter(|raw| raw.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(found) = digits.and_then(|raw| raw.parse().ok()).filter(|&id| id <= MAX_MIGRATION_ID) else {
            let found = raw.map_or(Found::Kind("a longer number"), |raw| Found::text(self.document, raw));
            return Err(Defect::NotAMigrationId { found });
        };
        match self.expectations.migration_id {
            Some(expected) if found != expected => Err(Defect::OtherMigrationId { expected, found }),
            _ => {
                self.facts.migration_id = Some(found);
                Ok(())
            }
        }
    }

    /// `path`, as it is in this document: a validator's dump is what other documents have in `data_snapshot`.
    fn path(&self, path: &'static str) -> &'static str {
        match self.document {
            Document::ValidatorDump => path.strip_prefix("data_snapshot.").unwrap_or(path),
            _ => path,
        }
    }

    /// The object `data_snapshot` has ended, so it is known where the payloads are.
    fn place_payloads(&mut self) -> Result<(), Fault> {
        let separate = self.facts.separate.unwrap_or(false);
        let place = |part: Part<ReadPayload>, path| -> Result<Part<Placed>, Fault> {
            let payload = match separate {
                true => Placed::File { path: part.payload.into_path(path)? },
                false => Placed::Here { size: part.payload.into_size(path)? },
            };
            Ok(Part { payload, digest: part.digest })
        };
        let genesis_state = self.facts.genesis_state.take();
        let genesis_state =
            genesis_state.map(|part| place(part, self.path("data_snapshot.genesis_state"))).transpose()?;
        if let Some(part) = self.facts.acs_snapshot.take() {
            let acs_snapshot = place(part, self.path("data_snapshot.acs_snapshot"))?;
            self.facts.payloads = Some(Payloads { acs_snapshot, genesis_state });
        }
        Ok(())
    }
}

impl Visitor for SnapshotVisitor {
    fn key(&mut self, at: Position, key: &str) -> Result<(), Fault> {
        if self.shape.at_top_level() && self.taken_keys.contains(key) {
            return Err(Fault::at(at, Defect::InBoth { key: shown(key) }));
        }
        if self.to_pass_on && key == IDENTITIES_KEY {
            return Err(Fault::at(at, Defect::Identities));
        }
        self.shape.key(at, key)
    }

    fn value(&mut self, at: Position, kind: Kind) -> Result<Content, Fault> {
        self.node = self.shape.value(at, kind)?;
        self.start = at;
        if self.node == Node::ValidatorSnapshot {
            self.value.0 = Some(at.offset);
        }
        if self.node == Node::Dar {
            if self.facts.dars.len() >= MAX_DARS {
                return Err(Fault::at(at, Defect::TooManyDars));
            }
            self.facts.dars.push(Part { payload: DarFacts::default(), digest: 0 });
        }
        self.short.clear();
        if !self.reads_payload() || kind != Kind::String {
            return Ok(Content::Text);
        }
        // A DAR is always in the document; the others are where the flag says, if it has been seen.
        let may_be_path = self.node != Node::DarContent && self.facts.separate != Some(false);
        self.payload = PayloadReader::new(may_be_path);
        Ok(Content::Base64)
    }

    fn piece(&mut self, at: Position, piece: &[u8]) -> Result<(), Fault> {
        if self.reads_payload() {
            return self.payload_piece(at, piece, false);
        }
        if self.reads_short() {
            if self.short.len() + piece.len() > MAX_SHORT_LEN {
                return Err(Fault::at(self.start, Defect::TooLong { expected: self.node.expected() }));
            }
            self.short.extend_from_slice(piece);
        }
        Ok(())
    }

    fn alphabet(&mut self, at: Position, run: &[u8]) -> Result<(), Fault> {
        self.payload_piece(at, run, true)
    }

    fn string_end(&mut self, at: Position) -> Result<(), Fault> {
        if self.reads_payload() {
            self.payload_end(at)
        } else if self.reads_short() {
            self.short_end(at)
        } else {
            Ok(())
        }
    }

    fn scalar(&mut self, at: Position, raw: Option<&str>) -> Result<(), Fault> {
        let flag = match raw {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        match self.node {
            Node::MigrationId => self.migration_id(raw).map_err(|defect| Fault::at(at, defect))?,
            Node::WasPaused => self.facts.was_paused = flag,
            Node::SeparateFiles if self.to_pass_on && flag == Some(true) => {
                return Err(Fault::at(at, Defect::SeparateFiles));
            }
            Node::SeparateFiles => self.facts.separate = Some(flag.unwrap_or(false)),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, at: Position) -> Result<(), Fault> {
        let (node, _keys) = self.shape.close(at)?;
        match node {
            Node::DataSnapshot => self.place_payloads(),
            Node::ValidatorSnapshot => {
                self.value.1 = Some(at.offset + 1);
                self.place_payloads()
            }
            _ => Ok(()),
        }
    }
}
