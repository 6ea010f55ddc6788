//! The blocking half of a try: merges the pieces of a snapshot into a private file.

use bytes::Bytes;
use svdr_cli::files::PrivateFile;
use tokio::sync::mpsc::Receiver;

use super::{Order, WriteError};
use crate::dump::{MergeSummary, Merger};

/// What comes through the channel.
pub(super) enum Piece {
    /// The next bytes of the snapshot.
    Chunk(Bytes),
    /// The snapshot is complete. A channel that closes without it means that the try was given up.
    End,
}

/// Writes the dump, and gives it its name when the snapshot is complete and sound. `None`, and no file, where the
/// try was given up.
pub(super) fn write(order: &Order, mut pieces: Receiver<Piece>) -> Result<Option<MergeSummary>, WriteError> {
    let mut file = PrivateFile::create(&order.out, order.replace)?;
    let identities = order.identities.as_ref().ok_or(WriteError::NoIdentities)?;
    let mut merger = Merger::new(identities, order.expectations, order.parts, &mut file)?;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Chunk(chunk)) => merger.push(&chunk)?,
            Some(Piece::End) => break,
            None => return Ok(None),
        }
    }
    let summary = merger.finish()?;
    if summary.separate_payload_files {
        return Err(WriteError::SeparateFiles);
    }
    file.commit()?;
    Ok(Some(summary))
}
