//! Whoever is not in the roster, or does not speak the protocol, gets nowhere and hinders nobody.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use svdr_proto::tls::{ClientFiles, SERVER_NAME, client_config, identity_certificate};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_and_told_so_at_connect() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    for _ in 0..20 {
        let error = try_connect(&coordinator, &SigningKey::from_bytes(&[99; 32])).await.err().unwrap();
        assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    }
    connect(&coordinator, network.key(1)).await.list_sessions(v1::ListSessionsRequest {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_key_is_not_talked_to() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let wrong = SigningKey::from_bytes(&[98; 32]).verifying_key().to_bytes();
    let identity = TlsIdentity::new(network.key(1)).unwrap();
    let error = channel::connect(&coordinator.url(), wrong, &identity).await.err().unwrap();
    assert!(matches!(error, ConnectError::WrongServer { .. }), "{error:?}");
    let nobody = channel::connect("https://127.0.0.1:1", wrong, &identity).await.err().unwrap();
    assert!(matches!(nobody, ConnectError::Unreachable { .. }), "{nobody:?}");
    for url in ["127.0.0.1:7443", "http://127.0.0.1:7443", "https://127.0.0.1:7443/path", "https://", ""] {
        let error = channel::connect(url, wrong, &identity).await.err().unwrap();
        assert!(matches!(error, ConnectError::Url { .. }), "{url}: {error:?}");
    }
}

/// A client that has no certificate to show.
#[derive(Debug)]
struct NoCertificate;

impl rustls::client::ResolvesClientCert for NoCertificate {
    fn resolve(
        &self,
        _hints: &[&[u8]],
        _schemes: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// A handshake as far as it goes; what the server answers to a request over it.
fn answer(config: rustls::ClientConfig, coordinator: &Coordinator) -> std::io::Result<usize> {
    let mut tcp = TcpStream::connect(coordinator.started.address)?;
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let mut session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut tls = rustls::Stream::new(&mut session, &mut tcp);
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
    tls.read(&mut [0; 16])
}

#[test]
fn no_certificate_and_a_copied_one_without_its_key_are_refused() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let server = *server_key(&coordinator).verifying_key().as_bytes();
    let own = TlsIdentity::new(network.key(1)).unwrap();
    assert!(answer(client_config(&own, server).unwrap(), &coordinator).is_ok());

    let mut none = client_config(&own, server).unwrap();
    none.client_auth_cert_resolver = Arc::new(NoCertificate);
    assert!(answer(none, &coordinator).is_err());

    let copied = identity_certificate(network.key(1)).unwrap();
    let thief = rcgen_key();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(thief));
    let signer = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let certified = Arc::new(rustls::sign::CertifiedKey::new(vec![copied], signer));
    let mut copy = client_config(&own, server).unwrap();
    copy.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified));
    assert!(answer(copy, &coordinator).is_err());
}

/// A client that trusts certificates as TLS libraries do, with a key that `identity` has certified.
fn certified_by(identity: &SigningKey, coordinator: &Coordinator) -> rustls::ClientConfig {
    let server = *server_key(coordinator).verifying_key().as_bytes();
    let day = std::time::Duration::from_secs(86_400);
    let files = ClientFiles::new(identity, &[server], UnixTime::now(), day).unwrap();
    let certificates = |pem: &str| -> Vec<_> {
        CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&files.coordinators));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_slice(files.key.as_bytes()).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&files.certificate), key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

#[test]
fn a_key_that_an_identity_has_certified_gets_in_where_the_identity_does() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    for known in [network.key(1), network.key(4), &network.observer] {
        assert!(answer(certified_by(known, &coordinator), &coordinator).is_ok());
    }
    let stranger = SigningKey::from_bytes(&[99; 32]);
    assert!(answer(certified_by(&stranger, &coordinator), &coordinator).is_err());
}

/// A fresh Ed25519 key as PKCS#8.
fn rcgen_key() -> Vec<u8> {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_der()
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_and_silence_do_not_keep_members_out() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let address = coordinator.started.address;
    // More than the coordinator keeps in handshake at once, held open to the end.
    let silent: Vec<_> = (0..600).map(|_| TcpStream::connect(address).unwrap()).collect();
    for noise in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(),
        b"\x16\x03\x01\xff\xff",
        &[0; 4096],
        b"PRI * HTTP/2.0\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(noise).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // At most an alert, and the end of the connection.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.len() < 32, "{answer:?}");
    }
    let mut client = connect(&coordinator, network.key(2)).await;
    client.list_sessions(v1::ListSessionsRequest {}).await.unwrap();
    drop(silent);
}
