//! What the reading of one log has found about the log itself.

use svdr_protocol::evidence::document::Source;
use svdr_protocol::time::Timestamp;

use crate::canton::{Fact, LineTime};
use crate::input::Fault;
use crate::lines::Found;
use crate::window;

/// What is known of one log.
#[derive(Default)]
pub(crate) struct LogRead {
    pub(crate) source: Source,
    /// Lines about commitments that were too long to be read.
    pub(crate) overlong: u64,
    pub(crate) fault: Option<Fault>,
    /// Lines of the processor whose record names no logger.
    pub(crate) without_logger: u64,
    /// Times of the first and the last line that have one.
    pub(crate) first: Option<LineTime>,
    pub(crate) last: Option<LineTime>,
    /// Oldest and newest of the processor's lines, by the kind of their times.
    pub(crate) utc: Option<(Timestamp, Timestamp)>,
    pub(crate) local: Option<(Timestamp, Timestamp)>,
    /// The least by which a local time is later than the tick of its line, in microseconds.
    pub(crate) least_lag: Option<i64>,
}

impl LogRead {
    /// Begins the log that is called `path`, of which `bytes` have been read to find where to begin.
    pub(crate) fn new(path: String, bytes: u64) -> LogRead {
        LogRead { source: Source { path, bytes, ..Source::default() }, ..LogRead::default() }
    }

    /// Adds a part of the log.
    pub(crate) fn add(&mut self, found: &Found) {
        self.source.bytes += found.bytes;
        self.source.lines += found.lines;
        self.source.unreadable_lines += found.unreadable;
        self.overlong += found.overlong;
        // Only the first and the last time of the parts count, so that nothing depends on their borders.
        self.first = self.first.or(found.first);
        self.last = found.last.or(self.last);
        for message in &found.messages {
            self.extend_span(message.at);
            if !matches!(message.fact, Fact::Checking(_)) {
                self.source.commitment_lines += 1;
                self.without_logger += u64::from(!message.logger);
                let lag = window::lag_of(message);
                self.least_lag = match (self.least_lag, lag) {
                    (Some(least), Some(lag)) => Some(least.min(lag)),
                    (least, lag) => least.or(lag),
                };
            }
        }
    }

    fn extend_span(&mut self, at: Option<LineTime>) {
        let (span, at) = match at {
            Some(LineTime::Utc(at)) => (&mut self.utc, at),
            Some(LineTime::Local(at)) => (&mut self.local, at),
            None => return,
        };
        let (oldest, newest) = span.unwrap_or((at, at));
        *span = Some((oldest.min(at), newest.max(at)));
    }
}
