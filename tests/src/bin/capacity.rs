//! How much one coordinator carries: see [`svdr_tests::capacity`]. The agent and the coordinator are in it.

use std::process::ExitCode;

use clap::Parser as _;
use svdr_tests::binaries;
use svdr_tests::capacity::{self, Options};

fn main() -> ExitCode {
    if let Some(code) = binaries::run_as_called() {
        return code;
    }
    match capacity::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the measurement failed: {error}");
            ExitCode::FAILURE
        }
    }
}
