#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConnection, Connection, ServerConnection};

use super::*;

#[path = "tests/p256.rs"]
mod p256;
#[path = "tests/refusals.rs"]
mod refusals;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn identity(seed: u8) -> TlsIdentity {
    TlsIdentity::new(&key(seed)).unwrap()
}

fn public(seed: u8) -> KeyBytes {
    key(seed).verifying_key().to_bytes()
}

/// Carries bytes between both ends until there are no more; the first error of each end.
fn handshake(client: ClientConfig, server: ServerConfig) -> (Option<rustls::Error>, Option<rustls::Error>) {
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let mut client: Connection = ClientConnection::new(Arc::new(client), name).unwrap().into();
    let mut server: Connection = ServerConnection::new(Arc::new(server)).unwrap().into();
    let (mut client_error, mut server_error) = (None, None);
    loop {
        let moved = carry(&mut client, &mut server, &mut server_error)
            + carry(&mut server, &mut client, &mut client_error);
        if moved == 0 {
            break;
        }
    }
    if client_error.is_none() && server_error.is_none() {
        assert!(!client.is_handshaking() && !server.is_handshaking());
        assert_eq!(client.alpn_protocol(), Some(ALPN));
        client.writer().write_all(b"hello").unwrap();
        carry(&mut client, &mut server, &mut server_error);
        let mut received = [0; 5];
        server.reader().read_exact(&mut received).unwrap();
        assert_eq!(&received, b"hello");
    }
    (client_error, server_error)
}

fn carry(from: &mut Connection, to: &mut Connection, error: &mut Option<rustls::Error>) -> usize {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() && error.is_none() {
        to.read_tls(&mut rest).unwrap();
        *error = to.process_new_packets().err();
    }
    bytes.len()
}

fn server(known: &[u8]) -> ServerConfig {
    server_config(&identity(1), known.iter().map(|&seed| public(seed)).collect()).unwrap()
}

#[test]
fn each_end_accepts_the_key_it_expects() {
    let (client, server) = handshake(client_config(&identity(2), public(1)).unwrap(), server(&[2, 3]));
    assert_eq!((client, server), (None, None));
}

#[test]
fn a_stranger_is_refused_and_told_so() {
    let (client, server) = handshake(client_config(&identity(4), public(1)).unwrap(), server(&[2, 3]));
    assert_eq!(client, Some(rustls::Error::AlertReceived(AlertDescription::AccessDenied)));
    assert!(matches!(server, Some(rustls::Error::InvalidCertificate(_))), "{server:?}");
}

#[test]
fn a_copied_certificate_is_worth_nothing_without_its_key() {
    let thief = TlsIdentity { certificate: identity(2).certificate, ..identity(4) };
    let config = client_config(&thief, public(1));
    // The TLS library may notice already when the configuration is made; it must not get past the server.
    if let Ok(config) = config {
        let (_, server) = handshake(config, server(&[2, 3]));
        assert!(server.is_some());
    }
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer::new(public(1))))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let (client, server) = handshake(config, server(&[2]));
    assert_eq!(client, Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)));
    assert_eq!(server, Some(rustls::Error::NoCertificatesPresented));
}

#[test]
fn the_wrong_server_is_named_with_both_keys() {
    let (client, server) = handshake(client_config(&identity(2), public(9)).unwrap(), server(&[2]));
    let found = WrongServer::cause_of(&client.unwrap());
    assert_eq!(found, Some(WrongServer { expected: public(9), found: Some(public(1)) }));
    assert!(matches!(server, Some(rustls::Error::AlertReceived(_))), "{server:?}");
}

#[test]
fn older_versions_are_not_spoken() {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer::new(public(1))))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let (client, server) = handshake(config, server(&[2]));
    assert_eq!(client, Some(rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)));
    assert!(matches!(server, Some(rustls::Error::PeerIncompatible(_))), "{server:?}");
}

#[test]
fn a_key_has_one_certificate() {
    let certificate = identity_certificate(&key(7)).unwrap();
    assert_eq!(certificate, identity_certificate(&key(7)).unwrap());
    assert_eq!(identity_key(&certificate), Ok(Some(public(7))));
    for cut in 0..certificate.len() {
        assert!(identity_key(&CertificateDer::from(&certificate[..cut])).is_err(), "cut at {cut}");
    }
}

#[test]
fn an_identity_does_not_show_its_private_key() {
    let shown = format!("{:?}", identity(7));
    assert!(!shown.contains("key:"), "{shown}");
}
