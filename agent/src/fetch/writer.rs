//! The blocking half of a try: merges the pieces of a snapshot into a private file.

use bytes::Bytes;
use svdr_cli::files::PrivateFile;
use tokio::sync::mpsc::Receiver;

use super::{Order, WriteError};
use crate::dump::{MergeSummary, Merger};

/// What a try brings, piece by piece.
pub type Pieces = Receiver<Piece>;

/// What comes through the channel.
#[derive(Debug)]
pub enum Piece {
    /// The next bytes of the snapshot.
    Chunk(Bytes),
    /// The snapshot is complete. A channel that closes without it means that the try was given up.
    End,
}

/// Writes the dump, and gives it its name when the snapshot is complete and sound. `None`, and no file, where the
/// try was given up.
pub(super) fn write(order: &Order, mut pieces: Pieces) -> Result<Option<MergeSummary>, WriteError> {
    let mut file = PrivateFile::create(&order.out, order.replace)?;
    let mut merger = Merger::new(&order.identities, order.expectations, order.parts, &mut file)?;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Chunk(chunk)) => merger.push(&chunk)?,
            Some(Piece::End) => break,
            None => return Ok(None),
        }
    }
    let summary = merger.finish()?;
    file.commit()?;
    Ok(Some(summary))
}
