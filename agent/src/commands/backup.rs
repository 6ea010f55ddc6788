//! `backup`: the identities of this SV's nodes, from the SV app into a file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use svdr_cli::output::{self, Output};
use svdr_files::{FileError, PrivateFile, Replace};
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::{Member, Roster};
use svdr_protocol::span;
use svdr_protocol::text::shown;
use tokio::signal::unix::{SignalKind, signal};

use super::args::sv_app::AppArgs;
use crate::config::{AgentConfig, ConfigError, Missing};
use crate::identities::{
    self, AgeIdentity, BackupFetchError, RecipientError, Recipients, SealError, Sealed, Sealing,
};
use crate::roster_file::{self, RosterFileError};
use crate::sources::app::{Settings, SetupError, SvApp};
use crate::sources::fetch::in_one_line;
use svdr_cli::signing_key::{self, SigningKeyError};
use svdr_client::retry::RetryPolicy;
use svdr_dump::Identities;

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

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupCommandError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The roster.
    #[error(transparent)]
    Roster(#[from] RosterFileError),
    /// The member's key.
    #[error(transparent)]
    Identity(#[from] SigningKeyError),
    /// The key is no member's.
    #[error(
        "the signing key ({key}) belongs to no member of the roster {}\n\
         help: name the member with --member, or use the key of a member", roster.display()
    )]
    Stranger {
        /// The public key.
        key: PublicKey,
        /// The roster.
        roster: PathBuf,
    },
    /// There is no such member.
    #[error(
        "{member} is not a member of the roster {}\nhelp: give a name that `svdr-agent roster check` lists",
        roster.display()
    )]
    NotAMember {
        /// The name.
        member: MemberName,
        /// The roster.
        roster: PathBuf,
    },
    /// The recipients.
    #[error(transparent)]
    Recipients(#[from] RecipientError),
    /// Armor without anything in it.
    #[error(
        "--armor needs an encrypted backup, but there is no recipient\n\
         help: add --recipient, or remove --armor"
    )]
    NothingToArmor,
    /// The output.
    #[error(transparent)]
    File(#[from] FileError),
    /// The client.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The SV app, the network, or what came from it.
    #[error(transparent)]
    Fetch(#[from] BackupFetchError),
    /// Writing it.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Stopped by a signal.
    #[error(
        "stopped by a signal before the backup was complete, and no file was left\n\
         help: run the command again"
    )]
    Interrupted,
    /// The system gives no threads or signals.
    #[error("this process cannot start its network\nhelp: check the limits of the user that runs it")]
    Runtime(#[source] io::Error),
    /// Stdout cannot be written; the backup is complete.
    #[error("the backup is complete, but its summary cannot be printed")]
    Print(#[source] io::Error),
}

impl CommandError for BackupCommandError {
    fn exit(&self) -> Exit {
        match self {
            BackupCommandError::Config(error) => error.exit(),
            BackupCommandError::Roster(error) => error.exit(),
            BackupCommandError::Identity(error) => error.exit(),
            BackupCommandError::Recipients(error) => error.exit(),
            BackupCommandError::File(error) => error.exit(),
            BackupCommandError::Fetch(error) => error.exit(),
            BackupCommandError::Seal(error) => error.exit(),
            BackupCommandError::Stranger { .. } => Exit::Refused,
            BackupCommandError::NotAMember { .. } | BackupCommandError::NothingToArmor => Exit::Usage,
            BackupCommandError::Setup(_)
            | BackupCommandError::Interrupted
            | BackupCommandError::Runtime(_)
            | BackupCommandError::Print(_) => Exit::Failed,
        }
    }
}

/// Makes the backup, and prints what came out.
///
/// # Errors
/// [`BackupCommandError`]; the output is then as it was before.
pub fn run(command: &BackupCommand, output: Output) -> Result<(), BackupCommandError> {
    let BackupCommand::Identities(args) = command;
    let config = AgentConfig::load(args.config.as_deref())?;
    let sealing = sealing(args)?;
    warn_of_others(&sealing, config.age_identity.as_deref());
    let (roster, settings) = resolve(args, &config)?;
    let member = member(args, &config, &roster)?;
    let replace = Replace::from_force(args.force);
    // Everything on this machine is looked at before the first request: what is wrong with it is known at once.
    drop(PrivateFile::create(&args.out, replace)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(BackupCommandError::Runtime)?;
    let policy = RetryPolicy::lasting(args.retry_for);
    let identities = runtime.block_on(take(settings, &member, policy))?;
    let sealed = identities::seal(&identities, &sealing, &args.out, replace)?;
    print(&args.out, &member, &sealing, sealed, output).map_err(BackupCommandError::Print)
}

fn sealing(args: &IdentitiesArgs) -> Result<Sealing, BackupCommandError> {
    match Recipients::gather(&args.recipient, &args.recipients_file)? {
        Some(recipients) => Ok(Sealing::Encrypted { recipients, armor: args.armor }),
        None if args.armor => Err(BackupCommandError::NothingToArmor),
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
fn resolve(
    args: &IdentitiesArgs,
    config: &AgentConfig,
) -> Result<((Roster, PathBuf), Settings), BackupCommandError> {
    let mut missing = Vec::new();
    let mut lacks = |section, line, flag, variable| {
        missing.push(Missing { section, line, flag, variable, file: config.file.clone() });
    };
    let roster = args.roster.clone().or_else(|| config.roster.clone());
    if roster.is_none() {
        lacks("", "roster = \"roster.toml\"", "--roster", "SVDR_ROSTER");
    }
    if args.member.is_none() && args.signing_key.is_none() && config.signing_key.is_none() {
        lacks("signing", "key = \"signing.key\"", "--signing-key or --member", "SVDR_SIGNING_KEY");
    }
    let settings = args.app.sv_app(config, &mut missing)?;
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
) -> Result<Member, BackupCommandError> {
    let named = args.member.as_ref();
    if let Some(name) = named {
        return roster
            .member(name)
            .cloned()
            .ok_or_else(|| BackupCommandError::NotAMember { member: name.clone(), roster: path.clone() });
    }
    let key = args.signing_key.as_deref().or(config.signing_key.as_deref()).unwrap_or(Path::new(""));
    let key = PublicKey::from(signing_key::read(key)?.verifying_key());
    let member = roster.member_by_key(&key).cloned();
    member.ok_or_else(|| BackupCommandError::Stranger { key, roster: path.clone() })
}

/// Fetches until done or stopped.
async fn take(
    settings: Settings,
    member: &Member,
    policy: RetryPolicy,
) -> Result<Identities, BackupCommandError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(BackupCommandError::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(BackupCommandError::Runtime)?;
    let url = settings.url.clone();
    let app = SvApp::new(settings).await?;
    if app.is_clear_text() {
        tracing::warn!(
            "{url} or the token endpoint is http: others can read the token and the private keys on the \
             network. Use https outside a cluster"
        );
    }
    tokio::select! {
        fetched = identities::fetch(&app, member, policy) => Ok(fetched?),
        _ = interrupt.recv() => Err(BackupCommandError::Interrupted),
        _ = terminate.recv() => Err(BackupCommandError::Interrupted),
    }
}

/// What was made, for programs.
#[derive(Serialize)]
struct Report<'a> {
    path: &'a Path,
    size: u64,
    sha256: Digest,
    member: &'a MemberName,
    participant: String,
    encrypted: bool,
    recipients: Vec<String>,
}

fn print(path: &Path, member: &Member, sealing: &Sealing, sealed: Sealed, output: Output) -> io::Result<()> {
    let recipients = match sealing {
        Sealing::Plain => Vec::new(),
        Sealing::Encrypted { recipients, .. } => recipients.texts(),
    };
    let report = Report {
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
