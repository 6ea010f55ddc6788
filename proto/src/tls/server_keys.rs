//! Which of its two keys a server shows: the one whose signatures the client's hello offers to check.
//!
//! svdr's own clients offer Ed25519 and nothing else, and get the identity. Whoever does not offer Ed25519 gets a
//! P-256 key that the identity has certified, and that exists nowhere but in this process's memory: it is as safe
//! there as the identity itself, gone with the process, and need not expire.

use std::fmt;
use std::sync::Arc;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{TlsError, TlsIdentity, certificate};

/// A server's keys, each with its certificate, the preferred one first.
pub(super) struct ServerKeys([Arc<CertifiedKey>; 2]);

impl ServerKeys {
    /// The identity, and a new P-256 key that it certifies.
    pub(super) fn of(identity: &TlsIdentity) -> Result<ServerKeys, TlsError> {
        let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(TlsError::Generate)?;
        let shown = certificate::server(&identity.signing_key, &other).map_err(TlsError::Certificate)?;
        let other = PrivatePkcs8KeyDer::from(other.serialize_der()).into();
        let certified = |shown, key| {
            let key = any_supported_type(key).map_err(TlsError::Setup)?;
            Ok(Arc::new(CertifiedKey::new(vec![shown], key)))
        };
        Ok(ServerKeys([certified(identity.certificate.clone(), &identity.key)?, certified(shown, &other)?]))
    }

    /// What is shown to clients that check no Ed25519 signature.
    #[cfg(test)]
    pub(super) fn for_others(&self) -> CertifiedKey {
        let [_, other] = &self.0;
        CertifiedKey::clone(other)
    }
}

impl ResolvesServerCert for ServerKeys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let offered = hello.signature_schemes();
        self.0.iter().find(|one| one.key.choose_scheme(offered).is_some()).cloned()
    }
}

impl fmt::Debug for ServerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerKeys").finish_non_exhaustive()
    }
}
