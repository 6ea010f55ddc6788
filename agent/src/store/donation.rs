//! The record of a snapshot that this member donates: where it is, and what it was when it was checked.
//!
//! It is written after the snapshot has its name and is flushed, and before the donation is signed: so a donor that was
//! stopped in between signs the same snapshot, and the endpoint finds the file of a signed donation. The request of a
//! receiver never names a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use svdr_files::Replace;
use svdr_files::crash::around_flush;
use svdr_protocol::digest::Digest;
use svdr_protocol::statement::{Donation, Part};
use svdr_protocol::time::Timestamp;

use super::{PartRecord, StoreError, parts};
use svdr_dump::MergeSummary;

/// A snapshot to donate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DonationRecord {
    /// The round it was taken in.
    pub round: u32,
    /// Digest of the proposal's envelope.
    pub proposal: Digest,
    /// Where the snapshot is.
    pub path: PathBuf,
    /// The party that it is of.
    pub party: String,
    /// The time it is of.
    pub recovery_timestamp: Timestamp,
    /// The id of the migration that it is for.
    pub migration_id: u64,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its parts.
    pub parts: Vec<PartRecord>,
}

impl DonationRecord {
    /// The record of a snapshot of `party` that was kept at `path`.
    pub fn new(
        (round, proposal): (u32, Digest),
        path: PathBuf,
        party: String,
        summary: &MergeSummary,
    ) -> DonationRecord {
        DonationRecord {
            round,
            proposal,
            path,
            party,
            recovery_timestamp: summary.timestamp,
            migration_id: summary.migration_id,
            size: summary.size,
            sha256: summary.sha256,
            parts: parts(summary),
        }
    }

    /// What is to be signed, with where it is handed out.
    pub fn to_donation(&self, url: Option<String>) -> Donation {
        Donation {
            round: self.round,
            proposal: self.proposal,
            recovery_timestamp: self.recovery_timestamp,
            migration_id: self.migration_id,
            party: self.party.clone(),
            snapshot: Part { name: String::new(), digest: self.sha256, size: self.size, file: None },
            parts: self.parts.iter().map(Part::from).collect(),
            url,
        }
    }

    pub(super) fn file_name(round: u32) -> String {
        format!("donation-{round}.json")
    }

    pub(super) fn read(path: &Path) -> Result<Option<DonationRecord>, StoreError> {
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
        around_flush(|| svdr_files::write_private(path, &json, Replace::Force))?;
        Ok(())
    }
}
