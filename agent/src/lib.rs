//! One super validator's side of a recovery: what `svdr-agent` does, as a library.
//!
//! `commands` is the command line, one module a command; everything else is what they call. Rules are not
//! here: they live in `svdr-protocol`.

pub mod commands;
pub mod config;
pub mod dump;
pub mod fetch;
pub mod identity;
pub mod roster_file;
pub mod scan;
pub mod sv_app;
