//! The shape of every document: which fields there are, what they hold, and which must be there.
//!
//! One table for all, because the same checks run on all: kinds, required fields, and keys that may occur only
//! once. Whatever the table does not name is passed through unseen. An optional field may be `null`: some
//! encoders write that for one that is absent.

use std::collections::HashSet;

use super::error::{Defect, Document, Found, Position, shown};
use super::json::{Fault, Kind};
use super::limits::MAX_UNIQUE_KEYS;

/// A place in a document that means something to the merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Unknown to us, or not looked into.
    Other,
    IdentitiesDocument,
    Identities,
    PartyOrDomain,
    Participant,
    ParticipantId,
    PrivateIdentities,
    DumpDocument,
    SnapshotDocument,
    ValidatorDocument,
    ValidatorSnapshot,
    CreatedAt,
    /// When the app made it, which is not the time that it is of.
    MadeAt,
    MigrationId,
    ParticipantUsers,
    DataSnapshot,
    AcsSnapshot,
    AcsTimestamp,
    GenesisState,
    WasPaused,
    SeparateFiles,
    Dars,
    Dar,
    DarHash,
    DarContent,
}

/// A field of an object.
struct Field {
    key: &'static str,
    node: Node,
    required: bool,
}

const fn required(key: &'static str, node: Node) -> Field {
    Field { key, node, required: true }
}

const fn optional(key: &'static str, node: Node) -> Field {
    Field { key, node, required: false }
}

static IDENTITIES_DOCUMENT: &[Field] = &[required("identities", Node::Identities)];
static IDENTITIES: &[Field] = &[
    required("sv_party_id", Node::PartyOrDomain),
    required("dso_party_id", Node::PartyOrDomain),
    required("domain_alias", Node::PartyOrDomain),
    required("domain_id", Node::PartyOrDomain),
    required("participant", Node::Participant),
    required("sequencer", Node::PrivateIdentities),
    required("mediator", Node::PrivateIdentities),
];
// Of a node's identities nothing is looked at but whose they are.
static PARTICIPANT: &[Field] = &[optional("id", Node::ParticipantId)];
static DUMP_DOCUMENT: &[Field] = &[
    required("identities", Node::Identities),
    required("created_at", Node::MadeAt),
    required("migration_id", Node::MigrationId),
    required("data_snapshot", Node::DataSnapshot),
    optional("participant_users", Node::ParticipantUsers),
];
static SNAPSHOT_DOCUMENT: &[Field] = &[
    required("created_at", Node::CreatedAt),
    required("migration_id", Node::MigrationId),
    required("data_snapshot", Node::DataSnapshot),
    optional("participant_users", Node::ParticipantUsers),
];
static VALIDATOR_DOCUMENT: &[Field] = &[required("data_snapshot", Node::ValidatorSnapshot)];
/// `http.DomainMigrationDump` of Splice's validator app.
static VALIDATOR_SNAPSHOT: &[Field] = &[
    required("participant", Node::PrivateIdentities),
    required("acs_snapshot", Node::AcsSnapshot),
    required("acs_timestamp", Node::AcsTimestamp),
    required("dars", Node::Dars),
    optional("migration_id", Node::MigrationId),
    optional("domain_id", Node::PartyOrDomain),
    optional("created_at", Node::MadeAt),
    optional("participant_users", Node::ParticipantUsers),
    optional("synchronizer_was_paused", Node::WasPaused),
    optional("separate_payload_files", Node::SeparateFiles),
];
static DATA_SNAPSHOT: &[Field] = &[
    required("acs_snapshot", Node::AcsSnapshot),
    required("acs_timestamp", Node::AcsTimestamp),
    required("dars", Node::Dars),
    optional("genesis_state", Node::GenesisState),
    optional("synchronizer_was_paused", Node::WasPaused),
    optional("separate_payload_files", Node::SeparateFiles),
];
static DAR: &[Field] = &[required("hash", Node::DarHash), required("content", Node::DarContent)];

impl Node {
    /// The fields of the object at this node; `None` where nothing inside is looked at.
    const fn fields(self) -> Option<&'static [Field]> {
        match self {
            Node::IdentitiesDocument => Some(IDENTITIES_DOCUMENT),
            Node::Identities => Some(IDENTITIES),
            Node::Participant => Some(PARTICIPANT),
            Node::DumpDocument => Some(DUMP_DOCUMENT),
            Node::SnapshotDocument => Some(SNAPSHOT_DOCUMENT),
            Node::ValidatorDocument => Some(VALIDATOR_DOCUMENT),
            Node::ValidatorSnapshot => Some(VALIDATOR_SNAPSHOT),
            Node::DataSnapshot => Some(DATA_SNAPSHOT),
            Node::Dar => Some(DAR),
            _ => None,
        }
    }

    /// What belongs here, for people.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Node::Other => "any value",
            Node::IdentitiesDocument => "an object with the field identities",
            Node::Identities => "an object with the identities of participant, sequencer and mediator",
            Node::PartyOrDomain => "the id of a party or synchronizer, or an alias, as a string",
            Node::Participant | Node::PrivateIdentities => "an object with the identities of a node",
            Node::ParticipantId => "the id of the participant (PAR::…), as a string",
            Node::DumpDocument => {
                "an object with the fields identities, created_at, migration_id and data_snapshot"
            }
            Node::SnapshotDocument => "an object with the fields created_at, migration_id and data_snapshot",
            Node::ValidatorDocument => "an object with the field data_snapshot",
            Node::ValidatorSnapshot => {
                "an object with the fields participant, acs_snapshot, acs_timestamp and dars"
            }
            Node::CreatedAt | Node::MadeAt | Node::AcsTimestamp => {
                "an RFC 3339 timestamp with Z, as a string"
            }
            Node::MigrationId => "a migration id, as a whole number",
            Node::ParticipantUsers => "an object with the participant's users, or null",
            Node::DataSnapshot => "an object with the fields acs_snapshot, acs_timestamp and dars",
            Node::AcsSnapshot => "the active contracts, as a base64 string or the path of a file",
            Node::GenesisState => "the genesis state, as a base64 string or the path of a file, or null",
            Node::WasPaused | Node::SeparateFiles => "true, false or null",
            Node::Dars => "an array of DARs",
            Node::Dar => "an object with the fields hash and content",
            Node::DarHash => "the hash of a DAR, as a string",
            Node::DarContent => "the content of a DAR, as a base64 string",
        }
    }

    const fn accepts(self, kind: Kind) -> bool {
        match self {
            Node::Other => true,
            Node::IdentitiesDocument
            | Node::Identities
            | Node::Participant
            | Node::PrivateIdentities
            | Node::DumpDocument
            | Node::SnapshotDocument
            | Node::ValidatorDocument
            | Node::ValidatorSnapshot
            | Node::DataSnapshot
            | Node::Dar => matches!(kind, Kind::Object),
            Node::ParticipantUsers => matches!(kind, Kind::Object | Kind::Null),
            Node::PartyOrDomain
            | Node::CreatedAt
            | Node::MadeAt
            | Node::AcsTimestamp
            | Node::AcsSnapshot
            | Node::DarHash
            | Node::DarContent => matches!(kind, Kind::String),
            Node::ParticipantId | Node::GenesisState => matches!(kind, Kind::String | Kind::Null),
            Node::MigrationId => matches!(kind, Kind::Number),
            Node::WasPaused | Node::SeparateFiles => matches!(kind, Kind::Boolean | Kind::Null),
            Node::Dars => matches!(kind, Kind::Array),
        }
    }
}

/// An open object or array.
#[derive(Debug)]
struct Open {
    node: Node,
    array: bool,
    /// The keys so far, where they must be unique.
    seen: HashSet<String>,
}

/// Follows a document through the table.
#[derive(Debug)]
pub(super) struct Shape {
    root: Node,
    open: Vec<Open>,
    /// What the last key announced.
    next: Node,
}

impl Shape {
    pub(super) const fn new(document: Document) -> Shape {
        let root = match document {
            Document::Identities => Node::IdentitiesDocument,
            Document::Snapshot => Node::SnapshotDocument,
            Document::Dump => Node::DumpDocument,
            Document::Validator => Node::ValidatorDocument,
            Document::ValidatorDump => Node::ValidatorSnapshot,
        };
        Shape { root, open: Vec::new(), next: root }
    }

    /// Whether the current object is the document itself.
    pub(super) const fn at_top_level(&self) -> bool {
        self.open.len() == 1
    }

    pub(super) fn key(&mut self, at: Position, key: &str) -> Result<(), Fault> {
        self.next = Node::Other;
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        let Some(fields) = open.node.fields() else { return Ok(()) };
        if open.seen.len() >= MAX_UNIQUE_KEYS {
            return Err(Fault::at(at, Defect::TooManyKeys));
        }
        if !open.seen.insert(key.to_owned()) {
            return Err(Fault::at(at, Defect::DuplicateKey { key: shown(key) }));
        }
        if let Some(field) = fields.iter().find(|field| field.key == key) {
            self.next = field.node;
        }
        Ok(())
    }

    /// A value of this kind starts: its node.
    pub(super) fn value(&mut self, at: Position, kind: Kind) -> Result<Node, Fault> {
        let node = match self.open.last() {
            None => self.root,
            Some(Open { array: true, node: Node::Dars, .. }) => Node::Dar,
            Some(Open { array: true, .. }) => Node::Other,
            Some(_) => self.next,
        };
        if !node.accepts(kind) {
            let defect = Defect::WrongKind { expected: node.expected(), found: Found::Kind(kind.name()) };
            return Err(Fault::at(at, defect));
        }
        if matches!(kind, Kind::Object | Kind::Array) {
            self.open.push(Open { node, array: kind == Kind::Array, seen: HashSet::new() });
        }
        Ok(node)
    }

    /// An object or array has ended: its node and, where they are kept, its keys.
    pub(super) fn close(&mut self, at: Position) -> Result<(Node, HashSet<String>), Fault> {
        let Some(open) = self.open.pop() else { return Ok((Node::Other, HashSet::new())) };
        let mut fields = open.node.fields().unwrap_or_default().iter();
        match fields.find(|field| field.required && !open.seen.contains(field.key)) {
            Some(field) => {
                Err(Fault::at(at, Defect::Missing { key: field.key, expected: field.node.expected() }))
            }
            None => Ok((open.node, open.seen)),
        }
    }
}
