//! Where a validator's dump is put, with everything filled in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use svdr_cli::failure::Failure;
use svdr_dump::MergeSummary;
use svdr_files::Replace;

use crate::commands::args::delivery::DeliveryArgs;
use crate::config::{AgentConfig, ConfigError, Deliver};
use crate::deliver::{self, DeliverError, Permit};
use crate::validator::Recovery;

/// A path, or a command with its values.
pub(super) enum DeliverWay {
    Path(PathBuf),
    Command { command: Vec<String>, values: BTreeMap<String, String>, filled: Vec<String> },
}

impl DeliverWay {
    /// What flags and file say, for the dump at `path`, which is absolute: programs may run elsewhere.
    pub(super) fn of(
        args: &DeliveryArgs,
        config: &AgentConfig,
        recovery: &Recovery,
        path: &Path,
    ) -> Result<DeliverWay, Failure> {
        let configured = config.validator.deliver.clone();
        match args.to.clone().map(Deliver::Path).or(configured) {
            Some(Deliver::Path(path)) => Ok(DeliverWay::Path(path)),
            Some(Deliver::Command(command)) => {
                let values = args.values();
                let facts =
                    (recovery.round().session, recovery.recovery_timestamp(), recovery.migration_id());
                let filled = deliver::fill(&command, path, &[], facts, &values)?;
                Ok(DeliverWay::Command { command, values, filled })
            }
            None => {
                let line = "path = \"/domain-upgrade-dump/domain_migration_dump.json\"";
                let missing = config.missing("validator_app.deliver", line, "--to", "SVDR_DELIVER_TO");
                Err(ConfigError::Missing { missing: vec![missing] }.into())
            }
        }
    }

    /// What will happen to the dump.
    pub(super) fn words(&self) -> String {
        match self {
            DeliverWay::Path(path) => format!("copied to {}", path.display()),
            DeliverWay::Command { filled, .. } => format!("handed to the command {filled:?}"),
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
    ) -> Result<(), DeliverError> {
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
            "Delivered: {to}\nNext, once the SVs say that the network is restored: start validator app and participant anew \
             with migration id {id}.\n  Helm: migration.id: {id} and migration.migrating: true in the values, then helm \
             upgrade\n  Docker Compose: ./stop.sh, then ./start.sh … -m {id} -M"
        )
    }
}
