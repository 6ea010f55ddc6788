//! DSSE v1 envelopes: how a signed statement travels, and the only place where a signature is checked.
//!
//! The signature covers the payload's bytes and its type in the pre-authentication encoding
//! (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>). The received bytes are verified, and only
//! then decoded; nothing is serialized again to be checked. An envelope has exactly one signature. `keyid` is the
//! signer's public key, and only a hint: it chooses the key that verifies the signature, and a wrong one fails there.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use svdr_proto::v1;

use crate::digest::Digest;
use crate::keys::{PublicKey, PublicKeyError};
use crate::roster::Roster;

/// The longest payload, in bytes: evidence of 127 counterparties with a gap at every tenth of 2,880 ticks
/// takes less than one MiB, so four leave room for logs that are worse than that.
pub const MAX_PAYLOAD_LEN: usize = 4 << 20;
/// The longest envelope as JSON, in bytes: the payload in base64, and room for the rest.
pub const MAX_JSON_LEN: usize = MAX_PAYLOAD_LEN / 3 * 4 + 4096;
/// The longest payload type, in bytes; svdr's own have fewer than half.
pub const MAX_PAYLOAD_TYPE_LEN: usize = 128;

/// A payload with its type and one signature, not checked yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signer: PublicKey,
    signature: [u8; 64],
}

/// A payload whose signature has been verified. [`Envelope::verify`] is the only way to get one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedPayload<'a> {
    payload_type: &'a str,
    payload: &'a [u8],
    signer: PublicKey,
}

/// Why something is not an envelope, or its signature is invalid.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// It is longer than any envelope.
    #[error("{found} bytes are too long for an svdr statement; expected at most {limit}")]
    TooLong {
        /// Its length.
        found: usize,
        /// The most there can be.
        limit: usize,
    },
    /// It is not a DSSE envelope in JSON.
    #[error("not a DSSE envelope in JSON; expected {{\"payloadType\":…,\"payload\":…,\"signatures\":[…]}}")]
    Json(#[source] serde_json::Error),
    /// A field is not base64.
    #[error(
        "the field {field:?} of the envelope is not base64, so the envelope is corrupt\nhelp: get the statement again"
    )]
    Base64 {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: base64::DecodeError,
    },
    /// There is not exactly one signature.
    #[error(
        "the envelope has {found} signatures; expected exactly one, by the member that made the statement"
    )]
    SignatureCount {
        /// How many there are.
        found: usize,
    },
    /// The signature has the wrong length.
    #[error("the signature has {found} bytes; expected 64, the length of an Ed25519 signature")]
    SignatureLength {
        /// Its length.
        found: usize,
    },
    /// The key id is not a public key.
    #[error("the key id of the signature is not a public key")]
    KeyId(#[source] PublicKeyError),
    /// The signature is not by that key over these bytes.
    #[error(
        "the signature by {signer} is invalid: the statement was altered, or another key signed it\n\
         help: do not use the statement"
    )]
    Signature {
        /// The key it is said to be by, as text.
        signer: String,
        /// What the check said.
        #[source]
        source: ed25519_dalek::SignatureError,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    payload_type: String,
    payload: String,
    signatures: Vec<JsonSignature>,
}

#[derive(Serialize, Deserialize)]
struct JsonSignature {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Signs `payload`, as it is, under its type.
    pub fn sign(payload_type: String, payload: Vec<u8>, key: &SigningKey) -> Envelope {
        let signature = key.sign(&pre_authentication_encoding(&payload_type, &payload)).to_bytes();
        Envelope { payload_type, payload, signer: key.verifying_key().into(), signature }
    }

    /// Reads the JSON form. Fields that are not known are ignored, as DSSE asks.
    ///
    /// # Errors
    /// If it is not an envelope; the signature is not looked at.
    pub fn from_json(json: &[u8]) -> Result<Envelope, EnvelopeError> {
        if json.len() > MAX_JSON_LEN {
            return Err(EnvelopeError::TooLong { found: json.len(), limit: MAX_JSON_LEN });
        }
        let Json { payload_type, payload, signatures } =
            serde_json::from_slice(json).map_err(EnvelopeError::Json)?;
        let decode = |field, text: &str| {
            STANDARD.decode(text).map_err(|source| EnvelopeError::Base64 { field, source })
        };
        let [signature] = signatures.as_slice() else {
            return Err(EnvelopeError::SignatureCount { found: signatures.len() });
        };
        let bytes = decode("sig", &signature.sig)?;
        Envelope::from_parts(payload_type, decode("payload", &payload)?, signature.keyid.parse(), bytes)
    }

    /// Reads the protobuf form.
    ///
    /// # Errors
    /// If it is not an envelope; the signature is not looked at.
    pub fn from_message(message: v1::Envelope) -> Result<Envelope, EnvelopeError> {
        Envelope::from_message_with(message, |keyid| keyid.parse())
    }

    /// Does the same as [`Envelope::from_message`], faster: the keys of the roster's members are known to be valid.
    ///
    /// # Errors
    /// As there.
    pub fn from_message_in(message: v1::Envelope, roster: &Roster) -> Result<Envelope, EnvelopeError> {
        Envelope::from_message_with(message, |keyid| {
            roster.key_by_text(keyid).map_or_else(|| keyid.parse(), Ok)
        })
    }

    fn from_message_with(
        message: v1::Envelope,
        key: impl FnOnce(&str) -> Result<PublicKey, PublicKeyError>,
    ) -> Result<Envelope, EnvelopeError> {
        let found = message.signatures.len();
        let mut signatures = message.signatures.into_iter();
        let (Some(v1::Signature { sig, keyid }), None) = (signatures.next(), signatures.next()) else {
            return Err(EnvelopeError::SignatureCount { found });
        };
        Envelope::from_parts(message.payload_type, message.payload, key(&keyid), sig)
    }

    fn from_parts(
        payload_type: String,
        payload: Vec<u8>,
        signer: Result<PublicKey, PublicKeyError>,
        signature: Vec<u8>,
    ) -> Result<Envelope, EnvelopeError> {
        let long = [(payload.len(), MAX_PAYLOAD_LEN), (payload_type.len(), MAX_PAYLOAD_TYPE_LEN)];
        if let Some((found, limit)) = long.into_iter().find(|(found, limit)| found > limit) {
            return Err(EnvelopeError::TooLong { found, limit });
        }
        let found = signature.len();
        let signer = signer.map_err(EnvelopeError::KeyId)?;
        let signature = signature.try_into().ok().ok_or(EnvelopeError::SignatureLength { found })?;
        Ok(Envelope { payload_type, payload, signer, signature })
    }

    /// The protobuf form.
    pub fn to_message(&self) -> v1::Envelope {
        v1::Envelope {
            payload: self.payload.clone(),
            payload_type: self.payload_type.clone(),
            signatures: vec![v1::Signature { sig: self.signature.to_vec(), keyid: self.signer.to_string() }],
        }
    }

    /// The type that the payload is said to have; not verified yet.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The key that is said to have signed; not verified yet.
    pub const fn signer(&self) -> PublicKey {
        self.signer
    }

    /// The number of bytes in the payload.
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// The JSON form, on one line, without a line end.
    #[expect(clippy::expect_used, reason = "an empty text instead would be written to the store or sent")]
    pub fn to_json(&self) -> String {
        let json = Json {
            payload_type: self.payload_type.clone(),
            payload: STANDARD.encode(&self.payload),
            signatures: vec![JsonSignature {
                keyid: self.signer.to_string(),
                sig: STANDARD.encode(self.signature),
            }],
        };
        serde_json::to_string(&json).expect("strings and a list of strings are JSON")
    }

    /// Checks the signature strictly: malleable ones and keys of small order are refused.
    ///
    /// # Errors
    /// [`EnvelopeError::Signature`] if it is invalid.
    pub fn verify(&self) -> Result<VerifiedPayload<'_>, EnvelopeError> {
        self.verify_by(&self.signer.verifying_key())
    }

    /// Does the same as [`Envelope::verify`], faster: the keys of the roster's members are already decoded.
    ///
    /// # Errors
    /// As there.
    pub fn verify_in(&self, roster: &Roster) -> Result<VerifiedPayload<'_>, EnvelopeError> {
        match roster.verifying_key(&self.signer) {
            Some(key) => self.verify_by(key),
            None => self.verify(),
        }
    }

    /// Verifies with the decoded key of the signer.
    fn verify_by(&self, key: &VerifyingKey) -> Result<VerifiedPayload<'_>, EnvelopeError> {
        let message = pre_authentication_encoding(&self.payload_type, &self.payload);
        key.verify_strict(&message, &Signature::from_bytes(&self.signature))
            .map_err(|source| EnvelopeError::Signature { signer: self.signer.to_string(), source })?;
        let (payload_type, payload) = (self.payload_type.as_str(), self.payload.as_slice());
        Ok(VerifiedPayload { payload_type, payload, signer: self.signer })
    }

    /// SHA-256 over the pre-authentication encoding, which identifies the statement. The signature is not part of it.
    pub fn digest(&self) -> Digest {
        Digest::of(&pre_authentication_encoding(&self.payload_type, &self.payload))
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("payload_type", &self.payload_type)
            .field("payload_len", &self.payload.len())
            .field("signer", &self.signer)
            .finish_non_exhaustive()
    }
}

impl<'a> VerifiedPayload<'a> {
    /// The type that was signed with the payload.
    pub const fn payload_type(&self) -> &'a str {
        self.payload_type
    }

    /// The bytes that were signed.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The key that signed them.
    pub const fn signer(&self) -> PublicKey {
        self.signer
    }
}

/// DSSE's `PAE(type, body)`: what is signed, with lengths, so that type and payload cannot run into each other.
fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests;
