//! Why an envelope is not a statement that counts.

use crate::digest::Digest;
use crate::dsse::{EnvelopeError, MAX_PAYLOAD_LEN};
use crate::evidence::{EvidenceError, RunError};
use crate::names::{MemberName, NameError};

use super::proof::ProofError;
use super::{RoundOf, TYPE_PREFIX, TYPE_SUFFIX};

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
    /// A proposal bears a member's name, but another key signed it.
    #[error("the proposal says it is by {claimed}, but was not signed with {claimed}'s key; do not use it")]
    NotTheMember {
        /// The name in the statement.
        claimed: MemberName,
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
    /// A kind that only conveners sign is signed by another member.
    #[error(
        "{signer} signed a statement of kind {kind}, but is no convener in the roster; ask one to sign it"
    )]
    NotAConvener {
        /// Who signed.
        signer: MemberName,
        /// The kind.
        kind: &'static str,
    },
    /// A statement of a session names none, or one that opens a session names one.
    #[error(
        "the statement of kind {kind} by {signer} names {}; expected {}; it was not made by svdr",
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
    /// An agreement does not show why a round that its signer attested does not hold it back.
    #[error("the agreement of {signer} does not show that {round} cannot complete; it was not made by svdr")]
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
        "the statement would have {found} bytes, more than the {MAX_PAYLOAD_LEN} allowed; read a shorter window with --since"
    )]
    TooLarge {
        /// Its size.
        found: usize,
    },
}
