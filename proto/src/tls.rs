//! Mutual TLS 1.3 with pinned Ed25519 keys: who may talk to whom is decided by keys, and by nothing else.
//!
//! Each end shows a certificate for its identity key and proves in the handshake that it holds that key. The
//! server lets in the keys of its roster; the client talks to the one key of its configuration. There is no
//! authority: names, dates, issuers and extensions in certificates are not looked at. Sessions are never
//! resumed, so that each connection is proved anew. Versions below 1.3 are not spoken.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ServerConfig};

mod certificate;
mod pinned;

pub use certificate::{identity_certificate, identity_key};
pub use pinned::WrongServer;
use pinned::{PinnedClients, PinnedServer};

/// An Ed25519 public key: the 32 bytes of its point.
pub type KeyBytes = [u8; 32];

/// A public key as rosters and configurations have it: `ed25519:` and base64.
pub fn key_text(key: &KeyBytes) -> String {
    format!("ed25519:{}", STANDARD.encode(key))
}

/// The one protocol spoken inside: HTTP/2, which gRPC needs.
const ALPN: &[u8] = b"h2";

/// A program's own key, with the certificate that shows it.
pub struct TlsIdentity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    public: KeyBytes,
}

/// Why TLS cannot be set up with a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate can be made for it.
    #[error("no certificate can be made for the identity key; make a new key with `svdr-agent identity new`")]
    Certificate(#[source] rcgen::Error),
    /// The key cannot be encoded for the TLS library.
    #[error("the identity key cannot be used for TLS; make a new key with `svdr-agent identity new`")]
    Key(#[source] ed25519_dalek::pkcs8::Error),
    /// The TLS library refuses it.
    #[error("TLS cannot be set up with the identity key; make a new key with `svdr-agent identity new`")]
    Setup(#[source] rustls::Error),
}

impl TlsIdentity {
    /// Makes the certificate for `key`; the same every time.
    ///
    /// # Errors
    /// Where the key cannot be encoded, which no key that was read or made by svdr can cause.
    pub fn new(key: &SigningKey) -> Result<TlsIdentity, TlsError> {
        let certificate = identity_certificate(key).map_err(TlsError::Certificate)?;
        let pkcs8 = key.to_pkcs8_der().map_err(TlsError::Key)?;
        let key_der = PrivatePkcs8KeyDer::from(pkcs8.as_bytes().to_vec());
        Ok(TlsIdentity { certificate, key: key_der.into(), public: key.verifying_key().to_bytes() })
    }

    /// The public key that the other end will see.
    pub const fn public_key(&self) -> &KeyBytes {
        &self.public
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").field("public", &self.public).finish_non_exhaustive()
    }
}

/// What a server uses that lets in whoever proves to hold one of the keys `known`, and nobody else.
///
/// # Errors
/// Where the TLS library cannot use the identity.
pub fn server_config(identity: &TlsIdentity, known: HashSet<KeyBytes>) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Setup)?
        .with_client_cert_verifier(Arc::new(PinnedClients::new(known)))
        .with_single_cert(vec![identity.certificate.clone()], identity.key.clone_key())
        .map_err(TlsError::Setup)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// What a client uses that talks to the holder of the key `server`, and to nobody else.
///
/// # Errors
/// Where the TLS library cannot use the identity.
pub fn client_config(identity: &TlsIdentity, server: KeyBytes) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer::new(server)))
        .with_client_auth_cert(vec![identity.certificate.clone()], identity.key.clone_key())
        .map_err(TlsError::Setup)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
#[path = "tls/tests.rs"]
mod tests;
