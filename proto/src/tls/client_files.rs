//! What a gRPC client that is not svdr needs to take part: three PEM files, made from an identity.
//!
//! The client's key is a P-256 key of its own, so that the identity stays on its machine. Its certificate says whose
//! it is. To know a coordinator, such a client needs a chain of X.509: the third file has the identity as an
//! authority, and its word for the coordinators' keys, which the operator has from the same source as those of
//! `agent.toml`. It does not come from a coordinator, and no coordinator can forge it.

use std::fmt;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::UnixTime;
use zeroize::{Zeroize as _, Zeroizing};

use super::{KeyBytes, TlsError, certificate};

/// By how much a coordinator's clock may be behind when the certificate is first used.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);

/// The three files, in PEM.
pub struct ClientFiles {
    /// The client's private key, PKCS#8: secret.
    pub key: Zeroizing<String>,
    /// The certificate of that key.
    pub certificate: String,
    /// What to trust as a coordinator, and nothing else.
    pub coordinators: String,
    /// When the certificate expires.
    pub valid_until: UnixTime,
}

impl ClientFiles {
    /// Makes a new key that is `identity`'s from `now` on for `valid_for`, for use with these coordinators.
    ///
    /// # Errors
    /// If the operating system has no randomness; nothing about keys or times can cause one.
    pub fn new(
        identity: &SigningKey,
        coordinators: &[KeyBytes],
        now: UnixTime,
        valid_for: Duration,
    ) -> Result<ClientFiles, TlsError> {
        let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(TlsError::Generate)?;
        let seconds = Duration::from_secs(now.as_secs());
        let from = UnixTime::since_unix_epoch(seconds.saturating_sub(CLOCK_SKEW));
        let to = UnixTime::since_unix_epoch(seconds.saturating_add(valid_for));
        let certificate = certificate::client(identity, &key, from, to).map_err(TlsError::Certificate)?.pem();
        let pem = Zeroizing::new(key.serialize_pem());
        key.zeroize();
        let mut trusted = certificate::authority(identity).map_err(TlsError::Certificate)?.pem();
        for &coordinator in coordinators {
            let word = certificate::coordinator_authority(identity, coordinator);
            trusted += &word.map_err(TlsError::Certificate)?.pem();
        }
        Ok(ClientFiles { key: pem, certificate, coordinators: trusted, valid_until: to })
    }
}

impl fmt::Debug for ClientFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFiles").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}
