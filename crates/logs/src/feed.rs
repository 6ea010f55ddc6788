//! Brings logs to the search, with all the processor's cores and bounded memory, and what is found back in order.
//!
//! A plain file is cut into segments. Every thread takes the next one and looks at it in memory, where the file may be
//! mapped, or reads it at its place into a buffer it keeps. What is read in order only (packed files, pipes, JSON
//! documents) is unpacked by one thread and searched by another, and the next such log is already unpacked while this
//! one is searched.
//!
//! Everything is handed over in the order of the logs, so a result never depends on how threads run.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, Scope};

use super::elements;
use super::input::{Damage, Input, SourcePath, Stream};
use super::lines::{Found, Needles};
use mapping::Mapping;

mod board;
mod mapping;
mod plain;
mod stream;

pub use plain::Plain;
pub use stream::StreamReader;

/// Blocks that lie between two threads: enough to even out their speeds.
const QUEUE: usize = 2;
/// Logs that are unpacked ahead of the one that is being counted.
const STREAMS_AHEAD: usize = 2;

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Bytes of a segment or block.
    pub block_bytes: usize,
    /// Threads that search one plain file.
    pub workers: usize,
    /// Whether plain files are mapped; not for a process that must go on where a log is cut under it.
    pub mapped: bool,
}

impl Effort {
    /// For a command that does nothing else: plain files are mapped.
    pub fn mapped() -> Effort {
        Effort { block_bytes: 1 << 20, mapped: true, ..Effort::default() }
    }
}

impl Default for Effort {
    /// Blocks that stay in a core's cache together with what is copied into them, and as many threads as there are
    /// cores, up to eight: beyond that the memory is the limit.
    fn default() -> Effort {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
        Effort { block_bytes: 1 << 18, workers, mapped: false }
    }
}

/// One log and the place to read it from.
pub struct Feed {
    /// Where it is.
    pub path: SourcePath,
    /// The opened log, for what cannot be opened again.
    pub opened: Option<Input>,
    /// The first byte to read, at a line's start; only of plain files more than zero.
    pub start: u64,
}

/// What arrives from a log, in order.
pub enum Arrival {
    /// The log at this place of the list is next.
    Begin(usize),
    /// A part of it.
    Part(Found),
    /// It cannot be read further.
    Damaged(Damage),
}

/// Reads `feeds` and hands over all that is found in order.
///
/// # Errors
/// Where no thread can be started. A log that cannot be opened arrives as damaged at its first byte.
pub fn read(
    feeds: Vec<Feed>,
    needles: &Needles,
    effort: Effort,
    mut sink: impl FnMut(Arrival),
) -> io::Result<()> {
    thread::scope(|scope| {
        let mut waiting = feeds.into_iter();
        let mut started: VecDeque<Started> = VecDeque::new();
        let mut number = 0;
        loop {
            // A plain file waits for its turn, and what is behind it waits with it.
            while started.len() < STREAMS_AHEAD && !matches!(started.back(), Some(Started::Plain { .. })) {
                match waiting.next() {
                    Some(feed) => started.push_back(start(scope, feed, needles, effort)?),
                    None => break,
                }
            }
            let Some(next) = started.pop_front() else { return Ok(()) };
            sink(Arrival::Begin(number));
            number += 1;
            match next {
                Started::Stream(arrivals) => arrivals.into_iter().for_each(&mut sink),
                Started::Failed(error) => {
                    sink(Arrival::Damaged(Damage {
                        offset: 0,
                        reason: format!("it cannot be opened: {error}"),
                    }));
                }
                Started::Plain { file, start, size } => {
                    let mapping = effort.mapped.then(|| Mapping::of(&file, size)).flatten();
                    let plain = Plain { file: &file, mapping: mapping.as_ref(), start, size, needles };
                    plain.read(effort, &mut sink)?;
                }
            }
        }
    })
}

enum Started {
    Plain { file: File, start: u64, size: u64 },
    Stream(Receiver<Arrival>),
    Failed(io::Error),
}

/// Opens a log, and starts to unpack and search it where that can be done ahead.
fn start<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    feed: Feed,
    needles: &'env Needles,
    effort: Effort,
) -> io::Result<Started> {
    let opened = match (feed.opened, &feed.path) {
        (Some(input), _) => Ok(input),
        (None, SourcePath::File(path)) => Input::open(path),
        (None, SourcePath::Stdin) => Input::once(Box::new(io::stdin())),
    };
    let stream = match opened {
        Ok(Input::Plain { mut file, size }) => match is_document(&file) {
            Ok(true) => file.rewind().and_then(|()| Input::once(Box::new(file))),
            Ok(false) => return Ok(Started::Plain { file, start: feed.start, size }),
            Err(error) => Err(error),
        },
        opened => opened,
    };
    let stream = match stream {
        Ok(Input::Stream(stream)) => stream,
        Ok(Input::Plain { file, size }) => return Ok(Started::Plain { file, start: feed.start, size }),
        Err(error) => return Ok(Started::Failed(error)),
    };
    let (send, arrivals) = mpsc::sync_channel(QUEUE);
    let (filled, blocks) = mpsc::sync_channel(QUEUE);
    let (emptied, buffers) = mpsc::sync_channel(QUEUE + 2);
    for _ in 0..=QUEUE {
        // The channel has room for all of them, and both ends are here.
        let _ = emptied.send(vec![0; effort.block_bytes]);
    }
    thread::Builder::new()
        .name("unpack".to_owned())
        .spawn_scoped(scope, move || unpack(stream, &buffers, &filled))?;
    thread::Builder::new()
        .name("search".to_owned())
        .spawn_scoped(scope, move || search(&blocks, &emptied, needles, &send))?;
    Ok(Started::Stream(arrivals))
}

/// Whether a plain file is a JSON document, which can only be read from its start.
pub fn is_document(file: &File) -> io::Result<bool> {
    let mut head = vec![0; elements::HEAD_BYTES];
    let count = read_at(file, &mut head, 0)?;
    Ok(elements::is_document(head.get(..count).unwrap_or_default()))
}

/// Reads until `buffer` is full or the file ends.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

struct Block {
    bytes: Vec<u8>,
    len: usize,
    /// Bytes of the packed log read for it.
    packed: u64,
}

/// Unpacks until the end, until damage, or until nobody listens.
fn unpack(mut stream: Box<Stream>, buffers: &Receiver<Vec<u8>>, filled: &SyncSender<Result<Block, Damage>>) {
    let mut before = 0;
    for mut bytes in buffers {
        let (len, damage) = match stream.read(&mut bytes) {
            Ok(len) => (len, None),
            Err(damage) => (0, Some(damage)),
        };
        // The last block may be empty; it tells of padding, checksums and damaged bytes that were read.
        let packed = stream.offset() - before;
        before = stream.offset();
        if filled.send(Ok(Block { bytes, len, packed })).is_err() || len == 0 && damage.is_none() {
            return;
        }
        if let Some(damage) = damage {
            // Where nobody listens any more, nobody wants to know.
            let _ = filled.send(Err(damage));
            return;
        }
    }
}

/// Searches what [`unpack`] gives.
fn search(
    blocks: &Receiver<Result<Block, Damage>>,
    emptied: &SyncSender<Vec<u8>>,
    needles: &Needles,
    send: &SyncSender<Arrival>,
) {
    let mut reader = StreamReader::new(needles);
    for block in blocks {
        let arrival = match block {
            Ok(block) => {
                let mut found = Found { bytes: block.packed, ..Found::default() };
                reader.read(block.bytes.get(..block.len).unwrap_or_default(), &mut found);
                // The unpacker may have ended; then the buffer is not needed again.
                let _ = emptied.send(block.bytes);
                Arrival::Part(found)
            }
            Err(damage) => Arrival::Damaged(damage),
        };
        if send.send(arrival).is_err() {
            return;
        }
    }
    let mut found = Found::default();
    reader.finish(&mut found);
    // Where nobody listens any more, nothing is lost.
    let _ = send.send(Arrival::Part(found));
}
