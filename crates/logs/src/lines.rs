//! Finds the few lines of a log that may matter, without looking at the others.
//!
//! Large blocks are searched for the literals of the messages in SIMD; around each hit the line is cut out and
//! read strictly. A line ends at a line break or at a NUL byte: a log truncated under its writer begins with a
//! run of NULs, and what follows them is a line of its own.
//!
//! Kubelet splits lines at 16 KiB. Every piece but the last carries a `P`, which is searched for too, so that
//! the pieces are put together before they are read, and none is read on its own: a user's text whose second
//! piece looks like a line of Canton's is still the text of the first piece's message. Docker marks no pieces; where
//! one was the line before, a line is passed over.
//!
//! What is found does not depend on where blocks begin and end.

use super::canton::{self, Line, LineTime, Message, Stream};
use super::limits::{MAX_DOCKER_PIECE_BYTES, MAX_LINE_BYTES, MAX_PIECE_BYTES, MAX_PIECE_DISTANCE};

mod needles;
mod sieve;

pub use needles::Needles;

const SEPARATORS: [u8; 2] = [b'\n', 0];

/// What a part of a log held.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Bytes read, as they lie on the disk.
    pub bytes: u64,
    /// Line breaks, and one more where the last line has none.
    pub lines: u64,
    /// What the processor says. A split line may stand in front of lines that came between its pieces.
    pub messages: Vec<Message>,
    /// Lines that hold a searched phrase in no readable form.
    pub unreadable: u64,
    /// Lines of those that were longer than [`MAX_LINE_BYTES`].
    pub overlong: u64,
    /// The time of the first line that has one.
    pub first: Option<LineTime>,
    /// The time of the last line that has one.
    pub last: Option<LineTime>,
}

/// The first separator in `data` at or behind `from`.
pub fn next_separator(data: &[u8], from: usize) -> Option<usize> {
    let [line_break, nul] = SEPARATORS;
    memchr::memchr2(line_break, nul, data.get(from..)?).map(|at| from + at)
}

/// The last separator in `data`.
pub fn last_separator(data: &[u8]) -> Option<usize> {
    let [line_break, nul] = SEPARATORS;
    memchr::memrchr2(line_break, nul, data)
}

/// Line breaks in `data`.
pub fn count_lines(data: &[u8]) -> u64 {
    bytecount::count(data, b'\n') as u64
}

/// The lines of `data` that are not empty, with their places, separators left out, from the one that starts at
/// `from`. Gigabytes of NULs, each of which ends a line, are passed over in runs.
fn lines_from(data: &[u8], from: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let mut next = from;
    std::iter::from_fn(move || {
        let start = next + data.get(next..)?.iter().position(is_text)?;
        let end = next_separator(data, start).unwrap_or(data.len());
        next = end + 1;
        data.get(start..end).map(|line| (start, line))
    })
}

/// The lines at the end of `data` that a piece can be among, with their places, separators left out, the last one first.
fn lines_backwards(data: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let near = usize::try_from(MAX_PIECE_DISTANCE).unwrap_or(usize::MAX) + MAX_DOCKER_PIECE_BYTES;
    let far = data.len().saturating_sub(near);
    let mut rest = data.get(far..).unwrap_or_default();
    std::iter::from_fn(move || {
        let end = rest.iter().rposition(is_text)? + 1;
        let start = last_separator(rest.get(..end)?).map_or(0, |at| at + 1);
        let line = rest.get(start..end)?;
        rest = rest.get(..start)?;
        Some((far + start, line))
    })
}

fn is_text(byte: &u8) -> bool {
    !SEPARATORS.contains(byte)
}

/// The time of the first line of `data` that has one.
pub fn first_time(data: &[u8]) -> Option<LineTime> {
    lines_from(data, 0).find_map(|(_, line)| canton::line_time(line))
}

/// The time of the last line of `data` that has one.
pub fn last_time(data: &[u8]) -> Option<LineTime> {
    let mut data = data;
    while let Some(last) = data.iter().rposition(is_text) {
        data = data.get(..=last)?;
        let start = last_separator(data).map_or(0, |at| at + 1);
        if let Some(at) = data.get(start..).and_then(canton::line_time) {
            return Some(at);
        }
        data = data.get(..start)?;
    }
    None
}

/// A line whose last piece has not been seen yet.
struct Split {
    text: Vec<u8>,
    /// Where its last piece ended, in bytes of the log.
    end: u64,
    /// Whether it began in the part of the log that is read here.
    counts: bool,
}

/// Reads consecutive blocks of whole lines.
pub struct Finder<'n> {
    needles: &'n Needles,
    splits: [Option<Split>; 2],
    /// Whether it is known if a line of the stream was split in front of what is read next.
    known: [bool; 2],
    /// Where the stream's last line in front of what is read next ended, in bytes of the log, if docker goes on with it.
    docker_pieces: [Option<u64>; 2],
}

/// What stands in front of a block decides what its first lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeedsWarmUp;

fn slot(stream: Stream) -> usize {
    match stream {
        Stream::Out => 0,
        Stream::Err => 1,
    }
}

impl<'n> Finder<'n> {
    /// Starts at a log's start, or where [`Finder::warm_up`] is called first.
    pub fn new(needles: &'n Needles) -> Finder<'n> {
        Finder { needles, splits: [None, None], known: [true; 2], docker_pieces: [None; 2] }
    }

    /// Starts in the middle of a log, without having seen what is in front of it.
    pub fn in_the_middle(needles: &'n Needles) -> Finder<'n> {
        Finder { known: [false; 2], ..Finder::new(needles) }
    }

    /// Looks at the bytes in front of the first block for split lines that reach into it. They belong to
    /// whoever reads their beginning; their last pieces are passed over here. `data` starts at `offset` of the
    /// log and ends at a line's end.
    pub fn warm_up(&mut self, data: &[u8], offset: u64) {
        let mut ignored = Found::default();
        if self.needles.hits(data).next(0).is_some() {
            // It begins far enough away for what is in front of it not to matter.
            let _ = self.read(data, offset, &mut ignored);
        }
        self.note_docker(data, offset);
        for split in self.splits.iter_mut().flatten() {
            split.counts = false;
        }
    }

    /// Whether a line that began here has not ended.
    pub fn is_open(&self) -> bool {
        self.splits.iter().flatten().any(|split| split.counts)
    }

    /// Reads `data`, which starts at `offset` of the log, at a line's start, and holds whole lines; their line breaks are
    /// counted.
    ///
    /// # Errors
    /// Where the meaning of a line depends on what is in front of `data` and that has not been seen. It happens
    /// only to the first line of a stream, and only where that matters.
    pub fn read(&mut self, data: &[u8], offset: u64, found: &mut Found) -> Result<(), NeedsWarmUp> {
        let mut passed = self.close_splits(data, offset, found);
        let needles = self.needles;
        let mut hits = needles.hits(data);
        let mut from = 0;
        while let Some(hit) = hits.next(from) {
            let start = last_separator(data.get(..hit.at).unwrap_or_default()).map_or(0, |at| at + 1);
            let end = next_separator(data, hit.at).unwrap_or(data.len());
            from = end;
            let line = data.get(start..end).unwrap_or_default();
            let holds_phrase = || hit.is_phrase || needles.occur_in(line);
            let Some(prefix) = canton::cri_prefix(line) else {
                if holds_phrase() && !self.continues_docker_piece(line, data, start, offset)? {
                    judge(line, found);
                }
                continue;
            };
            let stream = slot(prefix.stream);
            if passed.get(stream).is_some_and(|passed| start < *passed) {
                continue;
            }
            if !self.known.get(stream).copied().unwrap_or(true) {
                if !has_stream(data.get(..start).unwrap_or_default(), prefix.stream) {
                    return Err(NeedsWarmUp);
                }
                if let Some(known) = self.known.get_mut(stream) {
                    *known = true;
                }
            }
            if prefix.partial && line.len() <= MAX_PIECE_BYTES {
                let text = without_carriage_return(line).to_vec();
                let split = Split { text, end: offset + end as u64, counts: true };
                self.put(stream, Some(split));
                let until = self.follow(prefix.stream, data, offset, end + 1, found);
                if let Some(passed) = passed.get_mut(stream) {
                    *passed = until;
                }
            } else if holds_phrase() {
                judge(line, found);
            }
        }
        found.lines += hits.line_breaks();
        self.known = [true; 2];
        self.note_docker(data, offset);
        Ok(())
    }

    /// Whether `line`, which starts at `start` of `data`, is docker's and continues the one before it.
    fn continues_docker_piece(
        &self,
        line: &[u8],
        data: &[u8],
        start: usize,
        offset: u64,
    ) -> Result<bool, NeedsWarmUp> {
        let Some(stream) = canton::docker_stream(line) else { return Ok(false) };
        let is_near = |end: u64| offset + start as u64 - end <= MAX_PIECE_DISTANCE;
        let mut before = lines_backwards(data.get(..start).unwrap_or_default());
        match before.find(|(_, line)| canton::docker_stream(line) == Some(stream)) {
            Some((at, before)) => {
                Ok(canton::docker_is_continued(before) && is_near(offset + (at + before.len()) as u64))
            }
            None if self.known.get(slot(stream)) == Some(&true) => {
                Ok(self.docker_pieces.get(slot(stream)).copied().flatten().is_some_and(is_near))
            }
            None => Err(NeedsWarmUp),
        }
    }

    /// Remembers how docker's lines at the end of `data`, which starts at `offset` of the log, end.
    fn note_docker(&mut self, data: &[u8], offset: u64) {
        let mut seen = [false; 2];
        for (at, line) in lines_backwards(data) {
            // A log that is docker's is so from end to end.
            let Some(stream) = canton::docker_stream(line) else { break };
            if let (Some(seen), Some(piece)) =
                (seen.get_mut(slot(stream)), self.docker_pieces.get_mut(slot(stream)))
                && !std::mem::replace(seen, true)
            {
                *piece = canton::docker_is_continued(line).then_some(offset + (at + line.len()) as u64);
            }
            if seen == [true; 2] {
                break;
            }
        }
    }

    /// Looks in `data`, behind the last block, only for the ends of lines that began before it.
    pub fn finish_splits(&mut self, data: &[u8], offset: u64, found: &mut Found) {
        self.close_splits(data, offset, found);
    }

    /// Reads what is left of split lines whose end never came.
    pub fn finish(&mut self, found: &mut Found) {
        for at in 0..self.splits.len() {
            if let Some(split) = self.splits.get_mut(at).and_then(Option::take) {
                self.complete(&split, found);
            }
        }
    }

    /// Follows both streams' open lines into `data`; gives up to where each has been read.
    fn close_splits(&mut self, data: &[u8], offset: u64, found: &mut Found) -> [usize; 2] {
        [Stream::Out, Stream::Err].map(|stream| self.follow(stream, data, offset, 0, found))
    }

    fn put(&mut self, stream: usize, split: Option<Split>) {
        if let Some(slot) = self.splits.get_mut(stream) {
            *slot = split;
        }
    }

    /// Appends the pieces from `from` on to the stream's open line, until it is complete, too far away, or the
    /// block ends. Gives the place behind the last piece taken.
    fn follow(&mut self, stream: Stream, data: &[u8], offset: u64, from: usize, found: &mut Found) -> usize {
        let Some(mut split) = self.splits.get_mut(slot(stream)).and_then(Option::take) else { return 0 };
        let mut passed = 0;
        for (start, line) in lines_from(data, from) {
            if (offset + start as u64).saturating_sub(split.end) > MAX_PIECE_DISTANCE {
                self.complete(&split, found);
                return passed;
            }
            let Some(prefix) = canton::cri_prefix(line).filter(|prefix| prefix.stream == stream) else {
                continue;
            };
            if line.len() > MAX_PIECE_BYTES {
                // Not a piece: the end of the line before it was never written.
                self.complete(&split, found);
                return passed;
            }
            // One byte more than is read is enough to know that it is too long.
            let content = without_carriage_return(prefix.content);
            let room = (MAX_LINE_BYTES + 1).saturating_sub(split.text.len()).min(content.len());
            split.text.extend_from_slice(content.get(..room).unwrap_or_default());
            split.end = offset + (start + line.len()) as u64;
            passed = start + line.len();
            if !prefix.partial {
                self.complete(&split, found);
                return passed;
            }
        }
        self.put(slot(stream), Some(split));
        passed
    }

    fn complete(&self, split: &Split, found: &mut Found) {
        if split.counts && self.needles.occur_in(&split.text) {
            judge(&split.text, found);
        }
    }
}

/// Counts a line that is too long to be read; it matters where it holds a phrase.
pub fn count_overlong(phrase: bool, found: &mut Found) {
    if phrase {
        found.overlong += 1;
        found.unreadable += 1;
    }
}

/// A piece, where the log's line ends were converted on the way.
fn without_carriage_return(piece: &[u8]) -> &[u8] {
    piece.strip_suffix(b"\r").unwrap_or(piece)
}

/// Whether a line of `stream` is in `data`.
fn has_stream(data: &[u8], stream: Stream) -> bool {
    lines_from(data, 0)
        .any(|(_, line)| canton::cri_prefix(line).is_some_and(|prefix| prefix.stream == stream))
}

/// Reads one line, or one element of an array, that holds a phrase.
pub fn judge(line: &[u8], found: &mut Found) {
    if line.len() > MAX_LINE_BYTES {
        return count_overlong(true, found);
    }
    match canton::read_line(line) {
        Line::Ours(message) => found.messages.push(message),
        Line::Foreign => {}
        Line::Unreadable => found.unreadable += 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_separators_are_no_lines() {
        let mut log = vec![0; 100_000];
        log.extend_from_slice(b"one\n\0\0two\n\n");
        log.extend_from_slice(&[0; 1000]);
        let lines: Vec<(usize, &[u8])> = lines_from(&log, 0).collect();
        assert_eq!(lines, [(100_000, &b"one"[..]), (100_006, &b"two"[..])]);
        assert_eq!(lines_from(&log, log.len()).count(), 0);
        assert_eq!(lines_from(&[0; 10], 0).count(), 0);
    }

    #[test]
    fn times_behind_and_in_front_of_nuls() {
        let line = b"2026-04-21 23:25:07,123 [t] INFO  c.d.Other - x";
        let mut log = vec![0; 1000];
        log.extend_from_slice(line);
        assert!(last_time(&log).is_some() && last_time(&log) == first_time(&log));
        log.extend_from_slice(&[0; 1000]);
        log.extend_from_slice(b"no time\n");
        assert!(last_time(&log).is_some() && last_time(&log) == first_time(&log));
        assert_eq!((first_time(&[0; 9]), last_time(&[0; 9]), last_time(b"")), (None, None, None));
    }
}
