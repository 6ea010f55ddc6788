//! Certificates as mere carriers of a key: made from an identity key, and read for the key alone.

use ed25519_dalek::{Signer as _, SigningKey};
use rcgen::{CertificateParams, DistinguishedName, DnType, PKCS_ED25519, PublicKeyData, SignatureAlgorithm};
use rustls::Error;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;

use super::KeyBytes;

/// The `SubjectPublicKeyInfo` of an Ed25519 key up to the key itself (RFC 8410).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The name in the certificate; nobody looks at it.
const COMMON_NAME: &str = "svdr";
/// The serial number: one, always, so that a key has one certificate.
const SERIAL: u64 = 1;

struct Signer<'a> {
    key: &'a SigningKey,
    public: KeyBytes,
}

impl PublicKeyData for Signer<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl rcgen::SigningKey for Signer<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.key.sign(message).to_bytes().to_vec())
    }
}

/// The self-signed certificate that shows `key`: the same every time, and valid for ever, since a key is
/// trusted for as long as the roster or the configuration lists it.
///
/// # Errors
/// Where `rcgen` cannot encode it, which nothing about a key can cause.
pub fn identity_certificate(key: &SigningKey) -> Result<CertificateDer<'static>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
    params.serial_number = Some(SERIAL.into());
    let signer = Signer { key, public: key.verifying_key().to_bytes() };
    params.self_signed(&signer).map(|certificate| certificate.der().clone())
}

/// The Ed25519 key that a certificate shows; `None` where it shows another kind of key.
///
/// Whether the sender holds that key is another question, which the handshake answers.
///
/// # Errors
/// Where the bytes are not an X.509 certificate.
pub fn identity_key(certificate: &CertificateDer<'_>) -> Result<Option<KeyBytes>, Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    let spki = parsed.subject_public_key_info();
    let key = spki.as_ref().strip_prefix(ED25519_SPKI.as_slice());
    Ok(key.and_then(|key| KeyBytes::try_from(key).ok()))
}
