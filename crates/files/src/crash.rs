//! Where a test can stop a program: just before or just after the n-th flush of what it must not forget.
//!
//! These are the agent's store, its sets of files and the coordinator's journal. `SVDR_CRASH_AT=before:3` aborts before
//! the third flush of the process begins, `after:3` once it is on the disk and before anything else happens. Programs
//! built for release do not look at it.

use std::sync::atomic::{AtomicU64, Ordering};

static FLUSHES: AtomicU64 = AtomicU64::new(0);

/// Runs a flush, between the two points at which a test may stop the process.
///
/// # Errors
/// That of the flush.
pub fn around_flush<T, E>(flush: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let nth = FLUSHES.fetch_add(1, Ordering::Relaxed) + 1;
    stop_if_asked("before", nth);
    let flushed = flush()?;
    stop_if_asked("after", nth);
    Ok(flushed)
}

fn stop_if_asked(side: &str, nth: u64) {
    if cfg!(debug_assertions) && std::env::var("SVDR_CRASH_AT").is_ok_and(|at| at == format!("{side}:{nth}"))
    {
        // As kill -9 does: nothing is dropped, nothing is flushed.
        std::process::abort();
    }
}
