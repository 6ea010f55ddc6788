//! The ticks of a set one by one, from both ends.

use super::TickRun;
use crate::time::Tick;

/// The ticks of a [`Ticks`](super::Ticks), ascending.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    runs: &'a [TickRun],
    /// How many have been taken off the first run, and off the last.
    taken: [u32; 2],
    left: usize,
}

impl<'a> Iter<'a> {
    /// The `left` ticks of `runs`.
    pub(super) const fn new(runs: &'a [TickRun], left: usize) -> Iter<'a> {
        Iter { runs, taken: [0; 2], left }
    }
}

impl Iterator for Iter<'_> {
    type Item = Tick;

    fn next(&mut self) -> Option<Tick> {
        self.left = self.left.checked_sub(1)?;
        let (run, newer) = self.runs.split_first()?;
        let tick = run.nth(self.taken[0]);
        self.taken[0] += 1;
        if self.taken[0] == run.count {
            (self.runs, self.taken[0]) = (newer, 0);
        }
        tick
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Tick> {
        self.left = self.left.checked_sub(1)?;
        let (run, older) = self.runs.split_last()?;
        self.taken[1] += 1;
        let tick = run.nth(run.count.checked_sub(self.taken[1])?);
        if self.taken[1] == run.count {
            (self.runs, self.taken[1]) = (older, 0);
        }
        tick
    }
}

impl ExactSizeIterator for Iter<'_> {}
