//! One super validator's side of a recovery: what `svdr-agent` does, as a library.
//!
//! `commands` is the command line, one module a command; everything else is what they call. Rules are not
//! here: they live in `svdr-protocol`.

// A program, not a library for others: an item has documentation where its name does not say everything.
#![allow(missing_docs)]

pub mod check;
pub mod commands;
pub mod config;
pub mod deliver;
pub mod donate;
pub mod envelope_lines;
pub mod evidence;
pub mod identities;
pub mod operator;
pub mod replica;
pub mod run;
pub mod runbook;
pub mod sources;
pub mod store;
pub mod validator;
pub mod version;

pub use svdr_cli::roster_file;
