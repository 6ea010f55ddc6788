//! A set of ticks that stays small while it grows: runs at an even distance.
//!
//! A participant exchanges commitments with thousands of others at the same even distance, so a set of thousands of
//! ticks is one run or two. Copies of a log add nothing, in any order.

use std::collections::BTreeMap;

use svdr_protocol::time::{Tick, Timestamp};

/// A run from its first tick on: `count` ticks in all, `step` microseconds apart (zero if there is one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    step: i64,
    count: i64,
}

/// Ticks in any order, none twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct TickSet {
    /// By the first tick, in microseconds. Runs do not overlap.
    runs: BTreeMap<i64, Run>,
}

impl Run {
    fn last(self, first: i64) -> i64 {
        first + self.step * (self.count - 1)
    }
}

impl TickSet {
    /// Returns how many runs there are: the set's cost in memory.
    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Adds `tick`. Returns whether it is new.
    pub(crate) fn insert(&mut self, tick: Tick) -> bool {
        let at = tick.0.micros();
        if let Some((&first, &run)) = self.runs.range(..=at).next_back() {
            let last = run.last(first);
            if at == first || (at <= last && (at - first) % run.step == 0) {
                return false;
            }
            if at < last {
                self.split(first, run, at);
            } else if run.count == 1 {
                self.runs.insert(first, Run { step: at - first, count: 2 });
                self.join(first);
                return true;
            } else if at == last + run.step {
                self.runs.insert(first, Run { step: run.step, count: run.count + 1 });
                self.join(first);
                return true;
            }
        }
        let next = self.runs.range(at..).next().map(|(&first, &run)| (first, run));
        match next {
            Some((first, run)) if run.count == 1 || first - run.step == at => {
                self.runs.remove(&first);
                self.runs.insert(at, Run { step: first - at, count: run.count + 1 });
            }
            _ => {
                self.runs.insert(at, Run { step: 0, count: 1 });
            }
        }
        true
    }

    /// Divides the run at `first` around `at`, which is inside the run but not one of its ticks.
    fn split(&mut self, first: i64, run: Run, at: i64) {
        let left = (at - first) / run.step + 1;
        let right = run.count - left;
        let shorter = |count| Run { step: if count == 1 { 0 } else { run.step }, count };
        self.runs.insert(first, shorter(left));
        self.runs.insert(first + left * run.step, shorter(right));
    }

    /// Joins the run at `first` with the next, if that continues it.
    fn join(&mut self, first: i64) {
        let Some(&run) = self.runs.get(&first) else { return };
        let last = run.last(first);
        let next = self.runs.range(last + 1..).next().map(|(&first, &run)| (first, run));
        if let Some((next_first, next)) = next
            && next_first == last + run.step
            && (next.count == 1 || next.step == run.step)
        {
            self.runs.remove(&next_first);
            self.runs.insert(first, Run { step: run.step, count: run.count + next.count });
        }
    }

    /// Returns how many ticks there are from `from` to `to`, both included.
    pub(crate) fn count_between(&self, from: Timestamp, to: Timestamp) -> u64 {
        let (from, to) = (from.micros(), to.micros());
        let until = |run: Run, first: i64, at: i64| match at {
            at if at < first => 0,
            _ if run.step == 0 => 1,
            at => ((at - first) / run.step + 1).min(run.count),
        };
        let counts =
            self.runs.iter().map(|(&first, &run)| until(run, first, to) - until(run, first, from - 1));
        counts.filter(|count| *count > 0).sum::<i64>().unsigned_abs()
    }

    /// Returns the ticks from `from` to `to`, both included, by run.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Tick> + '_ {
        let ticks =
            self.runs.iter().flat_map(|(&first, &run)| (0..run.count).map(move |nth| first + nth * run.step));
        ticks.filter_map(Timestamp::from_micros).filter(move |at| from <= *at && *at <= to).map(Tick)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    #[test]
    fn an_even_series_is_one_run_in_any_order() {
        for backwards in [false, true] {
            let mut set = TickSet::default();
            let mut minutes: Vec<i64> = (0..1000).collect();
            if backwards {
                minutes.reverse();
            }
            for minute in minutes.iter().chain(&minutes) {
                set.insert(Tick(at(minute * 60_000_000)));
            }
            assert_eq!((set.runs(), set.count_between(Timestamp::MIN, Timestamp::MAX)), (1, 1000));
        }
    }

    #[test]
    fn two_halves_meet() {
        let mut set = TickSet::default();
        for minute in (500..1000).chain(0..500) {
            assert!(set.insert(Tick(at(minute))));
        }
        assert_eq!(set.runs(), 1);
    }

    proptest! {
        #[test]
        fn is_a_set(ticks in prop::collection::vec(-40i64..40, 0..120), from in -45i64..45, to in -45i64..45) {
            let mut set = TickSet::default();
            let mut reference = BTreeSet::new();
            for tick in ticks {
                prop_assert_eq!(set.insert(Tick(at(tick))), reference.insert(tick));
            }
            let mut found: Vec<i64> = set.between(at(from), at(to)).map(|tick| tick.0.micros()).collect();
            found.sort_unstable();
            let expected: Vec<i64> = reference.iter().copied().filter(|at| from <= *at && *at <= to).collect();
            prop_assert_eq!(set.count_between(at(from), at(to)), expected.len() as u64);
            prop_assert_eq!(found, expected);
        }
    }
}
