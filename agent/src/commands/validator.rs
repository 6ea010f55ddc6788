//! `validator`: a validator follows what the SVs have completed: it makes its dump for the same time, and delivers it.
//!
//! Both commands begin with the same proof: the roster, confirmed by its fingerprint, and a completion certificate that
//! is checked with it. Nothing is fetched, and nothing delivered, before that.

use clap::Subcommand;
use svdr_cli::output::Output;

mod app_args;
mod deliver;
mod dump;
mod error;
mod proof;

pub use error::ValidatorError;

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
/// [`ValidatorError`].
pub fn run(command: &ValidatorCommand, output: Output) -> Result<(), ValidatorError> {
    match command {
        ValidatorCommand::Dump(args) => dump::run(args, output),
        ValidatorCommand::Deliver(args) => deliver::run(args, output),
    }
}

/// Runs a future of a command's on a runtime of its own.
fn block_on<T>(command: impl Future<Output = Result<T, ValidatorError>>) -> Result<T, ValidatorError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(ValidatorError::Runtime)?.block_on(command)
}
