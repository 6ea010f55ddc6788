//! How much one coordinator carries: see [`svdr_tests::capacity`].

use std::process::ExitCode;

use clap::Parser as _;
use svdr_tests::capacity::{self, Options};

fn main() -> ExitCode {
    match capacity::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the measurement failed: {error}");
            ExitCode::FAILURE
        }
    }
}
