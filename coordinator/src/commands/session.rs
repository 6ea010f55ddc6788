//! `session`: open, follow, steer and end recovery sessions, as a convener or member.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use svdr_cli::confirm::{Beforehand, confirm};
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output, PrintError};
use svdr_cli::runtime;
use svdr_cli::screens::choice;
use svdr_cli::screens::facts::SessionFacts;
use svdr_cli::screens::heading::Style;
use svdr_cli::screens::operator::signing;
use svdr_cli::screens::screen;
use svdr_client::{Connection, ReceivedEntry, SessionReader};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::plan::dump::DEFAULT_MARGIN;
use svdr_protocol::receipt::VerifiedReceipt;
use svdr_protocol::session::{NotProposable, Session};
use svdr_protocol::span;
use svdr_protocol::statement::{Abort, Appointment, Body, Open, PlanKind, Proposal, SessionId};
use svdr_protocol::text::shown_in_line;
use svdr_protocol::time::Timestamp;

mod config;
mod export;
mod signer;
mod watch;

use config::Config;
use signer::Signer;

/// Arguments of `session`.
#[derive(Debug, Args)]
pub struct SessionArgs {
    /// The configuration with roster, signing key and coordinators
    #[arg(long, global = true, value_name = "FILE", default_value = "agent.toml", env = "SVDR_CONFIG")]
    pub config: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub command: SessionCommand,
}

/// What can be done with sessions.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Open a session (conveners only)
    Open(OpenArgs),
    /// List the coordinator's sessions
    List,
    /// Show the state of a session, from its verified transcript
    Show(OneSession),
    /// Follow a session until it is completed or aborted
    Watch(OneSession),
    /// Propose the next round, with the same or other parameters (conveners only)
    Propose(ProposeArgs),
    /// Let one more coordinator propose, for example one that replaces a lost one (conveners only)
    Appoint(AppointArgs),
    /// Abort a session (conveners only)
    Abort(AbortArgs),
    /// Write a session's verified transcript: DSSE envelopes in JSON, one a line
    Export(export::ExportArgs),
    /// Write the verified certificate of a completed session, which validators follow
    Certificate(export::CertificateArgs),
}

/// Arguments that name a session.
#[derive(Debug, Args)]
pub struct OneSession {
    /// The session's id, or at least its first 4 digits
    pub session: String,
}

/// Arguments of `session open`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: svdr-coordinator session open --reason 'synchronizer lost its state' --drill"
)]
pub struct OpenArgs {
    /// Why the network must be recovered
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Time from the recovery timestamp to its tick, unless a proposal says otherwise
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub margin: Option<Duration>,
    /// The new migration id [default: sv_app.migration_id of the configuration]
    #[arg(long, value_name = "N")]
    pub migration_id: Option<u64>,
    /// A completed session before this one; may be given several times
    #[arg(long, value_name = "SESSION")]
    pub follows: Vec<SessionId>,
    /// Make the session a rehearsal: nothing signed in it is valid for a real recovery
    #[arg(long)]
    pub drill: bool,
}

/// Arguments of `session propose`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: svdr-coordinator session propose 0123… --not-after 2026-04-21T23:10:00Z --exclude SV-4"
)]
pub struct ProposeArgs {
    /// The session's id, or at least its first 4 digits
    pub session: String,
    /// Time from the recovery timestamp to its tick [default: the margin of the session]
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub margin: Option<Duration>,
    /// How many members must be covered [default: the threshold of the roster]
    #[arg(long, value_name = "N")]
    pub threshold: Option<usize>,
    /// The earliest recovery timestamp allowed
    #[arg(long, value_name = "T")]
    pub not_before: Option<Timestamp>,
    /// The latest recovery timestamp allowed
    #[arg(long, value_name = "T")]
    pub not_after: Option<Timestamp>,
    /// A member to exclude; may be given several times
    #[arg(long, value_name = "NAME")]
    pub exclude: Vec<MemberName>,
    /// A member without logs, for which the matches of the others count instead; may be given several times
    #[arg(long, value_name = "NAME")]
    pub vouch: Vec<MemberName>,
}

/// Arguments of `session appoint`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: svdr-coordinator session appoint 0123… --coordinator ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
)]
pub struct AppointArgs {
    /// The session's id, or at least its first 4 digits
    pub session: String,
    /// The public key of the coordinator, as `svdr-coordinator serve` prints it
    #[arg(long, value_name = "KEY")]
    pub coordinator: PublicKey,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `session abort`.
#[derive(Debug, Args)]
pub struct AbortArgs {
    /// The session's id, or at least its first 4 digits
    pub session: String,
    /// The reason, which all members can read
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Why a session command failed, as far as no other error says it.
#[derive(Debug, thiserror::Error)]
enum SessionCommandError {
    /// Nobody says which migration id the network will have.
    #[error("the new migration id is unknown\nhelp: give --migration-id, or set migration_id in [sv_app]")]
    NoMigrationId,
    /// There is no randomness.
    #[error("the operating system has no randomness for the id of the session\nhelp: run the command again")]
    Randomness(#[source] getrandom::Error),
    /// The coordinator needs no appointment.
    #[error(
        "the coordinator with the key {key} may already propose in session {session}\n\
         help: start that coordinator, which then proposes when enough members have reported"
    )]
    MayPropose {
        /// Its key.
        key: PublicKey,
        /// The session.
        session: SessionId,
    },
    /// There is nothing to propose.
    #[error("no proposal follows from the evidence in session {session}")]
    NotProposable {
        /// The session.
        session: SessionId,
        /// Why.
        #[source]
        source: Box<NotProposable>,
    },
}

impl CommandError for SessionCommandError {
    fn exit(&self) -> Exit {
        match self {
            SessionCommandError::NoMigrationId | SessionCommandError::MayPropose { .. } => Exit::Usage,
            SessionCommandError::NotProposable { source, .. } => match **source {
                NotProposable::NoChoice(_) => Exit::Impossible,
                _ => Exit::Refused,
            },
            SessionCommandError::Randomness(_) => Exit::Failed,
        }
    }
}

/// Runs one of the session commands.
///
/// # Errors
/// Why it failed.
pub fn run(args: &SessionArgs, output: Output) -> Result<(), Failure> {
    let config = Config::read(&args.config)?;
    let signer = Signer::new(&config)?;
    runtime::block_on(async {
        let mut connection = signer.coordinators.connect(0).await?;
        match &args.command {
            SessionCommand::Open(args) => open(&signer, &mut connection, args, output).await,
            SessionCommand::List => list(&mut connection, output).await,
            SessionCommand::Show(args) => {
                show(&read(&signer, &mut connection, &args.session, |_| Ok(())).await?, output)
            }
            SessionCommand::Watch(args) => {
                let session = choose(&mut connection, &args.session).await?;
                watch::run(&signer, connection, session, output).await
            }
            SessionCommand::Propose(args) => propose(&signer, &mut connection, args, output).await,
            SessionCommand::Appoint(args) => appoint(&signer, &mut connection, args, output).await,
            SessionCommand::Abort(args) => abort(&signer, &mut connection, args, output).await,
            SessionCommand::Export(args) => export::transcript(&signer, &mut connection, args, output).await,
            SessionCommand::Certificate(args) => {
                export::certificate(&signer, &mut connection, args, output).await
            }
        }
    })
}

/// Returns the session with the id `given`, or the one whose id begins so.
async fn choose(connection: &mut Connection, given: &str) -> Result<SessionId, Failure> {
    if let Ok(id) = given.parse() {
        return Ok(id);
    }
    // A coordinator may invent ids; what it then sends for one is verified like everything else.
    let known: Vec<SessionId> =
        connection.sessions().await?.iter().filter_map(|summary| summary.session.parse().ok()).collect();
    Ok(choice::choose(&known, given)?)
}

/// Reads the session that `given` names, verified; `each` is called with every entry of its transcript.
async fn read(
    signer: &Signer,
    connection: &mut Connection,
    given: &str,
    each: impl FnMut(&ReceivedEntry) -> Result<(), Failure>,
) -> Result<Session, Failure> {
    let id = choose(connection, given).await?;
    SessionReader::new(id, Arc::clone(&signer.roster)).read(connection, each).await
}

async fn open(
    signer: &Signer,
    connection: &mut Connection,
    args: &OpenArgs,
    output: Output,
) -> Result<(), Failure> {
    let migration_id = args.migration_id.or(signer.migration_id).ok_or(SessionCommandError::NoMigrationId)?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(SessionCommandError::Randomness)?;
    let opening = Open {
        reason: args.reason.clone(),
        margin: args.margin.unwrap_or(DEFAULT_MARGIN),
        migration_id,
        predecessors: args.follows.iter().copied().collect(),
        nonce,
        coordinators: signer.coordinator_keys.clone(),
        plan: PlanKind::Dump,
    };
    let receipt = signer.sign_and_submit(connection, None, args.drill, Body::Open(opening)).await?;
    let drill = if args.drill { "drill session" } else { "session" };
    Ok(print_signed(&receipt, &format!("{drill} {} is open", receipt.receipt().session), output)?)
}

/// What is printed of a statement that has been signed and accepted.
#[derive(Serialize)]
struct Signed {
    session: String,
    position: u64,
    statement: String,
    head: String,
}

fn print_signed(receipt: &VerifiedReceipt, text: &str, output: Output) -> Result<(), PrintError> {
    let receipt = receipt.receipt();
    let signed = Signed {
        session: receipt.session.to_string(),
        position: receipt.position,
        statement: receipt.statement.to_string(),
        head: receipt.head.to_string(),
    };
    output.show(&signed, || text.to_owned())
}

#[derive(Serialize)]
struct Listed {
    sessions: Vec<ListedSession>,
}

#[derive(Serialize)]
struct ListedSession {
    session: String,
    drill: bool,
    state: String,
    round: u32,
    statements: u64,
    opened_by: String,
    reason: String,
}

async fn list(connection: &mut Connection, output: Output) -> Result<(), Failure> {
    let sessions: Vec<_> = connection.sessions().await?.into_iter().map(listed).collect();
    let printed = match output {
        Output::Json => output::print_json(&Listed { sessions }),
        Output::Table if sessions.is_empty() => {
            output::print("There is no session. A convener opens one with `svdr-coordinator session open`.")
        }
        Output::Table => {
            let mut table =
                output::table(&["session", "", "state", "round", "statements", "opened by", "reason"]);
            for one in sessions {
                table.add_row([
                    shown_in_line(&one.session),
                    if one.drill { "DRILL" } else { "" }.to_owned(),
                    one.state,
                    one.round.to_string(),
                    one.statements.to_string(),
                    shown_in_line(&one.opened_by),
                    shown_in_line(&one.reason),
                ]);
            }
            output::print(&table.to_string())
        }
    };
    Ok(printed?)
}

fn listed(summary: svdr_proto::v1::SessionSummary) -> ListedSession {
    // SESSION_STATE_GATHERING and the others, without what they have in common.
    let state = summary.state().as_str_name().trim_start_matches("SESSION_STATE_").to_lowercase();
    ListedSession {
        state,
        session: summary.session,
        drill: summary.drill,
        round: summary.round,
        statements: summary.length,
        opened_by: summary.opened_by,
        reason: summary.reason,
    }
}

fn show(session: &Session, output: Output) -> Result<(), Failure> {
    let facts = SessionFacts::of(session);
    let printed = match output {
        Output::Json => output::print_json(&facts),
        Output::Table => output::print(&screen(&facts, None, Style::of_stdout())),
    };
    Ok(printed?)
}

async fn propose(
    signer: &Signer,
    connection: &mut Connection,
    args: &ProposeArgs,
    output: Output,
) -> Result<(), Failure> {
    let session = read(signer, connection, &args.session, |_| Ok(())).await?;
    let mut parameters = session.parameters();
    parameters.margin = args.margin.unwrap_or(parameters.margin);
    parameters.threshold = args.threshold.unwrap_or(parameters.threshold);
    (parameters.not_before, parameters.not_after) = (args.not_before, args.not_after);
    parameters.excluded = args.exclude.iter().cloned().collect::<BTreeSet<_>>();
    parameters.vouched = args.vouch.iter().cloned().collect();
    let proposal = session.next_proposal(&parameters).map_err(|source| {
        SessionCommandError::NotProposable { session: session.id(), source: Box::new(source) }
    })?;
    let text = proposed(&proposal);
    let body = Body::Proposal(proposal);
    let receipt = signer.sign_and_submit(connection, Some(&session), session.drill(), body).await?;
    Ok(print_signed(&receipt, &text, output)?)
}

fn proposed(proposal: &Proposal) -> String {
    let names =
        |names: &BTreeSet<MemberName>| names.iter().map(MemberName::as_str).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "round {} is proposed: back to {}, covering {}",
        proposal.round,
        proposal.plan.recovery_timestamp(),
        names(&proposal.candidate.covered)
    );
    if !proposal.candidate.left_behind.is_empty() {
        text += &format!("; left behind: {}", names(&proposal.candidate.left_behind));
    }
    text
}

async fn appoint(
    signer: &Signer,
    connection: &mut Connection,
    args: &AppointArgs,
    output: Output,
) -> Result<(), Failure> {
    let (key, session) = (args.coordinator, read(signer, connection, &args.session, |_| Ok(())).await?);
    if session.mandate(&key).is_some() {
        return Err(SessionCommandError::MayPropose { key, session: session.id() }.into());
    }
    let appointment = Appointment { coordinator: key };
    let what = signing::appointment(&session, &signer.member()?, &appointment);
    confirm(&what, &["Sign and submit this appointment?"], Beforehand::from_yes(args.yes))?;
    let body = Body::Appointment(appointment);
    let receipt = signer.sign_and_submit(connection, Some(&session), session.drill(), body).await?;
    let text = format!("the coordinator with the key {key} may propose in session {}", session.id());
    Ok(print_signed(&receipt, &text, output)?)
}

async fn abort(
    signer: &Signer,
    connection: &mut Connection,
    args: &AbortArgs,
    output: Output,
) -> Result<(), Failure> {
    let session = read(signer, connection, &args.session, |_| Ok(())).await?;
    let body = Body::Abort(Abort { reason: args.reason.clone() });
    let receipt = signer.sign_and_submit(connection, Some(&session), session.drill(), body).await?;
    let text = format!("session {} is aborted. If it was completed before, it stays completed", session.id());
    Ok(print_signed(&receipt, &text, output)?)
}
