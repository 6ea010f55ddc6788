//! The command line of `svdr-agent`.
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

pub mod args;
pub mod backup;
pub mod check;
pub mod confirm;
pub mod deliver;
pub mod donate;
pub mod dump;
pub mod evidence;
pub mod key;
pub mod merge;
pub mod propose;
pub mod receive;
pub mod review;
pub mod run;
pub mod runbook;
pub mod sequencing;
pub mod status;
pub mod validator;
pub mod verify;
pub mod votes;

/// One super validator's side of a network-wide recovery.
///
/// Reads the participant's logs, computes the recovery timestamp from the evidence of all SVs, makes this node's
/// migration dump for that timestamp, and verifies what others signed. For networks of Splice 0.5.18 or older.
#[derive(Debug, Parser)]
#[command(name = "svdr-agent", version, propagate_version = true, max_term_width = 110)]
#[command(after_help = "Exit codes: 0 done; 1 failed (I/O, network, server); 2 wrong use; \
    3 refused (a signature, digest, recomputation or policy check said no); 4 not possible.")]
pub struct CommandLine {
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Options of every command")]
    pub output: Output,
    /// How log lines on stderr are printed; RUST_LOG filters them
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "SVDR_LOG_FORMAT",
        help_heading = "Options of every command"
    )]
    pub log_format: LogFormat,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What `release --help` says after the flags.
const RELEASE_HELP: &str = "Example: svdr-agent release 4f3a --round 1 --reason \"SV-3 is lost, and round 1 is locked\"\n\n\
    Somebody may have a completion certificate of the round already, and may be importing its dump. If the network \
    then completes another round, it is split: its parts recover to different times. Release only after all operators \
    on the call have said that nobody has such a certificate and nobody has imported the dump.";

/// What `svdr-agent` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make, show and certify this member's signing key
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Check a roster and show the words that every operator compares aloud
    #[command(subcommand)]
    Roster(roster::RosterCommand),
    /// Take part in a session: evidence, agreement, dump, attestation
    Run(Box<run::RunArgs>),
    /// Read the participant's logs and print the evidence in them
    Evidence(Box<evidence::EvidenceArgs>),
    /// Print what this SV's nodes have seen of the old synchronizer, as evidence to roll forward
    Sequencing(Box<sequencing::SequencingArgs>),
    /// Take a data snapshot from the SV app and merge it into a migration dump
    Dump(Box<dump::DumpArgs>),
    /// Merge the node identities and a data snapshot into a migration dump
    Merge(merge::MergeArgs),
    /// Back up what a recovery needs: the node identities of this SV
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Compute the recovery timestamp or the roll-forward values from the evidence of all SVs
    Propose(Box<propose::ProposeArgs>),
    /// Check whether this node is ready for a recovery call
    Check(Box<check::CheckArgs>),
    /// Show the state of the session, what it waits for, and what to do next
    Status(status::StatusArgs),
    /// Show the proposal beside this agent's own recomputation
    Review(review::ReviewArgs),
    /// Agree to the proposal of a session
    Agree(votes::AgreeArgs),
    /// Sign that this member does not agree, and why
    Reject(votes::RejectArgs),
    /// Promise never to attest a round
    Abandon(votes::RoundArgs),
    /// Withdraw this member's attestation of a round: read the risk first
    #[command(after_help = RELEASE_HELP)]
    Release(votes::RoundArgs),
    /// Mark a step of the runbook done, for everybody to see
    Done(votes::DoneArgs),
    /// Donate the DSO party's snapshot to members whose own SV app cannot serve one
    Donate(Box<donate::DonateArgs>),
    /// Make this SV's dump from a snapshot that another member donates
    Receive(Box<receive::ReceiveArgs>),
    /// Put the finished dump where the SV app imports it
    Deliver(deliver::DeliverArgs),
    /// Print the remaining steps for this node, with its own values
    Runbook(runbook::RunbookArgs),
    /// Sign what the new participant's logs report, when the network is restored
    Confirm(confirm::ConfirmArgs),
    /// Follow what the SVs completed, as a validator
    #[command(subcommand)]
    Validator(validator::ValidatorCommand),
    /// Verify signed statements against the roster
    Verify(verify::VerifyArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example: svdr-agent completions bash > /etc/bash_completion.d/svdr-agent")]
    Completions(completions::CompletionsArgs),
    /// Write the man pages into a folder
    #[command(name = "man-pages", after_help = "Example: svdr-agent man-pages /usr/local/share/man/man1")]
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
            Command::Key(command) => key::run(&command, self.output),
            Command::Roster(command) => roster::run(&command, self.output),
            Command::Run(args) => run::run(&args, self.output),
            Command::Evidence(args) => evidence::run(&args, self.output),
            Command::Sequencing(args) => sequencing::run(&args, self.output),
            Command::Dump(args) => dump::run(&args, self.output),
            Command::Merge(args) => merge::run(&args, self.output),
            Command::Backup(command) => backup::run(&command, self.output),
            Command::Propose(args) => propose::run(&args, self.output),
            Command::Check(args) => check::run(&args, self.output),
            Command::Status(args) => status::run(&args, self.output),
            Command::Review(args) => review::run(&args, self.output),
            Command::Agree(args) => votes::agree(&args, self.output),
            Command::Reject(args) => votes::reject(&args, self.output),
            Command::Abandon(args) => votes::abandon(&args, self.output),
            Command::Release(args) => votes::release(&args, self.output),
            Command::Done(args) => votes::done(&args, self.output),
            Command::Donate(args) => donate::run(&args, self.output),
            Command::Receive(args) => receive::run(&args, self.output),
            Command::Deliver(args) => deliver::run(&args, self.output),
            Command::Runbook(args) => runbook::run(&args, self.output),
            Command::Confirm(args) => confirm::run(&args, self.output),
            Command::Validator(command) => validator::run(&command, self.output),
            Command::Verify(args) => verify::run(&args, self.output),
            Command::Completions(args) => completions::run(&args, CommandLine::command()),
            Command::ManPages(args) => completions::run_man_pages(&args, CommandLine::command()),
        }
    }
}
