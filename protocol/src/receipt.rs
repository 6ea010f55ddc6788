//! Receipts: a coordinator's signed word on where a statement stands in its transcript.
//!
//! The statements of a session form a hash chain in the order in which one coordinator accepted them:
//! `head(n) = SHA-256("svdr transcript v1" ‖ session ‖ head(n − 1) ‖ n ‖ digest(n))`, positions from zero in eight
//! bytes big-endian, and 32 zero bytes before the first. A coordinator that hands out two different heads for one
//! position has rewritten its history, and the two receipts prove it. A receipt counts for nothing else.

use ed25519_dalek::SigningKey;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use svdr_proto::v1;

use crate::digest::{Digest, DigestError};
use crate::dsse::{Envelope, EnvelopeError};
use crate::keys::PublicKey;
use crate::statement::SessionId;

/// The payload type of a receipt.
pub const RECEIPT_TYPE: &str = "application/vnd.svdr.v1.receipt+protobuf";

/// What begins the bytes that each head is over.
const CHAIN_DOMAIN: &[u8] = b"svdr transcript v1";

/// Where a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The session.
    pub session: SessionId,
    /// From 0, which is the statement that opens the session, without gaps.
    pub position: u64,
    /// The statement's digest.
    pub statement: Digest,
    /// The chain's head with this statement in it.
    pub head: Digest,
}

/// A receipt whose signature has been checked. [`VerifiedReceipt::read`] is the only way to get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReceipt {
    receipt: Receipt,
    coordinator: PublicKey,
    envelope: Envelope,
}

/// Why an envelope is not a receipt that counts.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// Its signature does not hold.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It is something else.
    #[error("the payload type {found:?} is not that of a receipt ({RECEIPT_TYPE})")]
    OtherType {
        /// The type found.
        found: String,
    },
    /// Somebody else signed it.
    #[error("the receipt is signed by {found}, but the coordinator's key is {expected}; do not use it")]
    OtherCoordinator {
        /// The coordinator's key.
        expected: String,
        /// The key that signed.
        found: String,
    },
    /// The bytes are not the message.
    #[error("the receipt by {coordinator} cannot be decoded; it was not made by svdr")]
    Decode {
        /// The key that signed.
        coordinator: String,
        /// Where decoding stopped.
        #[source]
        source: prost::DecodeError,
    },
    /// A digest in it is none.
    #[error("the field {field} of the receipt by {coordinator} is malformed; it was not made by svdr")]
    Digest {
        /// The key that signed.
        coordinator: String,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: DigestError,
    },
    /// The session id in it is none.
    #[error("the session of the receipt by {coordinator} has {found} bytes, not 16; it was not made by svdr")]
    Session {
        /// The key that signed.
        coordinator: String,
        /// How many bytes there are.
        found: usize,
    },
}

impl Receipt {
    /// Signs it with the coordinator's key; the same bytes every time.
    pub fn sign(&self, key: &SigningKey) -> Envelope {
        let message = v1::Receipt {
            session: self.session.as_bytes().to_vec(),
            position: self.position,
            statement: self.statement.as_bytes().to_vec(),
            head: self.head.as_bytes().to_vec(),
        };
        Envelope::sign(RECEIPT_TYPE.to_owned(), message.encode_to_vec(), key)
    }
}

impl VerifiedReceipt {
    /// Checks signature, type and, where it is given, the coordinator's key, and decodes it.
    ///
    /// # Errors
    /// Whatever of that does not hold.
    pub fn read(
        envelope: &Envelope,
        coordinator: Option<&PublicKey>,
    ) -> Result<VerifiedReceipt, ReceiptError> {
        let verified = envelope.verify()?;
        if verified.payload_type() != RECEIPT_TYPE {
            return Err(ReceiptError::OtherType { found: verified.payload_type().to_owned() });
        }
        let signer = verified.signer();
        if let Some(expected) = coordinator
            && *expected != signer
        {
            let [expected, found] = [expected.to_string(), signer.to_string()];
            return Err(ReceiptError::OtherCoordinator { expected, found });
        }
        let coordinator = || signer.to_string();
        let message = v1::Receipt::decode(verified.payload())
            .map_err(|source| ReceiptError::Decode { coordinator: coordinator(), source })?;
        let session = <[u8; 16]>::try_from(message.session.as_slice()).ok().ok_or_else(|| {
            ReceiptError::Session { coordinator: coordinator(), found: message.session.len() }
        })?;
        let digest = |field, bytes: &[u8]| {
            Digest::from_slice(bytes).map_err(|source| ReceiptError::Digest {
                coordinator: coordinator(),
                field,
                source,
            })
        };
        let receipt = Receipt {
            session: SessionId::from_bytes(session),
            position: message.position,
            statement: digest("statement", &message.statement)?,
            head: digest("head", &message.head)?,
        };
        Ok(VerifiedReceipt { receipt, coordinator: signer, envelope: envelope.clone() })
    }

    /// What it says.
    pub const fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The key that signed it.
    pub const fn coordinator(&self) -> PublicKey {
        self.coordinator
    }

    /// The envelope it came in.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// The hash chain over a session's transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    session: SessionId,
    len: u64,
    head: Digest,
}

impl Chain {
    /// The chain of a session without statements.
    pub const fn new(session: SessionId) -> Chain {
        Chain { session, len: 0, head: Digest::from_bytes([0; 32]) }
    }

    /// Adds a statement; the receipt that it gets.
    pub fn extend(&mut self, statement: &Digest) -> Receipt {
        let position = self.len;
        let mut hash = Sha256::new();
        hash.update(CHAIN_DOMAIN);
        hash.update(self.session.as_bytes());
        hash.update(self.head.as_bytes());
        hash.update(position.to_be_bytes());
        hash.update(statement.as_bytes());
        self.head = Digest::from_bytes(hash.finalize().into());
        self.len += 1;
        Receipt { session: self.session, position, statement: *statement, head: self.head }
    }

    /// The session.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// How many statements there are.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The head; zeroes where there are no statements.
    pub const fn head(&self) -> Digest {
        self.head
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn receipt() -> Receipt {
        Chain::new(SessionId::from_bytes([3; 16])).extend(&Digest::of(b"first"))
    }

    #[test]
    fn the_first_head_is_pinned() {
        let first = Digest::of(b"first");
        let parts = [b"svdr transcript v1".as_slice(), &[3; 16], &[0; 32], &[0; 8], first.as_bytes()];
        assert_eq!(receipt().head, Digest::of(&parts.concat()));
        assert_eq!(receipt().position, 0);
    }

    #[test]
    fn a_receipt_is_read_as_it_was_signed() {
        let envelope = receipt().sign(&key(1));
        let own = PublicKey::from(key(1).verifying_key());
        let read = VerifiedReceipt::read(&envelope, Some(&own)).unwrap();
        assert_eq!((*read.receipt(), read.coordinator()), (receipt(), own));
        let other = PublicKey::from(key(2).verifying_key());
        let error = VerifiedReceipt::read(&envelope, Some(&other)).unwrap_err();
        assert!(matches!(error, ReceiptError::OtherCoordinator { .. }), "{error}");
    }

    #[test]
    fn what_is_no_receipt_is_refused_by_what_is_wrong() {
        let sign = |kind: &str, payload: Vec<u8>| Envelope::sign(kind.to_owned(), payload, &key(1));
        let read = |envelope: Envelope| VerifiedReceipt::read(&envelope, None).unwrap_err();
        let good = receipt().sign(&key(1)).verify().unwrap().payload().to_vec();
        assert!(matches!(read(sign("text/plain", good.clone())), ReceiptError::OtherType { .. }));
        assert!(matches!(read(sign(RECEIPT_TYPE, vec![255])), ReceiptError::Decode { .. }));
        assert!(matches!(read(sign(RECEIPT_TYPE, Vec::new())), ReceiptError::Session { found: 0, .. }));
        for cut in 0..good.len() {
            let envelope = sign(RECEIPT_TYPE, good[..cut].to_vec());
            assert!(VerifiedReceipt::read(&envelope, None).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_head_depends_on_session_order_and_every_statement() {
        let digests = [Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"c")];
        let head = |session: u8, order: &[usize]| {
            let mut chain = Chain::new(SessionId::from_bytes([session; 16]));
            order.iter().map(|&at| chain.extend(&digests[at]).head).last().unwrap()
        };
        let heads = [head(1, &[0, 1, 2]), head(1, &[0, 2, 1]), head(1, &[1, 2]), head(2, &[0, 1, 2])];
        let distinct: std::collections::BTreeSet<_> = heads.iter().collect();
        assert_eq!(distinct.len(), heads.len());
    }
}
