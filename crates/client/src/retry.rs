//! When to try again: capped exponential backoff with full jitter, the same for coordinators, apps and donors.
//!
//! Full jitter (a delay drawn evenly from nothing to the cap of the step) spreads the agents of a dozen SVs that all
//! lost the same ingress at the same moment.
//!
//! What counts against a [`RetryPolicy`]'s budget is the time without a working download: the hours that a snapshot
//! took before its connection broke say nothing about how long the app has been out of reach. Every further failure
//! adds at least its delay, so that a download which always breaks ends too.

use std::time::{Duration, Instant};

/// The longest delay after the first failure. A restarted ingress is back within a second or two.
pub const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The longest delay after any failure: an operator who has just repaired something looks at the screen and should not
/// wait longer.
pub const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// How long to keep trying, unless `--retry-for` says otherwise: time to roll a pod or to renew a token.
pub const DEFAULT_RETRY_FOR: Duration = Duration::from_secs(10 * 60);

/// Delays after failures in a row, without an end.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Returns the state before the first try.
    pub const fn new() -> Backoff {
        Backoff { failures: 0 }
    }

    /// Counts a failure, and returns the delay before the next try.
    pub fn failed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        // If the system has no randomness, the full delay is as good.
        delay(self.failures, getrandom::u32().unwrap_or(u32::MAX))
    }

    /// Begins anew after a success.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The failures in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// The delay after so many failures in a row, at least 1; `random` is a number drawn evenly from all of `u32`.
fn delay(failures: u32, random: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let step = FIRST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY);
    step.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// How long to keep trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    budget: Duration,
}

impl RetryPolicy {
    /// Returns the policy that ends after `budget` without a working download. Zero means one try.
    pub const fn lasting(budget: Duration) -> RetryPolicy {
        RetryPolicy { budget }
    }
}

/// The tries under a [`RetryPolicy`].
#[derive(Debug)]
pub struct Retries {
    policy: RetryPolicy,
    backoff: Backoff,
    started: Instant,
    /// Time that does not count against the budget.
    working: Duration,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextTry {
    /// How long to wait before it.
    pub delay: Duration,
    /// How much of the budget is left, with the delay.
    pub left: Duration,
}

impl Retries {
    /// Returns the state before the first try.
    pub fn new(policy: RetryPolicy) -> Retries {
        Retries { policy, backoff: Backoff::new(), started: Instant::now(), working: Duration::ZERO }
    }

    /// Adds time in which a download worked, which does not count against the budget.
    pub fn worked(&mut self, span: Duration) {
        self.working += span;
    }

    /// Begins the delays anew: something has arrived.
    pub fn progressed(&mut self) {
        self.backoff.succeeded();
    }

    /// The failures in a row.
    pub const fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// Counts a failure. Returns `None` if the budget is spent.
    ///
    /// `asked` is the delay that the server asked for in `Retry-After`.
    pub fn failed(&mut self, asked: Option<Duration>) -> Option<NextTry> {
        let elapsed = self.started.elapsed().saturating_sub(self.working);
        let delay = self.backoff.failed();
        within(self.policy, elapsed, delay, asked)
    }
}

/// The next try within the budget: as late as the server asked for, but as the budget ends at the latest, so that the last
/// try is made then.
fn within(
    policy: RetryPolicy,
    elapsed: Duration,
    delay: Duration,
    asked: Option<Duration>,
) -> Option<NextTry> {
    let left = policy.budget.checked_sub(elapsed).filter(|left| !left.is_zero())?;
    Some(NextTry { delay: delay.max(asked.unwrap_or_default()).min(left), left })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy::lasting(DEFAULT_RETRY_FOR);

    #[test]
    fn the_longest_delay_doubles_up_to_the_cap() {
        let seconds: Vec<u64> = (1..=8).map(|failures| delay(failures, u32::MAX).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(delay(u32::MAX, u32::MAX), LONGEST_DELAY);
        assert_eq!(delay(5, 0), Duration::ZERO);
    }

    #[test]
    fn a_success_begins_the_delays_anew() {
        let mut backoff = Backoff::new();
        for _ in 0..9 {
            assert!(backoff.failed() <= LONGEST_DELAY);
        }
        backoff.succeeded();
        assert!(backoff.failed() <= FIRST_DELAY);
        assert_eq!(backoff.failures(), 1);
    }

    #[test]
    fn without_a_budget_there_is_one_try() {
        assert_eq!(Retries::new(RetryPolicy::lasting(Duration::ZERO)).failed(None), None);
        let asked = Some(Duration::from_secs(1));
        assert_eq!(Retries::new(RetryPolicy::lasting(Duration::ZERO)).failed(asked), None);
    }

    #[test]
    fn the_last_try_is_made_as_the_budget_ends() {
        let elapsed = DEFAULT_RETRY_FOR - Duration::from_secs(3);
        let next = within(POLICY, elapsed, LONGEST_DELAY, None).unwrap();
        assert_eq!(next.delay, Duration::from_secs(3));
        assert_eq!(within(POLICY, DEFAULT_RETRY_FOR, LONGEST_DELAY, None), None);
    }

    #[test]
    fn what_the_server_asked_for_is_kept_to() {
        let asked = Duration::from_secs(120);
        assert_eq!(within(POLICY, Duration::ZERO, Duration::ZERO, Some(asked)).unwrap().delay, asked);
        let elapsed = DEFAULT_RETRY_FOR - Duration::from_secs(50);
        let next = within(POLICY, elapsed, Duration::ZERO, Some(asked)).unwrap();
        assert_eq!(next, NextTry { delay: Duration::from_secs(50), left: Duration::from_secs(50) });
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
            match within(POLICY, elapsed, delay(failures, random), asked.map(Duration::from_secs)) {
                Some(next) => prop_assert!(elapsed + next.delay <= DEFAULT_RETRY_FOR),
                None => prop_assert!(elapsed >= DEFAULT_RETRY_FOR),
            }
        }
    }
}
