//! `check`: is this node ready for a recovery call?

use std::time::SystemTime;

use clap::Args;
use svdr_cli::confirm::Beforehand;
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output};
use svdr_cli::runtime;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::statement::Body;
use svdr_protocol::text::shown;
use svdr_protocol::vote::Decision;

use super::args::node_identities::NodeIdentitiesArgs;
use super::args::sv_app::SvAppArgs;
use crate::check::{self, CheckReport, Subject, Verdict};
use crate::config::AgentConfig;
use crate::operator::decide::{Wish, decide};
use crate::operator::online::{Online, OnlineArgs};
use svdr_cli::screens::operator::signing;

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  svdr-agent check\n  svdr-agent check --report 4f3a --yes\n\n\
    Changes nothing on the node. Exit code 3 if the node is not ready.")]
pub struct CheckArgs {
    /// Sign which checks passed and failed, for all members of this session to see
    #[arg(long, value_name = "SESSION")]
    pub report: Option<String>,
    /// Answer the question with yes
    #[arg(long, requires = "report")]
    pub yes: bool,
    /// Configuration, roster, key and state of the agent
    #[command(flatten)]
    pub online: OnlineArgs,
    /// The backup of the node identities
    #[command(flatten)]
    pub node_identities: NodeIdentitiesArgs,
    /// How to reach the SV app
    #[command(flatten)]
    pub sv_app: SvAppArgs,
}

/// This node is not ready; why, has been printed.
#[derive(Debug, thiserror::Error)]
#[error("this node is not ready: {} of {all} checks failed ({})", failed.len(), failed.join(", "))]
struct NotReady {
    failed: Vec<&'static str>,
    all: usize,
}

impl CommandError for NotReady {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// Makes every check, and prints them.
///
/// # Errors
/// Also, after printing, if a check failed.
pub fn run(args: &CheckArgs, output: Output) -> Result<(), Failure> {
    let config = AgentConfig::load(args.online.config.as_deref())?;
    let mut missing = Vec::new();
    let resolved = args.sv_app.resolve(&config, &mut missing)?;
    let sv_app = resolved
        .map(|resolved| resolved.settings)
        .ok_or_else(|| missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    let subject = Subject {
        roster: args.online.roster.as_deref().or(config.roster.as_deref()),
        signing_key: args.online.signing_key.as_deref().or(config.signing_key.as_deref()),
        identities: args.node_identities.node_identities.as_deref().or(config.node_identities.as_deref()),
        age_identity: args.node_identities.age_identity(&config),
        config: &config,
        sv_app,
        mode: args.sv_app.mode(&config),
        volume: args.sv_app.volume(&config),
        now: SystemTime::now(),
    };
    let report = runtime::block_on(async { Ok(check::check(&subject).await) })?;
    output.show(&report, || text(&report))?;
    if let Some(session) = &args.report {
        sign(args, session, &report)?;
    }
    let failed = report.checks.iter().filter(|check| check.verdict == Verdict::Failed);
    let failed: Vec<&'static str> = failed.map(|check| check.name).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(NotReady { failed, all: report.checks.len() }.into()),
    }
}

fn text(report: &CheckReport) -> String {
    let mut table = output::table(&["check", "", "found"]);
    for check in &report.checks {
        let verdict = match check.verdict {
            Verdict::Passed => "ok",
            Verdict::Failed => "FAILED",
            Verdict::LeftOut => "skipped",
        };
        table.add_row([check.name.to_owned(), verdict.to_owned(), shown(&check.text)]);
    }
    let verdict = if report.is_ready() { "This node is ready." } else { "This node is NOT READY." };
    format!("{}\n\n{verdict}", table.trim_fmt())
}

/// Signs the report into a session. Its own outcome goes to stdout as a line of text, or is a second document.
fn sign(args: &CheckArgs, session: &str, report: &CheckReport) -> Result<(), Failure> {
    let online = Online::open(&args.online)?;
    let readiness = report.readiness();
    runtime::block_on(async {
        let seen = online.session(Some(session)).await?;
        let wish = Wish {
            decide: &|_| Decision::Sign(Body::Readiness(readiness.clone())),
            words: &|session, me, body| match body {
                Body::Readiness(readiness) => signing::readiness(session, me, readiness),
                _ => String::new(),
            },
            questions: vec!["Sign this result for all members to see?".to_owned()],
            beforehand: Beforehand::from_yes(args.yes),
        };
        // To stderr's reader the words are enough; stdout holds the report alone.
        decide(&online, seen, &wish, Output::Table).await
    })
}
