//! `key new`, `show` and `certificate`: this member's key.

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use svdr_cli::output::{self, Output};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::{MemberName, ParticipantId};

use svdr_cli::signing_key::{self, SigningKeyError};

pub mod certificate;
pub mod client_folder;

use certificate::{CertificateArgs, CertificateCommandError};

/// What can be done with a signing key.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a new key, and never replace an existing file
    New(NewArgs),
    /// Show the public key and the `[[member]]` entry to send to the convener
    Show(ShowArgs),
    /// Write what a gRPC client needs: a certificate of the signing key, or a key of its own
    Certificate(CertificateArgs),
}

/// Arguments of `key new`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-agent key new --out signing.key\n\n\
    The file is PKCS#8 in PEM with mode 0600. It signs for this SV: protect it like the keys of the nodes.")]
pub struct NewArgs {
    /// The file to write, which must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Arguments of `key show`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-agent key show signing.key --name Digital-Asset-1 \\\n    \
    --participant PAR::Digital-Asset-1::1220…")]
pub struct ShowArgs {
    /// The key file
    pub key: PathBuf,
    /// This SV's name, for the `[[member]]` entry
    #[arg(long)]
    pub name: Option<MemberName>,
    /// This SV's full participant id, for the `[[member]]` entry
    #[arg(long)]
    pub participant: Option<ParticipantId>,
}

/// Why a key command failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyCommandError {
    /// The key cannot be made or read.
    #[error(transparent)]
    Identity(#[from] SigningKeyError),
    /// No certificate is written.
    #[error(transparent)]
    Certificate(#[from] CertificateCommandError),
    /// Stdout cannot be written.
    #[error("the result cannot be printed")]
    Print(#[source] io::Error),
}

impl CommandError for KeyCommandError {
    fn exit(&self) -> Exit {
        match self {
            KeyCommandError::Identity(error) => error.exit(),
            KeyCommandError::Certificate(error) => error.exit(),
            KeyCommandError::Print(_) => Exit::Failed,
        }
    }
}

#[derive(Serialize)]
struct Document {
    public_key: String,
    fingerprint: String,
}

/// Runs one of the key commands.
///
/// # Errors
/// Where the key or the output cannot be read or written.
pub fn run(command: &KeyCommand, output: Output) -> Result<(), KeyCommandError> {
    match command {
        KeyCommand::New(args) => {
            let key = signing_key::create(&args.out)?;
            let next = format!("\nNext: svdr-agent key show {}", args.out.display());
            print(&key, &next, output)
        }
        KeyCommand::Show(args) => {
            let key = signing_key::read(&args.key)?.verifying_key().into();
            print(&key, &format!("\n{}", member_entry(args, &key)), output)
        }
        KeyCommand::Certificate(args) => Ok(certificate::run(args, output)?),
    }
}

fn print(key: &PublicKey, more: &str, output: Output) -> Result<(), KeyCommandError> {
    let document = Document { public_key: key.to_string(), fingerprint: key.fingerprint().to_string() };
    let printed = match output {
        Output::Json => output::print_json(&document),
        Output::Table => output::print(&format!(
            "public key   {}\nfingerprint  {}\n{more}",
            document.public_key, document.fingerprint
        )),
    };
    printed.map_err(KeyCommandError::Print)
}

/// The entry of the roster, ready to be sent; what is not known stands in capitals.
fn member_entry(args: &ShowArgs, key: &PublicKey) -> String {
    let quoted = |value: Option<String>, unknown: &str| {
        toml::Value::from(value.unwrap_or_else(|| unknown.to_owned())).to_string()
    };
    let name = quoted(args.name.as_ref().map(ToString::to_string), "NAME");
    let participant =
        quoted(args.participant.as_ref().map(ToString::to_string), "PAR::IDENTIFIER::FINGERPRINT");
    format!(
        "Send this to the convener:\n\n[[member]]\nname = {name}\nparticipant = {participant}\nkey = \"{key}\""
    )
}
