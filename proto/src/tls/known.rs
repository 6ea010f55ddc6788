//! Who a client is, by the certificate it shows: one of a fixed set of identities, or nobody.
//!
//! There are two ways to be one of them, and both end at the identity's Ed25519 key in the roster:
//!
//! * The certificate shows that key. Then nothing else in it counts: not its dates, names, issuer or signature.
//! * The certificate shows another key that the identity has certified: signed by it directly, without anybody
//!   between, for clients (an extended key usage that is there and says so), and not beyond its dates by this
//!   machine's clock. Such a key can open connections, and nothing more: statements are signed by the identity. Dates
//!   are looked at when a connection is made; one that is open stays so.
//!
//! The handshake checks that the client has the key that it shows; it admits P-256 and no other kind of certified
//! key. X.509 is parsed and checked by `webpki`, the library that TLS itself uses.

use std::collections::HashSet;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, Der, TrustAnchor, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, OtherError};
use webpki::{EndEntityCert, KeyUsage};

use super::{KeyBytes, key_text, provider};

/// The `SubjectPublicKeyInfo` of an Ed25519 key up to the key itself (RFC 8410).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Bytes of the header of the sequences that a [`TrustAnchor`] leaves out.
const SEQUENCE_HEADER_LEN: usize = 2;
/// An identity's name as an issuer, without the header of its sequence and up to the 52 bytes of text: one common name
/// (2.5.4.3) in UTF-8.
const NAME: [u8; 11] = [0x31, 0x3d, 0x30, 0x3b, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x34];
/// `id-kp-clientAuth` (1.3.6.1.5.5.7.3.2), the contents of the identifier.
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

/// What a handshake ends with if the key is nobody's: the other end receives the alert `access_denied`.
const STRANGER: Error = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);

/// The Ed25519 key that a certificate shows; `None` if it shows another kind of key.
///
/// # Errors
/// If the bytes are not an X.509 certificate.
pub fn identity_key(certificate: &CertificateDer<'_>) -> Result<Option<KeyBytes>, Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    let spki = parsed.subject_public_key_info();
    let key = spki.as_ref().strip_prefix(ED25519_SPKI.as_slice());
    Ok(key.and_then(|key| KeyBytes::try_from(key).ok()))
}

/// The identities that a server knows.
#[derive(Debug)]
pub struct KnownClients {
    keys: HashSet<KeyBytes>,
    anchors: Vec<TrustAnchor<'static>>,
}

impl KnownClients {
    /// Those with these keys.
    pub fn new(keys: HashSet<KeyBytes>) -> KnownClients {
        let anchors = keys.iter().map(anchor).collect();
        KnownClients { keys, anchors }
    }

    /// Whose the certificate is at the time `now`: one of the keys.
    ///
    /// # Errors
    /// Why it is nobody's, as TLS reports it to the other end.
    pub fn identify(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<KeyBytes, Error> {
        match identity_key(certificate)? {
            Some(key) if self.keys.contains(&key) => Ok(key),
            Some(_) => Err(STRANGER),
            None => self.certified(certificate, now).map_err(refusal)?.ok_or(STRANGER),
        }
    }

    /// The identity that has certified a key of another kind.
    fn certified(
        &self,
        certificate: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Result<Option<KeyBytes>, webpki::Error> {
        let leaf = EndEntityCert::try_from(certificate)?;
        let algorithms = provider().signature_verification_algorithms;
        let usage = KeyUsage::required(CLIENT_AUTH);
        let path = leaf.verify_for_usage(algorithms.all, &self.anchors, &[], now, usage, None, None)?;
        let spki = path.anchor().subject_public_key_info.as_ref();
        Ok(spki.last_chunk().copied().filter(|key| self.keys.contains(key)))
    }
}

/// A key as an issuer whom `webpki` trusts.
fn anchor(key: &KeyBytes) -> TrustAnchor<'static> {
    let der = |prefix: &[u8], rest: &[u8]| Der::from([prefix, rest].concat());
    TrustAnchor {
        subject: der(&NAME, key_text(key).as_bytes()),
        subject_public_key_info: der(ED25519_SPKI.split_at(SEQUENCE_HEADER_LEN).1, key),
        name_constraints: None,
    }
}

/// What TLS says to the other end.
fn refusal(error: webpki::Error) -> Error {
    match error {
        webpki::Error::UnknownIssuer => return STRANGER,
        webpki::Error::CertExpired { time, not_after } => {
            CertificateError::ExpiredContext { time, not_after }
        }
        webpki::Error::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        error => CertificateError::Other(OtherError(Arc::new(error))),
    }
    .into()
}
