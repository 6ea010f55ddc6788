//! What a merge says about its result: for the screen, and for the member's attestation.

use serde::Serialize;
use svdr_protocol::digest::Digest;
use svdr_protocol::time::Timestamp;

/// A merged dump. As JSON its keys are those of the fields below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MergeSummary {
    /// Bytes of the merged dump.
    pub size: u64,
    /// SHA-256 of the merged dump.
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
}

/// A payload of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Payload {
    /// It stands in the document.
    Inline {
        /// Bytes of it, decoded.
        size: u64,
        /// SHA-256 of the decoded bytes; `None` where the parts were not to be digested.
        sha256: Option<Digest>,
    },
    /// It is a file beside the dump.
    File {
        /// The path, as the SV app wrote it.
        path: String,
    },
}

/// A DAR of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dar {
    /// Its hash as the snapshot names it: Canton's own, not the digest of the bytes.
    pub hash: String,
    /// Bytes of it, decoded.
    pub size: u64,
    /// SHA-256 of the decoded bytes; `None` where the parts were not to be digested.
    pub sha256: Option<Digest>,
}
