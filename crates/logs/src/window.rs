//! Finds where in a plain file a time begins, by reading a few places of it.
//!
//! A commitment's line is written after its tick, never before. So everything about ticks from `since` on follows the
//! last line that is older than `since`. Lines are nearly in order of time; [`UTC_SLACK`] covers the exceptions.
//!
//! Canton's text logs contain the local time of a zone that they do not name. The zone is estimated from lines that
//! contain both times, with more slack for a change of summer time in between. The result is checked: there must be a
//! tick older than `since` before the first one that is not. If there is none, reading begins earlier.
//!
//! A file that is not in order of time, such as `cat participant.log participant.log.1` makes, has no such place. Some
//! places all over the file are compared first. If one is older than one before it, the whole file is read.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use svdr_protocol::time::{Tick, Timestamp};

use crate::canton::{LineTime, Message};
use crate::feed::Plain;
use crate::input::Fault;
use crate::lines::{Found, Judge, Needles, next_separator};
use crate::wrappers::Habits;
use crate::zone::{self, Zone};

/// How much earlier than `since` reading begins if lines contain points in time.
const UTC_SLACK: Duration = Duration::from_secs(15 * 60);
/// The same if the zone is an estimate: an hour of summer time more.
const ESTIMATE_SLACK: Duration = Duration::from_secs(75 * 60);
/// The same if the zone is unknown: the farthest are 14 hours away from UTC.
const UNKNOWN_SLACK: Duration = Duration::from_secs(15 * 60 * 60);
/// Bytes of the first look at a file's end; each further one is twice as long.
const TAIL_BYTES: u64 = 256 * 1024;
/// Bytes of a file's end in which the newest tick is looked for.
const MAX_TAIL_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes read at a place to find a line with a time.
const PROBE_BYTES: u64 = 64 * 1024;
/// Bytes in which a time is looked for; without one, the place counts as one of unknown time.
const MAX_PROBE_BYTES: u64 = 8 * 1024 * 1024;
/// How exactly the place is searched for.
const PRECISION_BYTES: u64 = 1024 * 1024;
/// Places whose times are compared to detect whether a file is in order. A newer part that is shorter than the distance
/// between them may be missed.
const ORDER_PROBES: u64 = 32;
/// Bytes read at a time to check a start that an estimate led to, and the first step back if the check fails.
const CHECK_BYTES: u64 = 4 * 1024 * 1024;
const STEP_BYTES: u64 = 32 * 1024 * 1024;

/// What the end of a file contains.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tail {
    /// The newest tick.
    pub(crate) newest: Option<Tick>,
    zone: Option<Zone>,
    /// Bytes read to find it.
    pub(crate) bytes: u64,
}

/// A plain file of which a few places are read.
pub(crate) struct Prober<'a> {
    file: &'a File,
    size: u64,
    needles: &'a Needles,
    habits: &'a Arc<Habits>,
    buffer: Vec<u8>,
    bytes: u64,
}

impl<'a> Prober<'a> {
    pub(crate) fn new(
        file: &'a File,
        size: u64,
        needles: &'a Needles,
        habits: &'a Arc<Habits>,
    ) -> Prober<'a> {
        Prober { file, size, needles, habits, buffer: Vec::new(), bytes: 0 }
    }

    fn plain(&self) -> Plain<'a> {
        Plain {
            file: self.file,
            mapping: None,
            start: 0,
            size: self.size,
            needles: self.needles,
            habits: self.habits,
        }
    }

    fn segment(&mut self, from: u64, to: u64) -> Result<Found, Fault> {
        let found = self.plain().segment(from, to, &mut self.buffer)?;
        self.bytes += found.bytes;
        Ok(found)
    }

    /// Reads the file's end up to a part that names ticks.
    pub(crate) fn tail(&mut self) -> Result<Tail, Fault> {
        let (mut to, mut length) = (self.size, TAIL_BYTES);
        while to > 0 && self.size - to < MAX_TAIL_BYTES {
            let from = to.saturating_sub(length);
            let found = self.segment(from, to)?;
            if let Some(newest) = found.messages.iter().filter_map(|message| message.fact.tick()).max() {
                let zone = zone::estimate(found.messages.iter().filter_map(lag_of).min());
                return Ok(Tail { newest: Some(newest), zone, bytes: self.bytes });
            }
            (to, length) = (from, length * 2);
        }
        Ok(Tail { newest: None, zone: None, bytes: self.bytes })
    }

    /// Returns a line's start before which nothing is about ticks from `since` on, and the bytes read to find it.
    pub(crate) fn start(&mut self, since: Timestamp, tail: &Tail) -> Result<(u64, u64), Fault> {
        self.bytes = 0;
        let slack = |slack: Duration| since.checked_sub(slack).unwrap_or(Timestamp::MIN);
        let (utc, local) = match tail.zone {
            Some(zone) => (slack(UTC_SLACK), zone.local(slack(ESTIMATE_SLACK))),
            None => (slack(UTC_SLACK), slack(UNKNOWN_SLACK)),
        };
        let is_older = |at| match at {
            LineTime::Utc(at) => at < utc,
            LineTime::Local(at) => at < local,
        };
        if !self.is_in_order()? {
            return Ok((0, self.bytes));
        }
        let (mut low, mut high) = (0, self.size);
        let mut estimated = false;
        while high - low > PRECISION_BYTES {
            let middle = low + (high - low) / 2;
            match self.probe(middle, high)? {
                Some(at) if is_older(at) => {
                    estimated |= matches!(at, LineTime::Local(_)) && tail.zone.is_some();
                    low = middle;
                }
                // If nothing shows the time, it is better to begin too early.
                _ => high = middle,
            }
        }
        let mut step = STEP_BYTES;
        while estimated && low > 0 && !self.is_before(low, since)? {
            low = low.saturating_sub(step);
            step *= 2;
        }
        Ok((self.line_start(low)?, self.bytes))
    }

    /// Whether the lines get newer from the start to the end, apart from what the slacks cover: a local time goes back by
    /// an hour when summer time ends.
    fn is_in_order(&mut self) -> Result<bool, Fault> {
        let probes = ORDER_PROBES.min(self.size / PRECISION_BYTES);
        let (mut newest_utc, mut newest_local) = (Timestamp::MIN, Timestamp::MIN);
        for nth in 0..probes {
            let place = self.size / probes * nth;
            let (newest, at, slack) = match self.probe(place, self.size)? {
                Some(LineTime::Utc(at)) => (&mut newest_utc, at, UTC_SLACK),
                Some(LineTime::Local(at)) => (&mut newest_local, at, ESTIMATE_SLACK),
                None => continue,
            };
            if newest.checked_sub(slack).is_some_and(|oldest| at < oldest) {
                return Ok(false);
            }
            *newest = at.max(*newest);
        }
        Ok(true)
    }

    /// Returns the time of the first line after `at` that has one.
    fn probe(&mut self, at: u64, until: u64) -> Result<Option<LineTime>, Fault> {
        let mut length = PROBE_BYTES;
        loop {
            let to = (at + length).min(until);
            self.fill(at, to)?;
            let from = next_separator(&self.buffer, 0).map_or(self.buffer.len(), |at| at + 1);
            // In range: a separator's place and one more is at most the length.
            let time = Judge::new(self.habits).first_time(&self.buffer[from..]);
            if time.is_some() || to == until || length >= MAX_PROBE_BYTES {
                return Ok(time);
            }
            length *= 4;
        }
    }

    /// Whether the first ticks after `at` are older than `since`.
    fn is_before(&mut self, at: u64, since: Timestamp) -> Result<bool, Fault> {
        let end = (at + 2 * STEP_BYTES).min(self.size);
        let mut from = at;
        while from < end {
            let to = (from + CHECK_BYTES).min(end);
            let found = self.segment(from, to)?;
            if let Some(first) = found.messages.iter().find_map(|message| message.fact.tick()) {
                return Ok(first.0 < since);
            }
            from = to;
        }
        Ok(false)
    }

    fn line_start(&mut self, at: u64) -> Result<u64, Fault> {
        let mut at = at;
        while at > 0 && at < self.size {
            self.fill(at - 1, (at + PROBE_BYTES).min(self.size))?;
            match next_separator(&self.buffer, 0) {
                Some(separator) => return Ok(at + separator as u64),
                None if self.buffer.is_empty() => break,
                None => at += self.buffer.len() as u64,
            }
        }
        Ok(at.min(self.size))
    }

    fn fill(&mut self, from: u64, to: u64) -> Result<(), Fault> {
        self.plain().view(&mut self.buffer, from, to)?;
        self.bytes += self.buffer.len() as u64;
        Ok(())
    }
}

/// Returns how much later than its tick the container's clock was at a message, in microseconds.
pub(crate) fn lag_of(message: &Message) -> Option<i64> {
    match message.at? {
        LineTime::Local(at) => Some(at.micros() - message.fact.tick()?.0.micros()),
        LineTime::Utc(_) => None,
    }
}
