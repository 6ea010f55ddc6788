//! The record of a finished dump: what its attestation will say, and where the file is.
//!
//! The record is written after the dump is flushed under its name, so a record means that the dump was complete.
//! Before anything is signed, the file is compared with the record again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use svdr_protocol::digest::Digest;
use svdr_protocol::names::MemberName;
use svdr_protocol::statement::{Attestation, MAX_PARTS, Part, Received};
use svdr_protocol::time::Timestamp;
use svdr_protocol::vote;

use svdr_dump::{CheckedFile, MergeSummary, Payload, PayloadFileError, PayloadPart, read_payload_file};
use svdr_files::hashing;

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
    /// Its parts, as they are attested.
    pub parts: Vec<PartRecord>,
    /// When making it began, by this machine's clock.
    pub started: Timestamp,
    /// When it was on disk, likewise.
    pub finished: Timestamp,
    /// Whose snapshot it is made of, if it is not the own SV app's.
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
    /// Name of the file beside the dump that contains it in chunks; `None` if the dump itself contains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
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

    /// The record that an attestation was made of, with the dump at `path`.
    pub fn of_attestation(attestation: &Attestation, path: PathBuf) -> DumpRecord {
        let received = attestation.received.as_ref();
        DumpRecord {
            round: attestation.round,
            proposal: attestation.proposal,
            path,
            recovery_timestamp: attestation.recovery_timestamp,
            migration_id: attestation.migration_id,
            size: attestation.dump.size,
            sha256: attestation.dump.digest,
            parts: attestation.parts.iter().map(PartRecord::from).collect(),
            started: attestation.started,
            finished: attestation.finished,
            received: received.map(|one| ReceivedRecord { from: one.from.clone(), donation: one.donation }),
        }
    }

    /// Whether the dump is on the disk as it was made: it and each of its payload files, read to the end.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn is_on_disk(&self) -> io::Result<bool> {
        if digest(&self.path, self.size)? != Some(self.sha256) {
            return Ok(false);
        }
        let folder = self.path.parent().unwrap_or(Path::new(""));
        for (part, file) in self.parts.iter().filter_map(|part| part.file.as_ref().map(|file| (part, file))) {
            let found = match read_payload_file(File::open(folder.join(file))?, |_| Ok(())) {
                Ok(found) => found,
                Err(PayloadFileError::Chunks(_)) => return Ok(false),
                Err(PayloadFileError::Read { source, .. } | PayloadFileError::Write { source, .. }) => {
                    return Err(source);
                }
            };
            if found != (part.size, part.sha256) {
                return Ok(false);
            }
        }
        Ok(true)
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
}

/// SHA-256 of a file of that size; `None` if it has another.
fn digest(path: &Path, size: u64) -> io::Result<Option<Digest>> {
    let file = File::open(path)?;
    if file.metadata()?.len() != size {
        return Ok(None);
    }
    hashing::size_and_digest(file, |_| ()).map(|(_, digest)| Some(digest))
}

impl From<&PartRecord> for Part {
    fn from(part: &PartRecord) -> Part {
        Part { name: part.name.clone(), digest: part.sha256, size: part.size, file: part.file.clone() }
    }
}

impl From<&Part> for PartRecord {
    fn from(part: &Part) -> PartRecord {
        PartRecord { name: part.name.clone(), size: part.size, sha256: part.digest, file: part.file.clone() }
    }
}

/// The parts that have a digest, up to as many as an attestation may list.
pub(crate) fn parts(summary: &MergeSummary) -> Vec<PartRecord> {
    let payload = |name: &str, payload: &Payload| match payload {
        Payload::Inline { size, sha256: Some(sha256) } => {
            Some(PartRecord { name: name.to_owned(), size: *size, sha256: *sha256, file: None })
        }
        Payload::File { checked: Some(CheckedFile { file, size, sha256 }), .. } => {
            Some(PartRecord { name: name.to_owned(), size: *size, sha256: *sha256, file: Some(file.clone()) })
        }
        Payload::Inline { sha256: None, .. } | Payload::File { checked: None, .. } => None,
    };
    let genesis =
        summary.genesis_state.as_ref().and_then(|genesis| payload(PayloadPart::GenesisState.name(), genesis));
    let acs = payload(PayloadPart::AcsSnapshot.name(), &summary.acs_snapshot);
    let dars = summary.dars.iter().filter_map(|dar| {
        let sha256 = dar.sha256?;
        Some(PartRecord { name: format!("dar:{}", dar.hash), size: dar.size, sha256, file: None })
    });
    genesis.into_iter().chain(acs).chain(dars).take(MAX_PARTS).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    fn record(folder: &Path) -> DumpRecord {
        let path = folder.join("dump.json");
        fs::write(&path, "{}").unwrap();
        fs::write(folder.join("acs"), b"\0\0\0\x03abc").unwrap();
        let part = |name: &str, bytes: &[u8], file: Option<&str>| PartRecord {
            name: name.to_owned(),
            size: bytes.len() as u64,
            sha256: Digest::of(bytes),
            file: file.map(str::to_owned),
        };
        DumpRecord {
            round: 1,
            proposal: Digest::of(b""),
            path,
            recovery_timestamp: at(0),
            migration_id: 6,
            size: 2,
            sha256: Digest::of(b"{}"),
            parts: vec![part("acs_snapshot", b"abc", Some("acs")), part("dar:1220", b"x", None)],
            started: at(1),
            finished: at(2),
            received: None,
        }
    }

    #[test]
    fn a_dump_is_on_disk_with_every_file_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let record = record(folder.path());
        assert!(record.is_on_disk().unwrap());
        for (name, content) in [
            ("acs", &b"\0\0\0\x03abx"[..]),
            ("acs", b"\0\0\0\x03ab"),
            ("acs", b""),
            ("dump.json", b"{ }"),
            ("dump.json", b"[]"),
        ] {
            let whole = fs::read(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name), content).unwrap();
            assert!(!record.is_on_disk().unwrap(), "{name} {content:?}");
            fs::write(folder.path().join(name), whole).unwrap();
        }
        fs::remove_file(folder.path().join("acs")).unwrap();
        assert!(record.is_on_disk().is_err());
    }

    #[test]
    fn the_attestation_names_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let record = record(folder.path());
        let vote = record.to_vote();
        let attestation = Attestation {
            round: record.round,
            proposal: record.proposal,
            recovery_timestamp: vote.recovery_timestamp,
            migration_id: vote.migration_id,
            dump: vote.whole,
            parts: vote.parts,
            started: vote.started,
            finished: vote.finished,
            received: vote.received,
        };
        assert_eq!(DumpRecord::of_attestation(&attestation, record.path.clone()), record);
        let files: Vec<_> = record.to_vote().parts.into_iter().map(|part| part.file).collect();
        assert_eq!(files, [Some("acs".to_owned()), None]);
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<DumpRecord>(&json).unwrap(), record);
        // A record of before there were such files.
        let before = json.replace(",\"file\":\"acs\"", "");
        assert_eq!(serde_json::from_str::<DumpRecord>(&before).unwrap().parts[0].file, None);
    }
}
