//! Log lines on stderr, through `tracing`.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One readable line for each event.
    #[default]
    Text,
    /// One JSON object for each event.
    Json,
}

/// What is logged where `RUST_LOG` says nothing: what an operator has to know.
const DEFAULT_FILTER: &str = "warn,svdr=info";

/// Starts logging to stderr, filtered by `RUST_LOG`. A second call changes nothing.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours);
    // A subscriber that is already there stays; the programs call this once, tests many times.
    let _ = match format {
        LogFormat::Text if io::stderr().is_terminal() => builder.with_target(false).without_time().try_init(),
        LogFormat::Text => builder.with_target(false).with_timer(SystemTime).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_timer(SystemTime).try_init(),
    };
}
