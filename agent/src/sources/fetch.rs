//! From the app to the disk: an SV's snapshot is merged while it arrives, or checked and kept as it is; a validator's dump
//! is taken out of it.
//!
//! A try asks the app, and hands what arrives to a writer on a thread of its own, through a channel that holds
//! so little that a slow disk slows the network down instead of filling memory. A try that fails leaves nothing
//! behind, and the next begins anew: the app makes a new document for every request, so there is nothing to resume.
//!
//! An SV app can also write its dump into its own volume, from where it is taken (`way.rs`).
//!
//! What is tried again: what [`Class::Retry`](crate::sources::app::Class::Retry) and `Class::Unauthorized` say, and a body that arrived whole but is
//! no JSON document, because a proxy or a dying app cut it or spoke in its place. A sound document that is the wrong
//! one (another timestamp, another migration) would be the same again, and is refused.

mod error;
mod keep;
mod signs;
pub(crate) mod tries;
mod trigger;
mod way;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use svdr_cli::progress::Progress;
use svdr_files::Replace;
use svdr_protocol::time::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::sources::app::{Failure, Snapshot, SvApp};
use svdr_client::retry::RetryPolicy;
use svdr_dump::{Expectations, Identities, MergeSummary, Parts};

pub(crate) use error::is_damage;
pub use error::{FetchError, WriteError};
pub use keep::KeepOrder;
pub(crate) use svdr_protocol::failure::in_one_line;
use tries::Tries;
pub use way::{Made, Mode, Way, fetch_dump};
pub use writer::{Piece, Pieces};

/// Pieces between the network and the disk. One piece is what a read of the socket gave, below a megabyte, so this
/// evens out the two without holding more than a few megabytes.
const PIECES_IN_FLIGHT: usize = 8;

/// Whose snapshot it is, and what becomes of it.
#[derive(Clone, Debug)]
pub enum App {
    /// An SV app's: it is merged with the backup of the node identities.
    Sv {
        /// That backup; a dump that the app writes into its volume ([`Mode::Trigger`]) needs none.
        identities: Option<Arc<Identities>>,
    },
    /// A validator app's: the dump is taken out of it.
    Validator,
}

/// What to fetch, and where to.
#[derive(Clone, Debug)]
pub struct Order {
    /// Whose snapshot it is, and what becomes of it.
    pub app: App,
    /// What the snapshot has to be.
    pub expectations: Expectations,
    /// The migration id to ask for, where the app is not to use its own + 1.
    pub request_migration_id: Option<u64>,
    /// Whether the payloads are digested one by one.
    pub parts: Parts,
    /// The dump's path. One in several files is a folder, see [`set_folder`](crate::sources::volume::set_folder).
    pub out: PathBuf,
    /// Whether that may exist.
    pub replace: Replace,
    /// Counts the bytes of the snapshot as they arrive, from nothing at each try.
    pub received: Arc<AtomicU64>,
}

/// What to ask the app for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The time that the snapshot is to be of.
    pub timestamp: Timestamp,
    /// The migration id, where the app is not to use its own + 1.
    pub migration_id: Option<u64>,
    /// What of it.
    pub of: Of<'a>,
}

/// What a snapshot is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of<'a> {
    /// All that an SV app has.
    Everything,
    /// The contracts of this party.
    Party(&'a str),
    /// All that a validator app has, its identities among it.
    Validator,
}

/// What becomes of a snapshot while it arrives.
pub trait Making: Clone + Send + 'static {
    /// What is said about the result.
    type Made: Send + 'static;

    /// What to ask for.
    fn ask(&self) -> Ask<'_>;

    /// Counts the bytes of the snapshot as they arrive, from nothing at each try.
    fn received(&self) -> &AtomicU64;

    /// The blocking half of a try, on a thread of its own. `None`, and nothing left behind, where the try was given up.
    ///
    /// # Errors
    /// Where the snapshot is refused, or cannot be written.
    fn write(&self, pieces: Pieces) -> Result<Option<Self::Made>, WriteError>;
}

impl Making for Order {
    type Made = MergeSummary;

    fn ask(&self) -> Ask<'_> {
        let timestamp = self.expectations.timestamp;
        let of = match self.app {
            App::Sv { .. } => Of::Everything,
            App::Validator => Of::Validator,
        };
        Ask { timestamp, migration_id: self.request_migration_id, of }
    }

    fn received(&self) -> &AtomicU64 {
        &self.received
    }

    fn write(&self, pieces: Pieces) -> Result<Option<MergeSummary>, WriteError> {
        writer::write(self, pieces)
    }
}

/// Tries until it is made, until trying again cannot help, or until `policy` says that it has been enough.
/// Every failure that is followed by another try is logged as a warning.
///
/// # Errors
/// [`FetchError`]: the last failure. Nothing is left behind.
pub async fn fetch<O: Making>(app: &SvApp, order: &O, policy: RetryPolicy) -> Result<O::Made, FetchError> {
    let mut tries = Tries::new(policy);
    loop {
        match attempt(app, order, &mut tries).await {
            Ok(summary) => return Ok(summary),
            Err(failure) => tries.pause_after(failure).await?,
        }
    }
}

/// One try. The time in which a snapshot arrives does not count against the budget.
async fn attempt<O: Making>(app: &SvApp, order: &O, tries: &mut Tries) -> Result<O::Made, FetchError> {
    let mut snapshot = {
        let _waiting = Progress::bytes("waiting for the app to make the snapshot", None);
        let Ask { timestamp, migration_id, of } = order.ask();
        match of {
            Of::Everything => app.data_snapshot(timestamp, migration_id, None).await?,
            Of::Party(party) => app.data_snapshot(timestamp, migration_id, Some(party)).await?,
            Of::Validator => app.validator_snapshot(timestamp, migration_id).await?,
        }
    };
    let began = Instant::now();
    let received = receive(&mut snapshot, order).await;
    tries.worked(began.elapsed());
    received
}

/// Passes the snapshot on to the writer, and waits for what it made of it.
async fn receive<O: Making>(snapshot: &mut Snapshot, order: &O) -> Result<O::Made, FetchError> {
    let (pieces, writer) = start_writer(order.clone());
    order.received().store(0, Ordering::Relaxed);
    let passed = pass_on(snapshot, &pieces, order.received()).await;
    drop(pieces);
    // The temporary file is gone only when the writer has ended, so it is waited for in any case.
    let written = writer.await.map_err(FetchError::WriterDied)?;
    let stopped = match written {
        Ok(Some(summary)) => return Ok(summary),
        Ok(None) => FetchError::WriterStopped,
        Err(WriteError::Merge(source)) => FetchError::of_document(snapshot.url().to_owned(), source),
        Err(WriteError::File(source)) => FetchError::File(source),
        Err(WriteError::NoIdentities) => FetchError::NoIdentities,
        Err(WriteError::SeparateFiles) => FetchError::SeparateFiles { url: snapshot.url().to_owned() },
    };
    match passed {
        // A broken connection explains why the writer was given up or saw a cut document; not why a disk is full.
        Err(failure) if stopped.is_worth_retrying() || matches!(stopped, FetchError::WriterStopped) => {
            Err(failure.into())
        }
        _ => Err(stopped),
    }
}

type Writer<T> = JoinHandle<Result<Option<T>, WriteError>>;

fn start_writer<O: Making>(order: O) -> (mpsc::Sender<Piece>, Writer<O::Made>) {
    let (sender, receiver) = mpsc::channel(PIECES_IN_FLIGHT);
    (sender, tokio::task::spawn_blocking(move || order.write(receiver)))
}

/// Receives until the end, or until the writer has stopped: it then has a reason of its own to give.
async fn pass_on(
    snapshot: &mut Snapshot,
    pieces: &mpsc::Sender<Piece>,
    received: &AtomicU64,
) -> Result<(), Failure> {
    let progress = Progress::bytes("data snapshot", snapshot.total());
    let mut is_first = true;
    while let Some(chunk) = snapshot.chunk().await? {
        if std::mem::take(&mut is_first) && is_page(&chunk) {
            return Err(snapshot.not_a_snapshot(&chunk));
        }
        progress.advance(chunk.len() as u64);
        received.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        if pieces.send(Piece::Chunk(chunk)).await.is_err() {
            return Ok(());
        }
    }
    // Refused only by a writer that has stopped.
    let _ = pieces.send(Piece::End).await;
    Ok(())
}

/// Whether a body that does not say so begins like a web page.
pub(crate) fn is_page(start: &Bytes) -> bool {
    start.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod said;
