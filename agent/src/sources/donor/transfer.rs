//! The transfer: streams a donated snapshot from the donor's agent, from the byte where the last try stopped.
//!
//! It has one thread, with a runtime of its own, on which connection, TLS and disk take turns: handing gigabytes from one
//! thread to the next costs more than it gains, and nothing else waits while the disk is slow. What is not written yet
//! is not taken from the network, so that memory stays what it is.
//!
//! A try that ends before the last byte is followed by another, after a pause that grows, as long as the donor is not
//! caught in a lie; the time in which bytes arrive does not count against the patience.

use std::time::Instant;

use svdr_cli::progress::Progress;
use svdr_files::PartialFile;
use svdr_proto::channel;
use svdr_proto::tls::{KeyBytes, TlsIdentity};
use svdr_proto::v1::{FetchSnapshotRequest, FetchSnapshotResponse};
use svdr_protocol::digest::Digest;
use svdr_protocol::names::MemberName;
use svdr_protocol::statement::SessionId;
use tokio::sync::oneshot;
use tonic::{Code, Status, Streaming};

use super::limits::IDLE_TIMEOUT;
use super::{Lie, Partial, TransferError, allocator};
use crate::sources::tries::Tries;
use svdr_client::retry::RetryPolicy;

/// Where a snapshot comes from, and what it must be.
#[derive(Clone, Debug)]
pub struct DonorSource {
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
}

/// Brings all of a snapshot into `file`, from where that ends, until as many bytes are there as were signed, until trying
/// again cannot help, or until `policy` says that it has been enough. Stops when it is dropped. Whether the bytes are the
/// signed ones is for [`inspect`](super::inspect) to say.
///
/// # Errors
/// [`TransferError`]. The partial file stays where going on with it makes sense, and is removed where the donor lied.
pub async fn transfer(
    source: DonorSource,
    identity: TlsIdentity,
    file: PartialFile,
    policy: RetryPolicy,
) -> Result<Partial, TransferError> {
    let (waiting, gone) = oneshot::channel::<()>();
    let thread = tokio::task::spawn_blocking(move || {
        allocator::keep_freed();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| TransferError::Runtime { source })?;
        runtime.block_on(async {
            tokio::select! {
                arrived = bring(&source, &identity, file, policy) => arrived,
                // The future that waited for it was dropped.
                _ = gone => Err(TransferError::Stopped),
            }
        })
    });
    let arrived = thread.await.map_err(|_died| TransferError::Thread)?;
    drop(waiting);
    arrived
}

/// As [`transfer`], on the thread that it is called on.
async fn bring(
    source: &DonorSource,
    identity: &TlsIdentity,
    file: PartialFile,
    policy: RetryPolicy,
) -> Result<Partial, TransferError> {
    let mut partial = Partial::take_up(file, source.size)?;
    let mut tries = Tries::new(policy);
    loop {
        let before = partial.len();
        let began = Instant::now();
        let Err(failure) = attempt(source, identity, &mut partial).await else { return Ok(partial) };
        if let TransferError::Lied { .. } = failure {
            partial.remove()?;
            return Err(failure);
        }
        if partial.len() > before {
            tries.worked(began.elapsed());
            tries.progressed();
        }
        tries.pause_after(failure).await?;
    }
}

fn lied(source: &DonorSource, lie: Lie) -> TransferError {
    TransferError::Lied { donor: source.donor.clone(), lie }
}

/// One try: brings what is missing.
async fn attempt(
    source: &DonorSource,
    identity: &TlsIdentity,
    partial: &mut Partial,
) -> Result<(), TransferError> {
    if partial.len() == partial.size() {
        return Ok(());
    }
    let stream = ask(source, identity, partial.len()).await?;
    keep(source, stream, partial).await
}

/// Asks the donor's agent for the bytes from `offset` on.
async fn ask(
    source: &DonorSource,
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

fn silent(source: &DonorSource, at: u64) -> TransferError {
    TransferError::Silent { donor: source.donor.clone(), at, size: source.size, after: IDLE_TIMEOUT }
}

/// Writes what comes, until all of it is here.
async fn keep(
    source: &DonorSource,
    mut stream: Streaming<FetchSnapshotResponse>,
    partial: &mut Partial,
) -> Result<(), TransferError> {
    let progress = Progress::bytes("donated snapshot", Some(source.size));
    progress.advance(partial.len());
    loop {
        let at = partial.len();
        match tokio::time::timeout(IDLE_TIMEOUT, stream.message()).await {
            Ok(Ok(Some(FetchSnapshotResponse { chunk }))) if chunk.is_empty() => {
                return Err(lied(source, Lie::Empty));
            }
            Ok(Ok(Some(FetchSnapshotResponse { chunk }))) => {
                let len = chunk.len() as u64;
                if len > source.size - at {
                    return Err(lied(source, Lie::More { expected: source.size }));
                }
                partial.append(&chunk)?;
                progress.advance(len);
            }
            // All of it is here: how the stream ends says nothing more.
            Ok(Ok(None)) | Ok(Err(_)) | Err(_) if at == source.size => return Ok(()),
            Ok(Ok(None)) => {
                return Err(lied(source, Lie::Fewer { expected: source.size, found: at }));
            }
            Ok(Err(status)) => return Err(broken(source, at, status)),
            Err(_elapsed) => return Err(silent(source, at)),
        }
    }
}

fn broken(source: &DonorSource, at: u64, status: Status) -> TransferError {
    TransferError::Broken { donor: source.donor.clone(), at, size: source.size, status: Box::new(status) }
}
