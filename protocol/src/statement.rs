//! Statements: what a member signs, and how a verified one is read.
//!
//! A statement is serialized once, by its signer ([`Statement::sign`]), and read only through
//! [`Envelope::verify`] and [`Statement::read`], which checks that it was made with this roster, by the member
//! whose key signed it. A kind that this version does not know is told apart from a malformed one, so that it
//! can be passed on without being counted.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::SigningKey;
use prost::Message as _;
use svdr_proto::v1;

use crate::digest::Digest;
use crate::dsse::{Envelope, EnvelopeError, MAX_PAYLOAD_LEN};
use crate::evidence::{
    self, Evidence, EvidenceError, LogSpan, MAX_TICKS, Observations, RunError, TickRun, Ticks,
};
use crate::names::{MemberName, NameError};
use crate::roster::{Member, Roster};
use crate::time::Timestamp;

const TYPE_PREFIX: &str = "application/vnd.svdr.v1.";
const TYPE_SUFFIX: &str = "+protobuf";

/// What a statement says of itself, before what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The session it belongs to; none for one made outside of any.
    pub session: Option<SessionId>,
    /// Fingerprint of the roster its signer used.
    pub roster: Digest,
    /// Whether it belongs to a rehearsal.
    pub drill: bool,
    /// The member that signs.
    pub signer: MemberName,
    /// The signer's count of its statements.
    pub sequence: u64,
    /// Name and version of the software that made it.
    pub software: String,
}

/// A session's identity: 16 random bytes, chosen by the convener, printed as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

/// A statement, read from a verified envelope or about to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Who says it, where, and in which order.
    pub header: Header,
    /// What is said.
    pub body: Body,
}

/// What a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Kind `evidence`.
    Evidence(Evidence),
}

impl Body {
    /// The kind's name, as it stands in the payload type.
    pub const fn kind(&self) -> &'static str {
        match self {
            Body::Evidence(_) => "evidence",
        }
    }
}

/// Why an envelope's content is not a statement that counts.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The envelope's signature does not hold.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The payload type is not one of svdr's.
    #[error("the payload type {found:?} is not that of an svdr statement ({TYPE_PREFIX}KIND{TYPE_SUFFIX})")]
    ForeignType {
        /// The type found.
        found: String,
    },
    /// A kind that this version does not know.
    #[error("statements of kind {kind:?} are not known to this version of svdr; use a newer one to read it")]
    UnknownKind {
        /// The kind found.
        kind: String,
    },
    /// The signer is nobody in the roster.
    #[error(
        "the signing key {key} belongs to no member of the roster; compare the roster's fingerprint with the signer's"
    )]
    Stranger {
        /// The key that signed, as text.
        key: String,
    },
    /// A member's key signed in another member's name.
    #[error("the statement says it is by {claimed}, but the key that signed it is {actual}'s; do not use it")]
    OtherSigner {
        /// The name in the statement.
        claimed: String,
        /// The member whose key signed.
        actual: MemberName,
    },
    /// It was made with another roster.
    #[error(
        "{signer} made the statement with the roster {found}, but this one is {expected}; \
         compare the two rosters and use one for everybody"
    )]
    OtherRoster {
        /// Who signed.
        signer: MemberName,
        /// This roster's fingerprint.
        expected: Digest,
        /// The statement's.
        found: Digest,
    },
    /// The bytes are not the message that the type names.
    #[error("the statement of kind {kind} by {signer} cannot be decoded; it was not made by svdr")]
    Decode {
        /// The kind.
        kind: &'static str,
        /// Who signed.
        signer: MemberName,
        /// Where decoding stopped.
        #[source]
        source: prost::DecodeError,
    },
    /// A field does not hold what it must.
    #[error(
        "the field {field} of {signer}'s statement holds {found}; expected {expected}; it was not made by svdr"
    )]
    Field {
        /// Who signed.
        signer: MemberName,
        /// The field's name in the schema.
        field: &'static str,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// A name in it is none.
    #[error("the field {field} of {signer}'s statement is malformed; it was not made by svdr")]
    Name {
        /// Who signed.
        signer: MemberName,
        /// The field's name in the schema.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: NameError,
    },
    /// Its ticks are malformed.
    #[error("the ticks in {signer}'s evidence about {counterparty} are malformed; it was not made by svdr")]
    Runs {
        /// Who signed.
        signer: MemberName,
        /// About whom.
        counterparty: MemberName,
        /// What is wrong with them.
        #[source]
        source: RunError,
    },
    /// The evidence contradicts the roster.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// It is too large to be signed.
    #[error(
        "the statement would have {found} bytes, more than the {MAX_PAYLOAD_LEN} allowed; scan a shorter window with --since"
    )]
    TooLarge {
        /// Its size.
        found: usize,
    },
}

impl SessionId {
    /// A session id from its bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> SessionId {
        SessionId(bytes)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a session id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a session id; expected 32 hexadecimal digits")]
pub struct SessionIdError {
    found: String,
}

impl FromStr for SessionId {
    type Err = SessionIdError;

    fn from_str(text: &str) -> Result<SessionId, SessionIdError> {
        let mut bytes = [0; 16];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(SessionId(bytes)),
            Err(_) => Err(SessionIdError { found: text.to_owned() }),
        }
    }
}

impl Statement {
    /// Serializes the statement and signs the bytes.
    ///
    /// # Errors
    /// [`StatementError::TooLarge`] where nobody would accept it.
    pub fn sign(&self, key: &SigningKey) -> Result<Envelope, StatementError> {
        let header = Some(encode_header(&self.header));
        let payload = match &self.body {
            Body::Evidence(evidence) => encode_evidence(header, evidence).encode_to_vec(),
        };
        if payload.len() > MAX_PAYLOAD_LEN {
            return Err(StatementError::TooLarge { found: payload.len() });
        }
        let payload_type = format!("{TYPE_PREFIX}{}{TYPE_SUFFIX}", self.body.kind());
        Ok(Envelope::sign(payload_type, payload, key))
    }

    /// Verifies the envelope, decodes it, and checks it against the roster.
    ///
    /// # Errors
    /// Whatever of that does not hold.
    pub fn read(envelope: &Envelope, roster: &Roster) -> Result<Statement, StatementError> {
        let verified = envelope.verify()?;
        let kind = verified
            .payload_type()
            .strip_prefix(TYPE_PREFIX)
            .and_then(|rest| rest.strip_suffix(TYPE_SUFFIX))
            .ok_or_else(|| StatementError::ForeignType { found: verified.payload_type().to_owned() })?;
        let signer = roster
            .member_by_key(&verified.signer())
            .ok_or_else(|| StatementError::Stranger { key: verified.signer().to_string() })?;
        match kind {
            "evidence" => {
                let message = v1::Evidence::decode(verified.payload()).map_err(|source| {
                    StatementError::Decode { kind: "evidence", signer: signer.name.clone(), source }
                })?;
                let header = decode_header(message.header.as_ref(), signer, roster)?;
                let evidence = decode_evidence(message, signer)?;
                evidence.check(roster)?;
                Ok(Statement { header, body: Body::Evidence(evidence) })
            }
            kind => Err(StatementError::UnknownKind { kind: kind.to_owned() }),
        }
    }
}

fn encode_header(header: &Header) -> v1::Header {
    v1::Header {
        session: header.session.map(|session| session.0.to_vec()).unwrap_or_default(),
        roster: header.roster.as_bytes().to_vec(),
        drill: header.drill,
        signer: header.signer.to_string(),
        sequence: header.sequence,
        software: header.software.clone(),
    }
}

fn decode_header(
    header: Option<&v1::Header>,
    signer: &Member,
    roster: &Roster,
) -> Result<Header, StatementError> {
    let field = |field, found, expected| StatementError::Field {
        signer: signer.name.clone(),
        field,
        found,
        expected,
    };
    let header = header.ok_or_else(|| field("header", "nothing".to_owned(), "a header"))?;
    if header.signer != signer.name.as_str() {
        let (claimed, actual) = (header.signer.clone(), signer.name.clone());
        return Err(StatementError::OtherSigner { claimed, actual });
    }
    let found = Digest::from_slice(&header.roster)
        .map_err(|_| field("header.roster", format!("{} bytes", header.roster.len()), "32 bytes"))?;
    let expected = roster.fingerprint();
    if found != expected {
        return Err(StatementError::OtherRoster { signer: signer.name.clone(), expected, found });
    }
    let session =
        match header.session.as_slice() {
            [] => None,
            bytes => Some(SessionId(bytes.try_into().map_err(|_| {
                field("header.session", format!("{} bytes", bytes.len()), "16 bytes, or none")
            })?)),
        };
    Ok(Header {
        session,
        roster: found,
        drill: header.drill,
        signer: signer.name.clone(),
        sequence: header.sequence,
        software: header.software.clone(),
    })
}

fn encode_evidence(header: Option<v1::Header>, evidence: &Evidence) -> v1::Evidence {
    let runs = |ticks: &Ticks| {
        let encode = |TickRun { first, step, count }| v1::TickRun { first, step, count };
        ticks.runs().into_iter().map(encode).collect()
    };
    v1::Evidence {
        header,
        participant: evidence.participant.to_string(),
        synchronizers: evidence.synchronizers.iter().cloned().collect(),
        log_span: evidence
            .log_span
            .map(|span| v1::LogSpan { first: span.first.micros(), last: span.last.micros() }),
        observations: evidence
            .about
            .iter()
            .map(|(counterparty, about)| v1::Observations {
                counterparty: counterparty.to_string(),
                matches: runs(&about.matches),
                mismatches: runs(&about.mismatches),
            })
            .collect(),
        unattributed_mismatches: evidence.unattributed_mismatches,
    }
}

fn decode_evidence(message: v1::Evidence, signer: &Member) -> Result<Evidence, StatementError> {
    let name = |field| {
        let signer = signer.name.clone();
        move |source| StatementError::Name { signer, field, source }
    };
    let time = |field, micros| {
        Timestamp::from_micros(micros).ok_or_else(|| StatementError::Field {
            signer: signer.name.clone(),
            field,
            found: format!("{micros} microseconds"),
            expected: "a time in the years 1 to 9999",
        })
    };
    let log_span = match message.log_span {
        Some(span) => Some(LogSpan {
            first: time("log_span.first", span.first)?,
            last: time("log_span.last", span.last)?,
        }),
        None => None,
    };
    let mut evidence = Evidence {
        member: signer.name.clone(),
        participant: message.participant.parse().map_err(name("participant"))?,
        synchronizers: message.synchronizers.into_iter().take(evidence::MAX_SYNCHRONIZERS + 1).collect(),
        log_span,
        about: Default::default(),
        unattributed_mismatches: message.unattributed_mismatches,
    };
    let mut left = MAX_TICKS;
    for observations in message.observations {
        let counterparty: MemberName =
            observations.counterparty.parse().map_err(name("observations.counterparty"))?;
        let mut ticks = |runs: Vec<v1::TickRun>| {
            let decode = |v1::TickRun { first, step, count }| TickRun { first, step, count };
            let ticks = Ticks::from_runs(runs.into_iter().map(decode), left).map_err(|source| {
                let counterparty = counterparty.clone();
                StatementError::Runs { signer: signer.name.clone(), counterparty, source }
            })?;
            left -= ticks.len();
            Ok::<Ticks, StatementError>(ticks)
        };
        let about = Observations {
            matches: ticks(observations.matches)?,
            mismatches: ticks(observations.mismatches)?,
        };
        if evidence.about.insert(counterparty.clone(), about).is_some() {
            return Err(EvidenceError::TwiceAbout { member: signer.name.clone(), counterparty }.into());
        }
    }
    Ok(evidence)
}

#[cfg(test)]
#[path = "statement/tests.rs"]
mod tests;
