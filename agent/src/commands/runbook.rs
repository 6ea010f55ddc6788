//! `runbook`: the steps that remain for this node, with its own values filled in.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde::Serialize;
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output};
use svdr_cli::runtime;
use svdr_cli::screens::facts::SessionFacts;
use svdr_cli::screens::heading::DRILL;
use svdr_cli::screens::{shown_proposal, shown_round};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::milestone::Step;
use svdr_protocol::statement::SessionId;
use svdr_protocol::text::shown;
use svdr_protocol::time::Timestamp;

use crate::operator::online::{Online, OnlineArgs, Seen};
use crate::runbook::{self, Task, Values};

/// Arguments of `runbook`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  svdr-agent runbook 4f3a\n  \
    svdr-agent runbook 4f3a --format markdown > runbook.md\n  \
    svdr-agent runbook 4f3a --format script > runbook.sh && sh runbook.sh\n\n\
    [runbook] in agent.toml says how the node is deployed. Missing values become shell variables. The script asks before \
    each step, stops at the first command that fails, and can be run again.")]
pub struct RunbookArgs {
    /// The session's id, or at least its first 4 digits
    #[arg(value_name = "SESSION")]
    pub session: String,
    /// The form of the runbook; --output json prints the same steps as data
    #[arg(long, value_enum, default_value_t)]
    pub format: RunbookFormat,
    /// Also print the steps that are done
    #[arg(long)]
    pub all: bool,
    /// Configuration, roster, key and state of the agent
    #[command(flatten)]
    pub online: OnlineArgs,
}

/// How a runbook is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RunbookFormat {
    /// For a terminal
    #[default]
    Text,
    /// With boxes to tick
    Markdown,
    /// For a POSIX shell
    Script,
}

/// A drill stops and deploys nothing.
#[derive(Debug, thiserror::Error)]
#[error(
    "session {session} is a drill, and the script would stop and deploy real nodes\nhelp: print the steps to talk through \
     with --format text"
)]
struct ScriptOfADrill {
    session: SessionId,
}

impl CommandError for ScriptOfADrill {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// What `runbook --output json` prints.
#[derive(Debug, Serialize)]
struct RunbookDocument {
    session: String,
    drill: bool,
    member: String,
    migration_id: u64,
    recovery_timestamp: Option<Timestamp>,
    steps: Vec<StepDocument>,
}

#[derive(Debug, Serialize)]
struct StepDocument {
    step: &'static str,
    done: bool,
    words: &'static str,
    notes: Vec<String>,
    commands: Vec<String>,
    mark: Option<String>,
    variables: Vec<String>,
}

/// Prints the runbook.
///
/// # Errors
/// If the session cannot be looked at, or there is no such runbook.
pub fn run(args: &RunbookArgs, output: Output) -> Result<(), Failure> {
    let online = Online::open(&args.online)?;
    let seen = runtime::block_on(online.session(Some(&args.session)))?;
    let session = seen.view.session();
    let values = values(&online, &seen);
    let mut tasks = runbook::tasks(&values)?;
    tasks.retain(|task| args.all || !task.done);
    let drill = session.drill();
    match (output, args.format) {
        (Output::Json, _) => output::print_json(&document(&values, &tasks)),
        (Output::Table, RunbookFormat::Text) => {
            let title = if drill { format!("{DRILL}\n\n") } else { String::new() };
            output::print(&shown(&format!("{title}{}", runbook::text(&values, &tasks))))
        }
        (Output::Table, RunbookFormat::Markdown) => {
            let title = if drill { format!("> {DRILL}\n\n") } else { String::new() };
            output::print(&shown(&format!("{title}{}", runbook::markdown(&values, &tasks))))
        }
        (Output::Table, RunbookFormat::Script) if drill => {
            return Err(ScriptOfADrill { session: session.id() }.into());
        }
        (Output::Table, RunbookFormat::Script) => output::print(&runbook::script(&values, &tasks)),
    }?;
    Ok(())
}

fn values(online: &Online, seen: &Seen) -> Values {
    let (session, config) = (seen.view.session(), &online.config);
    let facts = SessionFacts::of(session);
    let done = facts.member(online.me()).map(|me| me.steps.clone()).unwrap_or_default();
    let round = shown_round(session).and_then(|round| shown_proposal(session, round));
    let path = |path: &Path| path.display().to_string();
    let absolute = |file: &Path| std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    Values {
        session: session.id(),
        drill: session.drill(),
        member: online.me().clone(),
        recovery_timestamp: round.map(|(_, proposal)| proposal.plan.recovery_timestamp()),
        migration_id: round
            .map_or(session.opening().migration_id, |(_, proposal)| proposal.plan.migration_id()),
        config: config.file.as_deref().map(|file| path(&absolute(file))),
        sv_app: config.sv_app.url.as_ref().map(ToString::to_string),
        sv_app_ca: config.sv_app.ca_file.as_deref().map(path),
        identities: config.node_identities.as_deref().map(path),
        deliver: config.deliver.clone(),
        deployment: config.runbook.clone(),
        done: done.iter().filter_map(|name| name.parse::<Step>().ok()).collect(),
    }
}

fn document(values: &Values, tasks: &[Task]) -> RunbookDocument {
    let step = |task: &Task| {
        let lines = task.commands.iter().chain(&task.mark);
        StepDocument {
            step: task.step.name(),
            done: task.done,
            words: task.step.words(),
            notes: task.notes.clone(),
            commands: task.commands.iter().map(ToString::to_string).collect(),
            mark: task.mark.as_ref().map(ToString::to_string),
            variables: lines.flat_map(|line| line.variables()).map(|one| one.name.clone()).collect(),
        }
    };
    RunbookDocument {
        session: values.session.to_string(),
        drill: values.drill,
        member: values.member.to_string(),
        migration_id: values.migration_id,
        recovery_timestamp: values.recovery_timestamp,
        steps: tasks.iter().map(step).collect(),
    }
}
