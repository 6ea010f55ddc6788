//! A private CA, a node's certificate, and a client's, in a temporary folder.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

/// How a node protects its admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeTls {
    /// Not at all, as Splice's images.
    Plaintext,
    /// With a certificate of its own.
    Server,
    /// It asks for the client's certificate too.
    Mutual,
}

/// What a client of such a node needs, as files.
#[derive(Debug)]
pub struct NodeFiles {
    folder: TempDir,
}

impl NodeFiles {
    /// The CA of all certificates.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The client's certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("client.pem")
    }

    /// The client's key.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("client.key")
    }
}

/// Makes the certificates, and the configuration of the node's end.
pub(super) fn make(tls: NodeTls) -> io::Result<(NodeFiles, Option<Arc<ServerConfig>>)> {
    let files = NodeFiles { folder: tempfile::tempdir()? };
    if tls == NodeTls::Plaintext {
        return Ok((files, None));
    }
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name.push(DnType::CommonName, "stand-in CA");
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().map_err(io::Error::other)?)
        .map_err(io::Error::other)?;
    fs::write(files.ca(), ca.pem())?;
    let signed = |names: Vec<String>| -> Result<_, rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&key, &ca)?;
        Ok((certificate, key))
    };
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let (certificate, key) = signed(names).map_err(io::Error::other)?;
    let (client, client_key) = signed(vec!["svdr".to_owned()]).map_err(io::Error::other)?;
    fs::write(files.certificate(), client.pem())?;
    fs::write(files.key(), client_key.serialize_pem())?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match tls {
        NodeTls::Mutual => {
            let mut roots = RootCertStore::empty();
            roots.add(ca.der().clone()).map_err(io::Error::other)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(io::Error::other)?)
        }
        NodeTls::Plaintext | NodeTls::Server => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config =
        builder.with_single_cert(vec![certificate.der().clone()], key).map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok((files, Some(Arc::new(config))))
}
