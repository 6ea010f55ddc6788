//! One super validator's side of a recovery: what `svdr-agent` does, as a library.
//!
//! `commands` is the command line, one module a command; everything else is what they call. Rules are not
//! here: they live in `svdr-protocol`.

pub mod backup;
pub mod check;
pub mod commands;
pub mod config;
pub mod deliver;
pub mod donor;
pub mod driver;
pub mod envelope_lines;
pub mod export;
pub mod fetch;
pub mod identity;
pub mod link;
pub mod receive;
pub mod runbook;
pub mod screen;
pub mod store;
pub mod sv_app;
pub mod validator;
pub mod view;

pub use svdr_cli::roster_file;
