//! One transfer of a donated snapshot, both of its ends as the agents have them: see [`svdr_tests::transfer`].

use std::process::ExitCode;

use clap::Parser as _;
use svdr_tests::transfer::{self, Part};

fn main() -> ExitCode {
    match transfer::run(&Part::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the transfer failed: {error}");
            ExitCode::FAILURE
        }
    }
}
