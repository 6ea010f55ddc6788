//! Shell completions and man pages, made from the same definition as the command line itself.

use std::io;
use std::path::Path;

use clap::Command;
pub use clap_complete::Shell;

/// The completion script of `command` for `shell`.
pub fn script(command: &mut Command, shell: Shell) -> Vec<u8> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, command, name, &mut script);
    script
}

/// Writes one man page a command into `folder`.
///
/// # Errors
/// Where the folder cannot be written.
pub fn man_pages(command: Command, folder: &Path) -> io::Result<()> {
    clap_mangen::generate_to(command, folder)
}
