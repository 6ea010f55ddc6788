//! Receipts: a coordinator signs that it has a statement, and at which position.
//!
//! A coordinator chains the digests of the statements that it accepts. The receipt for a statement has its position and
//! the head of the chain with it. Somebody who keeps receipts can prove that a later transcript of the same coordinator
//! omits or changes a statement. The chain orders one coordinator's statements; the state of a session does not depend
//! on that order.
//!
//! `head(0) = SHA-256("svdr transcript v1" ‖ session)`, `head(n + 1) = SHA-256(head(n) ‖ digest(n))`, where the
//! receipt at position n carries `head(n + 1)`.

use std::fmt;

use ed25519_dalek::SigningKey;
use prost::Message as _;
use svdr_proto::v1;

use crate::digest::Digest;
use crate::dsse::{Envelope, EnvelopeError};
use crate::keys::PublicKey;
use crate::statement::SessionId;

/// The payload type of a receipt.
pub const PAYLOAD_TYPE: &str = "application/vnd.svdr.v1.receipt+protobuf";
/// What begins the bytes under the first head, so that they are nobody else's.
const DOMAIN: &[u8] = b"svdr transcript v1";

/// The place of a statement in a coordinator's transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The session.
    pub session: SessionId,
    /// The statement's position, from 0, which is that of the opening.
    pub position: u64,
    /// The statement's digest.
    pub statement: Digest,
    /// The chain's head with this statement in it.
    pub head: Digest,
}

/// A receipt whose signature has been verified, in its envelope. [`VerifiedReceipt::read`] is the only way to get
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReceipt {
    receipt: Receipt,
    coordinator: PublicKey,
    envelope: Envelope,
}

/// The hash chain over the statements of one session at one coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    session: SessionId,
    len: u64,
    head: Digest,
}

/// Two receipts of one coordinator that cannot both be true: it has rewritten its transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// One.
    pub first: VerifiedReceipt,
    /// The other.
    pub second: VerifiedReceipt,
}

/// Why an envelope is not a receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The envelope's signature is invalid.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It is something else.
    #[error("the payload type {found:?} is not a receipt's; expected {PAYLOAD_TYPE}")]
    OtherType {
        /// The type found.
        found: String,
    },
    /// It is another coordinator's.
    #[error(
        "the receipt is signed by {found}, but the coordinator's key is {expected}\nhelp: do not rely on the receipt"
    )]
    OtherCoordinator {
        /// The key expected, as text.
        expected: String,
        /// The key that signed, as text.
        found: String,
    },
    /// The bytes are not a receipt.
    #[error("the receipt cannot be decoded")]
    Decode(#[source] prost::DecodeError),
    /// A field has the wrong length.
    #[error("the field {field} of the receipt has {found} bytes; expected {expected}")]
    Field {
        /// The field's name in the schema.
        field: &'static str,
        /// Its length.
        found: usize,
        /// What it should be.
        expected: usize,
    },
}

/// A receipt does not continue the chain that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the receipt at position {position} of session {session} does not continue what the coordinator sent before: it \
     has {found}, expected {expected}. The coordinator withholds or rewrites statements\nhelp: use another coordinator"
)]
pub struct Broken {
    /// The receipt's session.
    pub session: SessionId,
    /// The receipt's position.
    pub position: u64,
    /// What it should say.
    pub expected: String,
    /// What it says.
    pub found: String,
}

impl Receipt {
    /// Serializes and signs the receipt, with the coordinator's key.
    pub fn sign(&self, key: &SigningKey) -> Envelope {
        let message = v1::Receipt {
            session: self.session.as_bytes().to_vec(),
            position: self.position,
            statement: self.statement.as_bytes().to_vec(),
            head: self.head.as_bytes().to_vec(),
        };
        Envelope::sign(PAYLOAD_TYPE.to_owned(), message.encode_to_vec(), key)
    }
}

impl VerifiedReceipt {
    /// Verifies and reads a receipt. If `coordinator` is given, the receipt must be that coordinator's.
    ///
    /// # Errors
    /// [`ReceiptError`] if it is invalid.
    pub fn read(
        envelope: Envelope,
        coordinator: Option<&PublicKey>,
    ) -> Result<VerifiedReceipt, ReceiptError> {
        let verified = envelope.verify()?;
        if verified.payload_type() != PAYLOAD_TYPE {
            return Err(ReceiptError::OtherType { found: verified.payload_type().to_owned() });
        }
        let signer = verified.signer();
        if let Some(expected) = coordinator.filter(|expected| **expected != signer) {
            let [expected, found] = [expected.to_string(), signer.to_string()];
            return Err(ReceiptError::OtherCoordinator { expected, found });
        }
        let message = v1::Receipt::decode(verified.payload()).map_err(ReceiptError::Decode)?;
        let digest = |field, bytes: &[u8]| {
            let found = bytes.len();
            let digest = bytes.try_into().ok().map(Digest::from_bytes);
            digest.ok_or(ReceiptError::Field { field, found, expected: 32 })
        };
        let found = message.session.len();
        let session = message.session.as_slice().try_into().ok().map(SessionId::from_bytes);
        let receipt = Receipt {
            session: session.ok_or(ReceiptError::Field { field: "session", found, expected: 16 })?,
            position: message.position,
            statement: digest("statement", &message.statement)?,
            head: digest("head", &message.head)?,
        };
        Ok(VerifiedReceipt { receipt, coordinator: signer, envelope })
    }

    /// What it says.
    pub const fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The key of the coordinator that signed it.
    pub const fn coordinator(&self) -> PublicKey {
        self.coordinator
    }

    /// The envelope it came in.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Whether this receipt and another one prove that their coordinator rewrote its transcript: two different
    /// statements or heads at one position.
    pub fn contradicts(&self, other: &VerifiedReceipt) -> bool {
        let [one, two] = [self.receipt, other.receipt];
        self.coordinator == other.coordinator
            && one.session == two.session
            && one.position == two.position
            && (one.statement != two.statement || one.head != two.head)
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = [self.first.receipt, self.second.receipt];
        write!(
            f,
            "the coordinator {} signed two receipts for position {} of session {}: {} with head {}, and {} with head {}",
            self.first.coordinator,
            first.position,
            first.session,
            first.statement,
            first.head,
            second.statement,
            second.head
        )
    }
}

impl Chain {
    /// The chain of a session without statements.
    pub fn new(session: SessionId) -> Chain {
        let head = Digest::of(&[DOMAIN, session.as_bytes()].concat());
        Chain { session, len: 0, head }
    }

    /// Appends a statement, and returns its receipt.
    pub fn append(&mut self, statement: Digest) -> Receipt {
        let receipt = self.next(statement);
        (self.len, self.head) = (self.len + 1, receipt.head);
        receipt
    }

    /// Appends a statement that a coordinator gave a receipt for.
    ///
    /// # Errors
    /// [`Broken`] if the receipt says something else; the chain is unchanged.
    pub fn follow(&mut self, receipt: &Receipt) -> Result<(), Broken> {
        // Every field follows from the chain, so the whole receipt is compared.
        let expected = self.next(receipt.statement);
        if expected == *receipt {
            (self.len, self.head) = (self.len + 1, receipt.head);
            return Ok(());
        }
        let (expected, found) = if expected.session != receipt.session {
            (format!("session {}", expected.session), format!("session {}", receipt.session))
        } else if expected.position != receipt.position {
            (format!("position {}", expected.position), format!("position {}", receipt.position))
        } else {
            (format!("head {}", expected.head), format!("head {}", receipt.head))
        };
        Err(Broken { session: receipt.session, position: receipt.position, expected, found })
    }

    fn next(&self, statement: Digest) -> Receipt {
        let head = Digest::of(&[self.head.as_bytes().as_slice(), statement.as_bytes()].concat());
        Receipt { session: self.session, position: self.len, statement, head }
    }

    /// The session.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// How many statements it has; the position of the next one.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its head.
    pub const fn head(&self) -> Digest {
        self.head
    }
}

#[cfg(test)]
mod tests;
