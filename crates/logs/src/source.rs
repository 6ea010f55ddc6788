//! What the reading of one log has found about the log itself.

use svdr_protocol::evidence::document::Source;
use svdr_protocol::time::Timestamp;

use crate::canton::{Fact, LineTime};
use crate::input::Fault;
use crate::lines::Found;
use crate::window;
use crate::zone::{self, Zone};

/// What is known of one log.
#[derive(Default)]
pub(crate) struct LogRead {
    pub(crate) source: Source,
    /// Lines about commitments that were too long to be read.
    pub(crate) overlong: u64,
    pub(crate) fault: Option<Fault>,
    /// Whether it contains text in UTF-16 after text in UTF-8.
    pub(crate) has_utf16: bool,
    /// Whether a line of a participant was seen.
    pub(crate) is_recognised: bool,
    /// The archive that it is a file of.
    archive_path: Option<String>,
    /// Lines of the processor whose record names no logger.
    pub(crate) without_logger: u64,
    /// Times of the first and the last line that have one.
    pub(crate) first: Option<LineTime>,
    pub(crate) last: Option<LineTime>,
    /// Oldest and newest of the processor's lines that contain a point in time.
    pub(crate) utc: Option<(Timestamp, Timestamp)>,
    /// Those of its lines that contain a local time, by the zone that their own ticks suggest.
    pub(crate) local: Vec<InZone>,
    /// Lines of the processor that contain no time that is known.
    pub(crate) without_time: u64,
    /// The least by which a local time is later than the tick of its line, in microseconds.
    pub(crate) least_lag: Option<i64>,
    /// The zones that the ticks of the first and of the last line with a local time suggest.
    pub(crate) first_zone: Option<Zone>,
    pub(crate) last_zone: Option<Zone>,
}

/// Lines with local times that suggest the same zone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InZone {
    pub(crate) zone: Zone,
    pub(crate) oldest: Timestamp,
    pub(crate) newest: Timestamp,
}

impl LogRead {
    /// Begins the log that is called `path`, of which `bytes` have been read to find where to begin.
    pub(crate) fn new(path: String, bytes: u64) -> LogRead {
        LogRead { source: Source { path, bytes, ..Source::default() }, ..LogRead::default() }
    }

    /// Begins the file at `path` of an archive, of which `bytes` have been read to find it.
    pub(crate) fn entry(archive: &str, path: &str, bytes: u64) -> LogRead {
        LogRead { archive_path: Some(archive.to_owned()), ..LogRead::new(format!("{archive}/{path}"), bytes) }
    }

    /// Returns the archive that this is in. None if this is one of which no file has been read.
    pub(crate) fn archive(&self) -> Option<&str> {
        self.archive_path.as_deref()
    }

    /// Adds a part of the log.
    pub(crate) fn add(&mut self, found: &Found) {
        self.source.bytes += found.bytes;
        self.source.lines += found.lines;
        self.source.unreadable_lines += found.unreadable;
        self.overlong += found.overlong;
        self.has_utf16 |= found.has_utf16;
        self.is_recognised |= found.is_recognised;
        // Only the first and the last time of the parts count, so that nothing depends on their borders.
        self.first = self.first.or(found.first);
        self.last = found.last.or(self.last);
        for message in &found.messages {
            let lag = window::lag_of(message);
            self.extend_span(message.at, zone::estimate(lag));
            if !matches!(message.fact, Fact::Checking(_) | Fact::Compared(_)) {
                self.source.commitment_lines += 1;
                self.without_logger += u64::from(message.logger.is_none());
                self.without_time += u64::from(message.at.is_none());
                self.least_lag = match (self.least_lag, lag) {
                    (Some(least), Some(lag)) => Some(least.min(lag)),
                    (least, lag) => least.or(lag),
                };
            }
        }
    }

    fn extend_span(&mut self, at: Option<LineTime>, zone: Option<Zone>) {
        match (at, zone) {
            (Some(LineTime::Utc(at)), _) => {
                let (oldest, newest) = self.utc.unwrap_or((at, at));
                self.utc = Some((oldest.min(at), newest.max(at)));
            }
            (Some(LineTime::Local(at)), Some(zone)) => {
                self.first_zone = self.first_zone.or(Some(zone));
                self.last_zone = Some(zone);
                match self.local.iter_mut().find(|it| it.zone == zone) {
                    Some(known) => {
                        known.oldest = known.oldest.min(at);
                        known.newest = known.newest.max(at);
                    }
                    None => self.local.push(InZone { zone, oldest: at, newest: at }),
                }
            }
            (Some(LineTime::Local(_)), None) | (None, _) => {}
        }
    }
}
