//! Reads the logs of a member's sequencer and participant: what they have seen of each physical synchronizer.
//!
//! ```text
//! paths → records → messages → Seen
//! open    join      what the   the newest of each,
//!         lines     text says  by physical synchronizer
//! ```
//!
//! A record counts only if its logger is the class that writes it and its message begins with the phrase, because users
//! choose message ids, and must not be able to move a fence. Lines are read in order, without the evidence's search in
//! SIMD: there are few of these logs, and a record of several lines must stay together.
//!
//! Edge cases:
//!
//! * `Processing block` is written *before* the chunk is processed. Its `Last chunk timestamp` is of what is complete; its
//!   own events are reported apart ([`Chunk`]), because a chunk that crashes sequencers is written and never completed.
//! * Such a record lists each event on a line of its own. If the number of these lines is not the number that the
//!   record names, a line was lost or made up, and the chunk's events are not known.
//! * Rotated logs may be read in any order and overlap: only maxima are kept.
//! * Exports as one JSON document or as a table are not read here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use svdr_protocol::names::PhysicalSynchronizerId;
use svdr_protocol::time::Timestamp;

use crate::documents::HEAD_BYTES;
use crate::form::Form;
use crate::input::{self, Input, Piece, SourcePath, Stream};
use crate::request::LogsError;

mod messages;
mod records;

use messages::Message;
use records::{Record, Records};

/// Physical synchronizers that are distinguished; a node knows a few.
const MAX_SYNCHRONIZERS: usize = 64;

/// What the logs show, by the physical synchronizer that their loggers name, shortened as logs have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenInLogs {
    /// What each physical synchronizer's lines show.
    pub by_synchronizer: BTreeMap<PhysicalSynchronizerId, Seen>,
    /// What the lines show whose logger names none.
    pub unnamed: Seen,
    /// What the reader doubts, for people.
    pub warnings: Vec<String>,
}

/// What the lines of one physical synchronizer show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The newest time up to which the sequencer says that it has processed everything.
    pub completed: Option<Timestamp>,
    /// The newest chunk that the sequencer began to process.
    pub newest_chunk: Option<Chunk>,
    /// The newest event that the participant processed.
    pub participant: Option<Timestamp>,
    /// The max sequencing time at which the sequencer refused an event, so that it has reached it.
    pub fence: Option<Timestamp>,
}

/// A part of a block, which the sequencer began to process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chunk {
    /// Height of the block.
    pub height: i64,
    /// Number of the chunk in it.
    pub chunk: u64,
    /// The sequencing times of its events.
    pub events: ChunkEvents,
}

/// The sequencing times in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChunkEvents {
    /// It has no events with a sequencing time.
    None,
    /// Lines are missing, or more than the record names.
    Unknown,
    /// The first and the last.
    Between(Timestamp, Timestamp),
}

/// Reads the logs at `paths`: files, folders, shell patterns, and `-` for standard input. Calls `on_bytes` with the number
/// of bytes, unpacked, after each part.
///
/// # Errors
/// [`LogsError`] if a path names nothing or cannot be opened. A log that is corrupt or truncated is not an error: what is
/// readable counts, and a warning names the log.
pub fn read(paths: &[PathBuf], on_bytes: &dyn Fn(u64)) -> Result<SeenInLogs, LogsError> {
    let mut seen = SeenInLogs::default();
    for path in input::expand(paths)? {
        let mut stream = open(&path)?;
        let mut records = Records::default();
        let mut buffer = vec![0; records::BLOCK_BYTES];
        let shown = svdr_protocol::text::shown_in_line(&path.shown());
        // Each file of an archive begins anew.
        let mut begins = true;
        loop {
            match stream.read(&mut buffer) {
                Ok(Piece::End) => break,
                Ok(Piece::Entry(_)) => {
                    records.end(&mut |record| seen.add(record));
                    begins = true;
                }
                Ok(Piece::Bytes(count)) => {
                    on_bytes(count as u64);
                    // In range: a stream fills the buffer at most.
                    let part = &buffer[..count];
                    if std::mem::take(&mut begins) {
                        // In range: at most the part's length.
                        records.expect(Form::of(&part[..count.min(HEAD_BYTES)]).habits);
                    }
                    records.add(part, &mut |record| seen.add(record));
                }
                Err(fault) => {
                    records.end(&mut |record| seen.add(record));
                    begins = true;
                    let (offset, reason) = (fault.offset, fault.reason);
                    seen.warnings.push(format!("{shown} is readable up to byte {offset} only: {reason}"));
                    if !stream.continues() {
                        break;
                    }
                }
            }
        }
        records.end(&mut |record| seen.add(record));
        if records.overlong() > 0 {
            let count = records.overlong();
            seen.warnings.push(format!("{shown} has {count} records that are too long to be read"));
        }
    }
    Ok(seen)
}

fn open(path: &SourcePath) -> Result<Box<Stream>, LogsError> {
    let opened = match path {
        SourcePath::Stdin => Ok(Box::new(Stream::new(Box::new(std::io::stdin())))),
        SourcePath::File(path) | SourcePath::Pipe { path, .. } => match Input::open(path) {
            Ok(Input::Plain { mut file, .. }) => {
                std::io::Seek::rewind(&mut file).map(|()| Box::new(Stream::new(Box::new(file))))
            }
            Ok(Input::Stream(stream)) => Ok(stream),
            Err(error) => Err(error),
        },
    };
    opened.map_err(|source| LogsError::Open { path: PathBuf::from(path.shown()), source })
}

impl SeenInLogs {
    fn add(&mut self, record: &Record<'_>) {
        let Some(message) = messages::read(record) else { return };
        let named = record.logger.and_then(messages::synchronizer);
        let seen = match named {
            None => &mut self.unnamed,
            Some(named)
                if self.by_synchronizer.contains_key(&named)
                    || self.by_synchronizer.len() < MAX_SYNCHRONIZERS =>
            {
                self.by_synchronizer.entry(named).or_default()
            }
            Some(_) => return,
        };
        seen.add(message);
    }
}

impl Seen {
    fn add(&mut self, message: Message) {
        match message {
            Message::Processing { completed, chunk } => {
                self.completed = self.completed.max(completed);
                // A chunk that is processed again after a restart is the same chunk, known or not.
                self.newest_chunk = self.newest_chunk.max(Some(chunk));
            }
            Message::Refused { fence } => self.fence = self.fence.max(Some(fence)),
            Message::Received { at } => self.participant = self.participant.max(Some(at)),
        }
    }

    /// This, and what `other` shows of the same synchronizer.
    pub fn and(mut self, other: &Seen) -> Seen {
        self.completed = self.completed.max(other.completed);
        self.newest_chunk = self.newest_chunk.max(other.newest_chunk);
        self.participant = self.participant.max(other.participant);
        self.fence = self.fence.max(other.fence);
        self
    }

    /// Whether nothing is shown.
    pub fn is_empty(&self) -> bool {
        *self == Seen::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
