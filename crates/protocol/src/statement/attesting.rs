//! What comes of a round: `attestation`, `obstacle`.

use svdr_proto::v1;

use super::fields::Fields;
use super::{Content, StatementError};
use crate::digest::Digest;
use crate::names::MemberName;
use crate::time::Timestamp;

/// Parts that an attestation may list: genesis state, ACS snapshot, and a DAR for every package version that a
/// network ever had.
pub const MAX_PARTS: usize = 1024;

/// A member's migration dump is made, checked, and safe on its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// The round, from 1.
    pub round: u32,
    /// Digest of the proposal's envelope.
    pub proposal: Digest,
    /// The time that the dump is of.
    pub recovery_timestamp: Timestamp,
    /// The migration id in the dump.
    pub migration_id: u64,
    /// The whole dump; its name is empty.
    pub dump: Part,
    /// Its parts. Which of them are equal for every member: `Part::is_equal_for_all`.
    pub parts: Vec<Part>,
    /// When making it began, by the signer's clock; for the record only.
    pub started: Timestamp,
    /// When it was on disk, likewise.
    pub finished: Timestamp,
    /// Whose snapshot it is made of, if the signer's own SV app could not serve one.
    pub received: Option<Received>,
}

/// Where a dump's snapshot comes from, if not from the signer's own SV app. Its identities are the signer's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The donor.
    pub from: MemberName,
    /// Digest of the donor's donation.
    pub donation: Digest,
}

/// A file, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// `genesis_state`, `acs_snapshot`, or `dar:` and the DAR's hash; empty for the whole.
    pub name: String,
    /// SHA-256 of its bytes, without base64 or chunk lengths: the same part always has the same digest.
    pub digest: Digest,
    /// Its size in bytes, likewise.
    pub size: u64,
    /// Name of the file beside the dump that contains it in chunks; `None` if the dump itself contains it.
    pub file: Option<String>,
}

impl Part {
    /// Whether every member's own dump of a round must have the same bytes here: the genesis state of the one new
    /// synchronizer. The other parts differ on a healthy network: each `acs_snapshot` contains the contracts of the
    /// member's own party, and each SV vets its own DARs.
    pub fn is_equal_for_all(&self) -> bool {
        self.name == "genesis_state"
    }
}

/// A member's SV app cannot make the dump of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The round, from 1.
    pub round: u32,
    /// The kind of obstacle.
    pub kind: ObstacleKind,
    /// The time that was asked for.
    pub recovery_timestamp: Timestamp,
    /// The SV app's words, as [`shortened`](crate::text::shortened) leaves them.
    pub text: String,
}

/// Why an SV app cannot make a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObstacleKind {
    /// Its participant is pruned beyond the timestamp: a later one is needed.
    Pruned,
    /// It has not caught up to the timestamp: an earlier one is needed.
    Behind,
}

pub(super) fn write_part(part: &Part) -> v1::Part {
    v1::Part {
        name: part.name.clone(),
        digest: part.digest.as_bytes().to_vec(),
        size: part.size,
        // Empty is absent, here and below.
        file: part.file.clone().unwrap_or_default(),
    }
}

pub(super) fn read_part(fields: &Fields<'_>, part: v1::Part) -> Result<Part, StatementError> {
    let file = fields.short_text("part.file", part.file)?;
    if file.contains('/') {
        return Err(fields.error("part.file", format!("{file:?}"), "a file's name without a folder"));
    }
    Ok(Part {
        name: fields.short_text("part.name", part.name)?,
        digest: fields.digest("part.digest", &part.digest)?,
        size: part.size,
        file: Some(file).filter(|file| !file.is_empty()),
    })
}

/// The caller has counted them.
pub(super) fn read_parts(fields: &Fields<'_>, parts: Vec<v1::Part>) -> Result<Vec<Part>, StatementError> {
    parts.into_iter().map(|part| read_part(fields, part)).collect()
}

fn read_received(
    fields: &Fields<'_>,
    from: &str,
    donation: &[u8],
) -> Result<Option<Received>, StatementError> {
    if from.is_empty() && donation.is_empty() {
        return Ok(None);
    }
    let from: MemberName = fields.parsed("received_from", from)?;
    if from == *fields.signer() {
        return Err(fields.error("received_from", "the signer itself".to_owned(), "another member"));
    }
    Ok(Some(Received { from, donation: fields.digest("donation", donation)? }))
}

impl Content for Attestation {
    type Message = v1::Attestation;

    fn to_message(&self, header: v1::Header) -> v1::Attestation {
        let received = self.received.as_ref();
        v1::Attestation {
            header: Some(header),
            round: self.round,
            proposal: self.proposal.as_bytes().to_vec(),
            recovery_timestamp: self.recovery_timestamp.micros(),
            migration_id: self.migration_id,
            dump: Some(write_part(&self.dump)),
            parts: self.parts.iter().map(write_part).collect(),
            started: self.started.micros(),
            finished: self.finished.micros(),
            received_from: received.map_or(String::new(), |one| one.from.to_string()),
            donation: received.map_or(Vec::new(), |one| one.donation.as_bytes().to_vec()),
        }
    }

    fn take_header(message: &mut v1::Attestation) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Attestation, fields: &Fields<'_>) -> Result<Attestation, StatementError> {
        fields.count("parts", message.parts.len(), MAX_PARTS, "at most 1024 parts")?;
        let dump =
            message.dump.ok_or_else(|| fields.error("dump", "nothing".to_owned(), "the whole dump"))?;
        Ok(Attestation {
            round: fields.round("round", message.round)?,
            proposal: fields.digest("proposal", &message.proposal)?,
            recovery_timestamp: fields.time("recovery_timestamp", message.recovery_timestamp)?,
            migration_id: message.migration_id,
            dump: read_part(fields, dump)?,
            parts: read_parts(fields, message.parts)?,
            started: fields.time("started", message.started)?,
            finished: fields.time("finished", message.finished)?,
            received: read_received(fields, &message.received_from, &message.donation)?,
        })
    }
}

impl Content for Obstacle {
    type Message = v1::Obstacle;

    fn to_message(&self, header: v1::Header) -> v1::Obstacle {
        let kind = match self.kind {
            ObstacleKind::Pruned => v1::ObstacleKind::Pruned,
            ObstacleKind::Behind => v1::ObstacleKind::Behind,
        };
        v1::Obstacle {
            header: Some(header),
            round: self.round,
            kind: kind.into(),
            recovery_timestamp: self.recovery_timestamp.micros(),
            text: self.text.clone(),
        }
    }

    fn take_header(message: &mut v1::Obstacle) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Obstacle, fields: &Fields<'_>) -> Result<Obstacle, StatementError> {
        let kind = match v1::ObstacleKind::try_from(message.kind) {
            Err(_) => return Err(fields.not_known("obstacle", "kind")),
            Ok(v1::ObstacleKind::Pruned) => ObstacleKind::Pruned,
            Ok(v1::ObstacleKind::Behind) => ObstacleKind::Behind,
            Ok(v1::ObstacleKind::Unspecified) => {
                return Err(fields.error("kind", message.kind.to_string(), "pruned or behind"));
            }
        };
        Ok(Obstacle {
            round: fields.round("round", message.round)?,
            kind,
            recovery_timestamp: fields.time("recovery_timestamp", message.recovery_timestamp)?,
            text: fields.reason("text", message.text)?,
        })
    }
}
