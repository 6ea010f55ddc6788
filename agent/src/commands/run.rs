//! `run`: takes part in a session for this SV, until its part is done.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use svdr_cli::output::{self, Output};
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::roster::Roster;
use svdr_protocol::span;
use svdr_protocol::statement::SessionId;
use svdr_protocol::time::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use super::SOFTWARE;
use super::args::node_identities::NodeIdentitiesArgs;
use super::args::sv_app::{Resolved, SvAppArgs};
use super::merge::{self, MergeCommandError};
use crate::config::{AgentConfig, Approval, ConfigError, Missing};
use crate::roster_file::{self, RosterFileError};
use crate::run::{self, DumpOrder, End, Ended, LogsOrder, RunError, Settings};
use crate::sources::fetch::Way;
use crate::store::{Signer, Store, StoreError};
use svdr_cli::signing_key::{self, SigningKeyError};
use svdr_dump::Document;

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

/// Why a run has not done its part.
#[derive(Debug, thiserror::Error)]
pub enum RunCommandError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The roster.
    #[error(transparent)]
    Roster(#[from] RosterFileError),
    /// The signing key.
    #[error(transparent)]
    Identity(#[from] SigningKeyError),
    /// The key is no member's.
    #[error(
        "the signing key ({key}) belongs to no member of the roster {}\n\
         help: use the key of a member, or ask the convener to correct the roster", roster.display()
    )]
    NotAMember {
        /// The public key.
        key: PublicKey,
        /// The roster.
        roster: PathBuf,
    },
    /// The backup of the node identities.
    #[error(transparent)]
    Identities(MergeCommandError),
    /// The state folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session, the coordinators.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A convener has ended the session.
    #[error(
        "{by} aborted session {session}: {reason}\n\
         help: run the command again when a convener has opened another session"
    )]
    Aborted {
        /// The session.
        session: SessionId,
        /// Who ended it.
        by: String,
        /// Why, in the convener's words.
        reason: String,
    },
    /// Stopped by a signal.
    #[error("stopped by a signal, and everything signed is kept\nhelp: run the command again to continue")]
    Interrupted,
    /// The system gives no threads or signals.
    #[error("this process cannot start its threads\nhelp: check the limits of the user that runs it")]
    Runtime(#[source] io::Error),
    /// Stdout cannot be written; this member's part is done.
    #[error("this member's part is done, but the result cannot be printed")]
    Print(#[source] io::Error),
}

impl CommandError for RunCommandError {
    fn exit(&self) -> Exit {
        match self {
            RunCommandError::Config(error) => error.exit(),
            RunCommandError::Identities(error) => error.exit(),
            RunCommandError::Store(error) => error.exit(),
            RunCommandError::Run(error) => error.exit(),
            RunCommandError::NotAMember { .. } => Exit::Refused,
            RunCommandError::Aborted { .. } => Exit::Impossible,
            RunCommandError::Roster(_)
            | RunCommandError::Identity(_)
            | RunCommandError::Interrupted
            | RunCommandError::Runtime(_)
            | RunCommandError::Print(_) => Exit::Failed,
        }
    }
}

/// Takes part, and prints how it ended.
///
/// # Errors
/// [`RunCommandError`]; what was signed until then is kept.
pub fn run(args: &RunArgs, output: Output) -> Result<(), RunCommandError> {
    let config = AgentConfig::load(args.config.as_deref())?;
    let (settings, state) = settings(args, config)?;
    let store = Store::open(&state)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(NETWORK_THREADS)
        .enable_all()
        .build()
        .map_err(RunCommandError::Runtime)?;
    let ended = runtime.block_on(until_stopped(settings, store));
    // Waits for the thread that writes a dump, which removes its temporary file.
    drop(runtime);
    finish(&ended?, output)
}

async fn until_stopped(settings: Settings, store: Store) -> Result<Ended, RunCommandError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunCommandError::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(RunCommandError::Runtime)?;
    tokio::select! {
        ended = run::run(settings, store) => Ok(ended?),
        _ = interrupt.recv() => Err(RunCommandError::Interrupted),
        _ = terminate.recv() => Err(RunCommandError::Interrupted),
    }
}

/// Flags and file together, everything on this machine looked at before the first connection.
fn settings(args: &RunArgs, mut config: AgentConfig) -> Result<(Settings, PathBuf), RunCommandError> {
    config.roster = args.roster.clone().or(config.roster);
    config.signing_key = args.signing_key.clone().or(config.signing_key);
    config.output_dir = args.output_dir.clone().or(config.output_dir);
    config.state_dir = args.state.clone().or(config.state_dir);
    let paths = Paths::of(&config, args)?;
    let roster = Arc::new(roster_file::read(&paths.roster)?);
    let signer = signer(&roster, &paths)?;
    let participant = roster.member(&signer.member).map(|member| member.participant.to_string());
    let opened = merge::open(Document::Identities, &paths.identities, &paths.output_dir.join("dump"))
        .map_err(RunCommandError::Identities)?;
    let age_identity = args.node_identities.age_identity(&config);
    let identities = merge::read_identities(opened, &paths.identities, age_identity)
        .map_err(RunCommandError::Identities)?;
    let approval = match args.approval {
        Some(ApprovalArg::Operator) => Approval::Operator,
        Some(ApprovalArg::Automatic) => Approval::Automatic,
        None => config.approval,
    };
    let settings = Settings {
        roster,
        signer,
        coordinators: config.coordinators.clone(),
        approval,
        drill: args.drill,
        session: args.session,
        follow: args.follow,
        logs: logs(args, &config),
        dump: DumpOrder {
            sv_app: paths.sv_app.settings,
            migration_id: paths.sv_app.migration_id,
            request_migration_id: paths.sv_app.request_migration_id,
            way: Way { participant, ..paths.sv_app.way },
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
        let mut need = |value: &Option<PathBuf>, section, line, flag, variable| {
            if value.is_none() {
                missing.push(Missing { section, line, flag, variable, file: config.file.clone() });
            }
            value.clone()
        };
        let roster = need(&config.roster, "", "roster = \"roster.toml\"", "--roster", "SVDR_ROSTER");
        let signing_key = need(
            &config.signing_key,
            "signing",
            "key = \"signing.key\"",
            "--signing-key",
            "SVDR_SIGNING_KEY",
        );
        let output_dir = need(
            &config.output_dir,
            "output",
            "dir = \"/var/lib/svdr/dumps\"",
            "--output-dir",
            "SVDR_OUTPUT_DIR",
        );
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

fn signer(roster: &Roster, paths: &Paths) -> Result<Signer, RunCommandError> {
    let key = signing_key::read(&paths.signing_key)?;
    let public = PublicKey::from(key.verifying_key());
    let member = roster
        .member_by_key(&public)
        .ok_or_else(|| RunCommandError::NotAMember { key: public, roster: paths.roster.clone() })?;
    Ok(Signer {
        member: member.name.clone(),
        roster: roster.fingerprint(),
        software: SOFTWARE.to_owned(),
        key,
    })
}

fn logs(args: &RunArgs, config: &AgentConfig) -> Option<LogsOrder> {
    let section = config.evidence.as_ref();
    let configured = || section.map(|section| section.logs.iter().map(PathBuf::from).collect());
    let paths = if args.log.is_empty() { configured()? } else { args.log.clone() };
    let since = args.since.or_else(|| section.and_then(|section| section.since));
    Some(LogsOrder { paths, since })
}

/// How it ended, for programs.
#[derive(Serialize)]
struct Report<'a> {
    session: String,
    drill: bool,
    round: u32,
    recovery_timestamp: Timestamp,
    attested: bool,
    dump: Option<&'a Path>,
    sha256: Option<Digest>,
}

fn finish(ended: &Ended, output: Output) -> Result<(), RunCommandError> {
    let Ended { session, end, dump } = ended;
    let (round, attested) = match end {
        End::Attested { round, .. } => (*round, true),
        End::CompletedWithout { round } => (*round, false),
        End::Aborted => return Err(aborted(ended)),
    };
    let Some(certificate) = session.completion_certificate() else { return Err(aborted(ended)) };
    let report = Report {
        session: session.id().to_string(),
        drill: session.drill(),
        round,
        recovery_timestamp: certificate.recovery_timestamp(),
        attested,
        dump: dump.as_ref().map(|dump| dump.path.as_path()),
        sha256: dump.as_ref().map(|dump| dump.sha256),
    };
    let printed = match output {
        Output::Json => output::print_json(&report),
        Output::Table => output::print(&told(&report)),
    };
    printed.map_err(RunCommandError::Print)
}

/// How it ended, for people: what is next.
fn told(report: &Report<'_>) -> String {
    let Report { session, round, recovery_timestamp, .. } = report;
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
            "This SV has no dump of its own in this session. Next: make one from the snapshot of a donor, \
             which `svdr-agent status` names."
                .to_owned()
        }
    };
    format!("{completed}\n{next}")
}

fn aborted(ended: &Ended) -> RunCommandError {
    let by = ended.session.aborts().next();
    let reason = by.map(|one| svdr_protocol::text::shown(&one.body().to_string()));
    RunCommandError::Aborted {
        session: ended.session.id(),
        by: by.map(|one| one.signer().to_string()).unwrap_or_default(),
        reason: reason.unwrap_or_default(),
    }
}
