//! What happens between two tries at an SV app or at a donor, whatever is fetched.

use std::error::Error;
use std::time::Duration;

use svdr_client::retry::{NextTry, Retries, RetryPolicy};
use svdr_protocol::failure::in_one_line;

/// Why a try failed, as far as it decides about the next one.
pub(crate) trait TryError: Error + Sized {
    /// Whether another try can help.
    fn is_worth_retrying(&self) -> bool;
    /// The delay that the server asked for.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
    /// The same, said to be the last of so many tries; two at least.
    fn gave_up(self, tries: u32) -> Self;
}

/// The tries that have been made so far.
pub(crate) struct Tries(Retries);

impl Tries {
    /// Before the first.
    pub(crate) fn new(policy: RetryPolicy) -> Tries {
        Tries(Retries::new(policy))
    }

    /// Adds time in which an answer was arriving, which does not count against the policy's budget.
    pub(crate) fn worked(&mut self, span: Duration) {
        self.0.worked(span);
    }

    /// Begins the delays anew: something has arrived that the next try needs not bring again.
    pub(crate) fn progressed(&mut self) {
        self.0.progressed();
    }

    /// A try has failed: returns once the next is to be made. The failure is logged as a warning then.
    ///
    /// # Errors
    /// The failure, if trying again cannot help, or the budget is spent.
    pub(crate) async fn pause_after<E: TryError>(&mut self, failure: E) -> Result<(), E> {
        if !failure.is_worth_retrying() {
            return Err(failure);
        }
        let next = self.0.failed(failure.retry_after());
        let failures = self.0.failures();
        let Some(NextTry { delay, left }) = next else {
            return Err(if failures > 1 { failure.gave_up(failures) } else { failure });
        };
        tracing::warn!("try {failures} failed: {}", in_one_line(&failure));
        tracing::warn!("trying again in {}, for at most {} more", rounded(delay), rounded(left));
        // It may be large, and is not needed across the pause.
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
