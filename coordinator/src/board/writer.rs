//! The thread that writes the journal: all statements that wait are written with one flush.
//!
//! While one batch is being flushed, the next gathers in the queue. So the number of flushes adapts to the load:
//! one a statement when there is one client, one a hundred statements when there are hundreds.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::mpsc;

use crate::journal::{Journal, JournalError};
use crate::limits::{MAX_BATCH_BYTES, MAX_WAITING};
use crate::metrics::Metrics;

/// How many records, in the order in which they were sent, are on disk now; or why the journal has failed, after
/// which nothing more comes.
pub(super) type Flushed = Result<usize, JournalError>;

/// The thread's queue, what it reports, and the thread.
pub(super) struct Writer {
    pub(super) records: mpsc::Sender<Vec<u8>>,
    pub(super) flushed: mpsc::UnboundedReceiver<Flushed>,
    pub(super) thread: JoinHandle<()>,
}

/// Starts the thread; it ends when its queue is closed and written, or the journal fails.
pub(super) fn start(journal: Box<dyn Journal>, metrics: Metrics) -> io::Result<Writer> {
    let (records, queue) = mpsc::channel(MAX_WAITING);
    // As many reports wait as there are records on their way: the queue's length is their limit.
    let (report, flushed) = mpsc::unbounded_channel();
    let thread = thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || write(journal, queue, report, &metrics))?;
    Ok(Writer { records, flushed, thread })
}

fn write(
    mut journal: Box<dyn Journal>,
    mut queue: mpsc::Receiver<Vec<u8>>,
    report: mpsc::UnboundedSender<Flushed>,
    metrics: &Metrics,
) {
    while let Some(first) = queue.blocking_recv() {
        let batch = gather(first, &mut queue);
        let started = Instant::now();
        let written = journal.append(&batch).map(|()| batch.len());
        metrics.flushed(batch.len(), started.elapsed());
        let failed = written.is_err();
        if report.send(written).is_err() || failed {
            return;
        }
    }
}

/// Gathers the first record and those that wait after it, up to the size of a batch.
fn gather(first: Vec<u8>, queue: &mut mpsc::Receiver<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut bytes = first.len();
    let mut batch = vec![first];
    while bytes < MAX_BATCH_BYTES && batch.len() < MAX_WAITING {
        let Ok(next) = queue.try_recv() else { break };
        bytes += next.len();
        batch.push(next);
    }
    batch
}
