//! The two questions that TLS asks: may this client come in, and is this the server I want?

use std::collections::HashSet;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerIncompatible,
    SignatureScheme,
};

use super::{KeyBytes, identity_key, key_text};

/// Signatures that a handshake may carry: those of identity keys, and no others.
const SCHEMES: [SignatureScheme; 1] = [SignatureScheme::ED25519];

fn algorithms() -> WebPkiSupportedAlgorithms {
    rustls::crypto::ring::default_provider().signature_verification_algorithms
}

/// What a handshake ends with where the key is nobody's: the other end receives the alert `access_denied`.
const STRANGER: Error = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);

/// Lets in whoever holds one of these keys.
#[derive(Debug)]
pub(super) struct PinnedClients {
    known: HashSet<KeyBytes>,
}

impl PinnedClients {
    pub(super) const fn new(known: HashSet<KeyBytes>) -> PinnedClients {
        PinnedClients { known }
    }
}

impl ClientCertVerifier for PinnedClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match identity_key(end_entity)? {
            Some(key) if self.known.contains(&key) => Ok(ClientCertVerified::assertion()),
            _ => Err(STRANGER),
        }
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
        SCHEMES.to_vec()
    }
}

/// The server has shown another key than the one wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server shows {}, but the configuration expects {}",
    found.as_ref().map_or_else(|| "a key that is not Ed25519".to_owned(), |key| format!("the key {}", key_text(key))),
    key_text(expected)
)]
pub struct WrongServer {
    /// The key of the configuration.
    pub expected: KeyBytes,
    /// The server's; none where it is of another kind.
    pub found: Option<KeyBytes>,
}

impl WrongServer {
    /// Whether that is why a handshake failed.
    pub fn cause_of(error: &Error) -> Option<WrongServer> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(error))) => {
                error.downcast_ref::<WrongServer>().cloned()
            }
            _ => None,
        }
    }
}

/// Talks to whoever holds this key.
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
        SCHEMES.to_vec()
    }
}
