//! Runs of ticks, and how ticks become runs.

use super::Ticks;
use crate::time::{Tick, Timestamp};

/// Ticks at an even distance: `first`, `first + step`, …, `count` of them; microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickRun {
    /// The first tick, in microseconds since the Unix epoch.
    pub first: i64,
    /// The distance in microseconds; zero if there is only one.
    pub step: u64,
    /// How many, at least one.
    pub count: u32,
}

/// Why runs are not a set of ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TickRunError {
    /// The run has no tick.
    #[error("a run of ticks is empty")]
    Empty,
    /// The step does not fit the count: positive if there are several ticks, zero if there is one.
    #[error("a run of {count} ticks has a step of {step} microseconds; only a single tick has no step")]
    Step {
        /// Ticks in the run.
        count: u32,
        /// Its step.
        step: u64,
    },
    /// A tick is outside the years 1 to 9999.
    #[error("a run of ticks leaves the years 1 to 9999")]
    OutOfRange,
    /// The ticks are not ascending.
    #[error("the ticks are not in ascending order at {at}")]
    Order {
        /// The tick that should have come earlier.
        at: Tick,
    },
    /// There are more ticks than allowed.
    #[error("there are more ticks than the limit, {limit}")]
    TooMany {
        /// How many are allowed.
        limit: usize,
    },
}

impl TickRun {
    /// The tick after `nth` others, at the run's distance; `None` outside the years 1 to 9999. It may be after the run.
    pub(super) fn nth(self, nth: u32) -> Option<Tick> {
        let offset = u64::from(nth).checked_mul(self.step)?;
        self.first.checked_add_unsigned(offset).and_then(Timestamp::from_micros).map(Tick)
    }

    /// The newest tick; none if the run is empty.
    pub(super) fn last(self) -> Option<Tick> {
        self.nth(self.count.checked_sub(1)?)
    }

    /// How many of the ticks are not later than `at`.
    pub(super) fn count_until(self, at: i64) -> u32 {
        if at < self.first {
            return 0;
        }
        let others = at.abs_diff(self.first).checked_div(self.step).unwrap_or(0);
        // If it does not fit, `at` is after the run.
        u32::try_from(others).map_or(self.count, |others| self.count.min(others.saturating_add(1)))
    }

    /// Its oldest ticks, `count` of them.
    pub(super) const fn first_of(self, count: u32) -> TickRun {
        TickRun { count, ..self }
    }
}

/// Makes runs of ticks that come in ascending order.
#[derive(Default)]
pub(super) struct Builder {
    runs: Vec<TickRun>,
    newest: Option<Tick>,
    len: usize,
}

impl Builder {
    /// Adds a tick that is later than those before.
    pub(super) fn push(&mut self, tick: Tick) {
        let at = tick.0.micros();
        let distance = self.newest.map(|newest| at.abs_diff(newest.0.micros()));
        match (self.runs.last_mut(), distance) {
            (Some(run), Some(distance)) if run.count == 1 => (run.step, run.count) = (distance, 2),
            (Some(run), Some(distance)) if run.step == distance && run.count < u32::MAX => run.count += 1,
            _ => self.runs.push(TickRun { first: at, step: 0, count: 1 }),
        }
        self.newest = Some(tick);
        self.len += 1;
    }

    /// Adds the ticks of a run, as [`push`](Self::push) would one by one, if there are not more than `limit` then.
    pub(super) fn add(&mut self, run: TickRun, limit: usize) -> Result<(), TickRunError> {
        let TickRun { step, count, .. } = run;
        match (count, step) {
            (0, _) => return Err(TickRunError::Empty),
            (1, 0) => {}
            (1, _) | (_, 0) => return Err(TickRunError::Step { count, step }),
            _ => {}
        }
        // No run counts further than that.
        let allowed = limit.min(u32::MAX as usize);
        if count as usize > allowed.saturating_sub(self.len) {
            return Err(TickRunError::TooMany { limit });
        }
        let first = run.nth(0).ok_or(TickRunError::OutOfRange)?;
        if self.newest.is_some_and(|newest| newest >= first) {
            return Err(TickRunError::Order { at: first });
        }
        let last = run.last().ok_or(TickRunError::OutOfRange)?;
        // After three ticks the last run has this one's distance, whatever came before: the rest only counts.
        let ticks = (0..count.min(3)).map_while(|nth| run.nth(nth));
        ticks.for_each(|tick| self.push(tick));
        if let (Some(rest @ 1..), Some(extended)) = (count.checked_sub(3), self.runs.last_mut()) {
            extended.count += rest;
            self.len += rest as usize;
            self.newest = Some(last);
        }
        Ok(())
    }

    /// The ticks added.
    pub(super) fn finish(self) -> Ticks {
        Ticks { runs: split_pairs(self.runs).into_boxed_slice(), len: self.len }
    }
}

/// A run of two may be an accident: `1, 5, 6, 7` is better split into `1` and `5, 6, 7` than into `1, 5` and `6, 7`.
/// If the second tick of a pair continues evenly into the run after it, it is moved there.
fn split_pairs(runs: Vec<TickRun>) -> Vec<TickRun> {
    if runs.iter().all(|run| run.count != 2) {
        return runs;
    }
    let mut better: Vec<TickRun> = Vec::with_capacity(runs.len());
    for run in runs {
        if let Some(pair) = better.last_mut()
            && pair.count == 2
            && run.count > 1
            && run.count < u32::MAX
        {
            let second = pair.first.saturating_add_unsigned(pair.step);
            if run.first.abs_diff(second) == run.step {
                (pair.step, pair.count) = (0, 1);
                better.push(TickRun { first: second, step: run.step, count: run.count + 1 });
                continue;
            }
        }
        better.push(run);
    }
    better
}
