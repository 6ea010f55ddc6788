//! `backup`: the identities of this SV's nodes, from the SV app into a file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output, PrintError};
use svdr_cli::runtime;
use svdr_files::{PrivateFile, Replace};
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit, in_one_line};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::{Member, Roster};
use svdr_protocol::span;
use svdr_protocol::text::shown;

use super::args::sv_app::{self, AppArgs};
use crate::config::{AgentConfig, ConfigError, Missing};
use crate::identities::{self, AgeIdentity, Recipients, Sealed, Sealing};
use crate::operator::signer;
use crate::roster_file;
use crate::sources::app::AppSettings;
use svdr_client::retry::RetryPolicy;

/// Threads that run the network: one small answer.
const NETWORK_THREADS: usize = 1;

/// What to back up.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Back up the node identities from the SV app: the keys of participant, sequencer and mediator
    Identities(Box<IdentitiesArgs>),
}

/// Arguments of `backup identities`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent backup identities --out /secure/identities.json\n  \
    svdr-agent backup identities --out identities.age --recipient age1…\n  \
    svdr-agent backup identities --out identities.age --recipients-file recipients.txt --armor\n\n\
    Reads roster, [signing] and [sv_app] of agent.toml. The backup contains private keys. Without a recipient it is \
    plaintext: keep it on this machine. Make an age identity with `age-keygen -o age.key`, and keep it apart from the \
    backup. Name it with --age-identity or as age_identity under [node_identities], so that merge, dump, run and check can read \
    the backup. Exit code 3 if the node identities are incomplete or belong to another participant.")]
pub struct IdentitiesArgs {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the output if it exists
    #[arg(long)]
    pub force: bool,
    /// Encrypt the backup to this age recipient; may be given several times
    // Read here and not by clap, whose own message would repeat a secret given by mistake.
    #[arg(long, value_name = "AGE1…")]
    pub recipient: Vec<String>,
    /// Encrypt the backup to the age recipients in this file, one a line; may be given several times
    #[arg(long, value_name = "FILE")]
    pub recipients_file: Vec<PathBuf>,
    /// Write the encrypted backup as text (ASCII armor)
    #[arg(long)]
    pub armor: bool,
    /// The agent's configuration [default: agent.toml]
    #[arg(long, value_name = "FILE", env = "SVDR_CONFIG")]
    pub config: Option<PathBuf>,
    /// The roster [default: roster of the configuration]
    #[arg(long, value_name = "FILE", env = "SVDR_ROSTER")]
    pub roster: Option<PathBuf>,
    /// The member that the nodes belong to [default: the member of the signing key]
    #[arg(long, value_name = "NAME")]
    pub member: Option<MemberName>,
    /// This member's signing key, of which only the public half is used [default: the key of the configuration]
    #[arg(long, value_name = "FILE", env = "SVDR_SIGNING_KEY")]
    pub signing_key: Option<PathBuf>,
    /// How long to retry after errors that may pass; 0s for one try
    #[arg(long, value_name = "SPAN", env = "SVDR_RETRY_FOR", value_parser = span::parse, default_value = "10m")]
    pub retry_for: Duration,
    /// How to reach the SV app
    #[command(flatten)]
    pub app: AppArgs,
}

/// Why there is no backup, as far as no other error says it.
#[derive(Debug, thiserror::Error)]
enum BackupCommandError {
    #[error(
        "{member} is not a member of the roster {}\nhelp: give a name that `svdr-agent roster check` lists", roster.display()
    )]
    NoSuchMember { member: MemberName, roster: PathBuf },
    #[error("--armor is for an encrypted backup\nhelp: give a recipient too, or leave --armor out")]
    NothingToArmor,
}

impl CommandError for BackupCommandError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// Makes the backup, and prints what came out.
///
/// # Errors
/// If there is no backup; the output is then as it was before.
pub fn run(command: &BackupCommand, output: Output) -> Result<(), Failure> {
    let BackupCommand::Identities(args) = command;
    let config = AgentConfig::load(args.config.as_deref())?;
    let sealing = sealing(args)?;
    warn_of_others(&sealing, config.age_identity.as_deref());
    let (roster, settings) = resolve(args, &config)?;
    let member = member(args, &config, &roster)?;
    let replace = Replace::from_force(args.force);
    // Everything on this machine is looked at before the first request: what is wrong with it is known at once.
    drop(PrivateFile::create(&args.out, replace)?);
    let policy = RetryPolicy::lasting(args.retry_for);
    let left = "no backup was made, and nothing was left behind";
    let identities = runtime::until_stopped(NETWORK_THREADS, left, async {
        let app = sv_app::connect(settings).await?;
        Ok(identities::fetch(&app, &member, policy).await?)
    })?;
    let sealed = identities::seal(&identities, &sealing, &args.out, replace)?;
    let printed = print(&args.out, &member, &sealing, sealed, output);
    Ok(printed.map_err(|error| error.after("the backup is complete"))?)
}

fn sealing(args: &IdentitiesArgs) -> Result<Sealing, Failure> {
    match Recipients::gather(&args.recipient, &args.recipients_file)? {
        Some(recipients) => Ok(Sealing::Encrypted { recipients, armor: args.armor }),
        None if args.armor => Err(BackupCommandError::NothingToArmor.into()),
        None => Ok(Sealing::Plain),
    }
}

/// Warns where the age identity that this node is to read the backup with cannot: better now than on the day.
fn warn_of_others(sealing: &Sealing, age_identity: Option<&Path>) {
    let (Sealing::Encrypted { recipients, .. }, Some(path)) = (sealing, age_identity) else { return };
    match AgeIdentity::read(path) {
        Ok(identity) if identity.is_among(recipients) => {}
        Ok(_) => tracing::warn!(
            "this node will not be able to read the backup: no recipient belongs to its age identity {}. Add \
             the recipient that `age-keygen -y` prints for it",
            path.display()
        ),
        Err(error) => {
            tracing::warn!("this node will not be able to read the backup: {}", in_one_line(&error))
        }
    }
}

/// The roster with its path, and how to reach the SV app.
fn resolve(args: &IdentitiesArgs, config: &AgentConfig) -> Result<((Roster, PathBuf), AppSettings), Failure> {
    let mut missing = Vec::new();
    let roster = args.roster.clone().or_else(|| config.roster.clone());
    if roster.is_none() {
        missing.push(config.missing_roster());
    }
    if args.member.is_none() && args.signing_key.is_none() && config.signing_key.is_none() {
        missing.push(Missing { flag: "--signing-key or --member", ..config.missing_signing_key() });
    }
    let settings = args.app.resolve(&config.sv_app, config, &mut missing)?;
    match (roster, settings) {
        (Some(path), Some(settings)) if missing.is_empty() => {
            Ok(((roster_file::read(&path)?, path), settings))
        }
        _ => Err(ConfigError::Missing { missing }.into()),
    }
}

/// The member by its name, or else by its key.
fn member(
    args: &IdentitiesArgs,
    config: &AgentConfig,
    (roster, path): &(Roster, PathBuf),
) -> Result<Member, Failure> {
    let name = match &args.member {
        Some(name) => name.clone(),
        None => {
            let key = args.signing_key.as_deref().or(config.signing_key.as_deref());
            let key =
                key.ok_or_else(|| ConfigError::Missing { missing: vec![config.missing_signing_key()] })?;
            signer::read(key, roster, path)?.member
        }
    };
    let member = roster.member(&name).cloned();
    Ok(member.ok_or_else(|| BackupCommandError::NoSuchMember { member: name, roster: path.clone() })?)
}

/// What was made, for programs.
#[derive(Serialize)]
struct BackupReport<'a> {
    path: &'a Path,
    size: u64,
    sha256: Digest,
    member: &'a MemberName,
    participant: String,
    encrypted: bool,
    recipients: Vec<String>,
}

fn print(
    path: &Path,
    member: &Member,
    sealing: &Sealing,
    sealed: Sealed,
    output: Output,
) -> Result<(), PrintError> {
    let recipients = match sealing {
        Sealing::Plain => Vec::new(),
        Sealing::Encrypted { recipients, .. } => recipients.texts(),
    };
    let report = BackupReport {
        path,
        size: sealed.size,
        sha256: sealed.sha256,
        member: &member.name,
        participant: member.participant.to_string(),
        encrypted: !recipients.is_empty(),
        recipients,
    };
    if output == Output::Json {
        return output::print_json(&report);
    }
    let mut table = output::table(&["node identities", &path.display().to_string()]);
    table.add_row(["size", &format!("{} bytes", report.size)]);
    table.add_row(["digest", &report.sha256.to_string()]);
    table.add_row(["member", &report.member.to_string()]);
    table.add_row(["participant", &report.participant]);
    match report.encrypted {
        true => table.add_row(["encrypted to", &report.recipients.join("\n")]),
        false => table.add_row(["plaintext", "contains private keys: keep the file on this machine"]),
    };
    output::print(&shown(&table.to_string()))
}
