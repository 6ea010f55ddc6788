//! `confirm`: what the new participant's logs say about the others, once the network is restored.
//!
//! The logs are read as `evidence` reads them, and what they say after the last tick of the old synchronizer is signed into
//! the session. Run it again as often as there is news: the latest counts.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use svdr_cli::confirm::Beforehand;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::progress::Progress;
use svdr_cli::runtime;
use svdr_protocol::evidence::Evidence;
use svdr_protocol::session::NotConfirmable;
use svdr_protocol::statement::Body;
use svdr_protocol::time::Tick;
use svdr_protocol::vote::Decision;

use crate::config::ConfigError;
use crate::operator::decide::{Wish, decide};
use crate::operator::online::{Online, OnlineArgs};
use svdr_cli::screens::operator::signing;
use svdr_logs::Effort;
use svdr_logs::{Bound, LogsRequest};

/// Arguments of `confirm`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-agent confirm 4f3a --logs '/var/log/canton-6/participant*.log*'\n\n\
    Exit code 4 while the logs report nothing about the new synchronizer.")]
pub struct ConfirmArgs {
    /// The session's id, or at least its first 4 digits
    #[arg(value_name = "SESSION")]
    pub session: String,
    /// Logs of the new participant: files, folders or patterns; may be given several times [default: runbook.logs]
    #[arg(long, value_name = "PATH", env = "SVDR_NEW_LOGS", num_args = 1.., value_delimiter = ',')]
    pub logs: Vec<PathBuf>,
    /// Answer the question with yes, and still show what is signed
    #[arg(long)]
    pub yes: bool,
    /// Configuration, roster, key and state of the agent
    #[command(flatten)]
    pub online: OnlineArgs,
}

/// Reads the new participant's logs, and signs what they say.
///
/// # Errors
/// If nothing was signed.
pub fn run(args: &ConfirmArgs, output: Output) -> Result<(), Failure> {
    let online = Online::open(&args.online)?;
    let paths = match args.logs.as_slice() {
        [] => online.config.runbook.logs.iter().map(PathBuf::from).collect(),
        given => given.to_vec(),
    };
    if paths.is_empty() {
        return Err(missing(&online).into());
    }
    runtime::block_on(async {
        let seen = online.session(Some(&args.session)).await?;
        // Before hours of logs are read for nothing.
        let Some(restoration) = seen.view.session().restoration() else {
            let (session, phase) = (seen.view.session().id(), seen.view.session().phase());
            return Err(NotConfirmable::NotCompleted { session, phase }.into());
        };
        let evidence = read(&online, paths, restoration.after).await?;
        let confirmation = seen.view.session().confirmation(evidence)?;
        let wish = Wish {
            decide: &|_| Decision::Sign(Body::Confirmation(confirmation.clone())),
            words: &|session, me, body| match body {
                Body::Confirmation(confirmation) => signing::confirmation(session, me, confirmation),
                _ => String::new(),
            },
            questions: vec!["Sign this result for all members to see?".to_owned()],
            beforehand: Beforehand::from_yes(args.yes),
        };
        decide(&online, seen, &wish, output).await
    })
}

/// What the logs say from the last tick of the old synchronizer on.
async fn read(online: &Online, paths: Vec<PathBuf>, after: Tick) -> Result<Evidence, Failure> {
    let (roster, member) = (Arc::clone(&online.roster), online.me().clone());
    // Beside the connection, which has to answer its coordinator meanwhile.
    let reading = runtime::beside(move || {
        let progress = Progress::bytes("reading the new participant's logs", None);
        let request = LogsRequest {
            roster: &roster,
            member: &member,
            since: Some(Bound::At(after.0)),
            until: None,
            logger_participant: None,
            pipes: &[],
            paths: &paths,
            // The participant writes them while they are read, and rotates them.
            effort: Effort::default(),
            on_bytes: &|bytes| progress.advance(bytes),
        };
        svdr_logs::read(&request)
    });
    let document = reading.await??;
    for warning in &document.warnings {
        tracing::warn!("logs: {warning}");
    }
    Ok(document.evidence(&online.roster)?)
}

fn missing(online: &Online) -> ConfigError {
    let line = "logs = [\"/var/log/canton-new/participant*.log*\"]";
    ConfigError::Missing { missing: vec![online.config.missing("runbook", line, "--logs", "SVDR_NEW_LOGS")] }
}
