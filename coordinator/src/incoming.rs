//! Statements before the board sees them: envelopes whose signature, signer and content have been checked.
//!
//! Checking needs only the roster. So the task that received the envelope does it, in parallel with others, and not the
//! one task that owns the sessions. A statement of a kind that this version does not know is kept for newer versions:
//! only its header is read, which is the same in all kinds.

use std::sync::Arc;

use prost::Message;
use svdr_proto::v1;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{Body, SessionId, StatementError, Verified};

use crate::refusal::CallRefusal;

/// A checked statement, and where it belongs.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What it is.
    pub statement: AnyStatement,
    /// The session it names, or opens.
    pub session: SessionId,
    /// Whether it says that it is a drill's.
    pub drill: bool,
}

/// A statement as the coordinator keeps it.
#[derive(Clone, Debug)]
pub enum AnyStatement {
    /// Of a kind that counts.
    Known(Arc<Verified>),
    /// Of a kind for newer versions.
    Unknown(Arc<Unknown>),
}

/// A statement of a kind that this version does not know. Its signature and its signer have been checked.
#[derive(Debug)]
pub struct Unknown {
    envelope: Envelope,
    digest: Digest,
    kind: String,
    signer: MemberName,
}

/// The part that all statements begin with.
#[derive(Clone, PartialEq, Message)]
struct AnyKind {
    #[prost(message, optional, tag = "1")]
    header: Option<v1::Header>,
}

impl Incoming {
    /// Checks an envelope.
    ///
    /// # Errors
    /// If its signature is invalid, its signer is not in the roster, or it is malformed.
    pub fn read(envelope: Envelope, roster: &Roster) -> Result<Incoming, CallRefusal> {
        // A copy is only made if the kind turns out to be unknown; everything else is read in place.
        let kind_unknown = match Verified::read(envelope.clone(), roster) {
            Ok(verified) => return Incoming::known(verified),
            Err(StatementError::UnknownKind { kind, .. }) => kind,
            Err(error) => return Err(CallRefusal::Statement(Box::new(error))),
        };
        Incoming::unknown(envelope, kind_unknown, roster)
    }

    fn known(verified: Verified) -> Result<Incoming, CallRefusal> {
        let named = match verified.body() {
            Body::Open(_) => Some(SessionId::of_open(&verified.digest())),
            _ => verified.session(),
        };
        let kind = verified.body().kind().to_owned();
        let session = named.ok_or(CallRefusal::NoSession { kind })?;
        let drill = verified.header().drill;
        Ok(Incoming { statement: AnyStatement::Known(Arc::new(verified)), session, drill })
    }

    fn unknown(envelope: Envelope, kind: String, roster: &Roster) -> Result<Incoming, CallRefusal> {
        let statement = |error| CallRefusal::Statement(Box::new(error));
        let verified = envelope.verify_in(roster).map_err(|error| statement(error.into()))?;
        let key = verified.signer();
        let member = roster
            .member_by_key(&key)
            .ok_or_else(|| statement(StatementError::Stranger { key: key.to_string() }))?;
        let malformed = || CallRefusal::UnknownKind { kind: kind.clone(), signer: member.name.clone() };
        let header = AnyKind::decode(verified.payload()).ok().and_then(|any| any.header);
        let header = header.ok_or_else(malformed)?;
        let session: [u8; 16] = header.session.as_slice().try_into().ok().ok_or_else(malformed)?;
        if header.signer != member.name.as_str() || header.roster != roster.fingerprint().as_bytes() {
            return Err(malformed());
        }
        let (digest, signer) = (envelope.digest(), member.name.clone());
        Ok(Incoming {
            session: SessionId::from_bytes(session),
            drill: header.drill,
            statement: AnyStatement::Unknown(Arc::new(Unknown { envelope, digest, kind, signer })),
        })
    }
}

impl AnyStatement {
    /// The envelope, as it came.
    pub fn envelope(&self) -> &Envelope {
        match self {
            AnyStatement::Known(known) => known.envelope(),
            AnyStatement::Unknown(unknown) => &unknown.envelope,
        }
    }

    /// The statement's digest.
    pub fn digest(&self) -> Digest {
        match self {
            AnyStatement::Known(known) => known.digest(),
            AnyStatement::Unknown(unknown) => unknown.digest,
        }
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        match self {
            AnyStatement::Known(known) => known.body().kind(),
            AnyStatement::Unknown(unknown) => &unknown.kind,
        }
    }

    /// Who signed it.
    pub fn signer(&self) -> &MemberName {
        match self {
            AnyStatement::Known(known) => known.signer(),
            AnyStatement::Unknown(unknown) => &unknown.signer,
        }
    }

    /// Whether a member signed it; else it is a coordinator's proposal.
    pub fn by_member(&self) -> bool {
        match self {
            AnyStatement::Known(known) => known.by_member(),
            AnyStatement::Unknown(_) => true,
        }
    }
}
