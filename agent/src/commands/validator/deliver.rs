//! `validator deliver`: the finished dump goes where the validator app imports it from.
//!
//! No state is kept between the commands: the dump is checked again, whole, against the certificate.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use svdr_cli::output::{self, Output};
use svdr_cli::progress::Progress;
use svdr_files::Replace;
use svdr_protocol::digest::Digest;
use svdr_protocol::text::shown;
use svdr_protocol::time::Timestamp;

use super::dump::expectations;
use super::error::ValidatorError;
use super::proof::{ProofArgs, missing};
use crate::commands::deliver::pair;
use crate::config::{AgentConfig, Deliver};
use crate::deliver::{self, DeliverError, Permit};
use crate::validator::{Recovery, RecoveryError};
use svdr_dump::{MergeSummary, check_validator_dump};

/// Target of a delivery.
#[derive(Clone, Debug, Default, Args)]
pub struct WayArgs {
    /// Deliver to this file [default: the path or command of [validator_app.deliver] in agent.toml]
    #[arg(long, value_name = "FILE", env = "SVDR_DELIVER_TO", conflicts_with = "set")]
    pub to: Option<PathBuf>,
    /// A value for a {placeholder} of the delivery command in agent.toml; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Answer the question before the delivery with yes, but not the one about the roster's fingerprint
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `validator deliver`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent validator deliver dump.json --certificate certificate.jsonl --set pod=validator-app-0\n  \
    svdr-agent validator deliver dump.json --certificate certificate.jsonl --to /volume/dump.json\n\n\
    Checks the whole dump against the certificate again. Exit code 3 in a drill, and if the dump is not that of the \
    certificate.")]
pub struct ValidatorDeliverArgs {
    /// The dump that `validator dump` made
    #[arg(value_name = "DUMP")]
    pub dump: PathBuf,
    /// Roster and certificate
    #[command(flatten)]
    pub proof: ProofArgs,
    /// Target of the delivery
    #[command(flatten)]
    pub way: WayArgs,
    /// Replace the target if it exists
    #[arg(long)]
    pub force: bool,
}

/// Where a dump is put, with everything filled in.
pub(super) enum DeliverWay {
    Path(PathBuf),
    Command { command: Vec<String>, values: BTreeMap<String, String>, filled: Vec<String> },
}

impl WayArgs {
    /// What flags and file say, for the dump at `path`, which is absolute: programs may run elsewhere.
    pub(super) fn way(
        &self,
        config: &AgentConfig,
        recovery: &Recovery,
        path: &Path,
    ) -> Result<DeliverWay, ValidatorError> {
        let configured = config.validator.deliver.clone();
        match self.to.clone().map(Deliver::Path).or(configured) {
            Some(Deliver::Path(path)) => Ok(DeliverWay::Path(path)),
            Some(Deliver::Command(command)) => {
                let values: BTreeMap<String, String> = self.set.iter().cloned().collect();
                let facts =
                    (recovery.round().session, recovery.recovery_timestamp(), recovery.migration_id());
                let filled = deliver::fill(&command, path, &[], facts, &values)?;
                Ok(DeliverWay::Command { command, values, filled })
            }
            None => Err(missing(
                config,
                "validator_app.deliver",
                "path = \"/domain-upgrade-dump/domain_migration_dump.json\"",
                "--to",
                "SVDR_DELIVER_TO",
            )
            .into()),
        }
    }
}

impl DeliverWay {
    /// What will happen to the dump.
    pub(super) fn words(&self) -> String {
        match self {
            DeliverWay::Path(path) => format!("copied to {}", path.display()),
            DeliverWay::Command { filled, .. } => format!("passed to the command {filled:?}"),
        }
    }

    /// The path that it is copied to, or the command that it is handed to.
    pub(super) const fn target(&self) -> (Option<&PathBuf>, Option<&Vec<String>>) {
        match self {
            DeliverWay::Path(path) => (Some(path), None),
            DeliverWay::Command { filled, .. } => (None, Some(filled)),
        }
    }

    /// Delivers the dump at `path`, of which a check says `dump`.
    pub(super) fn deliver(
        &self,
        recovery: &Recovery,
        path: PathBuf,
        dump: &MergeSummary,
        replace: Replace,
    ) -> Result<(), ValidatorError> {
        let permit = Permit::of_validator(recovery, path, dump)?;
        match self {
            DeliverWay::Path(target) => permit.copy_to(target, replace)?,
            DeliverWay::Command { command, values, .. } => permit.run(command, values)?,
        }
        Ok(())
    }

    /// What the operator does now.
    pub(super) fn next(&self, recovery: &Recovery) -> String {
        let to = match self {
            DeliverWay::Path(path) => path.display().to_string(),
            DeliverWay::Command { filled, .. } => format!("by {filled:?}"),
        };
        let id = recovery.migration_id();
        format!(
            "Delivered: {to}\nNext, when the SVs say that the network is restored: start the validator app \
             and the participant with migration id {id}.\n  Helm: migration.id: {id} and \
             migration.migrating: true in the values, then helm upgrade\n  Docker Compose: ./stop.sh, then \
             ./start.sh … -m {id} -M"
        )
    }
}

/// What is printed.
#[derive(Serialize)]
struct Delivered {
    session: String,
    round: u32,
    recovery_timestamp: Timestamp,
    migration_id: u64,
    dump: Digest,
    size: u64,
    from: PathBuf,
    to: Option<PathBuf>,
    command: Option<Vec<String>>,
}

/// Delivers the dump, and prints where to.
///
/// # Errors
/// [`ValidatorError`].
pub(super) fn run(args: &ValidatorDeliverArgs, output: Output) -> Result<(), ValidatorError> {
    let config = AgentConfig::load(args.proof.config.as_deref())?;
    let proof = args.proof.proof(&config, false).map_err(|error| match error {
        ValidatorError::Recovery(RecoveryError::Drill { session }) => DeliverError::Drill { session }.into(),
        other => other,
    })?;
    let path = std::path::absolute(&args.dump)
        .map_err(|source| ValidatorError::Absolute { path: args.dump.clone(), source })?;
    let way = args.way.way(&config, &proof.recovery, &path)?;
    let dump = checked(&args.dump, &proof.recovery)?;
    proof.confirm(Some(&way.words()), args.way.yes)?;
    way.deliver(&proof.recovery, path.clone(), &dump, Replace::from_force(args.force))?;
    let (to, command) = way.target();
    let delivered = Delivered {
        session: proof.recovery.round().session.to_string(),
        round: proof.recovery.round().round,
        recovery_timestamp: proof.recovery.recovery_timestamp(),
        migration_id: proof.recovery.migration_id(),
        dump: dump.sha256,
        size: dump.size,
        from: path,
        to: to.cloned(),
        command: command.cloned(),
    };
    let printed = match output {
        Output::Json => output::print_json(&delivered),
        Output::Table => output::print(&shown(&way.next(&proof.recovery))),
    };
    printed.map_err(ValidatorError::Print)
}

/// Reads the dump, whole.
fn checked(path: &Path, recovery: &Recovery) -> Result<MergeSummary, ValidatorError> {
    let opened = File::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata.len())));
    let (file, len) = opened.map_err(|source| ValidatorError::Open { path: path.to_owned(), source })?;
    let progress = Progress::bytes("checking the dump", Some(len));
    let checked = check_validator_dump(file, expectations(recovery), |bytes| progress.advance(bytes));
    checked.map_err(|source| ValidatorError::Dump { path: path.to_owned(), source })
}
