//! The tries of one fetch: how many have failed, how long it has taken, and when the next one is due.

use std::time::{Duration, Instant};

use super::FetchError;
use super::error::in_one_line;
use crate::sv_app::RetryPolicy;

/// The tries so far.
pub(super) struct Tries {
    policy: RetryPolicy,
    started: Instant,
    failures: u32,
    /// The time in which the app was at work for us, which does not count against the budget.
    pub(super) receiving: Duration,
}

impl Tries {
    /// None so far.
    pub(super) fn new(policy: RetryPolicy) -> Tries {
        Tries { policy, started: Instant::now(), failures: 0, receiving: Duration::ZERO }
    }

    /// Waits until it is time for another try after `failure`.
    ///
    /// # Errors
    /// The failure, where another try cannot help or there has been time enough.
    pub(super) async fn again(&mut self, failure: FetchError) -> Result<(), FetchError> {
        if !failure.is_worth_retrying() {
            return Err(failure);
        }
        self.failures += 1;
        // Where the system has no randomness, the full delay is as good.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        let elapsed = self.started.elapsed().saturating_sub(self.receiving);
        let Some(delay) = self.policy.delay(self.failures, elapsed, random, failure.retry_after()) else {
            return Err(failure.after(self.failures));
        };
        let left = self.policy.budget.saturating_sub(elapsed);
        tracing::warn!("try {} failed: {}", self.failures, in_one_line(&failure));
        tracing::warn!("trying again in {}, for at most {} more", rounded(delay), rounded(left));
        tokio::time::sleep(delay).await;
        Ok(())
    }
}

/// A span in whole seconds, or in milliseconds below one.
pub(super) fn rounded(span: Duration) -> humantime::FormattedDuration {
    let whole = if span < Duration::from_secs(1) {
        Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    } else {
        Duration::from_secs(span.as_secs())
    };
    humantime::format_duration(whole)
}
