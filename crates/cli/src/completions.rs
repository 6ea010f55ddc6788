//! `completions` and `man-pages`, for shells and packagers: made from the same definition as the command line itself.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
pub use clap_complete::Shell;

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

/// Why they were not written.
#[derive(Debug, thiserror::Error)]
pub enum CompletionsError {
    /// Stdout cannot be written.
    #[error("the completion script cannot be printed")]
    Print(#[source] io::Error),
    /// The folder cannot be written.
    #[error(
        "the man pages cannot be written into {}\nhelp: name a folder that exists and is writable",
        folder.display()
    )]
    ManPages {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl CommandError for CompletionsError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// Prints the completion script of `command` for a shell.
///
/// # Errors
/// Where stdout cannot be written.
pub fn run(args: &CompletionsArgs, mut command: Command) -> Result<(), CompletionsError> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    output::print(&String::from_utf8_lossy(&script)).map_err(CompletionsError::Print)
}

/// Writes one man page for `command` and each of its commands.
///
/// # Errors
/// Where the folder cannot be written.
pub fn run_man_pages(args: &ManPagesArgs, command: Command) -> Result<(), CompletionsError> {
    let failed = |source| CompletionsError::ManPages { folder: args.folder.clone(), source };
    clap_mangen::generate_to(command, &args.folder).map_err(failed)
}
