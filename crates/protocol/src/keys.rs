//! Ed25519 public keys in the text form of rosters and configurations: `ed25519:` and base64.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::digest::Digest;
use crate::text::excerpt;

const PREFIX: &str = "ed25519:";
const KEY_LEN: usize = 32;
/// Characters of a malformed key that an error quotes: too few to be of use, should it be a private one.
const EXCERPT_LEN: usize = 20;

/// An Ed25519 public key that can verify signatures: a point of the curve, and none of small order.
///
/// Kept as its 32 bytes: the point that verifying needs is six times as large, and every statement and error has
/// keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_LEN]);

/// Why a text is not a public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not `ed25519:` and the base64 of 32 bytes.
    #[error(
        "{found:?} is not a public key; expected ed25519: and the base64 of 32 bytes, \
         as `svdr-agent key show` prints it"
    )]
    Malformed {
        /// The text as given.
        found: String,
    },
    /// 32 bytes that are not a usable key: not on the curve, or of small order, which would accept forgeries.
    #[error("{found:?} has the form of a public key, but no private key belongs to it")]
    NotAKey {
        /// The text as given.
        found: String,
    },
}

impl PublicKey {
    /// The public key as `ed25519-dalek` wants it.
    #[expect(clippy::expect_used, reason = "every way to make a PublicKey goes through a VerifyingKey")]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::from_bytes(&self.0).expect("these bytes were a key when this was made")
    }

    /// SHA-256 over the 32 bytes of the key: what two people compare.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl From<VerifyingKey> for PublicKey {
    fn from(key: VerifyingKey) -> PublicKey {
        PublicKey(key.to_bytes())
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<PublicKey, PublicKeyError> {
        let malformed = || PublicKeyError::Malformed { found: excerpt(text, EXCERPT_LEN) };
        let not_a_key = || PublicKeyError::NotAKey { found: text.to_owned() };
        let base64 = text.strip_prefix(PREFIX).ok_or_else(malformed)?;
        let bytes = STANDARD.decode(base64).ok().ok_or_else(malformed)?;
        let bytes: [u8; KEY_LEN] = bytes.try_into().ok().ok_or_else(malformed)?;
        let key = VerifyingKey::from_bytes(&bytes).ok().ok_or_else(not_a_key)?;
        if key.is_weak() { Err(not_a_key()) } else { Ok(PublicKey(bytes)) }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    #[test]
    fn prints_and_reads_a_key() {
        let key = PublicKey::from(SigningKey::from_bytes(&[7; 32]).verifying_key());
        assert_eq!(key.to_string(), "ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=");
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn refuses_what_is_no_key() {
        for found in [
            "",
            "ed25519:",
            "ed25519:AAAA",
            "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=",
            "ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw",
        ] {
            let error = PublicKeyError::Malformed { found: excerpt(found, EXCERPT_LEN) };
            assert_eq!(found.parse::<PublicKey>(), Err(error));
        }
        // The neutral element: of order one, so that a signature by nobody would verify.
        let found = "ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(found.parse::<PublicKey>(), Err(PublicKeyError::NotAKey { found: found.to_owned() }));
    }
}
