//! `deliver`: the finished dump goes where the SV app imports it from.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use svdr_cli::confirm::{self, Beforehand};
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::runtime;
use svdr_cli::screens::facts::SessionFacts;
use svdr_cli::screens::{heading, size};
use svdr_files::Replace;
use svdr_protocol::digest::Digest;
use svdr_protocol::session::Session;
use svdr_protocol::text::shown;
use svdr_protocol::time::Timestamp;

use super::args::delivery::DeliveryArgs;
use crate::config::{AgentConfig, ConfigError, Deliver};
use crate::deliver::Permit;
use crate::operator::online::{Online, OnlineArgs};
use crate::run::jobs::attested_dump;
use crate::sources::volume;

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
    /// Replace the target if it exists
    #[arg(long)]
    pub force: bool,
    /// Where the dump is put
    #[command(flatten)]
    pub delivery: DeliveryArgs,
    /// Where the agent's things are
    #[command(flatten)]
    pub online: OnlineArgs,
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
/// If nothing was delivered.
pub fn run(args: &DeliverArgs, output: Output) -> Result<(), Failure> {
    let online = Online::open(&args.online)?;
    let seen = runtime::block_on(online.session(Some(&args.session)))?;
    let session = seen.view.session();
    let held = online.store.certificates(session.id(), &online.roster)?;
    let permit = Permit::of(session, online.me(), &held, |attestation| {
        Ok::<_, Failure>(match &online.config.output_dir {
            Some(folder) => attested_dump(&online.store, attestation, session.id(), folder)?,
            None => online.store.dump(session.id(), attestation.round)?,
        })
    })?;
    // Held from now on: acting on it binds this agent.
    if let Some(certificate) = session.completion_certificate() {
        online.store.lock()?.keep_certificate(&certificate)?;
    }
    let way = match &args.delivery.to {
        Some(path) => Deliver::Path(path.clone()),
        None => online.config.deliver.clone().ok_or_else(|| missing(&online))?,
    };
    let values = args.delivery.values();
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
    let (warning, question) = question(session);
    match &way {
        Deliver::Path(path) => {
            let beside = beside(&permit, path, &online.config);
            let words = warning + &words(&permit, &format!("copied to {}{beside}", path.display()));
            confirm::confirm(&words, &[question], Beforehand::from_yes(args.delivery.yes))?;
            permit.copy_to(path, Replace::from_force(args.force))?;
            delivered.to = Some(path.clone());
        }
        Deliver::Command(command) => {
            let filled = permit.fill(command, &values)?;
            let words = warning + &words(&permit, &format!("handed to the command {filled:?}"));
            confirm::confirm(&words, &[question], Beforehand::from_yes(args.delivery.yes))?;
            permit.run(command, &values)?;
            delivered.command = Some(filled);
        }
    }
    let printed = output.show(&delivered, || text(&delivered));
    Ok(printed.map_err(|error| error.after("the dump is delivered"))?)
}

fn missing(online: &Online) -> ConfigError {
    let line = "path = \"/domain-upgrade-dump/domain_migration_dump.json\"";
    ConfigError::Missing { missing: vec![online.config.missing("deliver", line, "--to", "SVDR_DELIVER_TO")] }
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

/// What is said first, and asked last: dumps that differ where they must not are named in both.
fn question(session: &Session) -> (String, &'static str) {
    match heading::differing_dumps(&SessionFacts::of(session), heading::PLAIN) {
        Some(differing) => {
            (format!("{differing}\n\n"), "Dumps differ that must be equal. Deliver this dump anyway?")
        }
        None => (String::new(), "Deliver the dump?"),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use svdr_cli::screens::fixture::Meeting;

    use super::*;

    /// What is asked after three attestations with these ACS snapshots and genesis states.
    fn asked(attested: [(&str, &str); 3]) -> (String, &'static str) {
        let mut meeting = Meeting::open(false);
        meeting.report_all();
        let proposal = meeting.propose(None);
        (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
        for (by, (acs, genesis)) in attested.into_iter().enumerate() {
            meeting.attest_with(by, proposal, acs, genesis);
        }
        question(&meeting.session)
    }

    #[test]
    fn a_genesis_state_that_differs_is_named_in_the_question() {
        let (warning, question) = asked([("acs 0", "genesis"), ("acs 1", "genesis"), ("acs 2", "other")]);
        assert!(warning.starts_with("DUMPS DIFFER") && warning.contains("genesis_state"), "{warning}");
        assert!(warning.contains("Do not import a dump") && warning.contains("Cumberland"), "{warning}");
        assert!(question.starts_with("Dumps differ"), "{question}");
    }

    #[test]
    fn an_acs_snapshot_of_its_own_is_no_reason_to_warn() {
        let (warning, question) = asked([("acs 0", "genesis"), ("acs 1", "genesis"), ("acs 2", "genesis")]);
        assert_eq!((warning.as_str(), question), ("", "Deliver the dump?"));
    }
}
