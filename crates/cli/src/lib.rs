//! What the command lines of svdr share: how results are printed, errors become exit codes, logs are written.

pub mod completions;
pub mod confirm;
pub mod core_dumps;
pub mod failure;
pub mod logging;
pub mod output;
pub mod progress;
pub mod roster_command;
pub mod roster_file;
pub mod runtime;
pub mod screens;
pub mod signing_key;
