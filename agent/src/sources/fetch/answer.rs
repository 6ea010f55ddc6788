//! One try: the app's answer becomes a dump while it arrives.
//!
//! The network's task receives, and a thread writes; between them is a channel that holds so little that a slow disk slows
//! the network down instead of filling memory. The file is private, and gets its name when the answer was complete and
//! sound.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use svdr_cli::progress::Progress;
use svdr_dump::{DumpWriter, MergeSummary};
use svdr_files::PrivateFile;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{FetchError, Request, RequestContent, is_page};
use crate::sources::app::{AppFailure, DocumentAnswer, SvApp};
use crate::sources::tries::{Tries, TryError as _};

/// Pieces between the network and the disk. One piece is what a read of the socket gave, below a megabyte, so this
/// evens out the two without holding more than a few megabytes.
const PIECES_IN_FLIGHT: usize = 8;

/// What the network gives to the writer.
#[derive(Debug)]
enum AnswerPiece {
    /// The next bytes of the answer.
    Chunk(Bytes),
    /// The answer is complete. A channel that closes without it means that the try was cancelled.
    End,
}

/// Asks once. The time in which an answer arrives does not count against the budget.
pub(super) async fn fetch(
    app: &SvApp,
    request: &Request,
    tries: &mut Tries,
) -> Result<MergeSummary, FetchError> {
    let mut answer = {
        let _waiting = Progress::bytes("waiting for the app to make the snapshot", None);
        let (timestamp, id) =
            (request.timestamp, request.request_migration_id.then_some(request.migration_id));
        match &request.content {
            RequestContent::SvDump(_) => app.data_snapshot(timestamp, id, None).await?,
            RequestContent::Donation { party } => app.data_snapshot(timestamp, id, Some(party)).await?,
            RequestContent::ValidatorDump => app.validator_snapshot(timestamp, id).await?,
        }
    };
    let began = Instant::now();
    let received = receive(&mut answer, request).await;
    tries.worked(began.elapsed());
    received
}

/// Passes the answer on to the writer, and waits for what it made of it.
async fn receive(answer: &mut DocumentAnswer, request: &Request) -> Result<MergeSummary, FetchError> {
    let (sender, pieces) = mpsc::channel(PIECES_IN_FLIGHT);
    let (ordered, url) = (request.clone(), answer.url().to_owned());
    let writer = tokio::task::spawn_blocking(move || write(&ordered, &url, pieces));
    request.received.store(0, Ordering::Relaxed);
    let passed = pass_on(answer, &sender, &request.received).await;
    drop(sender);
    // The temporary file is gone only when the writer has ended, so it is waited for in any case.
    match (passed, writer.await.map_err(FetchError::Thread)?) {
        (_, Ok(Some(summary))) => Ok(summary),
        (Err(failure), Ok(None)) => Err(failure.into()),
        // A broken connection explains why the writer saw a truncated document; not why a disk is full.
        (Err(failure), Err(stopped)) if stopped.is_worth_retrying() => Err(failure.into()),
        (_, Err(stopped)) => Err(stopped),
        (Ok(()), Ok(None)) => Err(FetchError::WriterStopped),
    }
}

/// Receives until the end, or until the writer has stopped: it then has a reason of its own to give.
async fn pass_on(
    answer: &mut DocumentAnswer,
    pieces: &Sender<AnswerPiece>,
    received: &AtomicU64,
) -> Result<(), AppFailure> {
    let progress = Progress::bytes("data snapshot", answer.total());
    let mut is_first = true;
    while let Some(chunk) = answer.chunk().await? {
        if std::mem::take(&mut is_first) && is_page(&chunk) {
            return Err(answer.not_a_snapshot(&chunk));
        }
        progress.advance(chunk.len() as u64);
        received.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        if pieces.send(AnswerPiece::Chunk(chunk)).await.is_err() {
            return Ok(());
        }
    }
    // Refused only by a writer that has stopped.
    let _ = pieces.send(AnswerPiece::End).await;
    Ok(())
}

/// Writes the dump, and gives it its name when the answer is complete and sound. `None`, and no file, where the try was
/// cancelled.
fn write(
    request: &Request,
    url: &str,
    mut pieces: Receiver<AnswerPiece>,
) -> Result<Option<MergeSummary>, FetchError> {
    let mut file = PrivateFile::create(&request.out, request.replace)?;
    let (expected, parts) = (request.expectations(), request.parts);
    let writer = match &request.content {
        RequestContent::SvDump(dump) => {
            let identities = dump.identities.as_ref().ok_or(FetchError::NoIdentities)?;
            DumpWriter::merge(identities, expected, parts, &mut file)
        }
        RequestContent::Donation { .. } => DumpWriter::keep(expected, &mut file),
        RequestContent::ValidatorDump => DumpWriter::extract(expected, parts, &mut file),
    };
    let refused = |source| FetchError::of_document(url, source);
    let mut writer = writer.map_err(refused)?;
    loop {
        match pieces.blocking_recv() {
            Some(AnswerPiece::Chunk(chunk)) => writer.push(&chunk).map_err(refused)?,
            Some(AnswerPiece::End) => break,
            None => return Ok(None),
        }
    }
    let summary = writer.finish().map_err(refused)?;
    // An SV app gives those in its volume instead; the files that an answer names are not on this machine.
    if summary.separate_payload_files && matches!(request.content, RequestContent::SvDump(_)) {
        return Err(FetchError::SeparateFiles { url: url.to_owned() });
    }
    file.commit()?;
    Ok(Some(summary))
}
