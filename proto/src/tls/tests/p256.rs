//! Clients that offer no Ed25519, as gRPC's with BoringSSL: what they are shown, and with what they get in.

use std::time::Duration;

use rustls::SignatureScheme::{ECDSA_NISTP256_SHA256, ED25519};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{SignatureVerificationAlgorithm, UnixTime};
use rustls::{RootCertStore, SignatureScheme};

use super::*;

pub(super) const NOW: u64 = 1_776_816_000;
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn time(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// The files that member `seed` makes now, for a day, for the coordinator with the key 1.
pub(super) fn files(seed: u8) -> ClientFiles {
    ClientFiles::new(&key(seed), &[public(1)], UnixTime::now(), DAY).unwrap()
}

pub(super) fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

pub(super) fn private_key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
}

type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];
static ON_CERTIFICATES: Algorithms = &[webpki::ring::ED25519, webpki::ring::ECDSA_P256_SHA256];
static P256: Algorithms = &[webpki::ring::ECDSA_P256_SHA256];
static IN_HANDSHAKES: &[(SignatureScheme, Algorithms)] = &[(ECDSA_NISTP256_SHA256, P256)];

/// Offers what gRPC's C core offers: no Ed25519 in the handshake, although certificates may be signed with it.
fn without_ed25519() -> Arc<CryptoProvider> {
    let algorithms = WebPkiSupportedAlgorithms { all: ON_CERTIFICATES, mapping: IN_HANDSHAKES };
    assert!(!algorithms.supported_schemes().contains(&ED25519));
    let ring = rustls::crypto::ring::default_provider();
    Arc::new(CryptoProvider { signature_verification_algorithms: algorithms, ..ring })
}

/// Such a client: trusts what is in PEM, and shows a certificate.
pub(super) fn other_client(
    trusted: &str,
    shown: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    assert_eq!(roots.add_parsable_certificates(certificates(trusted)).1, 0);
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), without_ed25519());
    let mut config = ClientConfig::builder_with_provider(without_ed25519())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_webpki_verifier(verifier.build().unwrap())
        .with_client_auth_cert(shown, key)
        .unwrap();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

fn with_files(files: &ClientFiles) -> ClientConfig {
    other_client(&files.coordinators, certificates(&files.certificate), private_key(&files.key))
}

#[test]
fn the_files_of_an_identity_are_enough() {
    assert_eq!(handshake(with_files(&files(2)), server(&[2, 3])), (None, None));
}

#[test]
fn such_a_client_may_show_its_identity_as_well() {
    let (files, own) = (files(2), identity(2));
    let client = other_client(&files.coordinators, vec![own.certificate.clone()], own.key.clone_key());
    assert_eq!(handshake(client, server(&[2, 3])), (None, None));
}

#[test]
fn a_stranger_is_refused_in_the_handshake_and_told_so() {
    let (client, server) = handshake(with_files(&files(4)), server(&[2, 3]));
    assert_eq!(client, Some(rustls::Error::AlertReceived(AlertDescription::AccessDenied)));
    assert!(matches!(server, Some(rustls::Error::InvalidCertificate(_))), "{server:?}");
}

#[test]
fn another_coordinator_is_not_talked_to() {
    for trusted in [vec![], vec![public(9)], vec![public(9), public(8)]] {
        let files = ClientFiles::new(&key(2), &trusted, UnixTime::now(), DAY).unwrap();
        let (client, _) = handshake(with_files(&files), server(&[2]));
        let expected = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        assert_eq!(client, Some(expected));
    }
    let several = ClientFiles::new(&key(2), &[public(9), public(1)], UnixTime::now(), DAY).unwrap();
    assert_eq!(handshake(with_files(&several), server(&[2])), (None, None));
}

#[test]
fn a_client_key_does_not_make_a_coordinator() {
    // The file that names coordinators ends at the member itself, whose clients must not be taken for one.
    let files = files(2);
    let impostor = certificates(&files.certificate);
    let mut config = server(&[2]);
    let key = rustls::crypto::ring::sign::any_supported_type(&private_key(&files.key)).unwrap();
    let shown = Arc::new(rustls::sign::CertifiedKey::new(impostor, key));
    config.cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(shown));
    let (client, _) = handshake(with_files(&files), config);
    assert!(
        matches!(
            client,
            Some(rustls::Error::InvalidCertificate(rustls::CertificateError::InvalidPurposeContext { .. }))
        ),
        "{client:?}"
    );
}

#[test]
fn svdr_does_not_take_a_p256_server_for_its_coordinator() {
    let keys = ServerKeys::of(&identity(1)).unwrap();
    let mut config = server(&[2]);
    config.cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(keys.for_others()));
    let (client, _) = handshake(client_config(&identity(2), public(1)).unwrap(), config);
    // The server finds that this client checks no P-256 signature.
    assert!(client.is_some(), "{client:?}");
}

#[test]
fn a_certificate_without_its_key_is_worth_nothing() {
    let (own, thief) = (files(2), files(4));
    let mut config = with_files(&thief);
    let key = rustls::crypto::ring::sign::any_supported_type(&private_key(&thief.key)).unwrap();
    let stolen = Arc::new(rustls::sign::CertifiedKey::new(certificates(&own.certificate), key));
    config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(stolen));
    let (client, server) = handshake(config, server(&[2, 3]));
    assert_eq!(client, Some(rustls::Error::AlertReceived(AlertDescription::DecryptError)));
    let expected = rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature);
    assert_eq!(server, Some(expected));
}

#[test]
fn each_certificate_is_of_one_issuer_and_has_its_own_number() {
    let files = files(2);
    let identity = identity_certificate(&key(2)).unwrap();
    let mut all = certificates(&files.coordinators);
    all.extend(certificates(&files.certificate));
    all.push(identity.clone());
    let parsed: Vec<_> = all.iter().map(|one| webpki::EndEntityCert::try_from(one).unwrap()).collect();
    assert_eq!(parsed.len(), 4);
    let numbers: HashSet<_> = parsed.iter().map(|one| one.serial().to_vec()).collect();
    assert_eq!(numbers.len(), parsed.len());
    assert!(parsed.iter().all(|one| one.issuer() == parsed[0].subject()));
    assert_eq!(certificates(&identity_certificate_pem(&key(2)).unwrap()), [identity]);
}

#[test]
fn the_files_do_not_show_the_private_key_when_printed() {
    let files = files(2);
    let secret = files.key.lines().nth(1).unwrap();
    assert!(files.key.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(!format!("{files:?}").contains(secret));
}
