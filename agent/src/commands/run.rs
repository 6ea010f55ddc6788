//! `run`: takes part in a session for this SV, until its part is done.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::runtime;
use svdr_cli::screens::operator::next::Next;
use svdr_logs::{Bound, Effort};
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::session::DEFAULT_GRACE;
use svdr_protocol::span;
use svdr_protocol::statement::SessionId;
use svdr_protocol::text::shown;
use svdr_protocol::time::Timestamp;

use super::args::node_identities::{self, NodeIdentitiesArgs};
use super::args::sv_app::{Resolved, SvAppArgs};
use crate::config::{AgentConfig, Approval, ConfigError, Missing};
use crate::evidence::EvidenceOrder;
use crate::operator::signer;
use crate::roster_file;
use crate::run::{self, DumpOrder, End, Ended, RunSettings};
use crate::store::Store;

/// Threads that run the network: a stream, a download, and what watches for signals. Reading logs and merging have
/// threads of their own.
const NETWORK_THREADS: usize = 2;

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent run\n  \
    svdr-agent run --config /etc/svdr/agent.toml --session 5f0c6d5b1c0e4f7f8d53a64aee3d2a11\n  \
    svdr-agent run --drill\n\n\
    Exit code 0 when the session is completed and this SV has done its part, 4 if a convener aborts the session. You can \
    stop or kill the agent at any time: the next run continues. The state folder has everything that the agent signed. \
    Do not lose it.")]
pub struct RunArgs {
    /// The agent's configuration [default: agent.toml]
    #[arg(long, value_name = "FILE", env = "SVDR_CONFIG")]
    pub config: Option<PathBuf>,
    /// The session to join [default: the newest open session]
    #[arg(long, value_name = "ID", env = "SVDR_SESSION")]
    pub session: Option<SessionId>,
    /// Take part in drills only; without this flag, in real sessions only
    #[arg(long)]
    pub drill: bool,
    /// Keep running when the session is completed, so that others can get what they lack
    #[arg(long)]
    pub follow: bool,
    /// The roster
    #[arg(long, value_name = "FILE", env = "SVDR_ROSTER")]
    pub roster: Option<PathBuf>,
    /// This member's signing key
    #[arg(long, value_name = "FILE", env = "SVDR_SIGNING_KEY")]
    pub signing_key: Option<PathBuf>,
    /// Who decides on proposals
    #[arg(long, value_name = "WHO", env = "SVDR_APPROVAL")]
    pub approval: Option<ApprovalArg>,
    /// A log, folder or pattern to read; may be given several times
    #[arg(long, value_name = "PATH")]
    pub log: Vec<PathBuf>,
    /// How far back from the newest tick evidence is reported
    #[arg(long, value_name = "SPAN", env = "SVDR_SINCE", value_parser = span::parse)]
    pub since: Option<Duration>,
    /// The participant whose lines count, as the logs name it in participant=NAME, if several write into them
    #[arg(long, value_name = "NAME", env = "SVDR_LOGGER_PARTICIPANT")]
    pub logger_participant: Option<String>,
    /// The folder for dumps
    #[arg(long, value_name = "DIR", env = "SVDR_OUTPUT_DIR")]
    pub output_dir: Option<PathBuf>,
    /// The folder for what this agent signs [default: the folder state in the folder for dumps]
    #[arg(long, value_name = "DIR", env = "SVDR_STATE")]
    pub state: Option<PathBuf>,
    /// The backup of the node identities
    #[command(flatten)]
    pub node_identities: NodeIdentitiesArgs,
    /// How to reach the SV app
    #[command(flatten)]
    pub sv_app: SvAppArgs,
}

/// Who decides, as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ApprovalArg {
    /// The operator, each time
    Operator,
    /// The agent, if its own recomputation confirms the proposal and the proposal covers this SV
    Automatic,
}

/// A convener has ended the session.
#[derive(Debug, thiserror::Error)]
#[error("{by} has aborted session {session}: {reason}\nhelp: wait for another session, and run this again")]
struct Aborted {
    session: SessionId,
    by: String,
    /// In the convener's words.
    reason: String,
}

impl CommandError for Aborted {
    fn exit(&self) -> Exit {
        Exit::Impossible
    }
}

/// Takes part, and prints how it ended.
///
/// # Errors
/// If this member's part is not done; what was signed until then is kept.
pub fn run(args: &RunArgs, output: Output) -> Result<(), Failure> {
    let config = AgentConfig::load(args.config.as_deref())?;
    let (settings, state) = settings(args, config)?;
    let store = Store::open(&state)?;
    let work = async { Ok(run::run(settings, store).await?) };
    finish(&runtime::until_stopped(NETWORK_THREADS, "what was signed is kept", work)?, output)
}

/// Flags and file together, everything on this machine looked at before the first connection.
fn settings(args: &RunArgs, mut config: AgentConfig) -> Result<(RunSettings, PathBuf), Failure> {
    config.roster = args.roster.clone().or(config.roster);
    config.signing_key = args.signing_key.clone().or(config.signing_key);
    config.output_dir = args.output_dir.clone().or(config.output_dir);
    config.state_dir = args.state.clone().or(config.state_dir);
    let paths = Paths::of(&config, args)?;
    let roster = Arc::new(roster_file::read(&paths.roster)?);
    let signer = signer::read(&paths.signing_key, &roster, &paths.roster)?;
    let participant = roster.member(&signer.member).map(|member| member.participant.to_string());
    let age_identity = args.node_identities.age_identity(&config);
    let identities = node_identities::read(&paths.identities, age_identity, None)?;
    let approval = match args.approval {
        Some(ApprovalArg::Operator) => Approval::Operator,
        Some(ApprovalArg::Automatic) => Approval::Automatic,
        None => config.approval,
    };
    let settings = RunSettings {
        roster,
        signer,
        coordinators: config.coordinators.clone(),
        approval,
        grace: config.grace.unwrap_or(DEFAULT_GRACE),
        drill: args.drill,
        session: args.session,
        follow: args.follow,
        evidence: evidence(args, &config),
        dump: DumpOrder {
            sv_app: paths.sv_app.settings,
            migration_id: paths.sv_app.migration_id,
            request_migration_id: paths.sv_app.request_migration_id,
            handover: paths.sv_app.handover,
            participant,
            identities: Arc::new(identities),
            folder: paths.output_dir,
        },
    };
    Ok((settings, paths.state))
}

/// What has to be configured.
struct Paths {
    roster: PathBuf,
    signing_key: PathBuf,
    identities: PathBuf,
    output_dir: PathBuf,
    state: PathBuf,
    sv_app: Resolved,
}

impl Paths {
    fn of(config: &AgentConfig, args: &RunArgs) -> Result<Paths, ConfigError> {
        let mut missing = Vec::new();
        let sv_app = args.sv_app.resolve(config, &mut missing)?;
        let identities = args.node_identities.path(config, &mut missing);
        let mut need = |value: &Option<PathBuf>, absent: Missing| {
            if value.is_none() {
                missing.push(absent);
            }
            value.clone()
        };
        let roster = need(&config.roster, config.missing_roster());
        let signing_key = need(&config.signing_key, config.missing_signing_key());
        let output_dir =
            need(&config.output_dir, config.missing_output_dir("--output-dir", "SVDR_OUTPUT_DIR"));
        let found = (sv_app, roster, signing_key, identities, output_dir, config.state());
        match found {
            (
                Some(sv_app),
                Some(roster),
                Some(signing_key),
                Some(identities),
                Some(output_dir),
                Some(state),
            ) => Ok(Paths { roster, signing_key, identities, output_dir, state, sv_app }),
            _ => Err(ConfigError::Missing { missing }),
        }
    }
}

/// What to report from: the logs of flags or else of the file, and the file's programs and participant.
fn evidence(args: &RunArgs, config: &AgentConfig) -> Option<EvidenceOrder> {
    let section = config.evidence.clone().unwrap_or_default();
    let logs: Vec<PathBuf> = match args.log.as_slice() {
        [] => section.logs.iter().map(PathBuf::from).collect(),
        given => given.to_vec(),
    };
    let since = args.since.or(section.since).map(Bound::Back);
    let logger_participant = args.logger_participant.clone().or(section.logger_participant);
    let has_source = !logs.is_empty() || !section.commands.is_empty() || section.participant.is_some();
    let order = EvidenceOrder {
        logs,
        commands: section.commands,
        participant: section.participant,
        since,
        until: None,
        logger_participant,
        effort: Effort::default(),
    };
    has_source.then_some(order)
}

/// How it ended, for programs.
#[derive(Serialize)]
struct RunReport<'a> {
    session: String,
    drill: bool,
    round: u32,
    recovery_timestamp: Timestamp,
    attested: bool,
    dump: Option<&'a Path>,
    sha256: Option<Digest>,
    next: &'a Next,
}

fn finish(ended: &Ended, output: Output) -> Result<(), Failure> {
    let Ended { session, end, dump, next } = ended;
    let (round, attested) = match end {
        End::Attested { round, .. } => (*round, true),
        End::CompletedWithout { round } => (*round, false),
        End::Aborted => return Err(aborted(ended)),
    };
    let Some(certificate) = session.completion_certificate() else { return Err(aborted(ended)) };
    let report = RunReport {
        session: session.id().to_string(),
        drill: session.drill(),
        round,
        recovery_timestamp: certificate.recovery_timestamp(),
        attested,
        dump: dump.as_ref().map(|dump| dump.path.as_path()),
        sha256: dump.as_ref().map(|dump| dump.sha256),
        next,
    };
    let printed = output.show(&report, || told(&report));
    Ok(printed.map_err(|error| error.after("this member's part is done"))?)
}

/// How it ended, for people: what is next.
fn told(report: &RunReport<'_>) -> String {
    let RunReport { session, round, recovery_timestamp, .. } = report;
    let completed =
        format!("Session {session} is completed: round {round}, recovery timestamp {recovery_timestamp}.");
    let next = match (report.drill, report.dump) {
        (true, Some(dump)) => {
            format!("This was a drill: do not deliver its dump. This SV's dump is {}.", dump.display())
        }
        (true, None) => "This was a drill, and there is nothing to do.".to_owned(),
        (false, Some(dump)) => format!(
            "This SV's dump is {}. Next, when the others are ready: svdr-agent deliver {session}",
            dump.display()
        ),
        (false, None) => {
            let commands: String =
                report.next.commands.iter().map(|command| format!("\n  {command}")).collect();
            shown(&format!(
                "This SV has no dump of its own in this session. Next: {}{commands}",
                report.next.what
            ))
        }
    };
    format!("{completed}\n{next}")
}

fn aborted(ended: &Ended) -> Failure {
    let by = ended.session.aborts().next();
    let reason = by.map(|one| svdr_protocol::text::shown(&one.body().to_string()));
    Aborted {
        session: ended.session.id(),
        by: by.map(|one| one.signer().to_string()).unwrap_or_default(),
        reason: reason.unwrap_or_default(),
    }
    .into()
}
