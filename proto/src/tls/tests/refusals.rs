//! Certificates that show a key certified by somebody: which of them count, and what is said of those that do not.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, date_time_ymd,
};
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error};

use super::p256::{NOW, certificates, files, other_client, time};
use super::*;

const STRANGER: Error = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
/// Holds from the start of the one to the start of the other.
type Years = (i32, i32);

/// A certificate as somebody could make it who does not use svdr; by default one that counts.
struct Made {
    issuer_name: String,
    issuer: KeyPair,
    key: KeyPair,
    years: Years,
    purposes: Vec<ExtendedKeyUsagePurpose>,
    is_ca: IsCa,
}

/// The identity with that seed, as `rcgen` signs with it.
fn signer(seed: u8) -> KeyPair {
    KeyPair::try_from(key(seed).to_pkcs8_der().unwrap().as_bytes()).unwrap()
}

impl Made {
    fn by(seed: u8) -> Made {
        Made {
            issuer_name: key_text(&public(seed)),
            issuer: signer(seed),
            key: KeyPair::generate().unwrap(),
            years: (2025, 2027),
            purposes: vec![ExtendedKeyUsagePurpose::ClientAuth],
            is_ca: IsCa::NoCa,
        }
    }

    fn certificate(&self) -> CertificateDer<'static> {
        let named = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let mut params = named("a client");
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        params.extended_key_usages = self.purposes.clone();
        params.is_ca = self.is_ca;
        let issuer = Issuer::new(named(&self.issuer_name), &self.issuer);
        params.signed_by(&self.key, &issuer).unwrap().der().clone()
    }
}

fn known() -> KnownClients {
    KnownClients::new([public(2), public(3)].into())
}

/// Who that is in 2026 for a server that knows the identities 2 and 3.
fn identify(made: &Made) -> Result<KeyBytes, Error> {
    known().identify(&made.certificate(), time(NOW))
}

#[test]
fn who_is_certified_is_who_certified() {
    for seed in [2, 3] {
        assert_eq!(identify(&Made::by(seed)), Ok(public(seed)));
        let certificate = certificates(&files(seed).certificate).remove(0);
        assert_eq!(known().identify(&certificate, UnixTime::now()), Ok(public(seed)));
        let identity = identity_certificate(&key(seed)).unwrap();
        assert_eq!(known().identify(&identity, time(NOW)), Ok(public(seed)));
    }
}

#[test]
fn whom_no_known_identity_certifies_is_a_stranger() {
    assert_eq!(identify(&Made::by(4)), Err(STRANGER));
    let own = KeyPair::generate().unwrap();
    let key = KeyPair::try_from(own.serialized_der()).unwrap();
    let self_signed = Made { issuer_name: "a client".to_owned(), issuer: own, key, ..Made::by(2) };
    assert_eq!(identify(&self_signed), Err(STRANGER));
    let nameless = Made { issuer_name: String::new(), ..Made::by(2) };
    assert_eq!(identify(&nameless), Err(STRANGER));
}

#[test]
fn the_issuer_has_to_have_signed() {
    let bad = Error::InvalidCertificate(CertificateError::BadSignature);
    let forged = Made { issuer: signer(4), ..Made::by(2) };
    assert_eq!(identify(&forged), Err(bad.clone()));
    let by_another_member = Made { issuer: signer(3), ..Made::by(2) };
    assert_eq!(identify(&by_another_member), Err(bad.clone()));
    let own = KeyPair::generate().unwrap();
    let key = KeyPair::try_from(own.serialized_der()).unwrap();
    // Signed by the client's own P-256 key, in a member's name.
    assert!(identify(&Made { issuer: own, key, ..Made::by(2) }).is_err());
    let altered = Made::by(2).certificate();
    for at in 0..altered.len() {
        let mut bytes = altered.to_vec();
        bytes[at] ^= 1;
        assert!(known().identify(&bytes.into(), time(NOW)).is_err(), "byte {at}");
        assert!(known().identify(&altered[..at].into(), time(NOW)).is_err(), "cut at {at}");
    }
    let longer = [&altered, [0].as_slice()].concat();
    assert!(known().identify(&longer.into(), time(NOW)).is_err());
}

#[test]
fn dates_are_kept() {
    let expired = identify(&Made { years: (2024, 2025), ..Made::by(2) });
    assert!(matches!(expired, Err(Error::InvalidCertificate(CertificateError::ExpiredContext { .. }))));
    let early = identify(&Made { years: (2027, 2028), ..Made::by(2) });
    assert!(matches!(early, Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { .. }))));
    assert!(identify(&Made { years: (2027, 2025), ..Made::by(2) }).is_err());

    let day = std::time::Duration::from_secs(86_400);
    let files = ClientFiles::new(&key(2), &[public(1)], time(NOW), day).unwrap();
    let certificate = certificates(&files.certificate).remove(0);
    let at = |seconds| known().identify(&certificate, time(seconds)).is_ok();
    assert!(at(NOW - 3600) && at(NOW) && at(NOW + 86_400));
    assert!(!at(NOW - 3601) && !at(NOW + 86_401));
    let for_ever = ClientFiles::new(&key(2), &[], time(u64::MAX), day).unwrap();
    assert!(for_ever.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn only_keys_certified_for_clients_count() {
    let wrong = Err(Error::InvalidCertificate(CertificateError::InvalidPurpose));
    for purposes in [vec![], vec![ExtendedKeyUsagePurpose::ServerAuth]] {
        assert_eq!(identify(&Made { purposes, ..Made::by(2) }), wrong);
    }
    let server = ServerKeys::of(&identity(2)).unwrap().for_others();
    assert_eq!(known().identify(&server.cert[0], time(NOW)), wrong);
    let authority = IsCa::Ca(BasicConstraints::Unconstrained);
    assert!(identify(&Made { is_ca: authority, ..Made::by(2) }).is_err());
}

#[test]
fn nobody_certifies_for_a_member() {
    // Member 2 has said that 1 is a coordinator; nothing follows for clients that 1 certifies.
    let certified_by_coordinator = Made::by(1);
    assert_eq!(identify(&certified_by_coordinator), Err(STRANGER));
    let files = files(2);
    let chain = [vec![certified_by_coordinator.certificate()], certificates(&files.coordinators)].concat();
    let key = PrivatePkcs8KeyDer::from(certified_by_coordinator.key.serialize_der()).into();
    let (client, server) = handshake(other_client(&files.coordinators, chain, key), server(&[2, 3]));
    assert_eq!(client, Some(Error::AlertReceived(AlertDescription::AccessDenied)));
    assert_eq!(server, Some(STRANGER));
    // Another Ed25519 key that a member has certified is not in the roster.
    assert_eq!(identify(&Made { key: signer(4), ..Made::by(2) }), Err(STRANGER));
}

#[test]
fn a_certified_key_is_p256() {
    let files = files(2);
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let der = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let made = Made { key, years: (2020, 2100), ..Made::by(2) };
    let (_, server) =
        handshake(other_client(&files.coordinators, vec![made.certificate()], der), server(&[2]));
    // The client has nothing that the server would check.
    assert_eq!(server, Some(Error::NoCertificatesPresented));
}

#[test]
fn what_is_no_certificate_is_refused() {
    for bytes in [&[][..], b"-----BEGIN CERTIFICATE-----", &[0x30, 0x82, 0xff, 0xff], &[0x30; 64]] {
        assert!(known().identify(&bytes.into(), time(NOW)).is_err(), "{bytes:?}");
    }
}
