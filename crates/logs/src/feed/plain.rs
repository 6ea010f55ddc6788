//! Searches a plain file in segments, each on its own.
//!
//! A segment's lines are those that start in it; the last one is read beyond its end, up to the limit of a line.
//! Where it matters whether the segment's first line continues a split one, what is in front is looked at too.

use std::fs::File;
use std::io;
use std::thread;

use super::board::{Board, Next};
use super::mapping::Mapping;
use super::{Arrival, Effort, read_at};
use crate::input::Damage;
use crate::limits::{MAX_DOCKER_PIECE_BYTES, MAX_LINE_BYTES, MAX_PIECE_DISTANCE};
use crate::lines::{
    Finder, Found, Needles, NeedsWarmUp, count_lines, count_overlong, first_time, last_separator, last_time,
    next_separator,
};

/// What is read in front of a segment to find split lines that reach into it.
const WARM_UP_BYTES: u64 = MAX_PIECE_DISTANCE + MAX_DOCKER_PIECE_BYTES as u64;
/// How much more is read at a time where a line goes on behind a segment.
const EXTEND_BYTES: u64 = 64 * 1024;

/// A plain file, read at any place.
pub struct Plain<'a> {
    /// The file.
    pub file: &'a File,
    /// The same in memory, where it is to be looked at there.
    pub mapping: Option<&'a Mapping>,
    /// The first byte to read, at a line's start.
    pub start: u64,
    /// Where to end.
    pub size: u64,
    /// What to search.
    pub needles: &'a Needles,
}

impl Plain<'_> {
    /// Searches the segments with all threads, this one among them, and hands over what is found in order.
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
                            sink(Arrival::Damaged(shrunk(end, self.size)));
                        }
                    }
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
        let mut view = self.view(buffer, begin, to)?;
        let bytes = view.bytes();
        let front = usize::try_from(front).unwrap_or(usize::MAX).min(bytes.len());
        // Of a file that shrank while it was read there are fewer bytes, which is told by who asked for them.
        let (before, own) = bytes.split_at(front);
        let end = bytes.len();
        found.bytes = own.len() as u64;
        let at_end = begin + end as u64 >= self.size || own.len() as u64 != to - from;
        found.lines = u64::from(at_end && own.last().is_some_and(|last| *last != b'\n'));
        let is_start = before.is_empty() || last_separator(before) == Some(before.len() - 1);
        let first = if is_start { Some(front) } else { next_separator(bytes, front).map(|at| at + 1) };
        // What is read below are the lines that start here; what counts are the line breaks that stand here.
        found.lines += count_lines(bytes.get(front..first.unwrap_or(end)).unwrap_or_default());
        let Some(first) = first.filter(|first| *first < end) else { return Ok(Ok(found)) };
        let last_line = last_separator(bytes).map_or(first, |at| at + 1).max(first);
        let mut own_end = last_line;
        if last_line < bytes.len() {
            if view.extend_line(last_line)? {
                own_end = next_separator(view.bytes(), last_line).map_or(view.bytes().len(), |at| at + 1);
            } else {
                let phrase = self.overlong_holds_phrase(view.bytes(), begin, last_line)?;
                count_overlong(phrase, &mut found);
            }
        }
        let bytes = view.bytes();
        if is_warm && front > 0 {
            let aligned = match begin > self.start {
                true => next_separator(bytes, 0).map_or(first, |at| at + 1).min(first),
                false => 0,
            };
            finder.warm_up(bytes.get(aligned..first).unwrap_or_default(), begin + aligned as u64);
        }
        let own = bytes.get(first..own_end).unwrap_or_default();
        if let Err(needs) = finder.read(own, begin + first as u64, &mut found) {
            return Ok(Err(needs));
        }
        found.lines -= count_lines(bytes.get(end..own_end).unwrap_or_default());
        found.first = first_time(own);
        found.last = last_time(own);
        let mut next = begin + own_end as u64;
        while finder.is_open() && next < self.size {
            let view = self.view(buffer, next, (next + WARM_UP_BYTES).min(self.size))?;
            let bytes = view.bytes();
            let whole = match last_separator(bytes) {
                _ if next + bytes.len() as u64 >= self.size => bytes.len(),
                Some(at) => at + 1,
                // One line as long as the distance: nothing behind it is near enough.
                None => break,
            };
            if whole == 0 {
                break;
            }
            finder.finish_splits(bytes.get(..whole).unwrap_or_default(), next, &mut found);
            next += whole as u64;
        }
        finder.finish(&mut found);
        Ok(Ok(found))
    }

    /// The bytes of `[from, to)`, read into `buffer` where the file is not mapped; fewer where it ends before.
    ///
    /// # Errors
    /// Where the file cannot be read, with the place.
    pub fn view<'b>(&'b self, buffer: &'b mut Vec<u8>, from: u64, to: u64) -> Result<View<'b>, Damage> {
        buffer.clear();
        let mut view = View { plain: self, buffer, from, to: from };
        view.extend(to)?;
        Ok(view)
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

/// A part of a plain file.
pub struct View<'b> {
    plain: &'b Plain<'b>,
    /// The part, where it is not mapped.
    buffer: &'b mut Vec<u8>,
    from: u64,
    to: u64,
}

impl View<'_> {
    /// The part.
    pub fn bytes(&self) -> &[u8] {
        match self.plain.mapping {
            Some(mapping) => mapping.bytes(self.from, self.to),
            None => self.buffer,
        }
    }

    /// Adds what stands behind it, up to `to` or the file's end; says whether there was anything.
    fn extend(&mut self, to: u64) -> Result<bool, Damage> {
        let before = self.to;
        if self.plain.mapping.is_some() {
            // What was cut off meanwhile must not be touched.
            let metadata = self.plain.file.metadata().map_err(|error| unreadable(before, &error))?;
            self.to = to.min(metadata.len()).max(before);
        } else {
            let kept = self.buffer.len();
            self.buffer.resize(kept + usize::try_from(to.saturating_sub(before)).unwrap_or(0), 0);
            let rest = self.buffer.get_mut(kept..).unwrap_or_default();
            let count = read_at(self.plain.file, rest, before).map_err(|error| unreadable(before, &error))?;
            self.buffer.truncate(kept + count);
            self.to += count as u64;
        }
        Ok(self.to > before)
    }

    /// Goes on behind the view until the line at `line` ends; says whether it ends within the limit.
    fn extend_line(&mut self, line: usize) -> Result<bool, Damage> {
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

fn shrunk(offset: u64, size: u64) -> Damage {
    let reason = format!(
        "it ends here, but had {size} bytes when it was opened, so it was cut while it was read; scan the copy that \
         was rolled away too"
    );
    Damage { offset, reason }
}

fn unreadable(offset: u64, error: &io::Error) -> Damage {
    Damage { offset, reason: format!("it cannot be read: {error}") }
}
