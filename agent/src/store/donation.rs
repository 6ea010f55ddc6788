//! The record of a snapshot that this member donates: where it is, and what it was when it was checked.
//!
//! The record is written after the snapshot is flushed under its name, and before the donation is signed. So a donor
//! that was stopped in between signs the same snapshot, and the endpoint finds the file of a signed donation. A
//! receiver's request never names a file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use svdr_protocol::digest::Digest;
use svdr_protocol::statement::{Donation, Part};
use svdr_protocol::time::Timestamp;

use super::{PartRecord, parts};
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

    /// The donation to sign, with the URL that offers the snapshot.
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
}
