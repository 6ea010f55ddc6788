//! `svdr-coordinator`: see [`svdr_coordinator::commands`].

use std::process::ExitCode;

use clap::Parser as _;
use svdr_coordinator::commands::CommandLine;

fn main() -> ExitCode {
    CommandLine::parse().run().into()
}
