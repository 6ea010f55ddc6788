//! The drill: a rehearsal of the recovery on one machine, with made-up SVs and the real programs.
//!
//! It makes up a network and what happened to it (see [`Options`]): it writes the logs of its SVs, starts a stand-in for
//! each SV's app, a coordinator, and an agent for every SV; it shows their session until all dumps are delivered, the new
//! synchronizer runs and the session is verified; it verifies the transcript and every dump; and it judges whether
//! everything came out as the protocol promises. With `--offline` it does what each node can do on its own: evidence, propose,
//! dump and merge. With `--serve` it only prepares, for people to practise. Every command is shown as an operator types it.
//!
//! The session is not opened as a drill, because nothing is delivered in a drill. It is a session of a made-up network, whose
//! roster, keys, volumes and configurations are all in the drill's folder.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use svdr_protocol::roster::governance_threshold;

/// Prints a line. If nobody reads stdout any more, the drill continues silently, so that it stops what it has started.
macro_rules! say {
    ($($line:tt)*) => {
        drop(std::io::Write::write_fmt(&mut std::io::stdout().lock(), format_args!("{}\n", format_args!($($line)*))))
    };
}

mod board;
mod chaos;
mod check;
mod command;
mod config;
mod display;
mod everybody;
mod follower;
mod logs;
mod network;
mod operators;
mod options;
mod outcome;
mod processes;
mod programs;
mod receiving;
mod restoring;
mod serve;
mod session;
mod steps;
mod story;
mod summary;
mod validators;

pub use options::{Mismatch, Options};

use board::Board;
use config::Settings;
use network::Network;
use restoring::Restoring;
use story::Story;

/// The name of the step that the session is.
const SESSION_STEP: &str = "session";

/// Why a drill did not end well.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// A file of the drill could not be written or read.
    #[error("{}: {action} failed", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was done with it.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A stand-in did not start.
    #[error("the SV app stand-in of {member} did not start")]
    StandIn {
        /// Whose.
        member: String,
        /// Why.
        #[source]
        source: crate::sv_app::StartError,
    },
    /// More is to go wrong than the SVs could recover from.
    #[error(
        "{threshold} of {svs} SVs must agree, and these options leave out too many for the session to end well\n\
         help: use more --svs, or fewer options"
    )]
    TooMuch {
        /// How many SVs there are.
        svs: u16,
        /// How many have to agree.
        threshold: usize,
    },
    /// The session cannot be shown.
    #[error("the session cannot be shown on stdout")]
    Show(#[source] io::Error),
    /// A program that a flag names cannot be used.
    #[error("the program {} cannot be started\nhelp: name a svdr-agent with --agent, and a svdr-coordinator with --coordinator", path.display())]
    Named {
        /// The program.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A program could not be started or stopped.
    #[error("a program of the drill could not be started or stopped")]
    Start(#[source] io::Error),
    /// A command ended otherwise than it should.
    #[error("`{command}` ended with {found}; expected exit code {expected}")]
    Exit {
        /// The command line.
        command: String,
        /// The exit code that was expected.
        expected: i32,
        /// How it ended.
        found: String,
    },
    /// A command's result is not what it should be.
    #[error("{what}: expected {expected}, found {found}")]
    Unexpected {
        /// What was looked at.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
}

/// Runs a drill and shows it on stdout.
///
/// # Errors
/// The first thing that is not as it should be.
pub fn run(options: &Options) -> Result<(), DrillError> {
    let started = Instant::now();
    say!(
        "A rehearsal of a recovery, with {} made-up SVs on this machine. Nothing outside of it is touched.\n",
        options.svs
    );
    let story = Story::new(options, now()).ok_or(DrillError::TooMuch {
        svs: options.svs,
        threshold: governance_threshold(usize::from(options.svs)),
    })?;
    let folder = Folder::new(options.keep.as_deref())?;
    let is_kept = if options.keep.is_some() { "" } else { ", removed at the end (--keep FOLDER keeps them)" };
    say!("    files             {}{is_kept}", folder.path().display());
    programs::choose(options, folder.path())?;
    let mut network = Network::new(options, story, folder.path())?;
    if options.serve {
        return serve::serve(&mut network, options);
    }
    let mut timings = Timings::default();
    timings.time("identities and roster", || steps::identities(&mut network, options))?;
    timings.time("writing logs", || network.write_logs(options))?;
    let end = match options.offline {
        true => offline(&mut network, options, &mut timings, started)?,
        false => online(&mut network, options, &mut timings, started)?,
    };
    if options.keep.is_some() {
        say!("\nAll files are in {}", folder.path().display());
    }
    say!("\nThe drill ended well: {end} ({:.1} s).", started.elapsed().as_secs_f64());
    Ok(())
}

/// Seconds since the Unix epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

/// What each node can do on its own; how it ended.
fn offline(
    network: &mut Network,
    options: &Options,
    timings: &mut Timings,
    started: Instant,
) -> Result<String, DrillError> {
    let settings = Settings { coordinator: None, approval: "automatic", donors: None };
    timings.time("SV apps", || network.start_apps(options, &settings))?;
    timings.time("evidence", || steps::evidence_of_logs(network))?;
    timings.time("verify", || steps::verify(network))?;
    let chosen = timings.time("propose", || steps::propose(network))?;
    let dumps = timings.time("dump and merge", || steps::dump(network, options, &chosen))?;
    timings.time("checking the dumps", || check::dumps(network, options, &chosen, &dumps))?;
    summary::summary(&[], &chosen, &dumps, &[], timings, started.elapsed());
    Ok(format!("{} dumps of {} are made and checked", dumps.len(), chosen.recovery_timestamp))
}

/// A session of all of them, to the verified network; how it ended.
fn online(
    network: &mut Network,
    options: &Options,
    timings: &mut Timings,
    started: Instant,
) -> Result<String, DrillError> {
    let mut board = timings.time("coordinator", || Board::start(network))?;
    let (url, key) = (board.url(), board.key.clone());
    let settings = Settings { coordinator: Some((&url, &key)), approval: "automatic", donors: None };
    timings.time("SV apps", || network.start_apps(options, &settings))?;
    timings.time("checking the nodes", || steps::check(network))?;
    let mut held = timings.time(SESSION_STEP, || session::run(network, &mut board, options))?;
    if options.left_behind.is_some() {
        held.received = timings.time("donating and receiving", || receiving::run(network, &held.session))?;
    }
    let mut restoring = Restoring::new(network, &held, options.chaos);
    timings.time("delivering the dumps", || restoring.deliver(&mut board))?;
    timings.time("restarting", || restoring.restart(&mut board))?;
    timings.time("confirming", || restoring.confirm(&mut board))?;
    held.outages += restoring.outages;
    let outcome = timings.time("verifying the transcript", || {
        session::verify(network, &held.session)?;
        outcome::judge(network, &held)
    })?;
    let outcome::Outcome { chosen, dumps, mut told } = outcome;
    timings.time("checking the dumps", || check::dumps(network, options, &chosen, &dumps))?;
    if options.validators > 0 {
        told.push(
            timings.time("validators", || validators::follow(network, &board, options, &held, &chosen))?,
        );
    }
    summary::summary(&told, &chosen, &dumps, &held.moments, timings, started.elapsed());
    Ok(format!("session {} is verified, by {} of {} SVs", held.session, dumps.len(), network.svs.len()))
}

/// How long each step took.
#[derive(Default)]
struct Timings(Vec<(&'static str, Duration)>);

impl Timings {
    fn time<T>(
        &mut self,
        step: &'static str,
        work: impl FnOnce() -> Result<T, DrillError>,
    ) -> Result<T, DrillError> {
        let started = Instant::now();
        let result = work();
        self.0.push((step, started.elapsed()));
        result
    }
}

/// Where the drill's files are: a temporary folder, or one that is kept.
enum Folder {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn new(keep: Option<&Path>) -> Result<Folder, DrillError> {
        match keep {
            None => tempfile::Builder::new().prefix("svdr-drill-").tempdir().map(Folder::Temporary).map_err(
                |source| DrillError::File {
                    path: std::env::temp_dir(),
                    action: "making a temporary folder in it",
                    source,
                },
            ),
            Some(path) => {
                let failed =
                    |action| move |source| DrillError::File { path: path.to_owned(), action, source };
                std::fs::create_dir_all(path).map_err(failed("making the folder"))?;
                let mut entries = std::fs::read_dir(path).map_err(failed("reading the folder"))?;
                if entries.next().is_some() {
                    let source = io::Error::other("it is not empty\nhelp: name a new folder with --keep");
                    return Err(failed("starting a drill in it")(source));
                }
                std::fs::canonicalize(path).map(Folder::Kept).map_err(failed("resolving the folder"))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Folder::Temporary(folder) => folder.path(),
            Folder::Kept(path) => path,
        }
    }
}
