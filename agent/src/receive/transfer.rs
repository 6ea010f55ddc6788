//! The transfer: streams a donated snapshot from the donor's agent, from the byte where the last try stopped.
//!
//! Receiving, writing and hashing have a thread each, with a few chunks between them, so that memory stays what it is
//! and the slowest of the three decides. A try that ends before the last byte is followed by another, after a pause that
//! grows, as long as the donor is not caught in a lie; the time in which bytes arrive does not count against the
//! patience.

use std::time::{Duration, Instant};

use bytes::Bytes;
use svdr_cli::files::PartialFile;
use svdr_cli::progress::Progress;
use svdr_proto::channel;
use svdr_proto::tls::{KeyBytes, TlsIdentity};
use svdr_proto::v1::{FetchSnapshotRequest, FetchSnapshotResponse};
use svdr_protocol::digest::Digest;
use svdr_protocol::names::MemberName;
use svdr_protocol::statement::SessionId;
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};

use super::limits::{CHUNKS_IN_FLIGHT, IDLE_TIMEOUT};
use super::{Lie, Partial, TransferError};
use crate::fetch::in_one_line;
use crate::fetch::tries::rounded;
use crate::sv_app::RetryPolicy;

/// Where a snapshot comes from, and what it has to be.
#[derive(Clone, Debug)]
pub struct Source {
    /// The session that it is donated in.
    pub session: SessionId,
    /// Digest of the donation: the donor's signed statement.
    pub donation: Digest,
    /// The donor.
    pub donor: MemberName,
    /// Its key, as the roster has it.
    pub key: KeyBytes,
    /// Where its agent is.
    pub url: String,
    /// The signed size, in bytes.
    pub size: u64,
    /// The signed digest.
    pub sha256: Digest,
}

/// Brings all of a snapshot into `file`, from where that ends, until it is there and what was signed, until trying again
/// cannot help, or until `policy` says that it has been enough.
///
/// # Errors
/// [`TransferError`]. The partial file stays where going on with it makes sense, and is removed where the donor lied.
pub async fn transfer(
    source: &Source,
    identity: &TlsIdentity,
    file: PartialFile,
    policy: RetryPolicy,
) -> Result<Partial, TransferError> {
    let signed = (source.size, source.sha256);
    let taken_up = tokio::task::spawn_blocking(move || Partial::take_up(file, signed)).await;
    let mut partial = joined(taken_up)??;
    let started = Instant::now();
    let (mut receiving, mut failures) = (Duration::ZERO, 0);
    loop {
        let before = partial.len();
        let began = Instant::now();
        let (kept, failure) = attempt(source, identity, partial).await?;
        partial = kept;
        let failure = match failure {
            None => {
                let (kept, is_complete) = complete(partial, source).await?;
                partial = kept;
                if is_complete {
                    return Ok(partial);
                }
                // It begins again, at once.
                continue;
            }
            Some(failure) => failure,
        };
        if let TransferError::Lied { .. } = failure {
            partial.remove()?;
            return Err(failure);
        }
        if partial.len() > before {
            receiving += began.elapsed();
            failures = 0;
        }
        if !failure.is_worth_retrying() {
            return Err(failure);
        }
        failures += 1;
        // Where the system has no randomness, the full delay is as good.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        let elapsed = started.elapsed().saturating_sub(receiving);
        let Some(delay) = policy.delay(failures, elapsed, random, None) else {
            return Err(failure.after(failures));
        };
        tracing::warn!("{}", in_one_line(&failure));
        let left = policy.budget.saturating_sub(elapsed);
        tracing::warn!("trying again in {}, for at most {} more", rounded(delay), rounded(left));
        tokio::time::sleep(delay).await;
    }
}

/// Compares the whole with the donation. False where it begins again.
async fn complete(partial: Partial, source: &Source) -> Result<(Partial, bool), TransferError> {
    // The last flush waits for the disk.
    match joined(tokio::task::spawn_blocking(move || partial.complete()).await)?? {
        (partial, Ok(is_complete)) => Ok((partial, is_complete)),
        (partial, Err(lie)) => {
            partial.remove()?;
            Err(lied(source, lie))
        }
    }
}

fn lied(source: &Source, lie: Lie) -> TransferError {
    TransferError::Lied { donor: source.donor.clone(), lie }
}

/// One try: gives back what has arrived, and why there is not more.
async fn attempt(
    source: &Source,
    identity: &TlsIdentity,
    partial: Partial,
) -> Result<(Partial, Option<TransferError>), TransferError> {
    if partial.len() == partial.size() {
        return Ok((partial, None));
    }
    let at = partial.len();
    let stream = match ask(source, identity, at).await {
        Ok(stream) => stream,
        Err(failure) => return Ok((partial, Some(failure))),
    };
    let (chunks, incoming) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let writer = tokio::task::spawn_blocking(move || partial.take(incoming));
    // On a worker of the runtime, where the connection is at work too: what one hands to the other stays in its cache.
    let passing = tokio::spawn({
        let source = source.clone();
        async move { pass_on(&source, stream, &chunks, at).await }
    });
    let failure = Stopping(passing).ended().await?;
    Ok((joined(writer.await)??, failure))
}

/// Asks the donor's agent for the bytes from `offset` on.
async fn ask(
    source: &Source,
    identity: &TlsIdentity,
    offset: u64,
) -> Result<Streaming<FetchSnapshotResponse>, TransferError> {
    let donor = || source.donor.clone();
    let mut client = channel::connect_to_donor(&source.url, source.key, identity)
        .await
        .map_err(|error| TransferError::Connect { donor: donor(), source: Box::new(error) })?;
    let request = FetchSnapshotRequest {
        session: source.session.to_string(),
        donation: source.donation.as_bytes().to_vec(),
        offset,
    };
    match tokio::time::timeout(IDLE_TIMEOUT, client.fetch_snapshot(request)).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        // Its snapshot has fewer bytes than are here already.
        Ok(Err(status)) if status.code() == Code::OutOfRange => {
            Err(lied(source, Lie::Fewer { expected: source.size, found: offset }))
        }
        Ok(Err(status)) => Err(TransferError::Status { donor: donor(), status: Box::new(status) }),
        Err(_elapsed) => Err(silent(source, offset)),
    }
}

fn silent(source: &Source, at: u64) -> TransferError {
    TransferError::Silent { donor: source.donor.clone(), at, size: source.size, after: IDLE_TIMEOUT }
}

/// Passes what comes on to the writer, until all of it is here; `None` then, and where the writer has stopped.
async fn pass_on(
    source: &Source,
    mut stream: Streaming<FetchSnapshotResponse>,
    chunks: &mpsc::Sender<Bytes>,
    mut at: u64,
) -> Option<TransferError> {
    let progress = Progress::bytes("donated snapshot", Some(source.size));
    progress.advance(at);
    loop {
        match tokio::time::timeout(IDLE_TIMEOUT, stream.message()).await {
            Ok(Ok(Some(FetchSnapshotResponse { chunk }))) if chunk.is_empty() => {
                return Some(lied(source, Lie::Empty));
            }
            Ok(Ok(Some(FetchSnapshotResponse { chunk }))) => {
                let len = chunk.len() as u64;
                if len > source.size - at {
                    return Some(lied(source, Lie::More { expected: source.size }));
                }
                progress.advance(len);
                at += len;
                if chunks.send(chunk).await.is_err() {
                    return None;
                }
            }
            // All of it is here: how the stream ends says nothing more.
            Ok(Ok(None)) | Ok(Err(_)) | Err(_) if at == source.size => return None,
            Ok(Ok(None)) => {
                return Some(lied(source, Lie::Fewer { expected: source.size, found: at }));
            }
            Ok(Err(status)) => return Some(broken(source, at, status)),
            Err(_elapsed) => return Some(silent(source, at)),
        }
    }
}

/// A task that ends with whoever waits for it.
struct Stopping<T>(tokio::task::JoinHandle<T>);

impl<T> Stopping<T> {
    async fn ended(mut self) -> Result<T, TransferError> {
        (&mut self.0).await.map_err(|_died| TransferError::Thread { what: "receives the snapshot" })
    }
}

impl<T> Drop for Stopping<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn broken(source: &Source, at: u64, status: Status) -> TransferError {
    TransferError::Broken { donor: source.donor.clone(), at, size: source.size, status: Box::new(status) }
}

fn joined<T>(joined: Result<T, tokio::task::JoinError>) -> Result<T, TransferError> {
    joined.map_err(|_died| TransferError::Thread { what: "writes the snapshot" })
}
