//! Trying again: what stands between two tries at the SV app, whatever is fetched.

use std::error::Error;
use std::time::{Duration, Instant};

use super::error::in_one_line;
use crate::sources::app::RetryPolicy;

/// Why a try failed, as far as it decides about the next one.
pub(crate) trait TryError: Error + Sized {
    /// Whether another try can help.
    fn is_worth_retrying(&self) -> bool;
    /// The delay that the server asked for.
    fn retry_after(&self) -> Option<Duration>;
    /// The same, said to be the last of so many tries; two at least.
    fn gave_up(self, tries: u32) -> Self;
}

/// The tries that have been made so far.
pub(crate) struct Tries {
    policy: RetryPolicy,
    started: Instant,
    failures: u32,
    /// Time in which an answer was arriving, which does not count against the policy's budget.
    pub(crate) receiving: Duration,
}

impl Tries {
    /// Before the first.
    pub(crate) fn new(policy: RetryPolicy) -> Tries {
        Tries { policy, started: Instant::now(), failures: 0, receiving: Duration::ZERO }
    }

    /// A try has failed: returns once the next is to be made. The failure is logged as a warning then.
    ///
    /// # Errors
    /// The failure, where trying again cannot help, or the policy says that it has been enough.
    pub(crate) async fn pause_after<E: TryError>(&mut self, failure: E) -> Result<(), E> {
        if !failure.is_worth_retrying() {
            return Err(failure);
        }
        self.failures += 1;
        let (failures, policy) = (self.failures, self.policy);
        // Where the system has no randomness, the full delay is as good.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        let elapsed = self.started.elapsed().saturating_sub(self.receiving);
        let Some(delay) = policy.delay(failures, elapsed, random, failure.retry_after()) else {
            return Err(if failures > 1 { failure.gave_up(failures) } else { failure });
        };
        let left = policy.budget.saturating_sub(elapsed);
        tracing::warn!("try {failures} failed: {}", in_one_line(&failure));
        tracing::warn!("trying again in {}, for at most {} more", rounded(delay), rounded(left));
        // Nothing of it is needed any more, and it need not be kept across the pause.
        drop(failure);
        tokio::time::sleep(delay).await;
        Ok(())
    }
}

/// A span in whole seconds, or in milliseconds below one.
pub(crate) fn rounded(span: Duration) -> humantime::FormattedDuration {
    let whole = if span < Duration::from_secs(1) {
        Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    } else {
        Duration::from_secs(span.as_secs())
    };
    humantime::format_duration(whole)
}
