//! Mismatches whose lines do not say whose commitment differs, and the traces that may tell.
//!
//! Canton's JSON logs leave the error context out. The commitment is then the one that the same trace was
//! checking, where it checked exactly one. A mismatch is told apart from another by its trace, its code and the
//! time that Canton wrote, so that a copy of the log, in whatever wrapper, adds nothing, and so that the same
//! line in a text log, context and all, settles it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use svdr_protocol::time::{Tick, Timestamp};

use crate::canton::{Commitment, Fact, LineTime, Message};
use crate::limits::{MAX_PENDING_MISMATCHES, MAX_REMEMBERED_CHECKS};

/// All zones differ by whole quarters of an hour, so a time modulo this is the same in every one.
const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;
const MICROS_PER_MILLI: i64 = 1000;

/// A number for `value` that is the same in every run.
pub(super) fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
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

/// Mismatches that wait to be told whose they are.
#[derive(Default)]
pub(crate) struct Pending {
    untold: HashSet<Key>,
    told: HashSet<Key>,
    traces: HashSet<u64>,
    beyond_limit: u64,
}

impl Pending {
    /// A mismatch that does not say whose.
    pub(super) fn add(&mut self, message: &Message) {
        let Some(key) = key(message) else { return };
        if self.untold.len() >= MAX_PENDING_MISMATCHES && !self.untold.contains(&key) {
            self.beyond_limit += 1;
            return;
        }
        self.untold.insert(key);
        self.traces.extend(key.trace);
    }

    /// A mismatch that does.
    pub(super) fn told(&mut self, message: &Message) {
        if self.told.len() < MAX_PENDING_MISMATCHES {
            self.told.extend(key(message));
        }
    }

    /// Whether a mismatch of this trace waits.
    pub(crate) fn waits_for(&self, trace: &str) -> bool {
        self.traces.contains(&hash(trace))
    }

    /// Whether a trace could tell about any.
    pub(crate) fn has_traces(&self) -> bool {
        !self.traces.is_empty()
    }

    /// Mismatches that were too many to be told apart.
    pub(super) fn beyond_limit(&self) -> u64 {
        self.beyond_limit
    }

    /// The traces of the mismatches that no line tells about; one entry a mismatch.
    pub(super) fn untold(&self) -> impl Iterator<Item = Option<u64>> + '_ {
        self.untold.difference(&self.told).map(|key| key.trace)
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

/// What traces were checking.
#[derive(Default)]
pub(crate) struct Checks {
    /// Trace, sender and tick.
    entries: Vec<(u64, u64, Tick)>,
    sorted: usize,
    /// Whether some could not be remembered.
    pub(crate) overflow: bool,
}

impl Checks {
    pub(super) fn add(&mut self, trace: &str, commitment: &Commitment) {
        if self.entries.len() >= MAX_REMEMBERED_CHECKS {
            self.sort();
            // Unless copies made room for a good part, sorting again and again would take for ever.
            if self.entries.len() > MAX_REMEMBERED_CHECKS / 2 {
                self.overflow = true;
                return;
            }
        }
        self.entries.push((hash(trace), hash(&commitment.sender), commitment.tick));
    }

    /// Makes [`Checks::only`] ready, once all have been added.
    pub(crate) fn sort(&mut self) {
        if self.sorted != self.entries.len() {
            self.entries.sort_unstable();
            self.entries.dedup();
            self.sorted = self.entries.len();
        }
    }

    /// The one commitment that `trace` was checking, by its sender's hash.
    pub(super) fn only(&self, trace: u64) -> Option<(u64, Tick)> {
        let from = self.entries.partition_point(|entry| entry.0 < trace);
        let mut of_trace = self.entries.iter().skip(from).take_while(|entry| entry.0 == trace);
        match (of_trace.next(), of_trace.next()) {
            (Some(&(_, sender, tick)), None) => Some((sender, tick)),
            _ => None,
        }
    }
}
