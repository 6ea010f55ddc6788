//! From the SV app to a migration dump on the disk: the snapshot is merged while it arrives.
//!
//! A try asks the app, and hands what arrives to a writer on a thread of its own, through a channel that holds
//! so little that a slow disk slows the network down instead of filling memory. A try that fails leaves nothing
//! behind, and the next begins anew: the app makes a new document for every request, so there is nothing to resume.
//!
//! A snapshot too large for an answer is written by the app into its own volume instead, and taken from there
//! (`trigger.rs`); in [`Mode::Auto`] this is found out by itself (`signs.rs`).
//!
//! What is tried again: what [`Class::Retry`](crate::sv_app::Class::Retry) and `Class::Unauthorized` say, and a body that arrived whole but is
//! no JSON document, because a proxy or a dying app cut it or spoke in its place. A sound document that is the wrong
//! one (another timestamp, another migration) would be the same again, and is refused.

mod error;
mod signs;
pub(crate) mod tries;
mod trigger;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use svdr_cli::files::Replace;
use svdr_cli::progress::Progress;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::dump::{Expectations, Identities, MergeSummary, Parts};
use crate::export::Volume;
use crate::sv_app::{Failure, RetryPolicy, Snapshot, SvApp};

pub use error::{FetchError, WriteError};
pub(crate) use error::{in_one_line, is_damage};
use signs::Signs;
use tries::Tries;
use writer::Piece;

/// Pieces between the network and the disk. One piece is what a read of the socket gave, below a megabyte, so this
/// evens out the two without holding more than a few megabytes.
const PIECES_IN_FLIGHT: usize = 8;

/// What to fetch, and where to.
#[derive(Clone, Debug)]
pub struct Order {
    /// By which way.
    pub mode: Mode,
    /// The app's dump volume, where it can be reached from here; [`Mode::Trigger`] needs it.
    pub volume: Option<Volume>,
    /// The participant whose identities a dump of the app's own has to hold, where that is known.
    pub participant: Option<String>,
    /// The identities backup that the snapshot is merged with; [`Mode::Trigger`] needs none.
    pub identities: Option<Arc<Identities>>,
    /// What the snapshot has to be.
    pub expectations: Expectations,
    /// The migration id to ask for, where the app is not to use its own + 1.
    pub request_migration_id: Option<u64>,
    /// Whether the payloads are digested one by one.
    pub parts: Parts,
    /// The dump's path. One in several files is a folder, see [`set_folder`](crate::export::set_folder).
    pub out: PathBuf,
    /// Whether that may exist.
    pub replace: Replace,
    /// Counts the bytes of the snapshot as they arrive, from nothing at each try.
    pub received: Arc<AtomicU64>,
}

/// The way by which the SV app gives its dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// In one answer, which is merged with the identities backup.
    Http,
    /// The app writes it into its volume, from where it is taken.
    Trigger,
    /// In an answer; through the volume where that turns out to be impossible.
    ///
    /// The default: it does what [`Mode::Http`] does for as long as that works, goes the other way only where the
    /// operator has named the volume, and says what to configure where nobody has. An operator who finds out on a
    /// recovery call that the snapshot has outgrown the answer has no time to read a manual.
    #[default]
    Auto,
}

impl Mode {
    /// As configurations write it.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Http => "http",
            Mode::Trigger => "trigger",
            Mode::Auto => "auto",
        }
    }
}

/// A finished dump.
#[derive(Clone, Debug)]
pub struct Made {
    /// The dump's own file; its payload files, where it has some, are beside it.
    pub path: PathBuf,
    /// What is in it.
    pub summary: MergeSummary,
}

/// Tries until there is a dump, until trying again cannot help, or until `policy` says that it has been enough.
/// Every failure that is followed by another try is logged as a warning.
///
/// # Errors
/// [`FetchError`]: the last failure. Nothing is left behind.
pub async fn fetch(app: &SvApp, order: &Order, policy: RetryPolicy) -> Result<Made, FetchError> {
    match order.mode {
        Mode::Trigger => trigger::fetch(app, order, policy).await,
        Mode::Http | Mode::Auto => {
            let mut tries = Tries::new(policy);
            let mut signs = Signs::default();
            loop {
                let failure = match attempt(app, order, &mut tries.receiving).await {
                    Ok(summary) => return Ok(Made { path: order.out.clone(), summary }),
                    Err(failure) => failure,
                };
                match signs.sign(&failure).filter(|sign| sign.is_for(order)) {
                    None => tries.pause_after(failure).await?,
                    Some(sign) if order.volume.is_some() => {
                        tracing::warn!("{}", error::in_one_line(&failure));
                        tracing::warn!(
                            "{}: the data snapshot seems to be too large for one answer; having the SV app write it \
                             into its volume instead",
                            sign.words()
                        );
                        return trigger::fetch(app, order, policy).await;
                    }
                    Some(sign) => {
                        let source = Box::new(failure);
                        return Err(FetchError::TooLarge { sign: sign.words(), source });
                    }
                }
            }
        }
    }
}

/// One try. Adds to `receiving` the time in which a snapshot was arriving.
async fn attempt(app: &SvApp, order: &Order, receiving: &mut Duration) -> Result<MergeSummary, FetchError> {
    let mut snapshot = {
        let _waiting = Progress::bytes("waiting for the SV app to make the snapshot", None);
        app.data_snapshot(order.expectations.timestamp, order.request_migration_id).await?
    };
    let began = Instant::now();
    let received = receive(&mut snapshot, order).await;
    *receiving += began.elapsed();
    received
}

/// Passes the snapshot on to the writer, and waits for what it made of it.
async fn receive(snapshot: &mut Snapshot, order: &Order) -> Result<MergeSummary, FetchError> {
    let (pieces, writer) = start_writer(order.clone());
    order.received.store(0, Ordering::Relaxed);
    let passed = pass_on(snapshot, &pieces, &order.received).await;
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

fn start_writer(order: Order) -> (mpsc::Sender<Piece>, JoinHandle<Result<Option<MergeSummary>, WriteError>>) {
    let (sender, receiver) = mpsc::channel(PIECES_IN_FLIGHT);
    (sender, tokio::task::spawn_blocking(move || writer::write(&order, receiver)))
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
