//! `svdr-coordinator`: see [`svdr_coordinator::commands`].

use std::process::ExitCode;

use svdr_coordinator::commands::CommandLine;

fn main() -> ExitCode {
    svdr_cli::failure::parse::<CommandLine>().run().into()
}
