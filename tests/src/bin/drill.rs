//! A whole rehearsal on this machine: see [`svdr_tests::drill`]. The agent and the coordinator are in it.

use std::process::ExitCode;

use clap::Parser as _;
use svdr_tests::binaries;
use svdr_tests::drill::{self, Options};

fn main() -> ExitCode {
    if let Some(code) = binaries::run_as_called() {
        return code;
    }
    match drill::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{}\nThe drill failed.", svdr_cli::failure::explain(&error));
            ExitCode::FAILURE
        }
    }
}
