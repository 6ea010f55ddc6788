//! Whom the client trusts: a private CA where one is configured, the machine's own roots otherwise.
//!
//! A private CA replaces the machine's roots, it is not added to them: who runs one does not want any public
//! authority to be able to vouch for an address in the cluster.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject};

/// Why the client cannot tell whom to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(
        "{} cannot be read as a PEM file of CA certificates\n\
         help: correct ca_file, or let this user read the file",
        path.display()
    )]
    CaFile { path: PathBuf, source: rustls_pki_types::pem::Error },
    #[error(
        "{} contains no certificate\n\
         help: set ca_file to a PEM file with the certificate of the CA (-----BEGIN CERTIFICATE-----)",
        path.display()
    )]
    NoCertificate { path: PathBuf },
    #[error(
        "certificate {number} of {} cannot be used as a CA\nhelp: export the certificate again, in PEM",
        path.display()
    )]
    BadCertificate { path: PathBuf, number: usize, source: rustls::Error },
    #[error(
        "this machine has no CA certificates{}\n\
         help: install the package ca-certificates, or name the CA of the server with ca_file",
        looked.as_deref().map(|looked| format!(" ({looked})")).unwrap_or_default()
    )]
    NoSystemRoots { looked: Option<String> },
    #[error(
        "TLS cannot be set up on this machine\n\
         help: report this as a bug in svdr, with the kind of processor and system"
    )]
    Unsupported { source: rustls::Error },
}

/// A TLS client that trusts the certificates of `ca_file`, or the machine's own where there is none.
///
/// # Errors
/// [`TrustError`] where no certificate to trust can be found.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TrustError> {
    let roots = match ca_file {
        Some(path) => private_roots(path)?,
        None => system_roots()?,
    };
    trusting(roots)
}

/// A TLS client that no server can satisfy: for an address without TLS.
///
/// # Errors
/// [`TrustError::Unsupported`].
pub(super) fn trusting_nobody() -> Result<ClientConfig, TrustError> {
    trusting(RootCertStore::empty())
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, TrustError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| TrustError::Unsupported { source })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn private_roots(path: &Path) -> Result<RootCertStore, TrustError> {
    let unreadable = |source| TrustError::CaFile { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_file_iter(path).map_err(unreadable)?.enumerate() {
        roots.add(certificate.map_err(unreadable)?).map_err(|source| TrustError::BadCertificate {
            path: path.to_owned(),
            number: index + 1,
            source,
        })?;
    }
    if roots.is_empty() {
        return Err(TrustError::NoCertificate { path: path.to_owned() });
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A machine's store may hold certificates that are no use to TLS; those that are suffice.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(TrustError::NoSystemRoots { looked: found.errors.first().map(ToString::to_string) });
    }
    Ok(roots)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::unwrap_in_result)]
mod tests {
    use super::*;

    fn refused(content: &[u8]) -> TrustError {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, content).unwrap();
        client_config(Some(&path)).unwrap_err()
    }

    #[test]
    fn a_ca_file_without_a_usable_certificate_is_refused() {
        assert!(matches!(
            client_config(Some(Path::new("/nonexistent/ca.pem"))),
            Err(TrustError::CaFile { .. })
        ));
        assert!(matches!(refused(b""), TrustError::NoCertificate { .. }));
        assert!(matches!(refused(b"not PEM"), TrustError::NoCertificate { .. }));
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(refused(key), TrustError::NoCertificate { .. }));
        let damaged = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(refused(damaged), TrustError::BadCertificate { number: 1, .. }));
        let torn = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(matches!(refused(torn), TrustError::CaFile { .. }));
    }
}
