//! `svdr-agent`: see [`svdr_agent::commands`].

use std::process::ExitCode;

use svdr_agent::commands::CommandLine;

fn main() -> ExitCode {
    svdr_cli::failure::parse::<CommandLine>().run().into()
}
