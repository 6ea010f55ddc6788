//! Brings logs to the search, with all of the processor's cores and bounded memory, and returns what is found in order.
//!
//! A plain file is divided into segments. Every thread takes the next one and searches it in memory if the file is
//! mapped, or reads it into a buffer of its own. What can only be read in order (packed files, pipes, JSON documents)
//! is unpacked by one thread and searched by another, and the next such log is already unpacked while this one is
//! searched.
//!
//! Everything is handed over in the order of the logs, so a result never depends on how threads run.

mod arrival;
mod board;
mod mapping;
mod plain;
mod stream;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek as _};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, Scope};

pub(crate) use arrival::Arrival;
pub use arrival::Effort;
pub(crate) use plain::Plain;
pub(crate) use stream::StreamReader;

use crate::documents;
use crate::input::{Fault, Input, SourcePath, Stream, read_at};
use crate::lines::{Found, Needles};
use mapping::Mapping;

/// Blocks between two threads: enough to even out their speeds.
const QUEUE: usize = 2;
/// Logs that are unpacked before the one that is being counted has ended.
const STREAMS_AHEAD: usize = 2;

/// One log and the place to read it from.
pub(crate) struct Feed {
    pub(crate) path: SourcePath,
    /// The opened log, if it cannot be opened again.
    pub(crate) opened: Option<Input>,
    /// The first byte to read, at a line's start. Zero for everything but plain files.
    pub(crate) start: u64,
}

/// Reads `feeds` and hands over everything that is found, in order.
///
/// # Errors
/// If no thread can be started. A log that cannot be opened arrives as a fault at its first byte.
pub(crate) fn read(
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
            // A plain file is read by all threads in its turn, so what follows it waits too.
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
                    sink(Arrival::Fault(Fault {
                        offset: 0,
                        reason: format!("the system cannot open the log: {error}"),
                        help: "Check its permissions, then read it again",
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

/// Opens a log, and starts to unpack and search it if that can be done before its turn.
fn start<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    feed: Feed,
    needles: &'env Needles,
    effort: Effort,
) -> io::Result<Started> {
    let opened = match (feed.opened, &feed.path) {
        (Some(input), _) => Ok(input),
        (None, SourcePath::File(path)) => Input::open(path),
        (None, SourcePath::Stdin) => Stream::new(Box::new(io::stdin())).map(|it| Input::Stream(Box::new(it))),
    };
    let stream = match opened {
        Ok(Input::Stream(stream)) => Ok(stream),
        Ok(Input::Plain { mut file, size }) => match is_document(&file) {
            Ok(true) => file.rewind().and_then(|()| Stream::new(Box::new(file))).map(Box::new),
            Ok(false) => return Ok(Started::Plain { file, start: feed.start, size }),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    let stream = match stream {
        Ok(stream) => stream,
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
pub(crate) fn is_document(file: &File) -> io::Result<bool> {
    let mut head = vec![0; documents::HEAD_BYTES];
    let count = read_at(file, &mut head, 0)?;
    head.truncate(count);
    Ok(documents::is_document(&head))
}

struct Block {
    bytes: Vec<u8>,
    /// How far `bytes` is filled; at most its length.
    len: usize,
    /// Bytes of the packed log that were read for it.
    packed: u64,
}

/// Unpacks until the end, a fault, or until nobody listens.
fn unpack(mut stream: Box<Stream>, buffers: &Receiver<Vec<u8>>, filled: &SyncSender<Result<Block, Fault>>) {
    let mut before = 0;
    for mut bytes in buffers {
        let (len, fault) = match stream.read(&mut bytes) {
            Ok(len) => (len, None),
            Err(fault) => (0, Some(fault)),
        };
        // The last block may be empty; it counts the padding, checksums and corrupt bytes that were read.
        let packed = stream.offset() - before;
        before = stream.offset();
        if filled.send(Ok(Block { bytes, len, packed })).is_err() || len == 0 && fault.is_none() {
            return;
        }
        if let Some(fault) = fault {
            // If the search has ended, nobody needs the fault.
            let _ = filled.send(Err(fault));
            return;
        }
    }
}

/// Searches what [`unpack`] unpacks.
fn search(
    blocks: &Receiver<Result<Block, Fault>>,
    emptied: &SyncSender<Vec<u8>>,
    needles: &Needles,
    send: &SyncSender<Arrival>,
) {
    let mut reader = StreamReader::new(needles);
    for block in blocks {
        let arrival = match block {
            Ok(block) => {
                let mut found = Found { bytes: block.packed, ..Found::default() };
                // In range: a stream fills at most the whole buffer.
                reader.read(&block.bytes[..block.len], &mut found);
                // If the unpacker has ended, the buffer is not needed again.
                let _ = emptied.send(block.bytes);
                Arrival::Part(found)
            }
            Err(fault) => Arrival::Fault(fault),
        };
        if send.send(arrival).is_err() {
            return;
        }
    }
    let mut found = Found::default();
    reader.finish(&mut found);
    // If the receiver has ended, nothing is lost.
    let _ = send.send(Arrival::Part(found));
}
