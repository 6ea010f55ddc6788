//! Headers, session ids and rounds: where a statement belongs.

use std::fmt;
use std::str::FromStr;

use svdr_proto::v1;

use super::StatementError;
use super::fields::Fields;
use crate::digest::Digest;
use crate::names::MemberName;
use crate::roster::Roster;
use crate::text::excerpt;

/// The highest sequence number. Every program can count so far, also one whose numbers are floating-point, and nobody gets
/// there by counting: evidence made outside a session has the time in microseconds, which is less until the year 2255.
/// A member could otherwise use up its numbers with one statement.
pub const MAX_SEQUENCE: u64 = 1 << 53;

const SESSION_LEN: usize = 16;
/// Characters of a malformed session id that an error quotes.
const EXCERPT_LEN: usize = 40;

/// What a statement says of itself, before what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The session it belongs to; none for one that opens a session, or was made outside of any.
    pub session: Option<SessionId>,
    /// Fingerprint of the roster its signer used.
    pub roster: Digest,
    /// Whether it belongs to a rehearsal.
    pub drill: bool,
    /// The member that signs; for a coordinator's own proposal, a name that no member has.
    pub signer: MemberName,
    /// The signer's count of its statements, from 1 to [`MAX_SEQUENCE`].
    pub sequence: u64,
    /// Name and version of the software that made it.
    pub software: String,
}

/// A session's identity: the first 16 bytes of the digest of the statement that opened it, printed as 32
/// hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; SESSION_LEN]);

/// A round of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoundOf {
    /// The session.
    pub session: SessionId,
    /// The round, from 1.
    pub round: u32,
}

impl SessionId {
    /// A session id from its bytes.
    pub const fn from_bytes(bytes: [u8; SESSION_LEN]) -> SessionId {
        SessionId(bytes)
    }

    /// The id of the session that the statement with this digest opens.
    pub fn of_open(digest: &Digest) -> SessionId {
        let mut id = [0; SESSION_LEN];
        id.copy_from_slice(&digest.as_bytes()[..SESSION_LEN]);
        SessionId(id)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; SESSION_LEN] {
        &self.0
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<SessionId> {
        bytes.try_into().ok().map(SessionId)
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

impl fmt::Display for RoundOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "round {} of session {}", self.round, self.session)
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
        let mut bytes = [0; SESSION_LEN];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(SessionId(bytes)),
            Err(_) => Err(SessionIdError { found: excerpt(text, EXCERPT_LEN) }),
        }
    }
}

impl Header {
    pub(super) fn to_message(&self) -> v1::Header {
        v1::Header {
            session: self.session.map_or(Vec::new(), |session| session.0.to_vec()),
            roster: self.roster.as_bytes().to_vec(),
            drill: self.drill,
            signer: self.signer.to_string(),
            sequence: self.sequence,
            software: self.software.clone(),
        }
    }

    pub(super) fn from_message(
        header: Option<v1::Header>,
        fields: &Fields<'_>,
        roster: Option<&Roster>,
    ) -> Result<Header, StatementError> {
        let signer = fields.signer().clone();
        let header = header.ok_or_else(|| fields.error("header", "nothing".to_owned(), "a header"))?;
        if header.signer != signer.as_str() {
            return Err(StatementError::OtherSigner {
                claimed: excerpt(&header.signer, EXCERPT_LEN),
                actual: signer,
            });
        }
        let found = fields.digest("header.roster", &header.roster)?;
        if let Some(expected) = roster.map(Roster::fingerprint)
            && found != expected
        {
            return Err(StatementError::OtherRoster { signer, expected, found });
        }
        if !(1..=MAX_SEQUENCE).contains(&header.sequence) {
            let found = header.sequence.to_string();
            return Err(fields.error("header.sequence", found, "a number from 1 to 2^53"));
        }
        let session = match header.session.as_slice() {
            [] => None,
            bytes => Some(fields.session("header.session", bytes)?),
        };
        Ok(Header {
            session,
            roster: found,
            drill: header.drill,
            signer,
            sequence: header.sequence,
            software: fields.short_text("header.software", header.software)?,
        })
    }
}
