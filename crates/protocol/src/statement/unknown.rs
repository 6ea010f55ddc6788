//! Statements of newer versions: kept and handed on, and counted for nothing.
//!
//! Members upgrade one by one, also in the middle of a session. So this version meets kinds that it does not know, and known
//! kinds that say something that it does not know: another plan, another value of an enum. Of these it reads the header
//! alone, which all kinds begin with. Everybody keeps such a statement under the same conditions as any other:
//!
//! * the signature is valid, and the header names the signer and this roster;
//! * a member signed it, or a coordinator whose key the opening lists; conveners' kinds are signed by conveners;
//! * it names the session, and is a drill's if the session is one ([`Session::admits`](crate::session::Session::admits)).
//!
//! In a session whose plan this version does not know, any field of any kind may be new. There a known kind that cannot be
//! read is kept as well. Everywhere else it is malformed, and refused.

use std::sync::Arc;

use prost::Message as _;
use svdr_proto::v1;

use super::fields::Fields;
use super::{
    Body, Header, SessionId, Statement, StatementError, TYPE_PREFIX, TYPE_SUFFIX, Verified, appointing,
};
use crate::digest::Digest;
use crate::dsse::Envelope;
use crate::keys::PublicKey;
use crate::names::MemberName;
use crate::roster::Roster;

/// A statement whose signature and signer have been checked, whether or not this version can read all of it.
#[derive(Clone, Debug)]
pub enum AnyStatement {
    /// One that counts.
    Known(Arc<Verified>),
    /// One of a newer version.
    Unknown(Arc<Unknown>),
}

/// A statement of which this version can read the header alone.
#[derive(Debug)]
pub struct Unknown {
    header: Header,
    kind: String,
    digest: Digest,
    key: PublicKey,
    by_member: bool,
    is_appointed: bool,
    /// Why a statement of a known kind cannot be read; none if a newer version can read it, as far as can be told.
    malformed: Option<Arc<StatementError>>,
    envelope: Envelope,
}

/// The part that all statements begin with.
#[derive(Clone, PartialEq, prost::Message)]
struct AnyKind {
    #[prost(message, optional, tag = "1")]
    header: Option<v1::Header>,
}

/// The header at the beginning of a payload of any kind.
pub(super) fn header_in(payload: &[u8]) -> Option<v1::Header> {
    AnyKind::decode(payload).ok()?.header
}

/// The kind that a payload type names.
pub(super) fn kind_of(payload_type: &str) -> Option<&str> {
    payload_type.strip_prefix(TYPE_PREFIX)?.strip_suffix(TYPE_SUFFIX)
}

impl AnyStatement {
    /// Verifies and reads an envelope, and keeps it.
    ///
    /// # Errors
    /// If its signature or signer is invalid, its header is malformed, or its signer may not sign that kind.
    pub fn read(envelope: Envelope, roster: &Roster) -> Result<AnyStatement, StatementError> {
        let malformed = match Statement::read(&envelope, roster) {
            Ok(statement) => {
                return Ok(AnyStatement::Known(Arc::new(Verified::of(statement, envelope, roster))));
            }
            Err(StatementError::UnknownKind { .. } | StatementError::NotKnown { .. }) => None,
            Err(error) if error.is_of_content() => Some(Arc::new(error)),
            Err(error) => return Err(error),
        };
        let unknown = Unknown::read(envelope, malformed, roster)?;
        Ok(AnyStatement::Unknown(Arc::new(unknown)))
    }

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

    /// Who says it, where, and in which order.
    pub fn header(&self) -> &Header {
        match self {
            AnyStatement::Known(known) => known.header(),
            AnyStatement::Unknown(unknown) => &unknown.header,
        }
    }

    /// Who signed it.
    pub fn signer(&self) -> &MemberName {
        &self.header().signer
    }

    /// Whether a member signed it. If not, a coordinator did.
    pub fn by_member(&self) -> bool {
        match self {
            AnyStatement::Known(known) => known.by_member(),
            AnyStatement::Unknown(unknown) => unknown.by_member,
        }
    }

    /// The session it opens or belongs to; none if it was made outside of any.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            AnyStatement::Known(known) => known.session(),
            AnyStatement::Unknown(unknown) => unknown.header.session,
        }
    }
}

impl Unknown {
    fn read(
        envelope: Envelope,
        malformed: Option<Arc<StatementError>>,
        roster: &Roster,
    ) -> Result<Unknown, StatementError> {
        let verified = envelope.verify_in(roster)?;
        let foreign = || StatementError::ForeignType { found: verified.payload_type().to_owned() };
        let kind = kind_of(verified.payload_type()).ok_or_else(foreign)?.to_owned();
        let (name, by_member) = Statement::signer_of(&kind, &verified, roster)?;
        let header = Header::from_message(header_in(verified.payload()), &Fields::of(&name), Some(roster))?;
        Statement::check_right(&kind, &header, roster)?;
        let key = verified.signer();
        let mut is_appointed = false;
        if !by_member && kind == Body::PROPOSAL {
            let carried = v1::Proposal::decode(verified.payload()).ok().and_then(|one| one.appointment);
            if let Some(carried) = carried {
                appointing::check(&Envelope::from_message(carried)?, &header, key, roster)?;
                is_appointed = true;
            }
        }
        let digest = envelope.digest();
        Ok(Unknown { header, kind, digest, key, by_member, is_appointed, malformed, envelope })
    }

    /// The envelope, as it came.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The statement's digest.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Who says it, where, and in which order.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Whether a member signed it. If not, a coordinator did.
    pub const fn by_member(&self) -> bool {
        self.by_member
    }

    /// The key that signed it.
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// Whether it carries a convener's appointment of its key.
    pub(crate) const fn is_appointed(&self) -> bool {
        self.is_appointed
    }

    /// Why it is malformed, if it is of a kind that this version knows and says nothing that is known to be new.
    pub const fn malformed(&self) -> Option<&Arc<StatementError>> {
        self.malformed.as_ref()
    }
}
