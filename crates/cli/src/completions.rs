//! `completions` and `man-pages`, for shells and packagers: made from the same definition as the command line itself.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
pub use clap_complete::Shell;

use crate::failure::Failure;
use crate::output;
use svdr_protocol::failure::{CommandError, Exit};

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `man-pages`.
#[derive(Debug, Args)]
pub struct ManPagesArgs {
    /// The folder to write into
    pub folder: PathBuf,
}

/// The folder of the man pages cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the man pages cannot be written to {}\nhelp: name a folder that exists and that you can write to", folder.display())]
struct ManPagesError {
    folder: PathBuf,
    source: io::Error,
}

impl CommandError for ManPagesError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// Prints the completion script of `command` for a shell.
///
/// # Errors
/// Where stdout cannot be written.
pub fn run(args: &CompletionsArgs, mut command: Command) -> Result<(), Failure> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    Ok(output::print(&String::from_utf8_lossy(&script))?)
}

/// Writes one man page for `command` and each of its commands.
///
/// # Errors
/// Where the folder cannot be written.
pub fn run_man_pages(args: &ManPagesArgs, command: Command) -> Result<(), Failure> {
    let failed = |source| ManPagesError { folder: args.folder.clone(), source };
    Ok(clap_mangen::generate_to(command, &args.folder).map_err(failed)?)
}
