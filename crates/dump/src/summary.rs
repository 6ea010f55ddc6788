//! What is known of a dump that was made: for the screen, and for the member's attestation.

use serde::Serialize;
use svdr_protocol::digest::Digest;
use svdr_protocol::time::Timestamp;

use super::relocation::PayloadPart;

/// A dump that was made. As JSON its keys are those of the fields below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MergeSummary {
    /// Bytes of the dump.
    pub size: u64,
    /// SHA-256 of the dump.
    pub sha256: Digest,
    /// The time of the snapshot, which is the one asked for.
    pub timestamp: Timestamp,
    /// The id of the migration that the dump is for.
    pub migration_id: u64,
    /// The active contracts.
    pub acs_snapshot: Payload,
    /// The genesis state of the new synchronizer, where the snapshot has one.
    pub genesis_state: Option<Payload>,
    /// The DARs, in the snapshot's order.
    pub dars: Vec<Dar>,
    /// What the snapshot says of it, where it says anything.
    pub synchronizer_was_paused: Option<bool>,
    /// Whether the payloads are in files of their own.
    pub separate_payload_files: bool,
    /// `identities.participant.id` of an exported dump, if it says so.
    #[serde(skip)]
    pub participant: Option<String>,
    /// The payload files of an exported dump, in its order.
    #[serde(skip)]
    pub exported_files: Vec<ExportedFile>,
}

/// A payload file that an exported dump names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// The payload in it.
    pub part: PayloadPart,
    /// Its name in the export's folder.
    pub file: String,
}

/// A payload of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Payload {
    /// It is in the document.
    Inline {
        /// Bytes of it, decoded.
        size: u64,
        /// SHA-256 of the decoded bytes; `None` where the parts were not to be digested.
        sha256: Option<Digest>,
    },
    /// It is a file beside the dump.
    File {
        /// The path, as the dump has it: as the SV app sees it.
        path: String,
        /// The file that was found there and is complete; `None` where it was not looked for.
        #[serde(flatten)]
        checked: Option<CheckedFile>,
    },
}

/// A payload's file that has been read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckedFile {
    /// Its name.
    pub file: String,
    /// Bytes of the payload: of the chunks' contents.
    pub size: u64,
    /// SHA-256 of the chunks' contents, one after the other: that of the same payload in a document, decoded.
    pub sha256: Digest,
}

impl MergeSummary {
    /// The payload of that name.
    pub const fn payload_mut(&mut self, part: PayloadPart) -> Option<&mut Payload> {
        match part {
            PayloadPart::AcsSnapshot => Some(&mut self.acs_snapshot),
            PayloadPart::GenesisState => self.genesis_state.as_mut(),
        }
    }

    /// Notes that the file of a payload is complete.
    pub fn set_checked(&mut self, part: PayloadPart, found: CheckedFile) {
        if let Some(Payload::File { checked, .. }) = self.payload_mut(part) {
            *checked = Some(found);
        }
    }
}

/// A DAR of the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dar {
    /// Its hash as the snapshot names it: Canton's own, not the digest of the bytes.
    pub hash: String,
    /// Bytes of it, decoded.
    pub size: u64,
    /// SHA-256 of the decoded bytes; `None` where the parts were not to be digested.
    pub sha256: Option<Digest>,
}
