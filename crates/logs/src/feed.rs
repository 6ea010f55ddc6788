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
use crate::form::Form;
use crate::input::{Fault, Input, Piece, SourcePath, Stream, read_at};
use crate::lines::{Found, NeedleSets};
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
    needles: &NeedleSets,
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
                Started::Plain { file, form, start, size } => {
                    let mapping = effort.mapped.then(|| Mapping::of(&file, size)).flatten();
                    let needles = needles.of(form.has_byte_arrays);
                    let plain = Plain {
                        file: &file,
                        mapping: mapping.as_ref(),
                        start,
                        size,
                        needles,
                        habits: &form.habits,
                    };
                    plain.read(effort, &mut sink)?;
                }
            }
        }
    })
}

enum Started {
    Plain { file: File, form: Box<Form>, start: u64, size: u64 },
    Stream(Receiver<Arrival>),
    Failed(io::Error),
}

/// Opens a log, and starts to unpack and search it if that can be done before its turn.
fn start<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    feed: Feed,
    needles: &'env NeedleSets,
    effort: Effort,
) -> io::Result<Started> {
    let opened = match (feed.opened, &feed.path) {
        (Some(input), _) => Ok(input),
        (None, SourcePath::File(path) | SourcePath::Pipe { path, .. }) => Input::open(path),
        (None, SourcePath::Stdin) => Ok(Input::Stream(Box::new(Stream::new(Box::new(io::stdin()))))),
    };
    let stream = match opened {
        Ok(Input::Stream(stream)) => Ok(stream),
        Ok(Input::Plain { mut file, size }) => match form(&file) {
            Ok(form) if !form.needs_order() => {
                return Ok(Started::Plain { file, form: Box::new(form), start: feed.start, size });
            }
            Ok(_) => file.rewind().map(|()| Box::new(Stream::new(Box::new(file)))),
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
        .spawn_scoped(scope, move || unpack(&mut *{ stream }, &buffers, &filled))?;
    thread::Builder::new()
        .name("search".to_owned())
        .spawn_scoped(scope, move || search(&blocks, &emptied, needles, &send))?;
    Ok(Started::Stream(arrivals))
}

/// Detects the form of a plain file.
pub(crate) fn form(file: &File) -> io::Result<Form> {
    let mut head = vec![0; documents::HEAD_BYTES];
    let count = read_at(file, &mut head, 0)?;
    head.truncate(count);
    Ok(Form::of(&head))
}

/// What the unpacking passes on.
enum Unpacked {
    Block(Block),
    /// The file of this path in an archive begins.
    Entry(String),
    Fault(Fault),
}

struct Block {
    bytes: Vec<u8>,
    /// How far `bytes` is filled; at most its length.
    len: usize,
    /// Bytes of the packed log that were read for it.
    packed: u64,
}

/// Unpacks until the end, or until nobody listens.
fn unpack(stream: &mut Stream, buffers: &Receiver<Vec<u8>>, filled: &SyncSender<Unpacked>) {
    let mut before = 0;
    for mut bytes in buffers {
        // One buffer for each block. What is not a block needs none.
        loop {
            let piece = stream.read(&mut bytes);
            let packed = stream.offset() - before;
            before = stream.offset();
            let block = |bytes, len| Unpacked::Block(Block { bytes, len, packed });
            let (unpacked, then) = match piece {
                Ok(Piece::Bytes(len)) => {
                    if filled.send(block(bytes, len)).is_err() {
                        return;
                    }
                    break;
                }
                // The last block is empty; it counts the padding and checksums that were read.
                Ok(Piece::End) => (block(Vec::new(), 0), None),
                Ok(Piece::Entry(path)) => (block(Vec::new(), 0), Some(Unpacked::Entry(path))),
                // So does this one, with the corrupt bytes.
                Err(fault) => (block(Vec::new(), 0), Some(Unpacked::Fault(fault))),
            };
            let is_last = match &then {
                None => true,
                Some(Unpacked::Fault(_)) => !stream.continues(),
                Some(_) => false,
            };
            let is_sent = filled.send(unpacked).is_ok() && then.is_none_or(|then| filled.send(then).is_ok());
            if !is_sent || is_last {
                return;
            }
        }
    }
}

/// Searches what [`unpack`] unpacks.
fn search(
    blocks: &Receiver<Unpacked>,
    emptied: &SyncSender<Vec<u8>>,
    needles: &NeedleSets,
    send: &SyncSender<Arrival>,
) {
    let mut reader = StreamReader::new(needles);
    for block in blocks {
        let arrival = match block {
            Unpacked::Block(block) => {
                let mut found = Found { bytes: block.packed, ..Found::default() };
                // In range: a stream fills at most the whole buffer.
                reader.read(&block.bytes[..block.len], &mut found);
                if !block.bytes.is_empty() {
                    // If the unpacker has ended, the buffer is not needed again.
                    let _ = emptied.send(block.bytes);
                }
                Arrival::Part(found)
            }
            Unpacked::Fault(fault) => Arrival::Fault(fault),
            Unpacked::Entry(path) => {
                if send.send(finish(reader)).is_err() {
                    return;
                }
                reader = StreamReader::new(needles);
                Arrival::Entry(path)
            }
        };
        if send.send(arrival).is_err() {
            return;
        }
    }
    // If the receiver has ended, nothing is lost.
    let _ = send.send(finish(reader));
}

fn finish(mut reader: StreamReader<'_>) -> Arrival {
    let mut found = Found::default();
    reader.finish(&mut found);
    Arrival::Part(found)
}
