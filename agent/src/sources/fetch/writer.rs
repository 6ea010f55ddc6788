//! The blocking half of a try: makes the dump out of the pieces of a snapshot, in a private file.

use bytes::Bytes;
use svdr_files::PrivateFile;
use tokio::sync::mpsc::Receiver;

use super::{App, Order, WriteError};
use svdr_dump::{Extractor, MergeError, MergeSummary, Merger};

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

/// What makes the dump out of the snapshot.
enum Maker<'f> {
    Merge(Merger<&'f mut PrivateFile>),
    Extract(Extractor<&'f mut PrivateFile>),
}

impl<'f> Maker<'f> {
    fn new(order: &Order, file: &'f mut PrivateFile) -> Result<Maker<'f>, WriteError> {
        let Order { expectations, parts, .. } = *order;
        match &order.app {
            App::Sv { identities } => {
                let identities = identities.as_ref().ok_or(WriteError::NoIdentities)?;
                Ok(Maker::Merge(Merger::new(identities, expectations, parts, file)?))
            }
            App::Validator => Ok(Maker::Extract(Extractor::new(expectations, parts, file)?)),
        }
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(), MergeError> {
        match self {
            Maker::Merge(merger) => merger.push(chunk),
            Maker::Extract(extractor) => extractor.push(chunk),
        }
    }

    fn finish(self) -> Result<MergeSummary, MergeError> {
        match self {
            Maker::Merge(merger) => merger.finish(),
            Maker::Extract(extractor) => extractor.finish(),
        }
    }
}

/// Writes the dump, and gives it its name when the snapshot is complete and sound. `None`, and no file, where the
/// try was given up.
pub(super) fn write(order: &Order, mut pieces: Pieces) -> Result<Option<MergeSummary>, WriteError> {
    let mut file = PrivateFile::create(&order.out, order.replace)?;
    let mut maker = Maker::new(order, &mut file)?;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Chunk(chunk)) => maker.push(&chunk)?,
            Some(Piece::End) => break,
            None => return Ok(None),
        }
    }
    let summary = maker.finish()?;
    // An SV app gives those in its volume instead; what an answer names is nowhere here.
    if summary.separate_payload_files && matches!(order.app, App::Sv { .. }) {
        return Err(WriteError::SeparateFiles);
    }
    file.commit()?;
    Ok(Some(summary))
}
