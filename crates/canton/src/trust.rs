//! TLS to a node: whom this client trusts, and what it shows of itself.
//!
//! A private CA replaces the machine's own CAs: no public authority can then vouch for an address in the cluster.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::{ClientCertificate, NodeSettings};

/// The one protocol of gRPC.
const ALPN: &[u8] = b"h2";

/// Why TLS to a node cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read, or is not PEM.
    #[error("{} cannot be read as a PEM file\nhelp: correct {setting}, or let this user read the file", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The setting that names it.
        setting: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// A file is PEM, but has no certificate.
    #[error("{} contains no certificate\nhelp: set {setting} to a PEM file with -----BEGIN CERTIFICATE-----", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// The setting that names it.
        setting: &'static str,
    },
    /// A certificate cannot be a CA's.
    #[error("certificate {number} of {} cannot be used as a CA\nhelp: export the certificate again, in PEM", path.display())]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// Which of the file's certificates, from 1.
        number: usize,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The certificate and the key of the client cannot be used.
    #[error(
        "{} and {} cannot be used as a client certificate\nhelp: set certificate and certificate_key to files that \
         belong together",
        certificate.display(), key.display()
    )]
    Client {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// The machine has no CA certificates.
    #[error(
        "this machine has no CA certificates\nhelp: install the package ca-certificates, or name the node's CA with ca_file"
    )]
    NoSystemRoots {
        /// What went wrong, if anything is known.
        source: Option<rustls_native_certs::Error>,
    },
    /// The TLS library refuses its own defaults.
    #[error(
        "TLS cannot be set up on this machine\nhelp: report this as a bug in svdr, with the kind of processor"
    )]
    Unsupported {
        /// What it says.
        source: rustls::Error,
    },
}

/// The TLS configuration of a client with these settings.
///
/// # Errors
/// [`TrustError`] if a file cannot be used, or there is nobody to trust.
pub(crate) fn client_config(settings: &NodeSettings) -> Result<ClientConfig, TrustError> {
    let roots = match &settings.ca_file {
        Some(path) => private_roots(path)?,
        None => system_roots()?,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| TrustError::Unsupported { source })?
        .with_root_certificates(roots);
    let mut config = match &settings.client {
        None => builder.with_no_client_auth(),
        Some(ClientCertificate { certificate, key }) => {
            let chain = certificates(certificate, "certificate")?;
            let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TrustError::File {
                path: key.clone(),
                setting: "certificate_key",
                source,
            })?;
            builder.with_client_auth_cert(chain, private).map_err(|source| TrustError::Client {
                certificate: certificate.clone(),
                key: key.clone(),
                source,
            })?
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

fn private_roots(path: &Path) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates(path, "ca_file")?.into_iter().enumerate() {
        roots.add(certificate).map_err(|source| TrustError::BadCertificate {
            path: path.to_owned(),
            number: index + 1,
            source,
        })?;
    }
    Ok(roots)
}

/// The certificates of a file, at least one.
fn certificates(path: &Path, setting: &'static str) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let unreadable = |source| TrustError::File { path: path.to_owned(), setting, source };
    let read = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let certificates = read.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    match certificates.is_empty() {
        true => Err(TrustError::NoCertificate { path: path.to_owned(), setting }),
        false => Ok(certificates),
    }
}

fn system_roots() -> Result<RootCertStore, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A machine's store may contain certificates that are no use to TLS. The others suffice.
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        true => Err(TrustError::NoSystemRoots { source: found.errors.into_iter().next() }),
        false => Ok(roots),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refused(content: &[u8]) -> TrustError {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, content).unwrap();
        let settings = NodeSettings::new("https://a:1".parse().unwrap());
        client_config(&NodeSettings { ca_file: Some(path), ..settings }).unwrap_err()
    }

    #[test]
    fn a_ca_file_without_a_usable_certificate_is_refused() {
        assert!(matches!(refused(b""), TrustError::NoCertificate { setting: "ca_file", .. }));
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(refused(key), TrustError::NoCertificate { .. }));
        let corrupt = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(refused(corrupt), TrustError::BadCertificate { number: 1, .. }));
        let truncated = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(matches!(refused(truncated), TrustError::File { .. }));
    }
}
