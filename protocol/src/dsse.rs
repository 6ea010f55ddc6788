//! DSSE v1 envelopes: how a signed statement travels, and the only place where a signature is checked.
//!
//! The signature covers the payload's bytes and its type in the pre-authentication encoding
//! (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>), so the bytes received are what is
//! verified, and only then are they decoded; nothing is serialized again to be checked. An envelope carries
//! exactly one signature. `keyid` is the signer's public key and no more than a hint: it chooses the key that
//! the signature is verified with, and a wrong one fails there.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use serde::{Deserialize, Serialize};
use svdr_proto::v1;

use crate::digest::Digest;
use crate::keys::{PublicKey, PublicKeyError};

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

/// Why something is not an envelope, or its signature does not hold.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// It is longer than any envelope.
    #[error("{found} bytes are more than an envelope can have ({limit}); this is not an svdr statement")]
    TooLong {
        /// Its length.
        found: usize,
        /// The most there can be.
        limit: usize,
    },
    /// It is not a DSSE envelope in JSON.
    #[error(
        "it is not a DSSE envelope in JSON; expected {{\"payloadType\":…,\"payload\":…,\"signatures\":[…]}}"
    )]
    Json(#[source] serde_json::Error),
    /// A field is not base64.
    #[error("the field {field:?} of the envelope is not base64; the envelope has been damaged, get it again")]
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
    #[error("the signature has {found} bytes; an Ed25519 signature has 64")]
    SignatureLength {
        /// Its length.
        found: usize,
    },
    /// The key id is not a public key.
    #[error("the key id of the signature is not the signer's public key")]
    KeyId(#[source] PublicKeyError),
    /// The signature is not by that key over these bytes.
    #[error(
        "the signature by {signer} does not hold: the statement has been altered, or was signed by another key; \
         do not use it"
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
    /// Where it is not an envelope; the signature is not looked at.
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
        Envelope::from_parts(payload_type, decode("payload", &payload)?, &signature.keyid, bytes)
    }

    /// Reads the protobuf form.
    ///
    /// # Errors
    /// Where it is not an envelope; the signature is not looked at.
    pub fn from_message(message: v1::Envelope) -> Result<Envelope, EnvelopeError> {
        let found = message.signatures.len();
        let mut signatures = message.signatures.into_iter();
        let (Some(v1::Signature { sig, keyid }), None) = (signatures.next(), signatures.next()) else {
            return Err(EnvelopeError::SignatureCount { found });
        };
        Envelope::from_parts(message.payload_type, message.payload, &keyid, sig)
    }

    fn from_parts(
        payload_type: String,
        payload: Vec<u8>,
        keyid: &str,
        signature: Vec<u8>,
    ) -> Result<Envelope, EnvelopeError> {
        let long = [(payload.len(), MAX_PAYLOAD_LEN), (payload_type.len(), MAX_PAYLOAD_TYPE_LEN)];
        if let Some((found, limit)) = long.into_iter().find(|(found, limit)| found > limit) {
            return Err(EnvelopeError::TooLong { found, limit });
        }
        let found = signature.len();
        let signer = keyid.parse().map_err(EnvelopeError::KeyId)?;
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
    pub fn to_json(&self) -> String {
        let json = Json {
            payload_type: self.payload_type.clone(),
            payload: STANDARD.encode(&self.payload),
            signatures: vec![JsonSignature {
                keyid: self.signer.to_string(),
                sig: STANDARD.encode(self.signature),
            }],
        };
        // Strings and a list of strings: there is nothing in it that JSON cannot hold.
        serde_json::to_string(&json).unwrap_or_default()
    }

    /// Checks the signature strictly: malleable ones and keys of small order are refused.
    ///
    /// # Errors
    /// [`EnvelopeError::Signature`] where it does not hold.
    pub fn verify(&self) -> Result<VerifiedPayload<'_>, EnvelopeError> {
        let message = pre_authentication_encoding(&self.payload_type, &self.payload);
        self.signer
            .verifying_key()
            .verify_strict(&message, &Signature::from_bytes(&self.signature))
            .map_err(|source| EnvelopeError::Signature { signer: self.signer.to_string(), source })?;
        let (payload_type, payload) = (self.payload_type.as_str(), self.payload.as_slice());
        Ok(VerifiedPayload { payload_type, payload, signer: self.signer })
    }

    /// SHA-256 over the pre-authentication encoding: names the statement, whoever signed it.
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
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope() -> Envelope {
        Envelope::sign("text/plain".to_owned(), b"hello".to_vec(), &SigningKey::from_bytes(&[7; 32]))
    }

    #[test]
    fn the_encoding_is_that_of_the_dsse_specification() {
        let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn the_json_form_is_pinned() {
        let json = envelope().to_json();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["payloadType"], "text/plain");
        assert_eq!(value["payload"], "aGVsbG8=");
        assert_eq!(value["signatures"][0]["keyid"], "ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=");
        let read = Envelope::from_json(json.as_bytes()).unwrap();
        assert_eq!(read, envelope());
        assert_eq!(read.verify().unwrap().payload(), b"hello");
    }

    #[test]
    fn a_signature_covers_type_payload_and_key() {
        let altered = [
            Envelope { payload: b"hellO".to_vec(), ..envelope() },
            Envelope { payload_type: "text/plaiN".to_owned(), ..envelope() },
            Envelope { signer: SigningKey::from_bytes(&[8; 32]).verifying_key().into(), ..envelope() },
            Envelope { signature: [0; 64], ..envelope() },
        ];
        for envelope in altered {
            assert!(matches!(envelope.verify(), Err(EnvelopeError::Signature { .. })), "{envelope:?}");
        }
    }

    #[test]
    fn damaged_json_is_refused_by_what_is_wrong() {
        let json = envelope().to_json();
        let read = |json: &str| Envelope::from_json(json.as_bytes()).unwrap_err();
        assert!(matches!(read("{}"), EnvelopeError::Json(_)));
        assert!(matches!(
            read(&json.replace("aGVs", "a*Vs")),
            EnvelopeError::Base64 { field: "payload", .. }
        ));
        assert!(matches!(read(&json.replace("ed25519:", "")), EnvelopeError::KeyId(_)));
        let none = r#"{"payloadType":"a","payload":"","signatures":[]}"#;
        assert!(matches!(read(none), EnvelopeError::SignatureCount { found: 0 }));
        let short = json.replace(&STANDARD.encode(envelope().signature), "AAAA");
        assert!(matches!(read(&short), EnvelopeError::SignatureLength { found: 3 }));
        let long = "x".repeat(MAX_JSON_LEN + 1);
        assert!(matches!(read(&long), EnvelopeError::TooLong { .. }));
    }

    proptest! {
        #[test]
        fn json_cut_anywhere_is_refused(at in 0usize..200) {
            let json = envelope().to_json();
            prop_assert!(Envelope::from_json(&json.as_bytes()[..at.min(json.len() - 1)]).is_err());
        }

        #[test]
        fn any_payload_survives(payload in prop::collection::vec(any::<u8>(), 0..100), kind in "[ -~]{0,40}") {
            let envelope = Envelope::sign(kind.clone(), payload.clone(), &SigningKey::from_bytes(&[9; 32]));
            let read = Envelope::from_json(envelope.to_json().as_bytes()).unwrap();
            let verified = read.verify().unwrap();
            prop_assert_eq!((verified.payload_type(), verified.payload()), (kind.as_str(), payload.as_slice()));
            prop_assert_eq!(Envelope::from_message(envelope.to_message()).unwrap(), envelope);
        }
    }
}
