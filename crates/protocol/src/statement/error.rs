//! Why an envelope is not a statement that counts.

use crate::digest::Digest;
use crate::dsse::{EnvelopeError, MAX_PAYLOAD_LEN};
use crate::evidence::{EvidenceError, TickRunError};
use crate::failure::{CommandError, Exit};
use crate::keys::{PublicKey, PublicKeyError};
use crate::names::{MemberName, NameError};
use crate::sequencing::SequencingError;

use super::appointing::AppointmentError;
use super::proof::ProofError;
use super::{RoundOf, TYPE_PREFIX, TYPE_SUFFIX};

/// Why an envelope's content is not a statement that counts.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The envelope's signature is invalid.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The payload type is not one of svdr's.
    #[error("the payload type {found:?} is not an svdr statement's; expected {TYPE_PREFIX}KIND{TYPE_SUFFIX}")]
    ForeignType {
        /// The type found.
        found: String,
    },
    /// A kind that this version does not know.
    #[error(
        "this version of svdr does not know statements of kind {kind:?}\nhelp: read it with a newer version of svdr"
    )]
    UnknownKind {
        /// The kind found.
        kind: String,
    },
    /// A known kind that says what this version does not know.
    #[error(
        "this version of svdr does not know what the field {field} of {signer}'s {kind} says\n\
         help: read it with a newer version of svdr"
    )]
    NotKnown {
        /// The kind.
        kind: &'static str,
        /// Who signed.
        signer: MemberName,
        /// The field's name in the schema.
        field: &'static str,
    },
    /// The signer is nobody in the roster.
    #[error(
        "the signing key {key} is not the key of a member of the roster\n\
         help: compare the roster's fingerprint with the signer's"
    )]
    Stranger {
        /// The key that signed, as text.
        key: String,
    },
    /// A member's key signed in another member's name.
    #[error(
        "the statement says that it is by {claimed}, but {actual}'s key signed it\nhelp: do not use the statement"
    )]
    OtherSigner {
        /// The name in the statement.
        claimed: String,
        /// The member whose key signed.
        actual: MemberName,
    },
    /// A proposal bears a member's name, but another key signed it.
    #[error(
        "the proposal says that it is by {claimed}, but {claimed}'s key did not sign it\nhelp: do not use the proposal"
    )]
    NotTheMember {
        /// The name in the statement.
        claimed: MemberName,
    },
    /// It was made with another roster.
    #[error(
        "{signer} made the statement with the roster {found}, but this roster is {expected}\n\
         help: compare the two rosters and use the same one everywhere"
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
    #[error("the statement of kind {kind} by {signer} cannot be decoded")]
    Decode {
        /// The kind.
        kind: &'static str,
        /// Who signed.
        signer: MemberName,
        /// Where decoding stopped.
        #[source]
        source: prost::DecodeError,
    },
    /// A field contains what it must not.
    #[error("the field {field} of {signer}'s statement contains {found}; expected {expected}")]
    Field {
        /// Who signed.
        signer: MemberName,
        /// The field's name in the schema.
        field: &'static str,
        /// What it contains.
        found: String,
        /// What it should contain.
        expected: &'static str,
    },
    /// A name in it is malformed.
    #[error("the field {field} of {signer}'s statement is malformed")]
    Name {
        /// Who signed.
        signer: MemberName,
        /// The field's name in the schema.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: NameError,
    },
    /// A public key in it is malformed.
    #[error("the field {field} of {signer}'s statement is not a public key")]
    Key {
        /// Who signed.
        signer: MemberName,
        /// The field's name in the schema.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: PublicKeyError,
    },
    /// A coordinator's key in it is a member's.
    #[error(
        "{signer} lists the key {key} as a coordinator's, but {member} signs with that key\n\
         help: give every coordinator a key of its own"
    )]
    MembersKey {
        /// Who signed.
        signer: MemberName,
        /// The key.
        key: PublicKey,
        /// Whose it is.
        member: MemberName,
    },
    /// The appointment that a proposal carries does not let its signer propose.
    #[error("the appointment in the proposal of {signer} does not let its signer propose")]
    Appointment {
        /// Who signed.
        signer: MemberName,
        /// What is wrong with it.
        #[source]
        source: Box<AppointmentError>,
    },
    /// Its ticks are malformed.
    #[error("the ticks in {signer}'s evidence about {counterparty} are malformed")]
    Runs {
        /// Who signed.
        signer: MemberName,
        /// About whom.
        counterparty: MemberName,
        /// What is wrong with them.
        #[source]
        source: TickRunError,
    },
    /// The evidence contradicts the roster.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The evidence of a roll-forward contradicts the roster or itself.
    #[error(transparent)]
    Sequencing(#[from] SequencingError),
    /// A kind that only conveners sign is signed by another member.
    #[error(
        "{signer} signed a statement of kind {kind}, but is not a convener in the roster\n\
         help: ask a convener to sign it"
    )]
    NotAConvener {
        /// Who signed.
        signer: MemberName,
        /// The kind.
        kind: &'static str,
    },
    /// A statement of a session names none, or one that opens a session names one.
    #[error(
        "the statement of kind {kind} by {signer} names {}; expected {}",
        if *named { "a session" } else { "no session" },
        if *named { "none, because its own digest is the session's id" } else { "the session it belongs to" }
    )]
    Session {
        /// Who signed.
        signer: MemberName,
        /// The kind.
        kind: &'static str,
        /// Whether it names one.
        named: bool,
    },
    /// An agreement does not prove that a round that its signer attested cannot complete.
    #[error("the agreement of {signer} does not prove that {round} cannot complete")]
    Proof {
        /// Who signed.
        signer: MemberName,
        /// The round attested.
        round: RoundOf,
        /// What is wrong with the proof.
        #[source]
        source: Box<ProofError>,
    },
    /// It is too large to be signed.
    #[error(
        "the statement would have {found} bytes; expected at most {MAX_PAYLOAD_LEN}\n\
         help: read a shorter window of the logs with --since"
    )]
    TooLarge {
        /// Its size.
        found: usize,
    },
}

impl StatementError {
    /// Whether the error is about what a member says, and not about who says it and where.
    pub(super) const fn is_of_content(&self) -> bool {
        matches!(
            self,
            StatementError::Decode { .. }
                | StatementError::Field { .. }
                | StatementError::Name { .. }
                | StatementError::Key { .. }
                | StatementError::Runs { .. }
                | StatementError::Evidence(_)
                | StatementError::Sequencing(_)
                | StatementError::Proof { .. }
        )
    }
}

impl CommandError for StatementError {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}
