//! The data snapshot as it passes: is it the one asked for, complete, and sound?

use std::collections::HashSet;

use svdr_protocol::digest::Digest;
use svdr_protocol::time::Timestamp;

use super::digest::DigestThread;
use super::error::{Defect, Document, Found, MergeError, Position, shown, shown_path};
use super::json::{Content, Fault, Kind, Visitor};
use super::limits::{MAX_DARS, MAX_PATH_LEN, MAX_SHORT_LEN};
use super::merger::Expectations;
use super::payload::{PayloadReader, ReadPayload};
use super::relocation::{PayloadPart, Relocation};
use super::shape::{Node, Shape};
use super::summary::{Dar, MergeSummary, Payload};
use super::whole::{NamedFile, Span};

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

/// What is looked for in a whole dump besides.
struct Export {
    relocation: Relocation,
    participant: Vec<u8>,
    files: Vec<NamedFile>,
    spans: Vec<Span>,
}

/// Checks a snapshot, an SV's or a validator's, against what was asked for; also where it is part of a whole dump.
pub(super) struct SnapshotVisitor {
    document: Document,
    export: Option<Export>,
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
    /// Whether that is a payload whose end has not been seen.
    is_open: bool,
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
            export: None,
            shape: Shape::new(document),
            expectations,
            taken_keys,
            to_pass_on: false,
            node: Node::Other,
            start: Position { offset: 0, line: 1, column: 1 },
            short: Vec::new(),
            payload: PayloadReader::new(false),
            is_open: false,
            facts: Facts::default(),
            parts,
            cuts: 0,
            value: (None, None),
            broken: None,
        }
    }

    /// The same for a whole dump, whose payloads are files that are going to be moved; `parts`, where given,
    /// digests the DARs.
    pub(super) fn of_dump(
        expectations: Expectations,
        relocation: Relocation,
        parts: Option<DigestThread>,
    ) -> SnapshotVisitor {
        let export = Export { relocation, participant: Vec::new(), files: Vec::new(), spans: Vec::new() };
        let visitor = SnapshotVisitor::new(Document::Dump, expectations, HashSet::new(), parts);
        SnapshotVisitor { export: Some(export), ..visitor }
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
        let digests = self.parts.map(DigestThread::finish).transpose()?;
        // Each was checked to be base64, so that each has a digest where they are digested.
        let digest = |at: usize| -> Result<Option<Digest>, MergeError> {
            match digests.as_ref().map(|digests| digests.get(at)) {
                None => Ok(None),
                Some(Some(&Some(digest))) => Ok(Some(digest)),
                Some(_) => Err(MergeError::Digest {
                    of: "snapshot's payloads",
                    reason: "one of them has none".to_owned(),
                }),
            }
        };
        let place = |part: Part<Placed>| -> Result<Payload, MergeError> {
            match part.payload {
                Placed::Here { size } => Ok(Payload::Inline { size, sha256: digest(part.digest)? }),
                Placed::File { path } => Ok(Payload::File { path, checked: None }),
            }
        };
        // Where a validator's dump does not name it, it is the one that was asked for.
        let migration_id = self.facts.migration_id.or(self.expectations.migration_id);
        let (Some(payloads), Some(migration_id)) = (self.facts.payloads, migration_id) else {
            return Ok(None);
        };
        let dar = |part: Part<DarFacts>| -> Result<Dar, MergeError> {
            let sha256 = digest(part.digest)?;
            Ok(Dar { hash: part.payload.hash, size: part.payload.size, sha256 })
        };
        let dars: Result<_, _> = self.facts.dars.into_iter().map(dar).collect();
        Ok(Some(MergeSummary {
            size,
            sha256,
            timestamp: self.expectations.timestamp,
            migration_id,
            acs_snapshot: place(payloads.acs_snapshot)?,
            genesis_state: payloads.genesis_state.map(place).transpose()?,
            dars: dars?,
            synchronizer_was_paused: self.facts.was_paused,
            separate_payload_files: self.facts.separate.unwrap_or(false),
        }))
    }

    /// Where the path begins that is being read, of a dump whose paths are rewritten.
    pub(super) fn open_path(&self) -> Option<u64> {
        (self.export.is_some() && self.is_open && self.part().is_some()).then_some(self.start.offset)
    }

    /// The paths that have been read since they were last asked for.
    pub(super) fn take_spans(&mut self) -> Vec<Span> {
        self.export.as_mut().map(|export| std::mem::take(&mut export.spans)).unwrap_or_default()
    }

    /// The files that a dump names.
    pub(super) fn take_files(&mut self) -> Vec<NamedFile> {
        self.export.as_mut().map(|export| std::mem::take(&mut export.files)).unwrap_or_default()
    }

    /// The participant of a dump's identities.
    pub(super) fn take_participant(&mut self) -> Option<String> {
        let id = self.export.as_mut().map(|export| std::mem::take(&mut export.participant))?;
        String::from_utf8(id).ok().filter(|id| !id.is_empty())
    }

    /// The payload being read, where it can be a file.
    const fn part(&self) -> Option<PayloadPart> {
        match self.node {
            Node::AcsSnapshot => Some(PayloadPart::AcsSnapshot),
            Node::GenesisState => Some(PayloadPart::GenesisState),
            _ => None,
        }
    }

    /// Whether the payload being read is digested where it stands.
    const fn is_digested(&self) -> bool {
        self.export.is_none() || matches!(self.node, Node::DarContent)
    }

    const fn reads_payload(&self) -> bool {
        matches!(self.node, Node::AcsSnapshot | Node::GenesisState | Node::DarContent)
    }

    const fn reads_short(&self) -> bool {
        matches!(
            self.node,
            Node::CreatedAt | Node::MadeAt | Node::AcsTimestamp | Node::DarHash | Node::ParticipantId
        )
    }

    fn payload_piece(&mut self, at: Position, piece: &[u8], alphabet: bool) -> Result<(), Fault> {
        self.payload.push(at, piece, alphabet)?;
        if self.export.is_some() && self.part().is_some() && self.payload.len() > MAX_PATH_LEN as u64 {
            return Err(Fault::at(self.start, Defect::NotSeparate));
        }
        let is_digested = self.is_digested();
        match &mut self.parts {
            Some(parts) if is_digested && self.payload.is_base64() => {
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
        self.is_open = false;
        let digest = self.cuts;
        let is_digested = self.is_digested();
        if let Some(parts) = self.parts.as_mut().filter(|_| is_digested) {
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
        if let Some(part) = self.part() {
            self.relocate(part, &payload, at)?;
        }
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

    /// Notes the file that a dump's payload is in, and what the copy says of it.
    fn relocate(&mut self, part: PayloadPart, payload: &ReadPayload, end: Position) -> Result<(), Fault> {
        let Some(export) = &mut self.export else { return Ok(()) };
        let path = payload.path().unwrap_or_default();
        let found = || shown_path(path);
        let Some(file) = export.relocation.file(path) else {
            let expected = export.relocation.app_folder();
            return Err(Fault::at(self.start, Defect::OtherPath { expected, found: found() }));
        };
        if export.files.iter().any(|named| named.file == file) {
            return Err(Fault::at(self.start, Defect::SamePath { found: found() }));
        }
        export.files.push(NamedFile { part, file: file.to_owned() });
        let text = serde_json::Value::String(export.relocation.new_path(part)).to_string();
        export.spans.push(Span { start: self.start.offset, end: end.offset + 1, text });
        Ok(())
    }

    fn short_end(&mut self, at: Position) -> Result<(), Fault> {
        if let (Node::ParticipantId, Some(export)) = (self.node, &mut self.export) {
            export.participant.clone_from(&self.short);
            return Ok(());
        }
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
        let is_made_at = self.node == Node::MadeAt;
        // When the app made it is not a time of Canton's: Java may print it to the nanosecond.
        let parse = if is_made_at { Timestamp::parse_truncating } else { str::parse };
        let found = parse(&shown(&text)).map_err(|error| {
            let private = self.document.is_private();
            Fault::at(self.start, if private { Defect::NoTimestamp } else { Defect::NotATimestamp(error) })
        })?;
        let expected = self.expectations.timestamp;
        if found != expected && !is_made_at {
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
    fn place_payloads(&mut self, at: Position) -> Result<(), Fault> {
        let separate = self.facts.separate.unwrap_or(false);
        if self.export.is_some() && !separate {
            return Err(Fault::at(at, Defect::NotSeparate));
        }
        let export = self.export.as_ref();
        let place = |part: Part<ReadPayload>, which: PayloadPart, path| -> Result<Part<Placed>, Fault> {
            let payload = match separate {
                true => {
                    let named = part.payload.into_path(path)?;
                    Placed::File { path: export.map_or(named, |export| export.relocation.new_path(which)) }
                }
                false => Placed::Here { size: part.payload.into_size(path)? },
            };
            Ok(Part { payload, digest: part.digest })
        };
        let genesis_state = self.facts.genesis_state.take();
        let genesis_state = genesis_state
            .map(|part| place(part, PayloadPart::GenesisState, self.path("data_snapshot.genesis_state")))
            .transpose()?;
        if let Some(part) = self.facts.acs_snapshot.take() {
            let path = self.path("data_snapshot.acs_snapshot");
            let acs_snapshot = place(part, PayloadPart::AcsSnapshot, path)?;
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
        self.is_open = true;
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
            Node::DataSnapshot => self.place_payloads(at),
            Node::ValidatorSnapshot => {
                self.value.1 = Some(at.offset + 1);
                self.place_payloads(at)
            }
            _ => Ok(()),
        }
    }
}
