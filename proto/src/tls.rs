//! Mutual TLS 1.3 with pinned Ed25519 keys: who may talk to whom is decided by keys, and by nothing else.
//!
//! Each end shows a certificate for its signing key, and proves in the handshake that it has that key. The server lets in
//! the keys of its roster; the client talks to the one key of its configuration. There is no authority: names, dates,
//! issuers and extensions of these certificates are ignored. Sessions are never resumed, so that each connection is
//! authenticated anew. Versions below 1.3 are refused.
//!
//! That is how svdr's programs talk to each other. Not every TLS library can: what gRPC's C core with BoringSSL does,
//! seen of Python's grpcio 1.62.3 and 1.85.3:
//!
//! * Its hello offers ECDSA, RSA-PSS and RSA signatures, and no Ed25519: a server with nothing else fails to shake hands.
//! * It does check Ed25519 signatures on certificates: a P-256 server certificate that an Ed25519 key has issued is
//!   accepted if that issuer is among the client's `root_certificates`.
//! * It asks for a name: `grpc.ssl_target_name_override` says which, in place of the address.
//! * As a client it can show an Ed25519 certificate if the server asks for one, and a P-256 one as well.
//!
//! So a server has a second key, P-256, certified by its identity, for clients whose hello offers no Ed25519; and it lets
//! in P-256 keys that an identity of its roster has certified ([`KnownClients`]). [`ClientFiles`] is what such a client
//! needs. All of it ends at the same Ed25519 keys, and changes nothing between svdr's own programs.

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
mod client_files;
#[doc(hidden)]
pub mod fuzz;
mod known;
mod pinned;
mod server_keys;

pub use certificate::{identity_certificate, identity_certificate_pem};
pub use client_files::ClientFiles;
pub use known::{KnownClients, identity_key};
use pinned::PinnedServer;
pub use pinned::WrongServer;
use server_keys::ServerKeys;

/// An Ed25519 public key: the 32 bytes of its point.
pub type KeyBytes = [u8; 32];

/// A public key as rosters and configurations have it: `ed25519:` and base64.
pub fn key_text(key: &KeyBytes) -> String {
    format!("ed25519:{}", STANDARD.encode(key))
}

/// The name in every server's certificate, for clients that insist on one; svdr's own do not look at it.
pub const SERVER_NAME: &str = "svdr";

/// The one protocol spoken inside: HTTP/2, which gRPC needs.
const ALPN: &[u8] = b"h2";

/// A program's own key, with the certificate that shows it.
pub struct TlsIdentity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    signing_key: SigningKey,
}

/// Why TLS cannot be set up with a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate can be made for it.
    #[error("no certificate can be made for the signing key\nhelp: make a new key with `svdr-agent key new`")]
    Certificate(#[source] rcgen::Error),
    /// No P-256 key can be made.
    #[error("no P-256 key can be made: the operating system gives no randomness\nhelp: retry")]
    Generate(#[source] rcgen::Error),
    /// The key cannot be encoded for the TLS library.
    #[error("the signing key cannot be used for TLS\nhelp: make a new key with `svdr-agent key new`")]
    Key(#[source] ed25519_dalek::pkcs8::Error),
    /// The TLS library refuses it.
    #[error("TLS cannot be set up with the signing key\nhelp: make a new key with `svdr-agent key new`")]
    Setup(#[source] rustls::Error),
}

impl TlsIdentity {
    /// Makes the certificate for `key`; the same every time.
    ///
    /// # Errors
    /// If the key cannot be encoded, which no key that was read or made by svdr can cause.
    pub fn new(key: &SigningKey) -> Result<TlsIdentity, TlsError> {
        let certificate = identity_certificate(key)?;
        let pkcs8 = key.to_pkcs8_der().map_err(TlsError::Key)?;
        let key_der = PrivatePkcs8KeyDer::from(pkcs8.as_bytes().to_vec());
        Ok(TlsIdentity { certificate, key: key_der.into(), signing_key: key.clone() })
    }

    /// The public key that the other end will see.
    pub fn public_key(&self) -> &KeyBytes {
        self.signing_key.as_ref().as_bytes()
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").field("public", &key_text(self.public_key())).finish_non_exhaustive()
    }
}

/// The configuration of a server that lets in only clients that prove to have one of the keys `known`, or a P-256 key that
/// one of them has certified. [`KnownClients::identify`] says afterwards who it is.
///
/// # Errors
/// If the TLS library cannot use the identity.
pub fn server_config(identity: &TlsIdentity, known: HashSet<KeyBytes>) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Setup)?
        .with_client_cert_verifier(Arc::new(KnownClients::new(known)))
        .with_cert_resolver(Arc::new(ServerKeys::of(identity)?));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The configuration of a client that talks only to the owner of the key `server`.
///
/// # Errors
/// If the TLS library cannot use the identity.
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
