//! Mismatches whose lines do not name the sender, and the traces that may identify it.
//!
//! Some logs lack the error context. The commitment is then the one that the same trace was checking, if it checked
//! exactly one. A mismatch is identified by its trace, its code and the time that Canton wrote. So a copy of the log in
//! another wrapper adds nothing, and the same line with its context attributes the mismatch.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use svdr_protocol::time::{Tick, Timestamp};

use crate::canton::{Commitment, Fact, LineTime, Message};
use crate::limits::{MAX_PENDING_MISMATCHES, MAX_REMEMBERED_CHECKS};

/// All zones differ by whole quarters of an hour, so a time modulo this is the same in every one.
const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;
const MICROS_PER_MILLI: i64 = 1000;

/// Returns a number for `value` that is the same in every run.
pub(crate) fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    trace: Option<u64>,
    code: u64,
    /// Milliseconds into a quarter of an hour.
    moment: Option<i64>,
}

/// Mismatches that wait for the name of their sender.
#[derive(Default)]
pub(crate) struct Pending {
    unattributed: HashSet<Key>,
    attributed: HashSet<Key>,
    traces: HashSet<u64>,
    beyond_limit: u64,
}

impl Pending {
    /// Adds a mismatch that does not name its sender.
    pub(crate) fn add(&mut self, message: &Message) {
        let Some(key) = key(message) else { return };
        if self.unattributed.len() >= MAX_PENDING_MISMATCHES && !self.unattributed.contains(&key) {
            self.beyond_limit += 1;
            return;
        }
        self.unattributed.insert(key);
        self.traces.extend(key.trace);
    }

    /// Adds a mismatch that does.
    pub(crate) fn attributed(&mut self, message: &Message) {
        if self.attributed.len() < MAX_PENDING_MISMATCHES {
            self.attributed.extend(key(message));
        }
    }

    /// Whether a mismatch of this trace waits.
    pub(crate) fn waits_for(&self, trace: &str) -> bool {
        self.traces.contains(&hash(trace))
    }

    /// Whether a trace could attribute any.
    pub(crate) fn has_traces(&self) -> bool {
        !self.traces.is_empty()
    }

    /// Returns the number of mismatches that were too many to be distinguished.
    pub(crate) fn beyond_limit(&self) -> u64 {
        self.beyond_limit
    }

    /// Returns the traces of the mismatches whose sender no line names, one entry a mismatch.
    pub(crate) fn unattributed(&self) -> impl Iterator<Item = Option<u64>> + '_ {
        self.unattributed.difference(&self.attributed).map(|key| key.trace)
    }
}

fn key(message: &Message) -> Option<Key> {
    let Fact::Mismatch { code, .. } = &message.fact else { return None };
    let micros = |at| match at {
        LineTime::Utc(at) | LineTime::Local(at) => Timestamp::micros(at),
    };
    let moment = message.stamp.map(|at| micros(at).rem_euclid(QUARTER_MICROS) / MICROS_PER_MILLI);
    Some(Key { trace: message.trace.as_deref().map(hash), code: hash(code), moment })
}

/// The commitments that traces were checking.
#[derive(Default)]
pub(crate) struct Checks {
    /// Trace, sender and tick.
    entries: Vec<(u64, u64, Tick)>,
    sorted: usize,
    /// Whether some could not be remembered.
    pub(crate) overflow: bool,
}

impl Checks {
    pub(crate) fn add(&mut self, trace: &str, commitment: &Commitment) {
        if self.entries.len() >= MAX_REMEMBERED_CHECKS {
            self.sort();
            // If sorting made little room, the next sort would come soon, and each costs time.
            if self.entries.len() > MAX_REMEMBERED_CHECKS / 2 {
                self.overflow = true;
                return;
            }
        }
        self.entries.push((hash(trace), hash(&commitment.sender), commitment.tick));
    }

    /// Prepares [`Checks::only`], once all have been added.
    pub(crate) fn sort(&mut self) {
        if self.sorted != self.entries.len() {
            self.entries.sort_unstable();
            self.entries.dedup();
            self.sorted = self.entries.len();
        }
    }

    /// Returns the one commitment that `trace` was checking, by its sender's hash.
    pub(crate) fn only(&self, trace: u64) -> Option<(u64, Tick)> {
        let from = self.entries.partition_point(|entry| entry.0 < trace);
        let mut of_trace = self.entries.iter().skip(from).take_while(|entry| entry.0 == trace);
        match (of_trace.next(), of_trace.next()) {
            (Some(&(_, sender, tick)), None) => Some((sender, tick)),
            _ => None,
        }
    }
}
