//! What brings back those that the round itself does not, and shows that the network works: `donation`,
//! `confirmation`.

use svdr_proto::v1;

use super::attesting::{MAX_PARTS, Part, read_part, read_parts, write_part};
use super::fields::Fields;
use super::{Content, StatementError};
use crate::digest::Digest;
use crate::evidence::Evidence;
use crate::time::Timestamp;

/// The longest URL of a donor's agent, in bytes: a host name has at most 253.
pub const MAX_URL_LEN: usize = 512;
/// The longest party id, in bytes: an identifier of 185 characters, and a fingerprint.
const MAX_PARTY_LEN: usize = 512;

/// A member offers a data snapshot of a round to those whose own SV app cannot serve one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Donation {
    /// The round, from 1.
    pub round: u32,
    /// Digest of the proposal's envelope.
    pub proposal: Digest,
    /// The time that the snapshot is of.
    pub recovery_timestamp: Timestamp,
    /// The migration id in it.
    pub migration_id: u64,
    /// The party that it is of, in full: `DSO::` and a fingerprint.
    pub party: String,
    /// The SV app's whole answer, byte for byte; its name is empty.
    pub snapshot: Part,
    /// Its parts, named as in an attestation.
    pub parts: Vec<Part>,
    /// Where the signer's agent hands it out: `https://host:port`; `None` where it is passed on by other means.
    pub url: Option<String>,
}

/// What a member's participant says about the others on the new synchronizer, after the recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The completed round, from 1.
    pub round: u32,
    /// Digest of the completed proposal's envelope.
    pub proposal: Digest,
    /// What its logs say.
    pub evidence: Evidence,
}

impl Content for Donation {
    type Message = v1::Donation;

    fn to_message(&self, header: v1::Header) -> v1::Donation {
        v1::Donation {
            header: Some(header),
            round: self.round,
            proposal: self.proposal.as_bytes().to_vec(),
            recovery_timestamp: self.recovery_timestamp.micros(),
            migration_id: self.migration_id,
            party: self.party.clone(),
            snapshot: Some(write_part(&self.snapshot)),
            parts: self.parts.iter().map(write_part).collect(),
            // Empty is absent.
            url: self.url.clone().unwrap_or_default(),
        }
    }

    fn take_header(message: &mut v1::Donation) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Donation, fields: &Fields<'_>) -> Result<Donation, StatementError> {
        fields.count("parts", message.parts.len(), MAX_PARTS, "at most 1024 parts")?;
        let snapshot = message
            .snapshot
            .ok_or_else(|| fields.error("snapshot", "nothing".to_owned(), "the whole snapshot"))?;
        let party = fields.text("party", message.party, MAX_PARTY_LEN, "at most 512 bytes of a party id")?;
        if !party.split_once("::").is_some_and(|(hint, rest)| !hint.is_empty() && !rest.is_empty()) {
            return Err(fields.error("party", format!("{party:?}"), "a party id: DSO::1220…"));
        }
        let url = fields.text("url", message.url, MAX_URL_LEN, "at most 512 bytes of an https:// URL")?;
        if !url.is_empty() && !url.starts_with("https://") {
            return Err(fields.error("url", format!("{url:?}"), "https://host:port, or nothing"));
        }
        Ok(Donation {
            round: fields.round("round", message.round)?,
            proposal: fields.digest("proposal", &message.proposal)?,
            recovery_timestamp: fields.time("recovery_timestamp", message.recovery_timestamp)?,
            migration_id: message.migration_id,
            party,
            snapshot: read_part(fields, snapshot)?,
            parts: read_parts(fields, message.parts)?,
            url: Some(url).filter(|url| !url.is_empty()),
        })
    }
}

impl Content for Confirmation {
    type Message = v1::Confirmation;

    fn to_message(&self, header: v1::Header) -> v1::Confirmation {
        let mut evidence = self.evidence.to_message(v1::Header::default());
        evidence.header = None;
        v1::Confirmation {
            header: Some(header),
            round: self.round,
            proposal: self.proposal.as_bytes().to_vec(),
            evidence: Some(evidence),
        }
    }

    fn take_header(message: &mut v1::Confirmation) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Confirmation, fields: &Fields<'_>) -> Result<Confirmation, StatementError> {
        let evidence = message
            .evidence
            .ok_or_else(|| fields.error("evidence", "nothing".to_owned(), "what the logs say"))?;
        if evidence.header.is_some() {
            return Err(fields.error(
                "evidence.header",
                "a header".to_owned(),
                "none: it has no signer of its own",
            ));
        }
        Ok(Confirmation {
            round: fields.round("round", message.round)?,
            proposal: fields.digest("proposal", &message.proposal)?,
            evidence: Evidence::from_message(evidence, fields)?,
        })
    }
}
