//! The record of a finished dump: what its attestation will say, and where the file is.
//!
//! It is written after the dump has its name and is flushed, so its presence means that the dump was complete.
//! Whether the file is still what it was is checked again before anything is signed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use svdr_cli::crash::around_flush;
use svdr_cli::files::{self, Replace};
use svdr_protocol::digest::Digest;
use svdr_protocol::names::MemberName;
use svdr_protocol::statement::{MAX_PARTS, Part, Received};
use svdr_protocol::time::Timestamp;
use svdr_protocol::vote;

use super::StoreError;
use crate::dump::{MergeSummary, Payload};

/// A finished dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpRecord {
    /// The round it was made in.
    pub round: u32,
    /// Digest of the proposal's envelope.
    pub proposal: Digest,
    /// Where the dump is.
    pub path: PathBuf,
    /// The time it is of.
    pub recovery_timestamp: Timestamp,
    /// The id of the migration that it is for.
    pub migration_id: u64,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its parts that should be equal for every member.
    pub parts: Vec<PartRecord>,
    /// When making it began, by this machine's clock.
    pub started: Timestamp,
    /// When it was on disk, likewise.
    pub finished: Timestamp,
    /// Whose snapshot it is made of, where it is not the own SV app's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<ReceivedRecord>,
}

/// Whose snapshot a dump is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedRecord {
    /// The donor.
    pub from: MemberName,
    /// Digest of its donation.
    pub donation: Digest,
}

/// A part of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// `genesis_state`, `acs_snapshot`, or `dar:` and the DAR's hash.
    pub name: String,
    /// Its size in bytes, decoded.
    pub size: u64,
    /// SHA-256 of the decoded bytes.
    pub sha256: Digest,
}

impl DumpRecord {
    /// The record of what a merge made.
    pub fn new(
        (round, proposal): (u32, Digest),
        path: PathBuf,
        summary: &MergeSummary,
        (started, finished): (Timestamp, Timestamp),
    ) -> DumpRecord {
        DumpRecord {
            round,
            proposal,
            path,
            recovery_timestamp: summary.timestamp,
            migration_id: summary.migration_id,
            size: summary.size,
            sha256: summary.sha256,
            parts: parts(summary),
            started,
            finished,
            received: None,
        }
    }

    /// The same, made of another member's snapshot.
    pub fn received_from(self, from: MemberName, donation: Digest) -> DumpRecord {
        DumpRecord { received: Some(ReceivedRecord { from, donation }), ..self }
    }

    /// What the voting rules look at.
    pub fn to_vote(&self) -> vote::Dump {
        vote::Dump {
            recovery_timestamp: self.recovery_timestamp,
            migration_id: self.migration_id,
            whole: Part { name: String::new(), digest: self.sha256, size: self.size, file: None },
            parts: self.parts.iter().map(Part::from).collect(),
            started: self.started,
            finished: self.finished,
            received: self
                .received
                .as_ref()
                .map(|one| Received { from: one.from.clone(), donation: one.donation }),
        }
    }

    pub(super) fn file_name(round: u32) -> String {
        format!("dump-{round}.json")
    }

    pub(super) fn read(path: &Path) -> Result<Option<DumpRecord>, StoreError> {
        let json = match fs::read(path) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Read { path: path.to_owned(), source }),
        };
        let record = serde_json::from_slice(&json);
        record.map(Some).map_err(|source| StoreError::DumpRecord { path: path.to_owned(), source })
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), StoreError> {
        let json = serde_json::to_vec_pretty(self)
            .map_err(|source| StoreError::DumpRecord { path: path.to_owned(), source })?;
        around_flush(|| files::write_private(path, &json, Replace::Force))?;
        Ok(())
    }
}

impl From<&PartRecord> for Part {
    fn from(part: &PartRecord) -> Part {
        Part { name: part.name.clone(), digest: part.sha256, size: part.size, file: None }
    }
}

/// The parts that have a digest, up to as many as an attestation may list.
pub(crate) fn parts(summary: &MergeSummary) -> Vec<PartRecord> {
    let payload = |name: &str, payload: &Payload| match payload {
        Payload::Inline { size, sha256: Some(sha256) } => {
            Some(PartRecord { name: name.to_owned(), size: *size, sha256: *sha256 })
        }
        Payload::Inline { sha256: None, .. } | Payload::File { .. } => None,
    };
    let genesis = summary.genesis_state.as_ref().and_then(|genesis| payload("genesis_state", genesis));
    let acs = payload("acs_snapshot", &summary.acs_snapshot);
    let dars = summary.dars.iter().filter_map(|dar| {
        let sha256 = dar.sha256?;
        Some(PartRecord { name: format!("dar:{}", dar.hash), size: dar.size, sha256 })
    });
    genesis.into_iter().chain(acs).chain(dars).take(MAX_PARTS).collect()
}
