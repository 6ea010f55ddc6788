//! Every certificate that svdr writes.
//!
//! An identity is an Ed25519 key. In X.509 it is an issuer named with the key's own text, so that the name says
//! which key must have signed. What an identity issues:
//!
//! | certificate | for the key | used by |
//! | --- | --- | --- |
//! | identity | its own | both ends, if they speak Ed25519; only the key in it counts |
//! | server | a P-256 key in a coordinator's memory | a coordinator, for clients that do not |
//! | client | a P-256 key on a disk | such a client, to show whose it is |
//! | authority | its own, as an issuer | such a client, to end its chain of trust |
//! | coordinator authority | a coordinator's, as an issuer of servers | such a client, to know that coordinator |
//!
//! All but the client's are valid for ever: they are worth what the roster or a configuration says about the identity, and
//! a wrong clock must not keep anybody out of a recovery. A client's key is on other machines and cannot be revoked, so
//! its certificate ends.

use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SanType, SerialNumber,
    SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest as _, Sha256};

use super::{KeyBytes, SERVER_NAME, TlsError, key_text};

/// The subject of certificates that issue nothing; nobody looks at it.
const LEAF_NAME: &str = "svdr";
/// Bytes of a digest that make the serial number; RFC 5280 allows twenty.
const SERIAL_LEN: usize = 16;
/// Bytes of a digest that identify a key (RFC 7093, method 1).
const KEY_IDENTIFIER_LEN: usize = 20;
/// 2020-01-01T00:00:00Z, in seconds since the Unix epoch: before any of these was made.
const FIRST_SECOND: u64 = 1_577_836_800;
/// 9999-12-31T23:59:59Z, likewise: "no well-defined expiration date" (RFC 5280, 4.1.2.5).
const LAST_SECOND: u64 = 253_402_300_799;

/// An Ed25519 public key, as `rcgen` writes it.
struct Public(KeyBytes);

/// An identity, as `rcgen` signs with it.
struct IssuerKey<'a> {
    key: &'a SigningKey,
    public: Public,
}

impl IssuerKey<'_> {
    fn of(key: &SigningKey) -> IssuerKey<'_> {
        IssuerKey { key, public: Public(key.verifying_key().to_bytes()) }
    }

    fn name(&self) -> String {
        key_text(&self.public.0)
    }
}

impl PublicKeyData for Public {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl PublicKeyData for IssuerKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.public.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.public.algorithm()
    }
}

impl rcgen::SigningKey for IssuerKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.key.sign(message).to_bytes().to_vec())
    }
}

/// What a certificate is good for.
#[derive(Clone, Copy, Debug)]
enum Use {
    Identity,
    Server,
    Client,
    Authority,
    CoordinatorAuthority,
}

impl Use {
    fn purposes(self) -> Vec<ExtendedKeyUsagePurpose> {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        match self {
            Use::Identity => vec![ClientAuth, ServerAuth],
            Use::Server | Use::CoordinatorAuthority => vec![ServerAuth],
            Use::Client => vec![ClientAuth],
            Use::Authority => Vec::new(),
        }
    }

    /// Below a member's authority is a coordinator's; below that one, none.
    const fn is_ca(self) -> IsCa {
        match self {
            Use::Identity | Use::Server | Use::Client => IsCa::ExplicitNoCa,
            Use::Authority => IsCa::Ca(BasicConstraints::Constrained(1)),
            Use::CoordinatorAuthority => IsCa::Ca(BasicConstraints::Constrained(0)),
        }
    }
}

/// The certificate that shows the identity `key`: the same every time.
///
/// # Errors
/// If `rcgen` cannot encode it, which nothing about a key can cause.
pub fn identity_certificate(key: &SigningKey) -> Result<CertificateDer<'static>, TlsError> {
    Ok(identity(key).map_err(TlsError::Certificate)?.der().clone())
}

/// [`identity_certificate`] in PEM, as a file for other programs.
///
/// # Errors
/// As there.
pub fn identity_certificate_pem(key: &SigningKey) -> Result<String, TlsError> {
    Ok(identity(key).map_err(TlsError::Certificate)?.pem())
}

fn identity(key: &SigningKey) -> Result<Certificate, rcgen::Error> {
    issue(&IssuerKey::of(key), LEAF_NAME, &IssuerKey::of(key), Use::Identity, FIRST_SECOND..=LAST_SECOND)
}

/// With what a coordinator shows a P-256 key of its own process.
pub(super) fn server(
    coordinator: &SigningKey,
    key: &impl PublicKeyData,
) -> Result<CertificateDer<'static>, rcgen::Error> {
    let issuer = IssuerKey::of(coordinator);
    let made = issue(&issuer, LEAF_NAME, key, Use::Server, FIRST_SECOND..=LAST_SECOND)?;
    Ok(made.der().clone())
}

/// With what a P-256 key shows that it is `identity`'s, from `from` to `to`.
pub(super) fn client(
    identity: &SigningKey,
    key: &impl PublicKeyData,
    from: UnixTime,
    to: UnixTime,
) -> Result<Certificate, rcgen::Error> {
    issue(&IssuerKey::of(identity), LEAF_NAME, key, Use::Client, from.as_secs()..=to.as_secs())
}

/// The identity, as the end of a chain of trust.
pub(super) fn authority(identity: &SigningKey) -> Result<Certificate, rcgen::Error> {
    let issuer = IssuerKey::of(identity);
    issue(&issuer, &issuer.name(), &issuer, Use::Authority, FIRST_SECOND..=LAST_SECOND)
}

/// The identity's word that `coordinator` is a coordinator's key.
pub(super) fn coordinator_authority(
    identity: &SigningKey,
    coordinator: KeyBytes,
) -> Result<Certificate, rcgen::Error> {
    let (issuer, name) = (IssuerKey::of(identity), key_text(&coordinator));
    issue(&issuer, &name, &Public(coordinator), Use::CoordinatorAuthority, FIRST_SECOND..=LAST_SECOND)
}

/// Issues a certificate that is valid in these seconds since the Unix epoch.
fn issue(
    issuer: &IssuerKey<'_>,
    subject: &str,
    key: &impl PublicKeyData,
    used: Use,
    seconds: std::ops::RangeInclusive<u64>,
) -> Result<Certificate, rcgen::Error> {
    let at = |second: u64| date_time_ymd(1970, 1, 1) + Duration::from_secs(second.min(LAST_SECOND));
    let mut params = named(subject, key);
    params.not_before = at(*seconds.start());
    params.not_after = at(*seconds.end());
    params.is_ca = used.is_ca();
    params.extended_key_usages = used.purposes();
    if matches!(params.is_ca, IsCa::Ca(_)) {
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    } else {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    }
    if matches!(used, Use::Identity | Use::Server) {
        params.subject_alt_names = vec![SanType::DnsName(SERVER_NAME.try_into()?)];
    }
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial(key, used, *seconds.end()));
    let issuer_params = named(&issuer.name(), issuer);
    params.signed_by(key, &Issuer::from_params(&issuer_params, issuer))
}

/// Somebody with a name and a key. What `rcgen` would fill in depends on its features; here nothing is left to it.
fn named(name: &str, key: &impl PublicKeyData) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let identifier = Sha256::digest(key.der_bytes()).into_iter().take(KEY_IDENTIFIER_LEN).collect();
    params.key_identifier_method = KeyIdMethod::PreSpecified(identifier);
    params
}

/// No two certificates of one issuer have the same.
fn serial(key: &impl PublicKeyData, used: Use, last_second: u64) -> SerialNumber {
    let digest = Sha256::new()
        .chain_update([used as u8])
        .chain_update(last_second.to_be_bytes())
        .chain_update(key.der_bytes())
        .finalize();
    let mut serial: Vec<u8> = digest.iter().copied().take(SERIAL_LEN).collect();
    // A serial number is positive and has no leading zero byte.
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    SerialNumber::from(serial)
}
