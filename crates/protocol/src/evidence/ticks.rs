//! A set of ticks, kept as what it nearly always is: a few runs at an even distance.
//!
//! A participant exchanges commitments with everybody at the same even distance. So two days of minutes are one run of 24
//! bytes instead of a list of 23 KB. The same ticks always have the same runs, however the set was made, so sets are
//! equal if their runs are. Nothing is ever expanded: the memory of a hostile statement is bounded by its own length.

use crate::time::{Tick, Timestamp};

mod descending;
mod iter;
mod runs;

pub(crate) use descending::Descending;
pub use iter::Iter;
pub use runs::{TickRun, TickRunError};

use runs::Builder;

/// Ticks in ascending order, none twice; at most `u32::MAX` of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticks {
    /// Ascending, not overlapping, each as long as its first distance lasts.
    runs: Box<[TickRun]>,
    /// The number of ticks in the runs.
    len: usize,
}

impl Ticks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The ticks, ascending.
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(&self.runs, self.len)
    }

    /// Whether `tick` is among them.
    pub fn contains(&self, tick: Tick) -> bool {
        self.newest_until(tick.0) == Some(tick)
    }

    /// The newest.
    pub fn newest(&self) -> Option<Tick> {
        self.runs.last().and_then(|run| run.last())
    }

    /// The newest that is not later than `at`.
    pub(crate) fn newest_until(&self, at: Timestamp) -> Option<Tick> {
        let begun = self.runs.partition_point(|run| run.first <= at.micros());
        let run = self.runs.get(begun.checked_sub(1)?)?;
        run.first_of(run.count_until(at.micros())).last()
    }

    /// Whether there is one in `(after, until]`.
    pub(crate) fn any_between(&self, after: Timestamp, until: Timestamp) -> bool {
        self.newest_until(until).is_some_and(|tick| tick.0 > after)
    }

    /// The runs of exactly these ticks, ascending: each as long as its first distance lasts.
    pub fn runs(&self) -> &[TickRun] {
        &self.runs
    }

    /// The ticks of `runs`, at most `limit` of them.
    ///
    /// # Errors
    /// If a run is malformed, they are not ascending, or there are more than `limit`.
    pub(crate) fn from_runs(
        runs: impl IntoIterator<Item = TickRun>,
        limit: usize,
    ) -> Result<Ticks, TickRunError> {
        let mut builder = Builder::default();
        for run in runs {
            builder.add(run, limit)?;
        }
        Ok(builder.finish())
    }

    /// The ticks in `[oldest, newest]`, from the newest to the oldest.
    pub(crate) fn descending(&self, oldest: Timestamp, newest: Timestamp) -> Descending<'_> {
        Descending::new(&self.runs, oldest, newest)
    }
}

impl FromIterator<Tick> for Ticks {
    /// Any order, any duplication.
    fn from_iter<I: IntoIterator<Item = Tick>>(ticks: I) -> Ticks {
        let mut ticks: Vec<Tick> = ticks.into_iter().collect();
        ticks.sort_unstable();
        ticks.dedup();
        let mut builder = Builder::default();
        ticks.into_iter().for_each(|tick| builder.push(tick));
        builder.finish()
    }
}

#[cfg(test)]
mod tests;
