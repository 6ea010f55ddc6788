//! Receipts: a coordinator signs that it has a statement, and at which position.
//!
//! A coordinator chains the digests of the statements that it accepts. The receipt for a statement has its position and
//! the head of the chain with it. Somebody who keeps receipts can prove that a later transcript of the same coordinator
//! omits or changes a statement. The chain orders one coordinator's statements; the state of a session does not depend
//! on that order.
//!
//! A coordinator writes each history into a journal, which has a [`JournalId`] from the time when it was made. Receipts name
//! it. A new journal under a known key is a new history: the coordinator has forgotten the old one, which everybody can
//! see, and which contradicts nothing. Two things prove that a coordinator lied ([`VerifiedReceipt::contradicts`]):
//!
//! * two different statements or heads at one position of one journal: it rewrote the journal;
//! * a receipt in an older journal that is later than the newer journal's creation: it runs two histories under one key.
//!
//! Receipts of earlier versions name no journal. They are taken for those of one journal that is older than all others.
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
use crate::time::Timestamp;

/// The payload type of a receipt.
pub const PAYLOAD_TYPE: &str = "application/vnd.svdr.v1.receipt+protobuf";
/// What begins the bytes under the first head, so that they are nobody else's.
const DOMAIN: &[u8] = b"svdr transcript v1";

/// The identity of a coordinator's journal. Of two, the one that was made later is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId {
    made: Timestamp,
    random: [u8; 16],
}

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
    /// The journal that the statement is in; `None` in receipts of earlier versions.
    pub journal: Option<JournalId>,
    /// When the coordinator accepted the statement, by its own clock; `None` if it does not say.
    pub accepted: Option<Timestamp>,
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

/// Two receipts of one coordinator that cannot both be true: it has rewritten a journal, or runs two histories.
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
    /// A time is outside the years 1 to 9999.
    #[error("the field {field} of the receipt has the time {found}, which is outside the years 1 to 9999")]
    Time {
        /// The field's name in the schema.
        field: &'static str,
        /// Microseconds since the Unix epoch.
        found: i64,
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

impl JournalId {
    /// Bytes of the wire format: the time, and the random bytes.
    const LEN: usize = 24;

    /// The identity of a journal that is made at this time, with 16 random bytes.
    pub const fn new(made: Timestamp, random: [u8; 16]) -> JournalId {
        JournalId { made, random }
    }

    /// When the journal was made, by its coordinator's clock.
    pub const fn made(&self) -> Timestamp {
        self.made
    }

    /// The bytes, as receipts carry them: big-endian microseconds since the Unix epoch, and the random bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        [self.made.micros().to_be_bytes().as_slice(), &self.random].concat()
    }

    /// Reads the bytes of a field with that name.
    ///
    /// # Errors
    /// [`ReceiptError`] if they are not a journal's identity.
    pub fn from_bytes(field: &'static str, bytes: &[u8]) -> Result<JournalId, ReceiptError> {
        let wrong = || ReceiptError::Field { field, found: bytes.len(), expected: Self::LEN };
        let (made, random) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let random = random.try_into().map_err(|_other_length| wrong())?;
        Ok(JournalId { made: time(field, i64::from_be_bytes(*made))?, random })
    }
}

/// The time when it was made, and the first half of the random bytes: enough for people.
impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JournalId { made, random } = self;
        write!(f, "{made}/{}", hex::encode(random.split_at(8).0))
    }
}

fn time(field: &'static str, micros: i64) -> Result<Timestamp, ReceiptError> {
    Timestamp::from_micros(micros).ok_or(ReceiptError::Time { field, found: micros })
}

impl Receipt {
    /// Serializes and signs the receipt, with the coordinator's key.
    pub fn sign(&self, key: &SigningKey) -> Envelope {
        let message = v1::Receipt {
            session: self.session.as_bytes().to_vec(),
            position: self.position,
            statement: self.statement.as_bytes().to_vec(),
            head: self.head.as_bytes().to_vec(),
            journal: self.journal.map_or_else(Vec::new, JournalId::to_bytes),
            accepted: self.accepted.map(Timestamp::micros),
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
            journal: match message.journal.as_slice() {
                [] => None,
                bytes => Some(JournalId::from_bytes("journal", bytes)?),
            },
            accepted: message.accepted.map(|at| time("accepted", at)).transpose()?,
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

    /// Whether this receipt and another one prove that their coordinator lied. See the module.
    pub fn contradicts(&self, other: &VerifiedReceipt) -> bool {
        let [one, two] = [self.receipt, other.receipt];
        let rewritten = one.journal == two.journal
            && one.session == two.session
            && one.position == two.position
            && (one.statement != two.statement || one.head != two.head);
        self.coordinator == other.coordinator && (rewritten || outlives(&one, &two) || outlives(&two, &one))
    }
}

/// Whether a receipt is in an older journal than the other, and later than the creation of the other's journal.
fn outlives(older: &Receipt, newer: &Receipt) -> bool {
    older.journal < newer.journal
        && older.accepted.zip(newer.journal).is_some_and(|(accepted, journal)| accepted > journal.made)
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = [self.first.receipt, self.second.receipt];
        let coordinator = self.first.coordinator;
        if first.journal != second.journal {
            let (older, newer) =
                if first.journal < second.journal { (first, second) } else { (second, first) };
            return write!(
                f,
                "the coordinator {coordinator} runs two histories under one key: it made the journal {}, and signed a \
                 receipt in the older journal {} at {}",
                journal_name(newer.journal),
                journal_name(older.journal),
                older.accepted.map_or_else(String::new, |at| at.to_string()),
            );
        }
        write!(
            f,
            "the coordinator {coordinator} signed two receipts for position {} of session {}: {} with head {}, and {} with head {}",
            first.position, first.session, first.statement, first.head, second.statement, second.head
        )
    }
}

/// A journal in a text; one without a name is that of an earlier version.
fn journal_name(journal: Option<JournalId>) -> String {
    journal.map_or_else(|| "without a name".to_owned(), |journal| journal.to_string())
}

impl Chain {
    /// The chain of a session without statements. It does not depend on the journal.
    pub fn new(session: SessionId) -> Chain {
        let head = Digest::of(&[DOMAIN, session.as_bytes()].concat());
        Chain { session, len: 0, head }
    }

    /// Appends a statement, and returns its receipt, which names no journal yet.
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
        let next = self.next(receipt.statement);
        // Every other field follows from the chain, so the whole receipt is compared.
        let expected = Receipt { journal: receipt.journal, accepted: receipt.accepted, ..next };
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
        let (session, position) = (self.session, self.len);
        Receipt { session, position, statement, head, journal: None, accepted: None }
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
