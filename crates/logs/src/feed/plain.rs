//! Searches a plain file in segments, each on its own.
//!
//! A segment's lines are those that start in it. The last one is read beyond the segment's end, up to the limit of a
//! line. If it matters whether the segment's first line continues a split one, the bytes before it are read too.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread;

use super::arrival::{Arrival, Effort};
use super::board::{Board, Next, StopOnPanic};
use super::mapping::Mapping;
use crate::input::{CHECK_THE_DISK, Fault, read_at};
use crate::limits::{MAX_DOCKER_PIECE_BYTES, MAX_LINE_BYTES, MAX_PIECE_DISTANCE};
use crate::lines::{
    Finder, Found, Judge, MIN_PIECE_LINE, Needles, NeedsWarmUp, count_lines, count_overlong, last_separator,
    line_start, next_separator,
};
use crate::wrappers::Habits;

/// What is read before a segment to find split lines that reach into it.
const WARM_UP_BYTES: u64 = MAX_PIECE_DISTANCE + MAX_DOCKER_PIECE_BYTES as u64;
/// What is looked at before a segment in any case: whether a line starts at its first byte, and whether the line before
/// is too short to be a piece of a split one.
const NEAR_BYTES: u64 = MIN_PIECE_LINE as u64;
/// How much more is read at a time if a line continues after a segment.
const EXTEND_BYTES: u64 = 64 * 1024;

/// A plain file, read at any place.
pub(crate) struct Plain<'a> {
    pub(crate) file: &'a File,
    /// The same in memory, if it is to be read there.
    pub(crate) mapping: Option<&'a Mapping>,
    /// The first byte to read, at a line's start.
    pub(crate) start: u64,
    /// Where to end.
    pub(crate) size: u64,
    pub(crate) needles: &'a Needles,
    pub(crate) habits: &'a Arc<Habits>,
}

impl Plain<'_> {
    /// Searches the segments with all threads, this one among them, and hands over what is found, in order.
    pub(super) fn read(&self, effort: Effort, sink: &mut impl FnMut(Arrival)) -> io::Result<()> {
        let block = effort.block_bytes.max(1) as u64;
        let segments = self.size.saturating_sub(self.start).div_ceil(block);
        let search = |nth: u64, buffer: &mut Vec<u8>| {
            let from = self.start + nth * block;
            let to = (from + block).min(self.size);
            let found = self.segment(from, to, buffer);
            if let Some(mapping) = self.mapping {
                mapping.release(from, to);
            }
            found
        };
        let board = Board::new(segments);
        let workers = u64::try_from(effort.workers).unwrap_or(1).clamp(1, segments.max(1));
        thread::scope(|scope| {
            for _ in 1..workers {
                let work = || {
                    let _stop = StopOnPanic(&board);
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
            let _stop = StopOnPanic(&board);
            let mut buffer = Vec::new();
            let mut whole = true;
            let mut at = self.start;
            loop {
                match board.next() {
                    Next::Take(Ok(found)) => {
                        let (end, expected) = (at + found.bytes, (at + block).min(self.size));
                        at = expected;
                        sink(Arrival::Part(found));
                        if whole && end < expected {
                            whole = false;
                            sink(Arrival::Fault(shrunk(end, self.size)));
                        }
                    }
                    Next::Take(Err(fault)) => {
                        board.stop();
                        sink(Arrival::Fault(fault));
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
    /// If the file cannot be read.
    pub(crate) fn segment(&self, from: u64, to: u64, buffer: &mut Vec<u8>) -> Result<Found, Fault> {
        let near = (from - self.start).min(NEAR_BYTES);
        if let Ok(found) = self.segment_after(from, to, near, false, buffer)? {
            return Ok(found);
        }
        let far = (from - self.start).min(WARM_UP_BYTES);
        self.segment_after(from, to, far, true, buffer)?.map_err(|NeedsWarmUp| Fault {
            offset: from,
            reason: "the lines here could not be put together; this is a defect".to_owned(),
            help: "Report it, and read a copy of the log without this part",
        })
    }

    /// Searches a segment, after a look at the `front` bytes before it. To warm up is to read them.
    fn segment_after(
        &self,
        from: u64,
        to: u64,
        front: u64,
        warm_up: bool,
        buffer: &mut Vec<u8>,
    ) -> Result<Result<Found, NeedsWarmUp>, Fault> {
        let mut found = Found::default();
        let is_warm = warm_up || from - front == self.start;
        let mut finder = if is_warm {
            Finder::new(self.needles, self.habits)
        } else {
            Finder::in_the_middle(self.needles, self.habits)
        };
        let begin = from - front;
        let mut view = self.view(buffer, begin, to)?;
        let bytes = view.bytes();
        // If the file shrank while it was read, there are fewer bytes. The caller reports that.
        let front = usize::try_from(front).unwrap_or(usize::MAX).min(bytes.len());
        let (before, own) = bytes.split_at(front);
        let end = bytes.len();
        found.bytes = own.len() as u64;
        let at_end = begin + end as u64 >= self.size || own.len() as u64 != to - from;
        found.lines = u64::from(at_end && own.last().is_some_and(|last| *last != b'\n'));
        let is_start = before.is_empty() || last_separator(before) == Some(before.len() - 1);
        let first = if is_start { Some(front) } else { next_separator(bytes, front).map(|at| at + 1) };
        // The lines that start here are read below. The line breaks that are here are counted, also that of the line
        // before. In range: a separator's place is before the end.
        found.lines += count_lines(&bytes[front..first.unwrap_or(end)]);
        let Some(first) = first.filter(|first| *first < end) else { return Ok(Ok(found)) };
        let last_line = line_start(bytes, end).max(first);
        let mut own_end = last_line;
        if last_line < end {
            if view.extend_line(last_line)? {
                own_end = next_separator(view.bytes(), last_line).map_or(view.bytes().len(), |at| at + 1);
            } else {
                let phrase = self.overlong_contains_phrase(view.bytes(), begin, last_line)?;
                count_overlong(phrase, &mut found);
            }
        }
        let bytes = view.bytes();
        // In range: `front` is at most the length.
        if !is_warm && last_separator(&bytes[..front.saturating_sub(1)]).is_some() {
            finder.follows_short_line();
        }
        if is_warm && front > 0 {
            let aligned = match begin > self.start {
                true => next_separator(bytes, 0).map_or(first, |at| at + 1).min(first),
                false => 0,
            };
            // In range: `aligned` is at most `first`, which is before the end.
            finder.warm_up(&bytes[aligned..first], begin + aligned as u64);
        }
        // In range: `first` <= `last_line` <= `own_end` <= the view's end, which is never moved back.
        let own = &bytes[first..own_end];
        if let Err(needs) = finder.read(own, begin + first as u64, &mut found) {
            return Ok(Err(needs));
        }
        if own_end > end {
            // The segment after this one counts the line break of the line that reaches into it.
            found.lines -= count_lines(&bytes[end..own_end]);
        }
        let judge = Judge::new(self.habits);
        found.first = judge.first_time(own);
        found.last = judge.last_time(own);
        found.is_recognised = found.is_recognised || judge.recognises_one_of(own);
        let mut next = begin + own_end as u64;
        while finder.is_open() && next < self.size {
            let view = self.view(buffer, next, (next + WARM_UP_BYTES).min(self.size))?;
            let bytes = view.bytes();
            let whole = match last_separator(bytes) {
                _ if next + bytes.len() as u64 >= self.size => bytes.len(),
                Some(at) => at + 1,
                // One line as long as the distance: nothing after it is near enough.
                None => break,
            };
            if whole == 0 {
                break;
            }
            // In range: a separator's place and one more is at most the length.
            finder.finish_splits(&bytes[..whole], next, &mut found);
            next += whole as u64;
        }
        finder.finish(&mut found);
        Ok(Ok(found))
    }

    /// Returns the bytes of `[from, to)`, read into `buffer` if the file is not mapped; fewer if the file ends before.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn view<'b>(&'b self, buffer: &'b mut Vec<u8>, from: u64, to: u64) -> Result<View<'b>, Fault> {
        buffer.clear();
        let mut view = View { plain: self, buffer, from, to: from };
        view.extend(to)?;
        Ok(view)
    }

    /// Whether the line at `line` of `buffer`, too long to be kept, contains a phrase anywhere up to its end.
    fn overlong_contains_phrase(&self, buffer: &[u8], begin: u64, line: usize) -> Result<bool, Fault> {
        // In range: the place of a line in the buffer.
        let mut part = buffer[line..].to_vec();
        let mut next = begin + buffer.len() as u64;
        loop {
            let end = next_separator(&part, 0);
            // In range: a separator's place, or the length.
            if self.needles.occur_in(&part[..end.unwrap_or(part.len())]) {
                return Ok(true);
            }
            if end.is_some() || next >= self.size {
                return Ok(false);
            }
            // A phrase may lie across the border of two parts.
            part.drain(..part.len().saturating_sub(self.needles.overlap()));
            let kept = part.len();
            part.resize(kept + MAX_LINE_BYTES, 0);
            // In range: the part was just made longer than `kept`.
            let count =
                read_at(self.file, &mut part[kept..], next).map_err(|error| unreadable(next, &error))?;
            if count == 0 {
                return Ok(false);
            }
            part.truncate(kept + count);
            next += count as u64;
        }
    }
}

/// A part of a plain file.
pub(crate) struct View<'b> {
    plain: &'b Plain<'b>,
    /// The part, if the file is not mapped.
    buffer: &'b mut Vec<u8>,
    from: u64,
    to: u64,
}

impl View<'_> {
    /// Returns the part.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self.plain.mapping {
            Some(mapping) => mapping.bytes(self.from, self.to),
            None => self.buffer,
        }
    }

    /// Adds what follows, up to `to` or the file's end. Returns whether there was anything.
    fn extend(&mut self, to: u64) -> Result<bool, Fault> {
        let before = self.to;
        if self.plain.mapping.is_some() {
            // What was cut off meanwhile must not be touched.
            let metadata = self.plain.file.metadata().map_err(|error| unreadable(before, &error))?;
            self.to = to.min(metadata.len()).max(before);
        } else {
            let kept = self.buffer.len();
            self.buffer.resize(kept + usize::try_from(to.saturating_sub(before)).unwrap_or(0), 0);
            // In range: the buffer is never made shorter than it was.
            let count = read_at(self.plain.file, &mut self.buffer[kept..], before)
                .map_err(|error| unreadable(before, &error))?;
            self.buffer.truncate(kept + count);
            self.to += count as u64;
        }
        Ok(self.to > before)
    }

    /// Extends the view until the line at `line` ends. Returns whether it ends within the limit.
    fn extend_line(&mut self, line: usize) -> Result<bool, Fault> {
        let mut searched = line;
        loop {
            let bytes = self.bytes();
            if let Some(end) = next_separator(bytes, searched) {
                return Ok(end - line <= MAX_LINE_BYTES);
            }
            if bytes.len() - line > MAX_LINE_BYTES {
                return Ok(false);
            }
            searched = bytes.len();
            if !self.extend((self.to + EXTEND_BYTES).min(self.plain.size))? {
                return Ok(true);
            }
        }
    }
}

fn shrunk(offset: u64, size: u64) -> Fault {
    Fault {
        offset,
        reason: format!(
            "the log ends here, but had {size} bytes when it was opened: it was cut while it was read"
        ),
        help: "Read the rotated copy as well",
    }
}

fn unreadable(offset: u64, error: &io::Error) -> Fault {
    Fault { offset, reason: format!("the system cannot read the log: {error}"), help: CHECK_THE_DISK }
}
