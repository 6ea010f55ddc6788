//! The two questions that TLS asks: may this client come in, and is this the server I want?

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerIncompatible,
    SignatureScheme,
};

use super::{KeyBytes, KnownClients, identity_key, key_text, provider};

/// Signatures by which a server proves itself: that of its identity, and no other.
const OF_SERVERS: [SignatureScheme; 1] = [SignatureScheme::ED25519];
/// Those by which a client does: its identity's, or that of a P-256 key that its identity has certified.
const OF_CLIENTS: [SignatureScheme; 2] = [SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256];

fn algorithms() -> WebPkiSupportedAlgorithms {
    provider().signature_verification_algorithms
}

impl ClientCertVerifier for KnownClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.identify(end_entity, now).map(|_key| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        OF_CLIENTS.to_vec()
    }
}

/// The server has shown another key than the one wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server shows {}; expected {}",
    found.as_ref().map_or_else(|| "a key that is not Ed25519".to_owned(), |key| format!("the key {}", key_text(key))),
    key_text(expected)
)]
pub struct WrongServer {
    /// The key of the configuration.
    pub expected: KeyBytes,
    /// The server's; none if it is of another kind.
    pub found: Option<KeyBytes>,
}

impl WrongServer {
    /// Whether that is why a handshake failed.
    pub(crate) fn cause_of(error: &Error) -> Option<WrongServer> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(error))) => {
                error.downcast_ref::<WrongServer>().cloned()
            }
            _ => None,
        }
    }
}

/// Talks only to the owner of this key.
#[derive(Debug)]
pub(super) struct PinnedServer {
    key: KeyBytes,
}

impl PinnedServer {
    pub(super) const fn new(key: KeyBytes) -> PinnedServer {
        PinnedServer { key }
    }
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = identity_key(end_entity)?;
        if found == Some(self.key) {
            return Ok(ServerCertVerified::assertion());
        }
        let error = WrongServer { expected: self.key, found };
        Err(CertificateError::Other(OtherError(Arc::new(error))).into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        OF_SERVERS.to_vec()
    }
}
