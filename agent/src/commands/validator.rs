//! `validator`: a validator follows what the SVs have completed: it makes its dump for the same time, and delivers it.
//!
//! Both commands begin with the same proof: the roster, confirmed by its fingerprint, and a completion certificate that
//! is checked with it. Nothing is fetched, and nothing delivered, before that.

use clap::Subcommand;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;

mod deliver;
mod delivery;
mod dump;
mod error;
mod proof;

/// What a validator's operator can do.
#[derive(Debug, Subcommand)]
pub enum ValidatorCommand {
    /// Make the validator's migration dump for the time that the SVs agreed on
    Dump(Box<dump::ValidatorDumpArgs>),
    /// Put the finished dump where the validator app imports it
    Deliver(Box<deliver::ValidatorDeliverArgs>),
}

/// Runs one of the validator's commands.
///
/// # Errors
/// If the command came to nothing.
pub fn run(command: &ValidatorCommand, output: Output) -> Result<(), Failure> {
    match command {
        ValidatorCommand::Dump(args) => dump::run(args, output),
        ValidatorCommand::Deliver(args) => deliver::run(args, output),
    }
}
