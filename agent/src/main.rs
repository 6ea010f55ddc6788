//! `svdr-agent`: see [`svdr_agent::commands`].

use std::process::ExitCode;

use clap::Parser as _;
use svdr_agent::commands::CommandLine;

fn main() -> ExitCode {
    CommandLine::parse().run().into()
}
