//! Which windows of a participant's history to ask for, from the newest to the oldest. A pure plan.
//!
//! First the newest comparison is searched for, in windows that grow while they are empty: a participant can be asked days
//! after its synchronizer has stopped. Then the history before it is asked for, as deep as is wanted. A window whose answer
//! is too long is asked for again in halves.

use std::time::Duration;

use svdr_canton::Window;
use svdr_logs::Bound;
use svdr_protocol::time::{Tick, Timestamp};

/// The first window, and the widest within the history: with 127 members and one-minute ticks, its answer has 7 MiB.
const WIDTH: Duration = Duration::from_secs(6 * 60 * 60);
/// The narrowest window: less than any reconciliation interval. An answer about it that is too long is no honest one.
const NARROWEST: Duration = Duration::from_secs(20);
/// How far back the newest comparison is searched for. Splice's participants keep 30 days.
const SEARCHED: Duration = Duration::from_secs(60 * 24 * 60 * 60);
/// How deep the history is read if nothing is said: what operators read of their logs.
const DEPTH: Duration = Duration::from_secs(48 * 60 * 60);
/// How far this machine's clock may be behind the network's.
const AHEAD: Duration = Duration::from_secs(24 * 60 * 60);
/// The unit of time.
const MICRO: Duration = Duration::from_micros(1);

/// What has been asked for, and what is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    since: Option<Bound>,
    /// The end of the next window.
    to: Timestamp,
    /// Where the search ends.
    horizon: Timestamp,
    width: Duration,
}

impl Windows {
    /// The plan at the time `now` of this machine's clock, which need not be right.
    pub(super) fn new(since: Option<Bound>, until: Option<Bound>, now: Timestamp) -> Windows {
        let to = match until {
            Some(Bound::At(at)) => at,
            Some(Bound::Back(_)) | None => later(now, AHEAD),
        };
        Windows { since, to, horizon: earlier(to, SEARCHED), width: WIDTH }
    }

    /// The oldest tick that is wanted, `newest` being the newest that was found.
    pub(super) fn oldest(&self, newest: Option<Tick>) -> Timestamp {
        match (self.since, newest) {
            (Some(Bound::At(since)), _) => since,
            (Some(Bound::Back(span)), Some(newest)) => earlier(newest.0, span),
            (None, Some(newest)) => earlier(newest.0, DEPTH),
            (_, None) => self.horizon,
        }
    }

    /// The next window, `newest` being the newest tick that was found; `None` at the end.
    pub(super) fn next(&self, newest: Option<Tick>) -> Option<Window> {
        let oldest = self.oldest(newest);
        // The start of a window is excluded.
        let from = earlier(self.to, self.width).max(earlier(oldest, MICRO));
        (self.to >= oldest && from < self.to).then_some(Window { from, to: self.to })
    }

    /// The window was answered; the next one is before it.
    pub(super) fn answered(&mut self, window: Window, newest: Option<Tick>) {
        self.to = window.from;
        self.width = match newest {
            Some(_) => self.width.saturating_mul(2).min(WIDTH),
            None => self.width.saturating_mul(2),
        };
    }

    /// The answer was too long. Whether a narrower window remains.
    pub(super) fn too_long(&mut self, window: Window) -> bool {
        let micros = window.to.micros().saturating_sub(window.from.micros());
        self.width = Duration::from_micros(micros.unsigned_abs() / 2);
        self.width >= NARROWEST
    }
}

fn earlier(at: Timestamp, span: Duration) -> Timestamp {
    at.checked_sub(span).unwrap_or(Timestamp::MIN)
}

fn later(at: Timestamp, span: Duration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_776_000_000_000_000 + seconds * 1_000_000).unwrap()
    }

    const DAY: i64 = 24 * 60 * 60;

    proptest! {
        /// Every wanted tick is in exactly one window, whichever windows are too long, and the plan ends.
        #[test]
        fn the_wanted_history_is_asked_for_without_gaps(
            silence in 0..50 * DAY,
            back in prop_oneof![Just(None), (1..10 * DAY).prop_map(Some)],
            too_long in prop::collection::vec(any::<bool>(), 0..8),
        ) {
            let since = back.map(|seconds| Bound::Back(Duration::from_secs(seconds.unsigned_abs())));
            let newest = Tick(at(-silence));
            let mut windows = Windows::new(since, None, at(0));
            let (mut found, mut end, mut failures) = (None, None, too_long.into_iter());
            let mut asked = 0;
            while let Some(window) = windows.next(found) {
                asked += 1;
                prop_assert!(asked < 100);
                prop_assert!(window.from < window.to);
                prop_assert_eq!(end.unwrap_or(window.to), window.to);
                if failures.next() == Some(true) && windows.too_long(window) {
                    continue;
                }
                if window.from < newest.0 && newest.0 <= window.to {
                    found = Some(newest);
                }
                end = Some(window.from);
                windows.answered(window, found);
            }
            prop_assert_eq!(found, Some(newest));
            let oldest = windows.oldest(found);
            prop_assert!(end.unwrap() <= earlier(oldest, MICRO));
        }
    }

    #[test]
    fn a_silent_participant_is_searched_in_few_calls() {
        let mut windows = Windows::new(None, None, at(0));
        let mut asked = 0;
        while let Some(window) = windows.next(None) {
            asked += 1;
            windows.answered(window, None);
        }
        assert!(asked <= 9, "{asked}");
        assert_eq!(windows.to, earlier(at(DAY - 60 * DAY), MICRO));
    }

    #[test]
    fn bounds_are_kept() {
        let windows = Windows::new(Some(Bound::At(at(0))), Some(Bound::At(at(60))), at(9 * DAY));
        assert_eq!(windows.next(None), Some(Window { from: earlier(at(0), MICRO), to: at(60) }));
        let backward = Windows::new(Some(Bound::At(at(61))), Some(Bound::At(at(60))), at(9 * DAY));
        assert_eq!(backward.next(None), None);
        let mut narrow = windows;
        let window = Window { from: at(0), to: at(30) };
        assert!(!narrow.too_long(window));
    }
}
