//! A document as it passes: is it the one asked for, complete and sound, and which of its bytes make the dump?

use std::collections::HashSet;

use svdr_protocol::digest::Digest;
use svdr_protocol::time::Timestamp;

use super::digest::{DigestedPart, PartDigests};
use super::error::{Defect, Document, Found, MergeError, Position, shown, shown_path};
use super::json::{Content, Fault, Kind, Visitor};
use super::limits::{MAX_DARS, MAX_PATH_LEN, MAX_SHORT_LEN};
use super::payload::{PayloadReader, ReadPayload};
use super::relocation::{PayloadPart, Relocation};
use super::shape::{Node, Shape};
use super::summary::{Dar, ExportedFile, MergeSummary, Payload};

/// The largest migration id: Splice counts them in a signed 64-bit integer.
const MAX_MIGRATION_ID: u64 = i64::MAX as u64;

/// The key of identities, wherever the SV app writes any.
const IDENTITIES_KEY: &str = "identities";

/// What the document must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// When it was taken: `acs_timestamp` must be this instant, and so must `created_at` of an SV's snapshot.
    pub timestamp: Timestamp,
    /// The id of the migration that it is for, where that is known.
    pub migration_id: Option<u64>,
}

/// What is made of a document.
pub(super) enum DocumentTask {
    /// The members of an SV's snapshot follow those of its identities document, which has these keys.
    Merge { taken_keys: HashSet<String> },
    /// An SV's snapshot is kept as it is, for other nodes.
    Keep,
    /// The dump is taken out of a validator app's answer.
    Extract,
    /// A validator's dump is checked.
    Check,
    /// The dump that an SV app has exported gets the new paths of its payload files.
    Relocate(Relocation),
}

impl DocumentTask {
    pub(super) const fn document(&self) -> Document {
        match self {
            DocumentTask::Merge { .. } | DocumentTask::Keep => Document::Snapshot,
            DocumentTask::Extract => Document::Validator,
            DocumentTask::Check => Document::ValidatorDump,
            DocumentTask::Relocate(_) => Document::Dump,
        }
    }

    /// Whether the dump has the document's bytes from the first on.
    pub(super) const fn passes_start(&self) -> bool {
        matches!(self, DocumentTask::Keep | DocumentTask::Check | DocumentTask::Relocate(_))
    }
}

/// A place in the document at which the dump stops or starts having its bytes.
pub(super) struct Edit {
    /// Offset in bytes, in the chunk that was pushed last or right after it.
    pub(super) at: u64,
    /// What the dump has here instead of what was left out.
    pub(super) insert: String,
    /// Whether the bytes from here on belong to the dump.
    pub(super) passes: bool,
}

/// What the document has said so far.
#[derive(Default)]
struct Facts {
    migration_id: Option<u64>,
    was_paused: Option<bool>,
    separate: Option<bool>,
    /// The payloads, until the end of the object that they are in tells whether they are paths.
    acs_text: Option<ReadPayload>,
    genesis_text: Option<ReadPayload>,
    acs_snapshot: Option<Payload>,
    genesis_state: Option<Payload>,
    dars: Vec<Dar>,
    files: Vec<ExportedFile>,
    participant: Option<String>,
}

/// The value being read.
struct Value {
    node: Node,
    start: Position,
    text: Text,
}

/// What is kept of a value's text.
enum Text {
    Nothing,
    /// All of it: it is short.
    Short(Vec<u8>),
    Payload(PayloadReader),
}

impl Value {
    /// The payload, where it can be a file.
    const fn part(&self) -> Option<PayloadPart> {
        match self.node {
            Node::AcsSnapshot => Some(PayloadPart::AcsSnapshot),
            Node::GenesisState => Some(PayloadPart::GenesisState),
            _ => None,
        }
    }
}

/// Checks a document against what was asked for, and finds the bytes that make the dump.
pub(super) struct DocumentVisitor {
    task: DocumentTask,
    expected: Expectations,
    shape: Shape,
    value: Value,
    facts: Facts,
    /// Where the payloads are digested one by one.
    digests: Option<PartDigests>,
    edits: Vec<Edit>,
}

impl DocumentVisitor {
    pub(super) fn new(
        task: DocumentTask,
        expected: Expectations,
        digests: Option<PartDigests>,
    ) -> DocumentVisitor {
        DocumentVisitor {
            shape: Shape::new(task.document()),
            task,
            expected,
            value: Value { node: Node::Other, start: Position::START, text: Text::Nothing },
            facts: Facts::default(),
            digests,
            edits: Vec::new(),
        }
    }

    /// The edits since they were last asked for, in the document's order; an error where a digest has failed.
    pub(super) fn take_edits(&mut self) -> Result<Vec<Edit>, MergeError> {
        if let Some(digests) = &mut self.digests {
            digests.check()?;
        }
        Ok(std::mem::take(&mut self.edits))
    }

    /// The summary of a document that was read to its end.
    pub(super) fn summary(self, size: u64, sha256: Digest) -> Result<MergeSummary, MergeError> {
        let Facts { acs_snapshot, genesis_state, dars, files, participant, .. } = self.facts;
        // Where a validator's dump does not name it, it is the one that was asked for.
        let migration_id = self.facts.migration_id.or(self.expected.migration_id);
        let (Some(acs_snapshot), Some(migration_id)) = (acs_snapshot, migration_id) else {
            return Err(MergeError::Digest { of: "dump", reason: "its payloads were not seen".to_owned() });
        };
        let mut summary = MergeSummary {
            size,
            sha256,
            timestamp: self.expected.timestamp,
            migration_id,
            acs_snapshot,
            genesis_state,
            dars,
            synchronizer_was_paused: self.facts.was_paused,
            separate_payload_files: self.facts.separate.unwrap_or(false),
            participant,
            exported_files: files,
        };
        if let Some(digests) = self.digests {
            digests.fill(&mut summary)?;
        }
        Ok(summary)
    }

    const fn relocates(&self) -> bool {
        matches!(self.task, DocumentTask::Relocate(_))
    }

    fn edit(&mut self, at: u64, passes: bool) {
        self.edits.push(Edit { at, insert: String::new(), passes });
    }

    /// A fault of the value being read, at its start.
    const fn fault(&self, defect: Defect) -> Fault {
        Fault::at(self.value.start, defect)
    }

    fn empty(&self, end: Position) -> Fault {
        Fault::at(end, Defect::EmptyValue { expected: self.value.node.expected() })
    }

    fn payload_piece(&mut self, at: Position, piece: &[u8], alphabet: bool) -> Result<(), Fault> {
        let Text::Payload(payload) = &mut self.value.text else { return Ok(()) };
        payload.push(at, piece, alphabet)?;
        let (is_base64, len) = (payload.is_base64(), payload.len());
        if self.relocates() && self.value.part().is_some() {
            // Its file is digested, not its path.
            return if len > MAX_PATH_LEN as u64 { Err(self.fault(Defect::NotSeparate)) } else { Ok(()) };
        }
        if let Some(digests) = self.digests.as_mut().filter(|_| is_base64) {
            digests.push(piece);
        }
        Ok(())
    }

    fn payload_end(&mut self, payload: PayloadReader, at: Position) -> Result<(), Fault> {
        if payload.len() == 0 && self.value.node != Node::GenesisState {
            return Err(self.empty(at));
        }
        let read = payload.finish(self.value.start, at)?;
        let digested = match self.value.part() {
            Some(part) if self.relocates() => return self.relocate(part, read, at),
            Some(part) => {
                *self.text_of(part) = Some(read);
                DigestedPart::Payload(part)
            }
            None => {
                let size = read.into_size(String::new)?;
                if let Some(dar) = self.facts.dars.last_mut() {
                    dar.size = size;
                }
                DigestedPart::Dar(self.facts.dars.len().saturating_sub(1))
            }
        };
        if let Some(digests) = &mut self.digests {
            digests.end(digested);
        }
        Ok(())
    }

    const fn text_of(&mut self, part: PayloadPart) -> &mut Option<ReadPayload> {
        match part {
            PayloadPart::AcsSnapshot => &mut self.facts.acs_text,
            PayloadPart::GenesisState => &mut self.facts.genesis_text,
        }
    }

    /// Notes the file that an exported dump names, and what the dump says of it instead.
    fn relocate(&mut self, part: PayloadPart, read: ReadPayload, end: Position) -> Result<(), Fault> {
        let DocumentTask::Relocate(relocation) = &self.task else { return Ok(()) };
        let path = read.path().ok_or_else(|| self.fault(Defect::PathTooLong))?;
        let Some(file) = relocation.file(path) else {
            let expected = relocation.app_folder();
            return Err(self.fault(Defect::OtherPath { expected, found: shown_path(path) }));
        };
        if self.facts.files.iter().any(|named| named.file == file) {
            return Err(self.fault(Defect::SamePath { found: shown_path(path) }));
        }
        self.facts.files.push(ExportedFile { part, file: file.to_owned() });
        let insert = serde_json::Value::String(relocation.new_path(part)).to_string();
        self.edits.push(Edit { at: end.offset + 1, insert, passes: true });
        *self.text_of(part) = Some(read);
        Ok(())
    }

    fn short_end(&mut self, text: &[u8], at: Position) -> Result<(), Fault> {
        let text = String::from_utf8_lossy(text);
        match self.value.node {
            Node::ParticipantId => {
                self.facts.participant = Some(text.into_owned()).filter(|id| !id.is_empty());
            }
            Node::DarHash if text.is_empty() => return Err(self.empty(at)),
            Node::DarHash => {
                if let Some(dar) = self.facts.dars.last_mut() {
                    dar.hash = text.into_owned();
                }
            }
            node => return self.timestamp(&text, node == Node::MadeAt),
        }
        Ok(())
    }

    /// A timestamp, which is the one asked for unless it is when the app made the dump.
    fn timestamp(&self, text: &str, is_made_at: bool) -> Result<(), Fault> {
        // When the app made it is not a time of Canton's: Java may print it to the nanosecond.
        let parse = if is_made_at { Timestamp::parse_truncating } else { str::parse };
        let found = parse(&shown(text)).map_err(|_| {
            self.fault(Defect::NotATimestamp { found: Found::text(self.task.document(), text) })
        })?;
        let expected = self.expected.timestamp;
        if found != expected && !is_made_at {
            return Err(self.fault(Defect::OtherTimestamp { expected, found }));
        }
        Ok(())
    }

    fn migration_id(&mut self, raw: Option<&str>) -> Result<(), Defect> {
        let digits = raw.filter(|raw| raw.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(found) = digits.and_then(|raw| raw.parse().ok()).filter(|&id| id <= MAX_MIGRATION_ID) else {
            let text = |raw| Found::text(self.task.document(), raw);
            let found = raw.map_or(Found::Kind("a longer number"), text);
            return Err(Defect::NotAMigrationId { found });
        };
        match self.expected.migration_id {
            Some(expected) if found != expected => Err(Defect::OtherMigrationId { expected, found }),
            _ => {
                self.facts.migration_id = Some(found);
                Ok(())
            }
        }
    }

    /// The object that the payloads are in has ended, so it is known whether they are paths.
    fn place_payloads(&mut self, at: Position) -> Result<(), Fault> {
        let separate = self.facts.separate.unwrap_or(false);
        if self.relocates() && !separate {
            return Err(Fault::at(at, Defect::NotSeparate));
        }
        self.facts.genesis_state = self.placed(PayloadPart::GenesisState, separate)?;
        self.facts.acs_snapshot = self.placed(PayloadPart::AcsSnapshot, separate)?;
        Ok(())
    }

    fn placed(&mut self, part: PayloadPart, separate: bool) -> Result<Option<Payload>, Fault> {
        let Some(read) = self.text_of(part).take() else { return Ok(None) };
        // A validator's dump is what other documents have in `data_snapshot`.
        let of_path = match self.task {
            DocumentTask::Check => part.name().to_owned(),
            _ => format!("data_snapshot.{}", part.name()),
        };
        Ok(Some(match (&self.task, separate) {
            (DocumentTask::Relocate(relocation), _) => {
                Payload::File { path: relocation.new_path(part), checked: None }
            }
            (_, true) => Payload::File { path: read.into_path(|| of_path)?, checked: None },
            (_, false) => Payload::Inline { size: read.into_size(|| of_path)?, sha256: None },
        }))
    }
}

impl Visitor for DocumentVisitor {
    fn key(&mut self, at: Position, key: &str) -> Result<(), Fault> {
        match &self.task {
            DocumentTask::Merge { taken_keys } if self.shape.at_top_level() && taken_keys.contains(key) => {
                Err(Fault::at(at, Defect::InBoth { key: shown(key) }))
            }
            DocumentTask::Keep if key == IDENTITIES_KEY => Err(Fault::at(at, Defect::Identities)),
            _ => self.shape.key(at, key),
        }
    }

    fn value(&mut self, at: Position, kind: Kind) -> Result<Content, Fault> {
        let node = self.shape.value(at, kind)?;
        let text = match node {
            Node::AcsSnapshot | Node::GenesisState | Node::DarContent if kind == Kind::String => {
                // A DAR is always in the document; the others are where the flag says, if it has been seen.
                let may_be_path = node != Node::DarContent && self.facts.separate != Some(false);
                Text::Payload(PayloadReader::new(may_be_path))
            }
            Node::CreatedAt | Node::MadeAt | Node::AcsTimestamp | Node::DarHash | Node::ParticipantId => {
                Text::Short(Vec::new())
            }
            _ => Text::Nothing,
        };
        let content = if matches!(text, Text::Payload(_)) { Content::Base64 } else { Content::Text };
        self.value = Value { node, start: at, text };
        match node {
            Node::Dar if self.facts.dars.len() >= MAX_DARS => {
                return Err(Fault::at(at, Defect::TooManyDars));
            }
            Node::Dar => self.facts.dars.push(Dar::default()),
            Node::SnapshotDocument if matches!(self.task, DocumentTask::Merge { .. }) => {
                self.edit(at.offset + 1, true);
            }
            Node::ValidatorSnapshot if matches!(self.task, DocumentTask::Extract) => {
                self.edit(at.offset, true)
            }
            Node::AcsSnapshot | Node::GenesisState if self.relocates() && kind == Kind::String => {
                self.edit(at.offset, false);
            }
            _ => {}
        }
        Ok(content)
    }

    fn piece(&mut self, at: Position, piece: &[u8]) -> Result<(), Fault> {
        match &mut self.value.text {
            Text::Nothing => Ok(()),
            Text::Payload(_) => self.payload_piece(at, piece, false),
            Text::Short(text) if text.len() + piece.len() > MAX_SHORT_LEN => {
                Err(self.fault(Defect::TooLong { expected: self.value.node.expected() }))
            }
            Text::Short(text) => {
                text.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    fn alphabet(&mut self, at: Position, run: &[u8]) -> Result<(), Fault> {
        self.payload_piece(at, run, true)
    }

    fn string_end(&mut self, at: Position) -> Result<(), Fault> {
        match std::mem::replace(&mut self.value.text, Text::Nothing) {
            Text::Nothing => Ok(()),
            Text::Short(text) => self.short_end(&text, at),
            Text::Payload(payload) => self.payload_end(payload, at),
        }
    }

    fn scalar(&mut self, at: Position, raw: Option<&str>) -> Result<(), Fault> {
        let flag = match raw {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        match self.value.node {
            Node::MigrationId => self.migration_id(raw).map_err(|defect| Fault::at(at, defect))?,
            Node::WasPaused => self.facts.was_paused = flag,
            Node::SeparateFiles if matches!(self.task, DocumentTask::Keep) && flag == Some(true) => {
                return Err(Fault::at(at, Defect::SeparateFiles));
            }
            Node::SeparateFiles => self.facts.separate = Some(flag.unwrap_or(false)),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, at: Position) -> Result<(), Fault> {
        let (node, _keys) = self.shape.close(at)?;
        match (node, &self.task) {
            (Node::SnapshotDocument, DocumentTask::Merge { .. }) => self.edit(at.offset, false),
            (Node::ValidatorSnapshot, DocumentTask::Extract) => self.edit(at.offset + 1, false),
            _ => {}
        }
        match node {
            Node::DataSnapshot | Node::ValidatorSnapshot => self.place_payloads(at),
            _ => Ok(()),
        }
    }
}
