//! Brings logs to the search, with all the processor's cores and bounded memory, and what is found back in order.
//!
//! A plain file is cut into segments. Every thread takes the next one and reads it at its place, in large blocks into a
//! buffer it keeps; files are not mapped, because a log that is truncated while it is read would end the
//! process. What is read in order only (packed files, pipes, JSON documents) is unpacked by one thread and
//! searched by another, and the next such log is already unpacked while this one is searched.
//!
//! Everything is handed over in the order of the logs, so a result never depends on how threads run.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};

use super::elements::{self, Elements};
use super::input::{Damage, Input, SourcePath, Stream};
use super::limits::{MAX_LINE_BYTES, MAX_PIECE_BYTES, MAX_PIECE_DISTANCE};
use super::lines::{
    Finder, Found, Needles, NeedsWarmUp, count_lines, first_time, last_separator, last_time, next_separator,
};

/// Blocks that lie between two threads: enough to even out their speeds.
const QUEUE: usize = 2;
/// Segments that are searched or found ahead of the one whose turn it is: what a thread finds meanwhile, in the
/// worst case some megabytes a segment, waits in memory.
const SEGMENTS_AHEAD: u64 = 12;
/// Logs that are unpacked ahead of the one that is being counted.
const STREAMS_AHEAD: usize = 2;
/// What is read in front of a segment to find split lines that reach into it.
const WARM_UP_BYTES: u64 = MAX_PIECE_DISTANCE + MAX_PIECE_BYTES as u64;
/// How much more is read at a time where a line goes on behind a segment.
const EXTEND_BYTES: usize = 64 * 1024;

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Bytes of a segment or block.
    pub block_bytes: usize,
    /// Threads that search one plain file.
    pub workers: usize,
}

impl Default for Effort {
    /// Blocks that stay in a core's cache, and as many threads as there are cores, up to eight: beyond that the
    /// memory is the limit.
    fn default() -> Effort {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
        Effort { block_bytes: 1 << 20, workers }
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
                    let plain = Plain { file: &file, start, size, needles };
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

/// Reads a log from its start to its end, in parts of any size.
pub struct StreamReader<'n> {
    needles: &'n Needles,
    form: Form<'n>,
    /// What has been read and is not a whole line yet, or, at first, not enough to tell the form.
    carry: Vec<u8>,
    last_byte: Option<u8>,
}

enum Form<'n> {
    Unknown,
    Lines {
        finder: Finder<'n>,
        /// Where the carry begins, in bytes of the log.
        offset: u64,
        /// Of a line that is too long, whether the part thrown away held a phrase.
        overlong: Option<bool>,
    },
    Document(Elements<'n>),
}

impl<'n> StreamReader<'n> {
    /// Starts at the log's first byte.
    pub fn new(needles: &'n Needles) -> StreamReader<'n> {
        StreamReader { needles, form: Form::Unknown, carry: Vec::new(), last_byte: None }
    }

    /// Reads the next part.
    pub fn read(&mut self, data: &[u8], found: &mut Found) {
        if let Form::Document(elements) = &mut self.form {
            return elements.read(data, found);
        }
        self.last_byte = data.last().copied().or(self.last_byte);
        self.carry.extend_from_slice(data);
        if matches!(self.form, Form::Unknown) && !self.tell_form(false, found) {
            return;
        }
        self.read_lines(found);
    }

    /// Reads what is left.
    pub fn finish(&mut self, found: &mut Found) {
        if matches!(self.form, Form::Unknown) {
            self.tell_form(true, found);
            self.read_lines(found);
        }
        match &mut self.form {
            Form::Document(elements) => elements.finish(found),
            Form::Lines { finder, offset, overlong } => {
                let rest = std::mem::take(&mut self.carry);
                found.lines += u64::from(self.last_byte.is_some_and(|last| last != b'\n'));
                match overlong {
                    Some(phrase) => count_overlong(*phrase || self.needles.occur_in(&rest), found),
                    None => {
                        // A stream is read from its start, so nothing is in front of it.
                        let _ = finder.read(&rest, *offset, found);
                        found.first = found.first.or_else(|| first_time(&rest));
                        found.last = last_time(&rest).or(found.last);
                    }
                }
                finder.finish(found);
            }
            Form::Unknown => {}
        }
    }

    /// Tells the form of the log from its head, once there is enough of it.
    fn tell_form(&mut self, at_end: bool, found: &mut Found) -> bool {
        if !at_end && self.carry.len() < elements::HEAD_BYTES {
            return false;
        }
        let head = self.carry.get(..elements::HEAD_BYTES).unwrap_or(&self.carry);
        if elements::is_document(head) {
            let mut elements = Elements::new(self.needles);
            elements.read(&std::mem::take(&mut self.carry), found);
            self.form = Form::Document(elements);
        } else {
            self.form = Form::Lines { finder: Finder::new(self.needles), offset: 0, overlong: None };
        }
        true
    }

    fn read_lines(&mut self, found: &mut Found) {
        let Form::Lines { finder, offset, overlong } = &mut self.form else { return };
        let mut from = 0;
        if let Some(phrase) = *overlong {
            let end = next_separator(&self.carry, 0);
            let part = self.carry.get(..end.unwrap_or(self.carry.len())).unwrap_or_default();
            let phrase = phrase || self.needles.occur_in(part);
            match end {
                Some(end) => {
                    count_overlong(phrase, found);
                    *overlong = None;
                    from = end + 1;
                    found.lines += count_lines(self.carry.get(..from).unwrap_or_default());
                }
                None => {
                    *overlong = Some(phrase);
                    let dropped = self.carry.len().saturating_sub(self.needles.overlap());
                    self.carry.drain(..dropped);
                    *offset += dropped as u64;
                    return;
                }
            }
        }
        let data = self.carry.get(from..).unwrap_or_default();
        let whole = data.get(..last_separator(data).map_or(0, |at| at + 1)).unwrap_or_default();
        if !whole.is_empty() {
            // A stream is read from its start, so nothing is in front of it.
            let _ = finder.read(whole, *offset + from as u64, found);
            found.lines += count_lines(whole);
            found.first = first_time(whole);
            found.last = last_time(whole);
        }
        let done = from + whole.len();
        self.carry.copy_within(done.., 0);
        self.carry.truncate(self.carry.len() - done);
        *offset += done as u64;
        if self.carry.len() > MAX_LINE_BYTES {
            *overlong = Some(self.needles.occur_in(&self.carry));
            let dropped = self.carry.len().saturating_sub(self.needles.overlap());
            self.carry.drain(..dropped);
            *offset += dropped as u64;
        }
    }
}

fn count_overlong(phrase: bool, found: &mut Found) {
    if phrase {
        found.overlong += 1;
        found.unreadable += 1;
    }
}

/// Which segments of a file are searched by whom, and what was found, until it is taken in order.
struct Board {
    segments: u64,
    state: Mutex<BoardState>,
    /// Something was taken, so that there is room to search further ahead.
    room: Condvar,
    /// Something was found.
    ready: Condvar,
}

#[derive(Default)]
struct BoardState {
    claimed: u64,
    taken: u64,
    found: BTreeMap<u64, Result<Found, Damage>>,
    stopped: bool,
}

/// What the thread that takes results does next.
enum Next {
    Take(Result<Found, Damage>),
    Search(u64),
    End,
}

impl Board {
    fn new(segments: u64) -> Board {
        Board { segments, state: Mutex::default(), room: Condvar::new(), ready: Condvar::new() }
    }

    /// The state; it is whole between any two statements, so a thread that panicked left nothing half done.
    fn lock(&self) -> MutexGuard<'_, BoardState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A segment to search, once there is room for what it holds; none where all are claimed.
    fn claim(&self) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.claimed == self.segments {
                return None;
            }
            if state.claimed < state.taken + SEGMENTS_AHEAD {
                state.claimed += 1;
                return Some(state.claimed - 1);
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, nth: u64, found: Result<Found, Damage>) {
        self.lock().found.insert(nth, found);
        self.ready.notify_one();
    }

    fn next(&self) -> Next {
        let mut state = self.lock();
        loop {
            let taken = state.taken;
            if let Some(found) = state.found.remove(&taken) {
                state.taken += 1;
                self.room.notify_one();
                return Next::Take(found);
            }
            if taken == self.segments {
                return Next::End;
            }
            if state.claimed < self.segments && state.claimed < taken + SEGMENTS_AHEAD {
                state.claimed += 1;
                return Next::Search(state.claimed - 1);
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing more is wanted.
    fn stop(&self) {
        self.lock().stopped = true;
        self.room.notify_all();
    }
}

/// A plain file, read at any place.
pub struct Plain<'a> {
    /// The file.
    pub file: &'a File,
    /// The first byte to read, at a line's start.
    pub start: u64,
    /// Where to end.
    pub size: u64,
    /// What to search.
    pub needles: &'a Needles,
}

impl Plain<'_> {
    /// Searches the segments with all threads, this one among them, and hands over what is found in order.
    fn read(&self, effort: Effort, sink: &mut impl FnMut(Arrival)) -> io::Result<()> {
        let block = effort.block_bytes.max(1) as u64;
        let segments = self.size.saturating_sub(self.start).div_ceil(block);
        let search = |nth: u64, buffer: &mut Vec<u8>| {
            let from = self.start + nth * block;
            self.segment(from, (from + block).min(self.size), buffer)
        };
        let board = Board::new(segments);
        let workers = u64::try_from(effort.workers).unwrap_or(1).clamp(1, segments.max(1));
        thread::scope(|scope| {
            for _ in 1..workers {
                let work = || {
                    let mut buffer = Vec::new();
                    while let Some(nth) = board.claim() {
                        board.put(nth, search(nth, &mut buffer));
                    }
                };
                let started = thread::Builder::new().name("search".to_owned()).spawn_scoped(scope, work);
                if let Err(error) = started {
                    board.stop();
                    return Err(error);
                }
            }
            let mut buffer = Vec::new();
            loop {
                match board.next() {
                    Next::Take(Ok(found)) => sink(Arrival::Part(found)),
                    Next::Take(Err(damage)) => {
                        board.stop();
                        sink(Arrival::Damaged(damage));
                        return Ok(());
                    }
                    Next::Search(nth) => board.put(nth, search(nth, &mut buffer)),
                    Next::End => return Ok(()),
                }
            }
        })
    }

    /// Searches the lines that start in `[from, to)` of the file, through `buffer`.
    ///
    /// # Errors
    /// Where the file cannot be read, with the place.
    pub fn segment(&self, from: u64, to: u64, buffer: &mut Vec<u8>) -> Result<Found, Damage> {
        // The byte in front tells whether a line starts here.
        let near = (from - self.start).min(1);
        if let Ok(found) = self.segment_behind(from, to, near, buffer)? {
            return Ok(found);
        }
        let far = (from - self.start).min(WARM_UP_BYTES);
        // With all of it in view there is nothing left to need.
        Ok(self.segment_behind(from, to, far, buffer)?.unwrap_or_default())
    }

    /// Searches a segment, having looked at the `front` bytes before it.
    fn segment_behind(
        &self,
        from: u64,
        to: u64,
        front: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<Result<Found, NeedsWarmUp>, Damage> {
        let mut found = Found::default();
        let is_warm = front > 1 || from - front == self.start;
        let mut finder =
            if is_warm { Finder::new(self.needles) } else { Finder::in_the_middle(self.needles) };
        let begin = from - front;
        self.fill(buffer, begin, to)?;
        let front = usize::try_from(front).unwrap_or(usize::MAX).min(buffer.len());
        // A file that shrank while it was read just ends earlier.
        let (before, own) = buffer.split_at(front);
        found.bytes = own.len() as u64;
        found.lines = count_lines(own);
        let at_end = begin + buffer.len() as u64 >= self.size || own.len() as u64 != to - from;
        if at_end && own.last().is_some_and(|last| *last != b'\n') {
            found.lines += 1;
        }
        let is_start = before.is_empty() || last_separator(before) == Some(before.len() - 1);
        let first = if is_start { Some(front) } else { next_separator(buffer, front).map(|at| at + 1) };
        let Some(first) = first.filter(|first| *first < buffer.len()) else { return Ok(Ok(found)) };
        let last_line = last_separator(buffer).map_or(first, |at| at + 1).max(first);
        let mut own_end = last_line;
        if last_line < buffer.len() && !self.extend_line(buffer, begin, last_line)? {
            let phrase = self.overlong_holds_phrase(buffer, begin, last_line)?;
            count_overlong(phrase, &mut found);
        } else if last_line < buffer.len() {
            own_end = next_separator(buffer, last_line).map_or(buffer.len(), |at| at + 1);
        }
        if is_warm && front > 0 {
            let aligned = match begin > self.start {
                true => next_separator(buffer, 0).map_or(first, |at| at + 1).min(first),
                false => 0,
            };
            finder.warm_up(buffer.get(aligned..first).unwrap_or_default(), begin + aligned as u64);
        }
        let own = buffer.get(first..own_end).unwrap_or_default();
        if let Err(needs) = finder.read(own, begin + first as u64, &mut found) {
            return Ok(Err(needs));
        }
        found.first = first_time(own);
        found.last = last_time(own);
        let mut next = begin + own_end as u64;
        while finder.is_open() && next < self.size {
            self.fill(buffer, next, (next + WARM_UP_BYTES).min(self.size))?;
            let whole = match last_separator(buffer) {
                _ if next + buffer.len() as u64 >= self.size => buffer.len(),
                Some(at) => at + 1,
                // One line as long as the distance: nothing behind it is near enough.
                None => break,
            };
            if whole == 0 {
                break;
            }
            finder.finish_splits(buffer.get(..whole).unwrap_or_default(), next, &mut found);
            next += whole as u64;
        }
        finder.finish(&mut found);
        Ok(Ok(found))
    }

    /// Reads the bytes of `[from, to)` into `buffer`; fewer where the file ends before.
    ///
    /// # Errors
    /// Where the file cannot be read, with the place.
    pub fn fill(&self, buffer: &mut Vec<u8>, from: u64, to: u64) -> Result<(), Damage> {
        let length = usize::try_from(to - from).unwrap_or(usize::MAX);
        buffer.resize(length, 0);
        let count = read_at(self.file, buffer, from).map_err(|error| unreadable(from, &error))?;
        buffer.truncate(count);
        Ok(())
    }

    /// Reads on behind `buffer` until the line at `line` ends; says whether it ends within the limit.
    fn extend_line(&self, buffer: &mut Vec<u8>, begin: u64, line: usize) -> Result<bool, Damage> {
        let mut searched = line;
        loop {
            if let Some(end) = next_separator(buffer, searched) {
                return Ok(end - line <= MAX_LINE_BYTES);
            }
            if buffer.len() - line > MAX_LINE_BYTES {
                return Ok(false);
            }
            searched = buffer.len();
            let next = begin + searched as u64;
            let more = self.size.saturating_sub(next).min(EXTEND_BYTES as u64);
            buffer.resize(searched + usize::try_from(more).unwrap_or(0), 0);
            let rest = buffer.get_mut(searched..).unwrap_or_default();
            let count = read_at(self.file, rest, next).map_err(|error| unreadable(next, &error))?;
            buffer.truncate(searched + count);
            if count == 0 {
                return Ok(true);
            }
        }
    }

    /// Whether the line at `line` of `buffer`, too long to be kept, holds a phrase anywhere up to its end.
    fn overlong_holds_phrase(&self, buffer: &[u8], begin: u64, line: usize) -> Result<bool, Damage> {
        let mut part = buffer.get(line..).unwrap_or_default().to_vec();
        let mut next = begin + buffer.len() as u64;
        loop {
            let end = next_separator(&part, 0);
            if self.needles.occur_in(part.get(..end.unwrap_or(part.len())).unwrap_or_default()) {
                return Ok(true);
            }
            if end.is_some() || next >= self.size {
                return Ok(false);
            }
            let kept = part.len().saturating_sub(self.needles.overlap());
            part.drain(..kept);
            let kept = part.len();
            part.resize(kept + MAX_LINE_BYTES, 0);
            let rest = part.get_mut(kept..).unwrap_or_default();
            let count = read_at(self.file, rest, next).map_err(|error| unreadable(next, &error))?;
            if count == 0 {
                return Ok(false);
            }
            part.truncate(kept + count);
            next += count as u64;
        }
    }
}

fn unreadable(offset: u64, error: &io::Error) -> Damage {
    Damage { offset, reason: format!("it cannot be read: {error}") }
}
