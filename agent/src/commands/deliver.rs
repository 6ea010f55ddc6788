//! `deliver`: the finished dump goes where the SV app imports it from.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use svdr_cli::confirm::{self, Beforehand, ConfirmError};
use svdr_cli::output::{self, Output};
use svdr_cli::screens::size;
use svdr_files::Replace;
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::text::shown;
use svdr_protocol::time::Timestamp;

use crate::config::{AgentConfig, ConfigError, Deliver, Missing};
use crate::deliver::{DeliverError, Permit};
use crate::operator::online::{Online, OnlineArgs, OnlineError, block_on};
use crate::sources::volume;
use crate::store::StoreError;

/// Arguments of `deliver`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  svdr-agent deliver 4f3a\n  svdr-agent deliver 4f3a --set pod=sv-app-0 --yes\n\n\
    Delivers all files of a dump: its payload files first, next to the dump, and the dump last. A command receives them \
    in place of an argument {files}, or their folder as {dump_dir}.\n\n\
    Exit code 3 without a completion certificate, in a drill, and if the file is not the attested one."
)]
pub struct DeliverArgs {
    /// The session's id, or at least its first 4 digits
    #[arg(value_name = "SESSION")]
    pub session: String,
    /// Copy the dump to this file [default: the path or command of [deliver] in agent.toml]
    #[arg(long, value_name = "FILE", env = "SVDR_DELIVER_TO", conflicts_with = "set")]
    pub to: Option<PathBuf>,
    /// A value for a {placeholder} of the command in agent.toml; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Replace the target if it exists
    #[arg(long)]
    pub force: bool,
    /// Answer the question with yes
    #[arg(long)]
    pub yes: bool,
    /// Configuration, roster, key and state of the agent
    #[command(flatten)]
    pub online: OnlineArgs,
}

/// The text is no pair.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not of the form NAME=VALUE\nhelp: write NAME=VALUE, for example pod=sv-app-0")]
pub struct PairError {
    text: String,
}

pub(super) fn pair(text: &str) -> Result<(String, String), PairError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(PairError { text: text.to_owned() }),
    }
}

/// Why nothing was delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliverCommandError {
    /// Something is missing.
    #[error(transparent)]
    Online(#[from] OnlineError),
    /// The store.
    #[error(transparent)]
    Store(Box<StoreError>),
    /// The proof is not complete, or the delivery failed.
    #[error(transparent)]
    Deliver(#[from] DeliverError),
    /// The operator says no, or could not be asked.
    #[error(transparent)]
    Confirm(#[from] ConfirmError),
    /// Stdout cannot be written. It is delivered.
    #[error("the dump is delivered, but the result cannot be printed")]
    Print(#[source] io::Error),
}

impl From<StoreError> for DeliverCommandError {
    fn from(error: StoreError) -> DeliverCommandError {
        DeliverCommandError::Store(Box::new(error))
    }
}

impl CommandError for DeliverCommandError {
    fn exit(&self) -> Exit {
        match self {
            DeliverCommandError::Online(error) => error.exit(),
            DeliverCommandError::Store(error) => error.exit(),
            DeliverCommandError::Deliver(error) => error.exit(),
            DeliverCommandError::Confirm(error) => error.exit(),
            DeliverCommandError::Print(_) => Exit::Failed,
        }
    }
}

#[derive(Serialize)]
struct Delivered {
    session: String,
    round: u32,
    recovery_timestamp: Timestamp,
    dump: Digest,
    size: u64,
    files: Vec<PathBuf>,
    from: PathBuf,
    to: Option<PathBuf>,
    command: Option<Vec<String>>,
}

/// Delivers the dump.
///
/// # Errors
/// [`DeliverCommandError`].
pub fn run(args: &DeliverArgs, output: Output) -> Result<(), DeliverCommandError> {
    let online = Online::open(&args.online)?;
    let seen = block_on::<_, DeliverCommandError>(async { Ok(online.session(Some(&args.session)).await?) })?;
    let session = seen.view.session();
    let held = online.store.certificates(session.id(), &online.roster)?;
    let permit = Permit::of(session, online.me(), &held, |round| {
        online.store.dump(session.id(), round).map_err(DeliverCommandError::from)
    })?;
    // Held from now on: acting on it binds this agent.
    if let Some(certificate) = session.completion_certificate() {
        online.store.lock()?.keep_certificate(&certificate)?;
    }
    let way = match &args.to {
        Some(path) => Deliver::Path(path.clone()),
        None => online.config.deliver.clone().ok_or_else(|| missing(&online))?,
    };
    let values: BTreeMap<String, String> = args.set.iter().cloned().collect();
    let mut delivered = Delivered {
        session: session.id().to_string(),
        round: permit.round().round,
        recovery_timestamp: permit.recovery_timestamp(),
        dump: permit.dump(),
        size: permit.size(),
        files: permit.files(),
        from: permit.path().to_owned(),
        to: None,
        command: None,
    };
    let question = "Deliver the dump?";
    match &way {
        Deliver::Path(path) => {
            let beside = beside(&permit, path, &online.config);
            let words = words(&permit, &format!("copied to {}{beside}", path.display()));
            confirm::confirm(&words, &[question], Beforehand::from_yes(args.yes))?;
            permit.copy_to(path, Replace::from_force(args.force))?;
            delivered.to = Some(path.clone());
        }
        Deliver::Command(command) => {
            let filled = permit.fill(command, &values)?;
            let words = words(&permit, &format!("passed to the command {filled:?}"));
            confirm::confirm(&words, &[question], Beforehand::from_yes(args.yes))?;
            permit.run(command, &values)?;
            delivered.command = Some(filled);
        }
    }
    let printed = match output {
        Output::Json => output::print_json(&delivered),
        Output::Table => output::print(&text(&delivered)),
    };
    printed.map_err(DeliverCommandError::Print)
}

fn missing(online: &Online) -> OnlineError {
    let missing = vec![Missing {
        section: "deliver",
        line: "path = \"/domain-upgrade-dump/domain_migration_dump.json\"",
        flag: "--to",
        variable: "SVDR_DELIVER_TO",
        file: online.config.file.clone(),
    }];
    ConfigError::Missing { missing }.into()
}

/// What is said of the payload files: the SV app looks for them where the dump names them.
fn beside(permit: &Permit, path: &Path, config: &AgentConfig) -> String {
    match permit.files().len() {
        0 => String::new(),
        count => {
            format!(
                ", with its {count} payload files next to it, in the folder that the SV app sees as {}",
                config.sv_app.app_dump_dir.as_deref().unwrap_or(volume::APP_DIR)
            ) + &match path.file_name() {
                Some(name) if name != volume::DUMP_FILE => {
                    format!(" (the app imports {})", volume::DUMP_FILE)
                }
                _ => String::new(),
            }
        }
    }
}

fn words(permit: &Permit, where_to: &str) -> String {
    shown(&format!(
        "The dump of {} ({}, {}) of completed {} will be {where_to}.\n\nThis cannot be undone: after the SV \
         app has imported the dump, this node has left the old network. First compare the recovery timestamp \
         with the other operators on the call. The dump contains this SV's private keys: check the target.",
        permit.recovery_timestamp(),
        size(permit.total_size()),
        permit.dump(),
        permit.round()
    ))
}

fn text(delivered: &Delivered) -> String {
    let to = match (&delivered.to, &delivered.command) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(command)) => format!("by {command:?}"),
        (None, None) => String::new(),
    };
    shown(&format!(
        "Delivered the dump of {} ({}): {to}\nNext: svdr-agent done {} delivered",
        delivered.recovery_timestamp, delivered.dump, delivered.session
    ))
}
