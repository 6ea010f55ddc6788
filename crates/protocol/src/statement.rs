//! Statements: what a member signs, and how a verified one is read.
//!
//! A statement is serialized once, by its signer ([`Statement::sign`]). It is read only through [`Envelope::verify`] and
//! [`Statement::read`], which check that it was made with this roster, by the member whose key signed it. [`Verified`]
//! keeps it together with its envelope; nothing else makes one. A statement of a newer version is not a malformed one:
//! [`AnyStatement`] keeps it too, to be handed on and counted for nothing.
//!
//! * A statement is identified by its digest, which covers type and payload but not the signature: signed twice, it
//!   is one statement.
//! * `open`, `appointment` and `abort` are signed by conveners alone, all other kinds by any member.
//! * A `proposal` is signed by a convener, or by a coordinator under a name that no member has. The opening lists the
//!   keys of the coordinators that may propose. A proposal under another key carries a convener's `appointment` of that
//!   key. So whether a statement is valid follows from the statement, the opening and the roster alone. A coordinator
//!   needs no trust: an agent agrees only to a proposal that it has computed again, and agreements name the proposal's
//!   digest, so that several proposals in one round do no harm.
//! * A session's id is made of the digest of the statement that opens it, so that two statements cannot open
//!   the same session.

use ed25519_dalek::SigningKey;
use prost::Message as _;
use svdr_proto::v1;

use crate::digest::Digest;
use crate::dsse::{Envelope, MAX_PAYLOAD_LEN, VerifiedPayload};
use crate::evidence::Evidence;
use crate::keys::PublicKey;
use crate::names::MemberName;
use crate::roster::Roster;
use crate::sequencing::Sequencing;

mod appointing;
mod attesting;
mod error;
mod evidence;
mod fields;
mod header;
mod opening;
mod proof;
mod proposing;
mod restoring;
mod sequencing;
mod summary;
mod unknown;
mod voting;

pub use appointing::AppointmentError;
pub use attesting::{Attestation, MAX_PARTS, Obstacle, ObstacleKind, Part, Received};
pub use error::StatementError;
pub use fields::{MAX_REASON_LEN, MAX_ROUND, MAX_SHORT_TEXT_LEN};
pub use header::{Header, MAX_SEQUENCE, RoundOf, SessionId, SessionIdError};
pub use opening::{
    Abort, Appointment, Check, MAX_CHECKS, MAX_COORDINATORS, MAX_PREDECESSORS, Milestone, Open, PlanKind,
    Readiness,
};
pub(crate) use proof::abandons;
pub use proof::{ProofError, abandonments_needed};
pub use proposing::{CandidateSummary, MAX_EVIDENCE, Plan, Proposal};
pub use restoring::{Confirmation, Donation, MAX_URL_LEN};
pub use unknown::{AnyStatement, Unknown};
pub use voting::{Abandonment, Agreement, MAX_ATTESTED, MAX_ELSEWHERE, Rejection, Release};

use fields::Fields;

const TYPE_PREFIX: &str = "application/vnd.svdr.v1.";
const TYPE_SUFFIX: &str = "+protobuf";

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
    /// Kind `open`: a convener opens a session.
    Open(Open),
    /// Kind `appointment`: a convener lets one more coordinator propose.
    Appointment(Appointment),
    /// Kind `evidence`: what a participant's logs say.
    Evidence(Evidence),
    /// Kind `sequencing`: what a member's nodes have seen of the old physical synchronizer.
    Sequencing(Sequencing),
    /// Kind `proposal`: a plan for a round.
    Proposal(Proposal),
    /// Kind `agreement`: to one proposal of a round.
    Agreement(Agreement),
    /// Kind `rejection`: of a proposal.
    Rejection(Rejection),
    /// Kind `attestation`: the dump of a round is made.
    Attestation(Attestation),
    /// Kind `obstacle`: the SV app cannot make it.
    Obstacle(Obstacle),
    /// Kind `abandonment`: a round will never be attested.
    Abandonment(Abandonment),
    /// Kind `release`: an attestation is taken back.
    Release(Release),
    /// Kind `milestone`: a step of the runbook is done.
    Milestone(Milestone),
    /// Kind `readiness`: what the agent's own check found.
    Readiness(Readiness),
    /// Kind `abort`: a convener ends the session.
    Abort(Abort),
    /// Kind `donation`: a data snapshot is offered to those that cannot make one.
    Donation(Donation),
    /// Kind `confirmation`: what a participant's logs say after the recovery.
    Confirmation(Confirmation),
}

/// A statement whose signature, signer and content have been checked, with its envelope. Only [`Verified::read`] makes
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    statement: Statement,
    digest: Digest,
    key: PublicKey,
    by_member: bool,
    envelope: Envelope,
}

/// The kinds that conveners alone sign, and coordinators if a proposal.
const FOR_CONVENERS: [&str; 4] = ["open", "appointment", Body::PROPOSAL, "abort"];

impl Body {
    /// The kind's name of a proposal.
    const PROPOSAL: &str = "proposal";
}

/// A body that has a message of its own in the schema.
trait Content: Sized {
    /// The message.
    type Message: prost::Message + Default;

    /// The message, as it is signed.
    fn to_message(&self, header: v1::Header) -> Self::Message;

    /// Takes the header out of a decoded message.
    fn take_header(message: &mut Self::Message) -> Option<v1::Header>;

    /// The meaning of a decoded message, if every field is valid.
    fn from_message(message: Self::Message, fields: &Fields<'_>) -> Result<Self, StatementError>;
}

/// Every kind, once: its name, and the body it has.
macro_rules! kinds {
    ($($kind:literal => $body:ident),* $(,)?) => {
        impl Body {
            /// The names of all kinds.
            const KINDS: &[&str] = &[$($kind),*];

            /// The kind's name, as in the payload type.
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Body::$body(_) => $kind),*
                }
            }

            fn encode(&self, header: v1::Header) -> Vec<u8> {
                match self {
                    $(Body::$body(content) => content.to_message(header).encode_to_vec()),*
                }
            }

            /// `None` if the kind is not known. Without a roster, the header's is not compared with any.
            fn decode(
                kind: &str,
                payload: &[u8],
                fields: &Fields<'_>,
                roster: Option<&Roster>,
            ) -> Option<Result<Statement, StatementError>> {
                match kind {
                    $($kind => Some(
                        decode::<$body>($kind, payload, fields, roster)
                            .map(|(header, content)| Statement { header, body: Body::$body(content) }),
                    ),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    "open" => Open,
    "appointment" => Appointment,
    "evidence" => Evidence,
    "sequencing" => Sequencing,
    "proposal" => Proposal,
    "agreement" => Agreement,
    "rejection" => Rejection,
    "attestation" => Attestation,
    "obstacle" => Obstacle,
    "abandonment" => Abandonment,
    "release" => Release,
    "milestone" => Milestone,
    "readiness" => Readiness,
    "abort" => Abort,
    "donation" => Donation,
    "confirmation" => Confirmation,
}

fn decode<C: Content>(
    kind: &'static str,
    payload: &[u8],
    fields: &Fields<'_>,
    roster: Option<&Roster>,
) -> Result<(Header, C), StatementError> {
    let mut message = C::Message::decode(payload).map_err(|source| StatementError::Decode {
        kind,
        signer: fields.signer().clone(),
        source,
    })?;
    let header = Header::from_message(C::take_header(&mut message), fields, roster)?;
    Ok((header, C::from_message(message, fields)?))
}

impl Statement {
    /// Serializes the statement and signs the bytes.
    ///
    /// # Errors
    /// If nobody would accept it: it is too large, or a field is invalid.
    pub fn sign(&self, key: &SigningKey) -> Result<Envelope, StatementError> {
        let payload = self.body.encode(self.header.to_message());
        if payload.len() > MAX_PAYLOAD_LEN {
            return Err(StatementError::TooLarge { found: payload.len() });
        }
        // A statement that nobody can read would be a promise that only its signer knows.
        if let Some(read_back) =
            Body::decode(self.body.kind(), &payload, &Fields::of(&self.header.signer), None)
        {
            read_back?;
        }
        self.check_session()?;
        let payload_type = format!("{TYPE_PREFIX}{}{TYPE_SUFFIX}", self.body.kind());
        Ok(Envelope::sign(payload_type, payload, key))
    }

    /// Verifies the envelope, decodes it, and checks it against the roster.
    ///
    /// # Errors
    /// The first of these checks that fails.
    pub fn read(envelope: &Envelope, roster: &Roster) -> Result<Statement, StatementError> {
        let statement = Statement::read_shallow(envelope, roster)?;
        // Not in `read_shallow`: an agreement within a proof has no proof of its own.
        match &statement.body {
            Body::Agreement(agreement) => proof::check(agreement, &statement.header, roster)?,
            Body::Proposal(Proposal { appointment: Some(carried), .. }) => {
                appointing::check(carried, &statement.header, envelope.signer(), roster)?;
            }
            _ => {}
        }
        Ok(statement)
    }

    /// Like [`Statement::read`], without looking at statements inside of this one.
    fn read_shallow(envelope: &Envelope, roster: &Roster) -> Result<Statement, StatementError> {
        let verified = envelope.verify_in(roster)?;
        let foreign = || StatementError::ForeignType { found: verified.payload_type().to_owned() };
        let kind = unknown::kind_of(verified.payload_type()).ok_or_else(foreign)?;
        let (name, _) = Statement::signer_of(kind, &verified, roster)?;
        let fields = Fields::of(&name);
        let statement = Body::decode(kind, verified.payload(), &fields, Some(roster))
            .ok_or_else(|| StatementError::UnknownKind { kind: kind.to_owned() })??;
        statement.check_session()?;
        statement.check(roster)?;
        Ok(statement)
    }

    /// Who signed, and whether it is a member. The signature is valid, so the key says who speaks. The name in the header is
    /// compared with it later.
    fn signer_of(
        kind: &str,
        verified: &VerifiedPayload<'_>,
        roster: &Roster,
    ) -> Result<(MemberName, bool), StatementError> {
        if let Some(member) = roster.member_by_key(&verified.signer()) {
            return Ok((member.name.clone(), true));
        }
        let stranger = || StatementError::Stranger { key: verified.signer().to_string() };
        // A coordinator's key is in no roster. Of the kinds that this version knows, a coordinator signs proposals alone.
        if kind != Body::PROPOSAL && Body::KINDS.contains(&kind) {
            return Err(stranger());
        }
        let header = unknown::header_in(verified.payload()).ok_or_else(stranger)?;
        let claimed: MemberName = header.signer.parse().ok().ok_or_else(stranger)?;
        // It must not speak in a member's name.
        match roster.member(&claimed) {
            Some(actual) => Err(StatementError::NotTheMember { claimed: actual.name.clone() }),
            None => Ok((claimed, false)),
        }
    }

    /// Checks that the signer may sign that kind.
    fn check_right(kind: &str, header: &Header, roster: &Roster) -> Result<(), StatementError> {
        let Some(kind) = FOR_CONVENERS.into_iter().find(|one| *one == kind) else { return Ok(()) };
        match roster.member(&header.signer) {
            Some(member) if !member.convener => {
                Err(StatementError::NotAConvener { signer: header.signer.clone(), kind })
            }
            _ => Ok(()),
        }
    }

    /// Checks what the content says against the roster.
    fn check(&self, roster: &Roster) -> Result<(), StatementError> {
        let signer = || self.header.signer.clone();
        Statement::check_right(self.body.kind(), &self.header, roster)?;
        match &self.body {
            Body::Evidence(evidence) | Body::Confirmation(Confirmation { evidence, .. }) => {
                Ok(evidence.check(roster)?)
            }
            Body::Open(open) => open.coordinators.iter().try_for_each(|key| self.no_members_key(key, roster)),
            Body::Appointment(appointment) => self.no_members_key(&appointment.coordinator, roster),
            Body::Sequencing(sequencing) => Ok(sequencing.check(roster)?),
            Body::Attestation(Attestation { received: Some(Received { from, .. }), .. })
                if roster.member(from).is_none() =>
            {
                let (found, field) = (from.to_string(), "received_from");
                Err(StatementError::Field {
                    signer: signer(),
                    field,
                    found,
                    expected: "a member of the roster",
                })
            }
            _ => Ok(()),
        }
    }

    /// Checks that a coordinator's key is no member's: whoever has it would sign as the member.
    fn no_members_key(&self, key: &PublicKey, roster: &Roster) -> Result<(), StatementError> {
        let Some(member) = roster.member_by_key(key) else { return Ok(()) };
        let (signer, member) = (self.header.signer.clone(), member.name.clone());
        Err(StatementError::MembersKey { signer, key: *key, member })
    }

    /// An `open` names no session, evidence may, and every other kind does.
    fn check_session(&self) -> Result<(), StatementError> {
        let named = self.header.session.is_some();
        let fits = match self.body {
            Body::Open(_) => !named,
            Body::Evidence(_) | Body::Sequencing(_) => true,
            _ => named,
        };
        if fits {
            return Ok(());
        }
        let signer = self.header.signer.clone();
        Err(StatementError::Session { signer, kind: self.body.kind(), named })
    }
}

impl Verified {
    /// Verifies and reads an envelope, and keeps it.
    ///
    /// # Errors
    /// Whatever [`Statement::read`] refuses.
    pub fn read(envelope: Envelope, roster: &Roster) -> Result<Verified, StatementError> {
        let statement = Statement::read(&envelope, roster)?;
        Ok(Verified::of(statement, envelope, roster))
    }

    /// A statement that was read from that envelope.
    fn of(statement: Statement, envelope: Envelope, roster: &Roster) -> Verified {
        let by_member = roster.member(&statement.header.signer).is_some();
        Verified { statement, digest: envelope.digest(), key: envelope.signer(), by_member, envelope }
    }

    /// The statement.
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Who says it, where, and in which order.
    pub const fn header(&self) -> &Header {
        &self.statement.header
    }

    /// What is said.
    pub const fn body(&self) -> &Body {
        &self.statement.body
    }

    /// The member that signed it; the name that a coordinator gives itself if [`Verified::by_member`] is
    /// false.
    pub const fn signer(&self) -> &MemberName {
        &self.statement.header.signer
    }

    /// Whether a member signed it. If not, it is a coordinator's own proposal.
    pub const fn by_member(&self) -> bool {
        self.by_member
    }

    /// Whether it may be signed with its key in a session with this opening. A member's key always may; whether the
    /// member may sign that kind is checked before. Another key may if the opening lists it, or lists none, or a convener
    /// appointed it.
    pub(crate) fn may_sign(&self, opening: &Open) -> bool {
        let appointed = matches!(self.body(), Body::Proposal(proposal) if proposal.appointment.is_some());
        self.by_member
            || appointed
            || opening.coordinators.is_empty()
            || opening.coordinators.contains(&self.key)
    }

    /// The key that signed it.
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// The statement's name: the digest of type and payload.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The envelope it came in.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The session it opens or belongs to; none for evidence made outside of any.
    pub fn session(&self) -> Option<SessionId> {
        match self.body() {
            Body::Open(_) => Some(SessionId::of_open(&self.digest)),
            _ => self.header().session,
        }
    }
}

#[cfg(test)]
mod evidence_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unknown_tests;
