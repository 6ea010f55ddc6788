//! What the command lines of svdr share: how results are printed, errors become exit codes, logs are written.

pub mod completions;
pub mod exit;
pub mod files;
pub mod logging;
pub mod output;
pub mod progress;
pub mod span;
