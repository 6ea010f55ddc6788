//! Work on a thread that is cancelled when nobody waits for its result: gigabytes take a while.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cancels the work when it is dropped, with the future that waits for the result.
#[derive(Debug, Default)]
pub struct CancelOnDrop(Arc<AtomicBool>);

/// Tells work on another thread whether it is cancelled.
#[derive(Clone, Debug, Default)]
pub struct Cancelled(Arc<AtomicBool>);

impl CancelOnDrop {
    /// What the work looks at.
    pub fn cancelled(&self) -> Cancelled {
        Cancelled(Arc::clone(&self.0))
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Cancelled {
    /// Fails once the work is cancelled.
    ///
    /// # Errors
    /// "cancelled", which nobody reads: whoever waited is gone.
    pub fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(io::Error::other("cancelled")) } else { Ok(()) }
    }

    /// Reads `source` until the work is cancelled.
    pub const fn reader<R: Read>(&self, source: R) -> CancellableReader<'_, R> {
        CancellableReader { source, cancelled: self }
    }
}

/// See [`Cancelled::reader`].
#[derive(Debug)]
pub struct CancellableReader<'c, R> {
    source: R,
    cancelled: &'c Cancelled,
}

impl<R: Read> Read for CancellableReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancelled.check()?;
        self.source.read(buffer)
    }
}
