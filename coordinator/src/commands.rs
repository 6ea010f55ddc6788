//! The command line of `svdr-coordinator`.
//!
//! Each command is a module with its arguments and a `run` that ends in a [`Failure`] or in none; here they are put
//! together, and failures become messages and exit codes. Results go to stdout, everything else to stderr.

use clap::{CommandFactory as _, Parser, Subcommand};
use svdr_cli::completions;
use svdr_cli::core_dumps;
use svdr_cli::failure::{self, Failure};
use svdr_cli::logging::{self, LogFormat};
use svdr_cli::output::Output;
use svdr_cli::roster_command as roster;
use svdr_protocol::failure::Exit;

pub mod serve;
pub mod session;

/// The bulletin board of a network-wide recovery.
///
/// Stores and forwards what super validators sign, and decides nothing: every agent verifies every signature and
/// recomputes every proposal. Conveners use it to open, steer and end sessions.
#[derive(Debug, Parser)]
#[command(name = "svdr-coordinator", version, propagate_version = true, max_term_width = 110)]
#[command(after_help = "Exit codes: 0 done; 1 failed (I/O, network, server); 2 wrong use; \
    3 refused (a signature, digest, recomputation or policy check said no); 4 not possible.")]
pub struct CommandLine {
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t)]
    pub output: Output,
    /// How log lines on stderr are printed; RUST_LOG filters them
    #[arg(long, global = true, value_enum, default_value_t, env = "SVDR_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What `svdr-coordinator` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the members of a roster
    Serve(serve::ServeArgs),
    /// Check a roster and show the words that every operator compares aloud
    #[command(subcommand)]
    Roster(roster::RosterCommand),
    /// Open, follow, steer and end recovery sessions
    Session(session::SessionArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example: svdr-coordinator completions bash > /etc/bash_completion.d/svdr-coordinator"
    )]
    Completions(completions::CompletionsArgs),
    /// Write the man pages into a folder
    #[command(
        name = "man-pages",
        after_help = "Example: svdr-coordinator man-pages /usr/local/share/man/man1"
    )]
    ManPages(completions::ManPagesArgs),
}

impl CommandLine {
    /// Runs the command and reports any error on stderr.
    pub fn run(self) -> Exit {
        logging::init(self.log_format);
        core_dumps::forbid();
        let output = self.output;
        failure::report(self.dispatch(), output)
    }

    fn dispatch(self) -> Result<(), Failure> {
        match self.command {
            Command::Serve(args) => Ok(serve::run(&args, self.output)?),
            Command::Roster(command) => Ok(roster::run(&command, self.output)?),
            Command::Session(args) => session::run(&args, self.output),
            Command::Completions(args) => Ok(completions::run(&args, CommandLine::command())?),
            Command::ManPages(args) => Ok(completions::run_man_pages(&args, CommandLine::command())?),
        }
    }
}
