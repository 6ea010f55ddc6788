//! What happened to the made-up network, and what the protocol makes of it.
//!
//! All SVs' participants agree every minute, until the synchronizer is lost. Before that, what the drill's options
//! say happens to some of them. [`Story::expected`] is the proposal rule once more, by plain reasoning about this one
//! story and without the product's code, so that the drill does not take the product's word for its own outcome.

use std::ops::Range;
use std::time::Duration;

use svdr_protocol::roster::governance_threshold;
use svdr_protocol::time::Timestamp;

use super::options::{Mismatch, Options};
use crate::log_writer::traffic::Outcome;

const MICROS_PER_SECOND: i64 = 1_000_000;
/// The reconciliation interval, in seconds.
pub(super) const INTERVAL: i64 = 60;
/// Ticks in the logs: two and a half hours.
pub(super) const TICKS: i64 = 150;
/// Ticks before the end at which the lagging participant got stuck.
const LAG: i64 = 30;
/// Ticks before the end at which two participants did not agree.
const MISMATCH: i64 = 7;
/// The margin of a session, unless a proposal says otherwise.
pub(super) const MARGIN: Duration = Duration::from_secs(15 * 60);
/// By how much the pruned SV apps miss the newest recovery timestamp: less than a tick, so that any margin that is
/// shorter by a minute will do.
const PRUNED_AFTER: i64 = 30;

/// How long the recovery takes by the made-up clock, in seconds.
const RECOVERY: i64 = 60 * 60;

/// What happened. SVs are named by their places, from 0; the convener has the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Story {
    svs: usize,
    /// Where the logs begin, in microseconds since the Unix epoch.
    start: i64,
    /// How many participants got stuck: those of the last SVs.
    lagging: usize,
    mismatch: Option<Mismatch>,
    /// The SVs whose apps answer 400 for the first proposal.
    pruned: Vec<usize>,
    /// The SV whose logs are lost.
    vouched: Option<usize>,
}

/// What the proposal rule has to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// The tick, as a time.
    pub(super) tick: Timestamp,
    /// The tick less the margin.
    pub(super) recovery_timestamp: Timestamp,
    /// The SVs left behind, ascending.
    pub(super) left_behind: Vec<usize>,
}

impl Story {
    /// The story that the options tell, which has ended a minute before `now` (seconds since the Unix epoch), so that
    /// the logs are as new as those of a real call; `None` where so much goes wrong that no second round could be
    /// completed.
    pub(super) fn new(options: &Options, now: i64) -> Option<Story> {
        let start = (now.div_euclid(INTERVAL) - 1 - TICKS) * INTERVAL * MICROS_PER_SECOND;
        let svs = usize::from(options.svs);
        let behind = usize::from(options.left_behind.unwrap_or_default());
        let untold =
            !(options.lagging || behind > 0 || options.mismatch.is_some() || options.pruned || options.vouch);
        let lagging = if options.lagging || untold { 1 } else { behind };
        let mismatch = options.mismatch.or(untold.then_some(Mismatch::Healed));
        // Where there are few SVs, it is the convener's logs that are lost.
        let vouched = if svs == 4 && lagging > 0 { 0 } else { 3 };
        let vouched = options.vouch.then_some(vouched);
        let mut story = Story { svs, start, lagging, mismatch, pruned: Vec::new(), vouched };
        if svs < story.threshold() + behind || vouched.is_some_and(|place| place + behind >= svs) {
            return None;
        }
        if options.pruned {
            let for_good = lagging + usize::from(mismatch == Some(Mismatch::Standing));
            if svs < story.threshold() + for_good {
                return None;
            }
            let left_behind = story.expected(MARGIN)?.left_behind;
            let covered = (1..svs).rev().filter(|place| !left_behind.contains(place));
            // One more than the round can do without.
            let enough = svs - left_behind.len() + 1 - story.threshold();
            story.pruned = covered.take(enough).collect();
            story.pruned.sort_unstable();
        }
        Some(story)
    }

    /// How many SVs have to agree.
    pub(super) fn threshold(&self) -> usize {
        governance_threshold(self.svs)
    }

    /// The SVs whose participants got stuck.
    pub(super) const fn lagging(&self) -> Range<usize> {
        self.svs - self.lagging..self.svs
    }

    /// The two that did not agree, and until when.
    pub(super) fn mismatch(&self) -> Option<([usize; 2], Mismatch)> {
        self.mismatch.map(|until| ([1, 2], until))
    }

    /// The SVs whose apps cannot serve the first proposal's timestamp.
    pub(super) fn pruned(&self) -> &[usize] {
        &self.pruned
    }

    /// The SV whose logs are lost.
    pub(super) const fn vouched(&self) -> Option<usize> {
        self.vouched
    }

    /// When the lagging participants were last heard of.
    pub(super) fn stuck_at(&self) -> Option<Timestamp> {
        self.tick(TICKS - 1 - LAG)
    }

    /// When the two participants did not agree (first).
    pub(super) fn mismatch_at(&self) -> Option<Timestamp> {
        self.tick(TICKS - 1 - MISMATCH)
    }

    /// When the synchronizer was lost: the last tick.
    pub(super) fn end(&self) -> Option<Timestamp> {
        self.tick(TICKS - 1)
    }

    /// Before this time the pruned SV apps serve nothing.
    pub(super) fn pruned_until(&self) -> Option<Timestamp> {
        let newest = self.end()?.checked_sub(MARGIN)?;
        Timestamp::from_micros(newest.micros() + PRUNED_AFTER * MICROS_PER_SECOND)
    }

    /// Where the logs begin, in microseconds since the Unix epoch.
    pub(super) const fn start(&self) -> i64 {
        self.start
    }

    /// Where the logs of the new synchronizer begin, likewise.
    pub(super) const fn restored(&self) -> i64 {
        self.micros(TICKS - 1) + RECOVERY * MICROS_PER_SECOND
    }

    /// The tick at `place`, counted from the start of the logs, in microseconds since the Unix epoch.
    const fn micros(&self, place: i64) -> i64 {
        self.start + (place + 1) * INTERVAL * MICROS_PER_SECOND
    }

    fn tick(&self, place: i64) -> Option<Timestamp> {
        Timestamp::from_micros(self.micros(place))
    }

    /// What became of `other`'s commitment for `at` (microseconds since the Unix epoch) at `own`'s participant.
    pub(super) fn outcome(&self, own: usize, other: usize, at: i64) -> Outcome {
        let is_after = |ticks: i64| at > self.micros(TICKS - 1 - ticks);
        if is_after(LAG) && [own, other].iter().any(|place| self.lagging().contains(place)) {
            return Outcome::Silence;
        }
        match self.mismatch() {
            Some((pair, until)) if pair.contains(&own) && pair.contains(&other) => {
                let since = self.micros(TICKS - 1 - MISMATCH);
                let differs = match until {
                    Mismatch::Healed => at == since,
                    Mismatch::Standing => at >= since,
                };
                if differs { Outcome::Mismatch } else { Outcome::Match }
            }
            _ => Outcome::Match,
        }
    }

    /// What the rule has to choose with this margin: the newest tick at which enough SVs agree among each other.
    /// Of the two that did not agree, the one with the smaller name is covered.
    pub(super) fn expected(&self, margin: Duration) -> Option<Expected> {
        let margin_micros = i64::try_from(margin.as_micros()).ok()?;
        (0..TICKS).rev().find_map(|place| {
            let (at, back) = (self.micros(place), self.micros(place) - margin_micros);
            let mut left_behind = Vec::new();
            if let Some((pair, until)) = self.mismatch() {
                let since = self.micros(TICKS - 1 - MISMATCH);
                // The network goes back to a time at which the next, equal tick had not come yet.
                let comes_back = until == Mismatch::Standing || back < since + INTERVAL * MICROS_PER_SECOND;
                if at >= since && comes_back {
                    left_behind.push(pair[1]);
                }
            }
            if place > TICKS - 1 - LAG {
                left_behind.extend(self.lagging());
            }
            (self.svs - left_behind.len() >= self.threshold()).then_some(())?;
            let [tick, recovery_timestamp] = [at, back].map(Timestamp::from_micros);
            Some(Expected { tick: tick?, recovery_timestamp: recovery_timestamp?, left_behind })
        })
    }
}

#[cfg(test)]
#[path = "story/tests.rs"]
mod tests;
