//! Progress of long work: bytes, rate and time left, on stderr if it is a terminal.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a bar is redrawn, so that a stalled transfer does not look like a dead program.
const STEADY_TICK: Duration = Duration::from_millis(200);

const KNOWN: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
const UNKNOWN: &str = "{spinner} {msg} {bytes} {bytes_per_sec}, {elapsed}";

/// A progress bar that counts bytes; invisible if stderr is not a terminal. Cleared when dropped.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Starts a bar for `what`, of `total` bytes if that is known.
    pub fn bytes(what: &str, total: Option<u64>) -> Progress {
        let visible = io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target);
        let template = if total.is_some() { KNOWN } else { UNKNOWN };
        // Both templates are constants that indicatif can read; should one not be, its own style stays.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        if visible {
            bar.enable_steady_tick(STEADY_TICK);
        }
        Progress(bar)
    }

    /// Counts `bytes` more.
    pub fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
