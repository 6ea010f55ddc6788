//! The ticks of a set from the newest to the oldest, with leaps over whole runs.

use super::TickRun;
use crate::time::{Tick, Timestamp};

/// Where nothing is left.
const NOTHING: TickRun = TickRun { first: 0, step: 0, count: 0 };

/// Ticks not yet passed, walked from the newest down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descending<'a> {
    /// The runs older than `run`.
    older: &'a [TickRun],
    /// What is left of the newest run; empty only if nothing is left at all.
    run: TickRun,
    oldest: i64,
}

impl<'a> Descending<'a> {
    /// The ticks of `runs` in `[oldest, newest]`.
    pub(super) fn new(runs: &'a [TickRun], oldest: Timestamp, newest: Timestamp) -> Descending<'a> {
        let mut all = Descending { older: runs, run: NOTHING, oldest: oldest.micros() };
        all.load();
        all.pass_newer(Tick(newest));
        all
    }

    /// The newest tick left.
    pub(crate) fn peek(&self) -> Option<Tick> {
        self.run.last()
    }

    /// Passes what is newer than `tick`.
    pub(crate) fn pass_newer(&mut self, tick: Tick) {
        let at = tick.0.micros();
        while self.peek().is_some_and(|newest| newest > tick) {
            self.run.count = self.run.count_until(at);
            self.load();
        }
    }

    /// Passes the newest `count` ticks, or those of the newest run, if it has fewer.
    pub(crate) fn pass(&mut self, count: u32) {
        self.run.count = self.run.count.saturating_sub(count);
        self.load();
    }

    /// How many ticks both have in common from the newest on, at one distance; zero if they differ in the
    /// newest. Older ticks may have more in common.
    pub(crate) fn alike(&self, other: &Descending<'_>) -> u32 {
        match (self.peek(), other.peek()) {
            (Some(one), Some(another)) if one == another => {
                if self.run.step == other.run.step {
                    self.run.count.min(other.run.count)
                } else {
                    1
                }
            }
            _ => 0,
        }
    }

    /// Passes the newest run, as far as it is not older than `oldest`, and gives what was passed; none if
    /// everything left is older.
    pub(crate) fn take_run(&mut self, oldest: Tick) -> Option<TickRun> {
        let run = self.run;
        let oldest = oldest.0.micros();
        if self.peek()?.0.micros() < oldest {
            return None;
        }
        let left = if run.first >= oldest { 0 } else { run.count_until(oldest - 1) };
        self.run.count = left;
        self.load();
        Some(TickRun { first: run.nth(left)?.0.micros(), count: run.count - left, ..run })
    }

    /// Continues with the next run if this one has been passed.
    fn load(&mut self) {
        while self.run.count == 0
            && let Some((run, older)) = self.older.split_last()
        {
            (self.run, self.older) = (*run, older);
            if run.first < self.oldest {
                let before = run.count_until(self.oldest - 1);
                // The first tick after those; if there is none, the count is zero.
                let first = run.nth(before).map_or(run.first, |tick| tick.0.micros());
                self.run = TickRun { first, count: run.count - before, ..*run };
                self.older = &[];
            }
        }
    }
}

impl Iterator for Descending<'_> {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        let tick = self.peek()?;
        self.pass(1);
        Some(tick)
    }
}
