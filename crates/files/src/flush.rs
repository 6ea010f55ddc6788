//! Flushing of a long file while it is being written.
//!
//! A commit waits for the disk. Without this it would wait for all of a file of gigabytes; with it, for the last
//! part, because the disk has been busy meanwhile.

use std::fs::File;
use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

/// Bytes between two flushes. Shorter files never start a thread.
const STRIDE: u64 = 32 << 20;

/// Flushes a file every [`STRIDE`] bytes, on a thread of its own.
#[derive(Debug)]
pub(super) struct Flusher {
    /// Bytes written since the last flush was asked for.
    since: u64,
    thread: Option<(SyncSender<()>, JoinHandle<io::Result<()>>)>,
}

impl Flusher {
    pub(super) const fn new() -> Flusher {
        Flusher { since: 0, thread: None }
    }

    /// `bytes` more have been written to `file`.
    pub(super) fn written(&mut self, bytes: u64, file: &File) {
        self.since += bytes;
        if self.since < STRIDE {
            return;
        }
        self.since = 0;
        if self.thread.is_none() {
            // This only saves time: without descriptor or thread, all the flushing is left to the commit.
            self.thread = file.try_clone().and_then(start).ok();
        }
        if let Some((requests, _)) = &self.thread {
            match requests.try_send(()) {
                // Full: the next flush, which has not begun, does this one's work too. Gone: it has failed, and
                // says why at the end.
                Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
            }
        }
    }

    /// Waits for the flush that is under way. The system reports an error of the disk only once, so one that was reported
    /// here must reach the commit.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let Some((requests, thread)) = self.thread.take() else { return Ok(()) };
        drop(requests);
        thread.join().unwrap_or_else(|_panic| Err(io::Error::other("the thread that flushes panicked")))
    }
}

fn start(file: File) -> io::Result<(SyncSender<()>, JoinHandle<io::Result<()>>)> {
    let (sender, requests) = sync_channel(1);
    let thread = thread::Builder::new().name("flush".to_owned()).spawn(move || {
        while requests.recv().is_ok() {
            file.sync_data()?;
        }
        Ok(())
    })?;
    Ok((sender, thread))
}
