//! `key certificate`: what other programs than svdr show in this member's name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rustls::pki_types::UnixTime;
use serde::Serialize;
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output};
use svdr_cli::signing_key;
use svdr_files::Replace;
use svdr_proto::tls::{SERVER_NAME, identity_certificate_pem};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::span;
use svdr_protocol::time::Timestamp;

use super::client_folder::{ClientFolder, ClientFolderError};

/// Arguments of `key certificate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  svdr-agent key certificate signing.key --out signing.crt\n  \
    svdr-agent key certificate signing.key --client grpc-client --coordinator ed25519:…\n\n\
    Without --client, writes the certificate of the signing key itself, for a program that supports Ed25519 and may \
    have the signing key. With --client, writes three files into the folder: client.key, a new P-256 key; client.crt, \
    in which the signing key certifies it for a limited time; and coordinator.crt, which the client must trust. That \
    key can read sessions and submit signed statements, and cannot sign statements. A client that checks the name of \
    the server must expect \"svdr\".")]
pub struct CertificateArgs {
    /// The key file
    pub key: PathBuf,
    /// The file to write [default: stdout]
    #[arg(long, value_name = "FILE", conflicts_with = "client")]
    pub out: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long, requires = "out")]
    pub force: bool,
    /// A new folder, for the P-256 key and certificates of a gRPC client without Ed25519
    #[arg(long, value_name = "DIR", requires = "coordinator")]
    pub client: Option<PathBuf>,
    /// A coordinator's key, as agent.toml has it; may be given several times
    #[arg(long, value_name = "PUBLIC_KEY", requires = "client")]
    pub coordinator: Vec<PublicKey>,
    /// How long the client's certificate is valid, at most 398d
    #[arg(
        long,
        value_name = "TIME",
        default_value = "90d",
        value_parser = span::parse,
        requires = "client"
    )]
    pub valid_for: Duration,
}

#[derive(Serialize)]
struct CertificateDocument {
    key: String,
    certificate: String,
    coordinators: String,
    server_name: &'static str,
    valid_until: String,
}

/// Writes the signing key's certificate, or the folder of a client.
///
/// # Errors
/// Where the key cannot be read, or what is made cannot be written.
pub(super) fn run(args: &CertificateArgs, output: Output) -> Result<(), Failure> {
    let key = signing_key::read(&args.key)?;
    if let Some(path) = &args.client {
        let folder = ClientFolder::create(path, &key, &args.coordinator, UnixTime::now(), args.valid_for)?;
        return print(&folder, output);
    }
    let certificate = identity_certificate_pem(&key).map_err(ClientFolderError::Make)?;
    match &args.out {
        None => Ok(output::print(&certificate)?),
        Some(out) => {
            Ok(svdr_files::write_private(out, certificate.as_bytes(), Replace::from_force(args.force))?)
        }
    }
}

fn print(folder: &ClientFolder, output: Output) -> Result<(), Failure> {
    let micros = i64::try_from(folder.valid_until.as_secs()).ok().and_then(|at| at.checked_mul(1_000_000));
    let until = micros.and_then(Timestamp::from_micros).unwrap_or(Timestamp::MAX);
    let shown = |path: &Path| path.display().to_string();
    let document = CertificateDocument {
        key: shown(&folder.key),
        certificate: shown(&folder.certificate),
        coordinators: shown(&folder.coordinators),
        server_name: SERVER_NAME,
        valid_until: until.to_string(),
    };
    let CertificateDocument { key, certificate, coordinators, server_name, valid_until } = &document;
    Ok(output.show(&document, || {
        format!(
            "private key   {key} (secret)\ncertificate   {certificate}\ncoordinators  {coordinators}\n\
             server name   {server_name}\nvalid until   {valid_until}"
        )
    })?)
}
