//! `key new`, `show` and `certificate`: this member's key.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::{MemberName, ParticipantId};

use svdr_cli::signing_key;

pub mod certificate;
mod client_folder;

use certificate::CertificateArgs;

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

#[derive(Serialize)]
struct KeyDocument {
    public_key: String,
    fingerprint: String,
}

/// Runs one of the key commands.
///
/// # Errors
/// Where the key or the output cannot be read or written.
pub fn run(command: &KeyCommand, output: Output) -> Result<(), Failure> {
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
        KeyCommand::Certificate(args) => certificate::run(args, output),
    }
}

fn print(key: &PublicKey, more: &str, output: Output) -> Result<(), Failure> {
    let document = KeyDocument { public_key: key.to_string(), fingerprint: key.fingerprint().to_string() };
    let KeyDocument { public_key, fingerprint } = &document;
    Ok(output.show(&document, || format!("public key   {public_key}\nfingerprint  {fingerprint}\n{more}"))?)
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
