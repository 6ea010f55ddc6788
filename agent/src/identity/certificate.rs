//! A self-signed X.509 certificate for the identity key, so that any TLS client can present it.
//!
//! The certificate carries no trust of its own: peers know the key from the roster. It is therefore valid for
//! as long as X.509 can say, holds nothing but the key and a name, and is the same each time it is made for the
//! same key and name.

use ed25519_dalek::{Signer as _, SigningKey};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, PublicKeyData,
    SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use svdr_protocol::keys::PublicKey;

/// What the certificate is issued to where no name is given.
pub const DEFAULT_NAME: &str = "svdr";
/// Bytes of the key's fingerprint that make the serial number; RFC 5280 allows twenty.
const SERIAL_LEN: usize = 16;

/// The certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("no certificate can be made for the name {name:?}; try one of plain letters and digits")]
pub struct CertificateError {
    name: String,
    #[source]
    source: rcgen::Error,
}

struct Key<'a> {
    key: &'a SigningKey,
    public: [u8; 32],
}

impl PublicKeyData for Key<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for Key<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.key.sign(message).to_bytes().to_vec())
    }
}

/// The certificate in PEM, issued by and to `name`.
///
/// # Errors
/// Where `name` cannot stand in a certificate.
pub fn self_signed(key: &SigningKey, name: &str) -> Result<String, CertificateError> {
    let public = key.verifying_key();
    let fingerprint = PublicKey::from(public).fingerprint();
    let (serial, _) = fingerprint.as_bytes().split_at(SERIAL_LEN);
    let mut serial = serial.to_vec();
    // A serial number is positive and has no leading zero byte.
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = date_time_ymd(2020, 1, 1);
    // RFC 5280, 4.1.2.5: no well-defined expiration date.
    params.not_after = date_time_ymd(9999, 12, 31);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    let signer = Key { key, public: public.to_bytes() };
    let certificate =
        params.self_signed(&signer).map_err(|source| CertificateError { name: name.to_owned(), source })?;
    Ok(certificate.pem())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_and_name_give_the_same_certificate() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let certificate = self_signed(&key, "SV-1").unwrap();
        assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert_eq!(certificate, self_signed(&key, "SV-1").unwrap());
        assert_ne!(certificate, self_signed(&key, "SV-2").unwrap());
        assert_ne!(certificate, self_signed(&SigningKey::from_bytes(&[8; 32]), "SV-1").unwrap());
    }
}
