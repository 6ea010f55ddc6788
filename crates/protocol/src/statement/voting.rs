//! What a member promises: `agreement`, `rejection`, `abandonment`, `release`.

use std::collections::BTreeMap;

use svdr_proto::v1;

use super::fields::Fields;
use super::{Content, RoundOf, SessionId, StatementError};
use crate::digest::Digest;
use crate::dsse::Envelope;
use crate::roster::MAX_MEMBERS;

/// Rounds that one member may have attested before it agrees to another: each of them stalled after dumps were
/// made, which is an hour of everybody's work.
pub const MAX_ATTESTED: usize = 16;
/// Other sessions of the network that a member may have agreed in: more than a network has disasters.
pub const MAX_ELSEWHERE: usize = 64;

/// A member agrees to one proposal of one round.
///
/// It abandons the rounds of [`Agreement::abandons`]. This promise does not depend on the order in which the signer
/// signed its statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The round, from 1.
    pub round: u32,
    /// Digest of the proposal's envelope.
    pub proposal: Digest,
    /// Every round that the signer has attested, with the envelopes that prove that the round
    /// cannot complete: abandonments by n − t + 1 members, or the signer's own release; none if it belongs to a
    /// completed predecessor of this session.
    pub attested: BTreeMap<RoundOf, Vec<Envelope>>,
    /// For each other session of the network in which the signer has agreed, the highest round it agreed to.
    pub elsewhere: BTreeMap<SessionId, u32>,
}

/// A member does not agree to a proposal. For people; it forbids nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The round, from 1.
    pub round: u32,
    /// Digest of the proposal's envelope.
    pub proposal: Digest,
    /// Why, for people.
    pub reason: String,
}

/// A member promises never to attest a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abandonment {
    /// The round, from 1.
    pub round: u32,
    /// Why, for people.
    pub reason: String,
}

/// A member takes its own attestation of a round back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The round, from 1.
    pub round: u32,
    /// Digest of the attestation's envelope.
    pub attestation: Digest,
    /// Why, for people.
    pub reason: String,
}

impl Agreement {
    /// Whether this agreement, made in the session `own`, promises never to attest `round`: a lower round of the
    /// same session, or one of another session up to the round named in `elsewhere`, unless it is listed as
    /// attested.
    pub fn abandons(&self, own: SessionId, round: RoundOf) -> bool {
        let passed = if round.session == own {
            round.round < self.round
        } else {
            self.elsewhere.get(&round.session).is_some_and(|highest| round.round <= *highest)
        };
        passed && !self.attested.contains_key(&round)
    }

    /// Whether this agreement, made in the session `own`, knows of `round`: as one that it follows.
    pub fn follows(&self, own: SessionId, round: RoundOf) -> bool {
        self.attested.contains_key(&round) || self.abandons(own, round)
    }
}

fn round_of(round: RoundOf) -> v1::RoundOf {
    v1::RoundOf { session: round.session.as_bytes().to_vec(), round: round.round }
}

fn read_round_of(
    fields: &Fields<'_>,
    field: &'static str,
    round: Option<v1::RoundOf>,
) -> Result<RoundOf, StatementError> {
    let round = round.ok_or_else(|| fields.error(field, "nothing".to_owned(), "a round of a session"))?;
    let session = fields.session(field, &round.session)?;
    Ok(RoundOf { session, round: fields.round(field, round.round)? })
}

impl Content for Agreement {
    type Message = v1::Agreement;

    fn to_message(&self, header: v1::Header) -> v1::Agreement {
        let attested = self.attested.iter().map(|(round, proof)| v1::Attested {
            round: Some(round_of(*round)),
            proof: proof.iter().map(Envelope::to_message).collect(),
        });
        let elsewhere = self.elsewhere.iter().map(|(&session, &round)| round_of(RoundOf { session, round }));
        v1::Agreement {
            header: Some(header),
            round: self.round,
            proposal: self.proposal.as_bytes().to_vec(),
            attested: attested.collect(),
            elsewhere: elsewhere.collect(),
        }
    }

    fn take_header(message: &mut v1::Agreement) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Agreement, fields: &Fields<'_>) -> Result<Agreement, StatementError> {
        fields.count("attested", message.attested.len(), MAX_ATTESTED, "at most 16 rounds")?;
        fields.count("elsewhere", message.elsewhere.len(), MAX_ELSEWHERE, "at most 64 sessions")?;
        let mut attested = BTreeMap::new();
        for v1::Attested { round, proof } in message.attested {
            let round = read_round_of(fields, "attested.round", round)?;
            fields.count("attested.proof", proof.len(), MAX_MEMBERS, "one statement of each member")?;
            let proof = proof.into_iter().map(Envelope::from_message).collect::<Result<_, _>>()?;
            if attested.last_key_value().is_some_and(|(last, _)| *last >= round) {
                let found = "entries out of order or twice".to_owned();
                return Err(fields.error("attested", found, "ascending rounds"));
            }
            attested.insert(round, proof);
        }
        let mut elsewhere = BTreeMap::new();
        for round in message.elsewhere {
            let RoundOf { session, round } = read_round_of(fields, "elsewhere", Some(round))?;
            if elsewhere.last_key_value().is_some_and(|(last, _)| *last >= session) {
                let found = "entries out of order or twice".to_owned();
                return Err(fields.error("elsewhere", found, "ascending sessions"));
            }
            elsewhere.insert(session, round);
        }
        Ok(Agreement {
            round: fields.round("round", message.round)?,
            proposal: fields.digest("proposal", &message.proposal)?,
            attested,
            elsewhere,
        })
    }
}

impl Content for Rejection {
    type Message = v1::Rejection;

    fn to_message(&self, header: v1::Header) -> v1::Rejection {
        v1::Rejection {
            header: Some(header),
            round: self.round,
            proposal: self.proposal.as_bytes().to_vec(),
            reason: self.reason.clone(),
        }
    }

    fn take_header(message: &mut v1::Rejection) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Rejection, fields: &Fields<'_>) -> Result<Rejection, StatementError> {
        Ok(Rejection {
            round: fields.round("round", message.round)?,
            proposal: fields.digest("proposal", &message.proposal)?,
            reason: fields.reason("reason", message.reason)?,
        })
    }
}

impl Content for Abandonment {
    type Message = v1::Abandonment;

    fn to_message(&self, header: v1::Header) -> v1::Abandonment {
        v1::Abandonment { header: Some(header), round: self.round, reason: self.reason.clone() }
    }

    fn take_header(message: &mut v1::Abandonment) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Abandonment, fields: &Fields<'_>) -> Result<Abandonment, StatementError> {
        Ok(Abandonment {
            round: fields.round("round", message.round)?,
            reason: fields.reason("reason", message.reason)?,
        })
    }
}

impl Content for Release {
    type Message = v1::Release;

    fn to_message(&self, header: v1::Header) -> v1::Release {
        v1::Release {
            header: Some(header),
            round: self.round,
            attestation: self.attestation.as_bytes().to_vec(),
            reason: self.reason.clone(),
        }
    }

    fn take_header(message: &mut v1::Release) -> Option<v1::Header> {
        message.header.take()
    }

    fn from_message(message: v1::Release, fields: &Fields<'_>) -> Result<Release, StatementError> {
        Ok(Release {
            round: fields.round("round", message.round)?,
            attestation: fields.digest("attestation", &message.attestation)?,
            reason: fields.reason("reason", message.reason)?,
        })
    }
}
