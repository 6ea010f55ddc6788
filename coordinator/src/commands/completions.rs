//! `completions` and `man-pages`: for packagers and shells.

use std::io;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use svdr_cli::completions::{self, Shell};
use svdr_cli::exit::{CommandError, Exit};
use svdr_cli::output;

use super::CommandLine;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: svdr-coordinator completions bash > /etc/bash_completion.d/svdr-coordinator"
)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `man-pages`.
#[derive(Debug, Args)]
#[command(after_help = "Example: svdr-coordinator man-pages /usr/local/share/man/man1")]
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
    #[error("the man pages cannot be written into {}; name a folder that exists and may be written", folder.display())]
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

/// Prints the script.
///
/// # Errors
/// Where stdout cannot be written.
pub fn run(args: &CompletionsArgs) -> Result<(), CompletionsError> {
    let script = completions::script(&mut CommandLine::command(), args.shell);
    output::print(&String::from_utf8_lossy(&script)).map_err(CompletionsError::Print)
}

/// Writes the pages.
///
/// # Errors
/// Where the folder cannot be written.
pub fn run_man_pages(args: &ManPagesArgs) -> Result<(), CompletionsError> {
    completions::man_pages(CommandLine::command(), &args.folder)
        .map_err(|source| CompletionsError::ManPages { folder: args.folder.clone(), source })
}
