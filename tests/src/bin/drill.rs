//! A whole rehearsal on this machine: see [`svdr_tests::drill`].

use std::process::ExitCode;

use clap::Parser as _;
use svdr_tests::drill::{self, Options};

fn main() -> ExitCode {
    match drill::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nthe drill failed: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}
