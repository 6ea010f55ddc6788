//! A set of ticks, and its compact form: runs at an even distance.

use crate::time::{Tick, Timestamp};

/// Ticks in ascending order, none twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticks(Vec<Tick>);

/// Ticks at an even distance: `first`, `first + step`, …, `count` of them; microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickRun {
    /// The first tick, in microseconds since the Unix epoch.
    pub first: i64,
    /// The distance in microseconds; zero where there is only one.
    pub step: u64,
    /// How many, at least one.
    pub count: u32,
}

/// Why runs are not a set of ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The run holds no tick.
    #[error("a run of ticks is empty")]
    Empty,
    /// The step does not fit the count: positive where there are several ticks, zero where there is one.
    #[error("a run of {count} ticks has the step {step} microseconds")]
    Step {
        /// Ticks in the run.
        count: u32,
        /// Its step.
        step: u64,
    },
    /// A tick lies outside the years 1 to 9999.
    #[error("a run of ticks leaves the years 1 to 9999")]
    OutOfRange,
    /// The ticks are not ascending.
    #[error("the ticks are not in ascending order at {at}")]
    Order {
        /// The tick that should have come earlier.
        at: Tick,
    },
    /// There are more ticks than allowed.
    #[error("there are more than {limit} ticks")]
    TooMany {
        /// How many are allowed.
        limit: usize,
    },
}

impl Ticks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The ticks, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Tick> + ExactSizeIterator + '_ {
        self.0.iter().copied()
    }

    /// The ticks, ascending.
    pub fn as_slice(&self) -> &[Tick] {
        &self.0
    }

    /// Whether `tick` is among them.
    pub fn contains(&self, tick: Tick) -> bool {
        self.0.binary_search(&tick).is_ok()
    }

    /// The newest.
    pub fn newest(&self) -> Option<Tick> {
        self.0.last().copied()
    }

    /// The newest that is not later than `at`.
    pub fn newest_until(&self, at: Timestamp) -> Option<Tick> {
        let after = self.0.partition_point(|tick| tick.0 <= at);
        after.checked_sub(1).and_then(|newest| self.0.get(newest)).copied()
    }

    /// Whether there is one in `(after, until]`.
    pub fn any_between(&self, after: Timestamp, until: Timestamp) -> bool {
        self.newest_until(until).is_some_and(|tick| tick.0 > after)
    }

    /// The runs that hold exactly these ticks, ascending: each as long as its first distance lasts.
    pub fn runs(&self) -> Vec<TickRun> {
        let mut runs: Vec<TickRun> = Vec::new();
        let mut last = 0;
        for at in self.0.iter().map(|tick| tick.0.micros()) {
            match runs.last_mut() {
                // Ascending ticks within the years 1 to 9999: the distance is positive and fits.
                Some(run) if run.count == 1 => {
                    (run.step, run.count) = (at.abs_diff(last), 2);
                }
                Some(run) if run.step == at.abs_diff(last) && run.count < u32::MAX => run.count += 1,
                _ => runs.push(TickRun { first: at, step: 0, count: 1 }),
            }
            last = at;
        }
        split_pairs(runs)
    }

    /// The ticks of `runs`, at most `limit` of them.
    ///
    /// # Errors
    /// Where a run is malformed, they are not ascending, or there are more than `limit`. Nothing is expanded
    /// beyond the limit.
    pub fn from_runs(runs: impl IntoIterator<Item = TickRun>, limit: usize) -> Result<Ticks, RunError> {
        let mut ticks: Vec<Tick> = Vec::new();
        for TickRun { first, step, count } in runs {
            match (count, step) {
                (0, _) => return Err(RunError::Empty),
                (1, 0) => {}
                (1, _) | (_, 0) => return Err(RunError::Step { count, step }),
                _ => {}
            }
            if count as usize > limit - ticks.len() {
                return Err(RunError::TooMany { limit });
            }
            for nth in 0..u64::from(count) {
                let at = nth
                    .checked_mul(step)
                    .and_then(|offset| first.checked_add_unsigned(offset))
                    .and_then(Timestamp::from_micros)
                    .ok_or(RunError::OutOfRange)?;
                if ticks.last().is_some_and(|last| last.0 >= at) {
                    return Err(RunError::Order { at: Tick(at) });
                }
                ticks.push(Tick(at));
            }
        }
        Ok(Ticks(ticks))
    }
}

/// A run of two may be an accident: `1, 5, 6, 7` is better told as `1` and `5, 6, 7` than as `1, 5` and `6, 7`.
/// Where the second tick of a pair continues evenly into the run behind it, it is moved there.
fn split_pairs(runs: Vec<TickRun>) -> Vec<TickRun> {
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

impl FromIterator<Tick> for Ticks {
    /// Any order, any duplication.
    fn from_iter<I: IntoIterator<Item = Tick>>(ticks: I) -> Ticks {
        let mut ticks: Vec<Tick> = ticks.into_iter().collect();
        ticks.sort_unstable();
        ticks.dedup();
        Ticks(ticks)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Tick {
        Tick(Timestamp::from_micros(micros).unwrap())
    }

    fn ticks(micros: &[i64]) -> Ticks {
        micros.iter().copied().map(at).collect()
    }

    #[test]
    fn an_even_series_is_one_run() {
        let minutes = ticks(&(0..2880).map(|minute| minute * 60_000_000).collect::<Vec<_>>());
        assert_eq!(minutes.runs(), [TickRun { first: 0, step: 60_000_000, count: 2880 }]);
        assert_eq!(ticks(&[7]).runs(), [TickRun { first: 7, step: 0, count: 1 }]);
        let gap = ticks(&[1, 5, 6, 7, 9]);
        assert_eq!(
            gap.runs(),
            [
                TickRun { first: 1, step: 0, count: 1 },
                TickRun { first: 5, step: 1, count: 3 },
                TickRun { first: 9, step: 0, count: 1 },
            ]
        );
    }

    #[test]
    fn malformed_runs_are_refused() {
        let run = |first, step, count| TickRun { first, step, count };
        let refused = |runs: &[TickRun]| Ticks::from_runs(runs.iter().copied(), 10).unwrap_err();
        assert_eq!(refused(&[run(0, 0, 0)]), RunError::Empty);
        assert_eq!(refused(&[run(0, 0, 2)]), RunError::Step { count: 2, step: 0 });
        assert_eq!(refused(&[run(0, 1, 1)]), RunError::Step { count: 1, step: 1 });
        assert_eq!(refused(&[run(0, 1, 11)]), RunError::TooMany { limit: 10 });
        assert_eq!(refused(&[run(0, 1, 6), run(9, 1, 5)]), RunError::TooMany { limit: 10 });
        assert_eq!(refused(&[run(0, 1, u32::MAX)]), RunError::TooMany { limit: 10 });
        assert_eq!(refused(&[run(0, u64::MAX, 2)]), RunError::OutOfRange);
        assert_eq!(refused(&[run(i64::MAX, 0, 1)]), RunError::OutOfRange);
        assert_eq!(refused(&[run(5, 0, 1), run(5, 0, 1)]), RunError::Order { at: at(5) });
    }

    proptest! {
        #[test]
        fn runs_hold_exactly_the_ticks(micros in prop::collection::vec(-50i64..50, 0..60)) {
            let expected = ticks(&micros);
            let runs = expected.runs();
            prop_assert_eq!(Ticks::from_runs(runs.iter().copied(), 60).unwrap(), expected.clone());
            prop_assert!(runs.len() <= expected.len());
        }

        #[test]
        fn looks_up_like_a_set(micros in prop::collection::vec(-50i64..50, 0..60), a in -60i64..60, b in -60i64..60) {
            let set: BTreeSet<i64> = micros.iter().copied().collect();
            let ticks = ticks(&micros);
            prop_assert_eq!(ticks.contains(at(a)), set.contains(&a));
            let newest = set.range(..=a).next_back().copied().map(at);
            prop_assert_eq!(ticks.newest_until(at(a).0), newest);
            prop_assert_eq!(ticks.any_between(at(a).0, at(b).0), set.iter().any(|&t| a < t && t <= b));
        }
    }
}
