//! When to try again: capped exponential backoff with full jitter, as a pure function.
//!
//! Full jitter (a delay drawn evenly from nothing to the cap of the step) spreads the agents of a dozen SVs that
//! all lost the same ingress at the same moment. The clock and the randomness come from the caller, so the rule is
//! tested without either.
//!
//! What counts against [`RetryPolicy::budget`] is the time without a working download: the hours that a snapshot
//! took before its connection broke say nothing about how long the app has been out of reach. Every further failure
//! adds at least its delay, so a download that always breaks ends too.

use std::time::Duration;

/// The longest delay after the first failure. A restarted ingress is back within a second or two.
pub const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The longest delay after any failure: an operator who has just repaired something looks at the screen and
/// should not wait longer.
pub const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// How long to keep trying, unless `--retry-for` says otherwise: time to roll a pod or to renew a token.
pub const DEFAULT_RETRY_FOR: Duration = Duration::from_secs(10 * 60);

/// How long to keep trying, and how far apart the tries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The longest delay after the first failure; doubled after each further one.
    pub first: Duration,
    /// The longest delay of all.
    pub cap: Duration,
    /// Time without a working download after which a failure is final. Zero means one try.
    pub budget: Duration,
}

impl RetryPolicy {
    /// The usual delays, for at most `budget`.
    pub const fn lasting(budget: Duration) -> RetryPolicy {
        RetryPolicy { first: FIRST_DELAY, cap: LONGEST_DELAY, budget }
    }

    /// How long to wait before the next try, or `None` where there is to be none.
    ///
    /// `failures` is how many tries have failed, at least 1; `elapsed` the time spent without a working download;
    /// `random` a number drawn evenly from all of `u32`; `asked` the delay that the server asked for in
    /// `Retry-After`, which is kept to but never beyond the budget. The last delay is cut so that a last try is
    /// made as the budget ends.
    pub fn delay(
        &self,
        failures: u32,
        elapsed: Duration,
        random: u32,
        asked: Option<Duration>,
    ) -> Option<Duration> {
        let left = self.budget.checked_sub(elapsed).filter(|left| !left.is_zero())?;
        let doublings = failures.saturating_sub(1).min(31);
        let step = self.first.saturating_mul(1 << doublings).min(self.cap);
        let jittered = step.mul_f64(f64::from(random) / f64::from(u32::MAX));
        Some(jittered.max(asked.unwrap_or_default()).min(left))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy::lasting(DEFAULT_RETRY_FOR);

    fn longest(failures: u32) -> Option<Duration> {
        POLICY.delay(failures, Duration::ZERO, u32::MAX, None)
    }

    #[test]
    fn the_longest_delay_doubles_up_to_the_cap() {
        let seconds: Vec<u64> = (1..=8).map(|failures| longest(failures).unwrap().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(longest(u32::MAX), Some(LONGEST_DELAY));
        assert_eq!(POLICY.delay(5, Duration::ZERO, 0, None), Some(Duration::ZERO));
    }

    #[test]
    fn without_a_budget_there_is_one_try() {
        let once = RetryPolicy::lasting(Duration::ZERO);
        assert_eq!(once.delay(1, Duration::ZERO, 0, None), None);
        assert_eq!(once.delay(1, Duration::ZERO, 0, Some(Duration::from_secs(1))), None);
    }

    #[test]
    fn the_last_try_is_made_as_the_budget_ends() {
        let elapsed = DEFAULT_RETRY_FOR - Duration::from_secs(3);
        assert_eq!(POLICY.delay(9, elapsed, u32::MAX, None), Some(Duration::from_secs(3)));
        assert_eq!(POLICY.delay(10, DEFAULT_RETRY_FOR, u32::MAX, None), None);
    }

    #[test]
    fn what_the_server_asked_for_is_kept_to() {
        let asked = Some(Duration::from_secs(120));
        assert_eq!(POLICY.delay(1, Duration::ZERO, 7, asked), asked);
        let elapsed = DEFAULT_RETRY_FOR - Duration::from_secs(50);
        assert_eq!(POLICY.delay(1, elapsed, 7, asked), Some(Duration::from_secs(50)));
    }

    proptest! {
        #[test]
        fn a_delay_ends_within_the_budget(
            failures in 1u32..,
            elapsed in 0u64..1000,
            random: u32,
            asked in proptest::option::of(0u64..100_000),
        ) {
            let elapsed = Duration::from_secs(elapsed);
            match POLICY.delay(failures, elapsed, random, asked.map(Duration::from_secs)) {
                Some(delay) => prop_assert!(elapsed + delay <= DEFAULT_RETRY_FOR),
                None => prop_assert!(elapsed >= DEFAULT_RETRY_FOR),
            }
        }
    }
}
