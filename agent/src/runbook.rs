//! The runbook: the steps of one node from the stopped CometBFT to the verified network, with its own values.
//!
//! The commands that are not svdr's own are those of the Splice documentation (`docs/src/sv_operator/sv_restore.rst`,
//! `sv_major_upgrade.rst` and `sv_helm.rst` of its repository), whose names of releases, deployments and values they
//! use. What `agent.toml` does not say becomes a variable of the shell, named as there. Nothing is guessed. [`Step`]
//! lists the steps. This module says how a node takes them, as a pure function from values to text.

use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::milestone::Step;
use svdr_protocol::names::MemberName;
use svdr_protocol::statement::SessionId;
use svdr_protocol::time::Timestamp;

use crate::config::{Deliver, RunbookSection};

mod commands;
mod render;
mod shell;

pub use render::{markdown, script, text};
pub use shell::{ShellLine, Variable};

/// What the steps are filled in with.
#[derive(Clone, Debug)]
pub struct Values {
    /// The session.
    pub session: SessionId,
    /// Whether it is a rehearsal.
    pub drill: bool,
    /// The member whose node it is.
    pub member: MemberName,
    /// The time that the network goes back to, once that is agreed.
    pub recovery_timestamp: Option<Timestamp>,
    /// The migration id of the new synchronizer.
    pub migration_id: u64,
    /// `agent.toml`, absolute, where there is one.
    pub config: Option<String>,
    /// The base of the SV app's API.
    pub sv_app: Option<String>,
    /// The CA that signs its certificate.
    pub sv_app_ca: Option<String>,
    /// The backup of the node identities.
    pub identities: Option<String>,
    /// Where the SV app imports dumps from.
    pub deliver: Option<Deliver>,
    /// How the node is deployed.
    pub deployment: RunbookSection,
    /// The steps that are done.
    pub done: Vec<Step>,
}

/// A step, with what to do for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The step.
    pub step: Step,
    /// Whether it is done.
    pub done: bool,
    /// What to know and to look at, in sentences.
    pub notes: Vec<String>,
    /// The commands, in their order.
    pub commands: Vec<ShellLine>,
    /// The command that marks it done for everybody to see; `None` where the commands themselves say so.
    pub mark: Option<ShellLine>,
}

/// Why there is no runbook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunbookError {
    #[error(
        "the migration ids of the new and the lost network are both {id}, so that the steps would stop and install the \
         same deployments\nhelp: correct runbook.legacy_migration_id"
    )]
    SameMigration { id: u64 },
    #[error(
        "the session is for migration 0, so the migration id of the lost network is unknown\nhelp: set \
         runbook.legacy_migration_id to it"
    )]
    NoLegacy,
}

impl CommandError for RunbookError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// Every step in order, filled in.
///
/// # Errors
/// [`RunbookError`] where the migration ids cannot be right.
pub fn tasks(values: &Values) -> Result<Vec<Task>, RunbookError> {
    let configured = values.deployment.legacy_migration_id;
    // An SV app counts its migrations by one: `sv_major_upgrade.rst`.
    let legacy = configured.or(values.migration_id.checked_sub(1)).ok_or(RunbookError::NoLegacy)?;
    if legacy == values.migration_id {
        return Err(RunbookError::SameMigration { id: legacy });
    }
    let filled = commands::Filled { values, legacy };
    Ok(Step::ALL.into_iter().map(|step| filled.task(step)).collect())
}

#[cfg(test)]
mod tests;
