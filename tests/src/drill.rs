//! The drill: a rehearsal of the recovery on one machine, with made-up SVs and the real program.
//!
//! It writes the logs of a handful of SVs, one of which lags behind and one of which had a mismatch that was
//! healed; starts a stand-in for each SV's app, a coordinator, and an agent for every SV; and shows their session
//! until it is completed. With `--offline` it does instead what each node can do by itself: scan, propose, dump
//! and merge. Every command is shown as an operator would type it, and every result is checked by other means.

#![allow(clippy::print_stdout, reason = "it shows what it does on stdout, line by line")]

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::binaries;

mod chaos;
mod check;
mod command;
mod network;
mod options;
mod session;
mod steps;

pub use options::Options;

use network::Network;
use session::Board;

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
    // Before the clock starts: cargo may have to build it.
    binaries::agent();
    if !options.offline {
        binaries::coordinator();
    }
    let started = Instant::now();
    let folder = Folder::new(options.keep.as_deref())?;
    let mut network = Network::new(options, folder.path())?;
    let mut timings = Timings::default();
    timings.time("identities and roster", || steps::identities(&mut network))?;
    timings.time("writing logs", || network.write_logs(options))?;
    let (chosen, dumps) = if options.offline {
        timings.time("SV apps", || network.start_apps(options, None))?;
        timings.time("scan", || steps::scan(&network))?;
        timings.time("verify", || steps::verify(&network))?;
        let chosen = timings.time("propose", || steps::propose(&network))?;
        let dumps = timings.time("dump and merge", || steps::dump(&network, options, &chosen))?;
        (chosen, dumps)
    } else {
        let mut board = timings.time("coordinator", || Board::start(&network))?;
        timings.time("SV apps", || network.start_apps(options, Some(&board)))?;
        let (session, chosen, dumps) =
            timings.time("session", || session::run(&network, &mut board, options))?;
        timings.time("verifying the transcript", || session::verify(&network, &session))?;
        (chosen, dumps)
    };
    timings.time("checking dumps", || check::dumps(&network, options, &chosen, &dumps))?;
    steps::summary(&chosen, &dumps, &timings, started.elapsed());
    if options.keep.is_some() {
        println!("\nEverything is kept in {}", folder.path().display());
    }
    Ok(())
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
                    let source = io::Error::other("it is not empty; name a new folder with --keep");
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
