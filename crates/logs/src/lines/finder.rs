//! Cuts the lines out that contain a literal, and puts split lines together.
//!
//! Kubelet splits lines at 16 KiB. Every piece but the last has the tag `P`, which is searched for too, so that the
//! pieces are put together before they are read and no piece is read on its own: a user's text whose second piece looks
//! like a line of Canton's is still the text of the first piece's message. Docker does not mark pieces; if the line
//! before was an unfinished piece, a line is skipped.
//!
//! The error context of a mismatch can go on over the next lines of a log in text. They are read with it, up to the next
//! record.

use std::sync::Arc;

use super::found::Found;
use super::judge::Judge;
use super::needles::{Kind, Needles};
use super::separators::{count_lines, line_start, lines_backwards, lines_from, next_separator};
use crate::canton::{self, continues_context};
use crate::limits::{
    MAX_DOCKER_PIECE_BYTES, MAX_LINE_BYTES, MAX_PIECE_BYTES, MAX_PIECE_DISTANCE, MAX_RECORD_BYTES,
};
use crate::wrappers::cri::Stream;
use crate::wrappers::{Habits, continues_piece, docker};

/// How far before a line its first piece can begin.
const NEAR_BYTES: usize = MAX_PIECE_DISTANCE as usize + MAX_DOCKER_PIECE_BYTES;

/// A line that contains a piece of a split line, as JSON, is longer.
pub(crate) const MIN_PIECE_LINE: usize = 16 * 1024;

/// A line whose last piece has not been read yet.
struct Split {
    text: Vec<u8>,
    /// Where its last piece ended, in bytes of the log.
    end: u64,
    /// Whether the line began in the part of the log that is read here.
    counts: bool,
}

/// What is known about one of a container's outputs.
#[derive(Default)]
struct Output {
    /// The line whose end has not been read.
    split: Option<Split>,
    /// Whether it is known if a line was split before what is read next.
    known: bool,
    /// Where the last line before what is read next ended, in bytes of the log, if docker continues it.
    docker_piece: Option<u64>,
}

/// Reads consecutive blocks of whole lines.
pub(crate) struct Finder<'n> {
    needles: &'n Needles,
    judge: Judge,
    out: Output,
    err: Output,
    /// A mismatch whose context has not ended, as far as it has been read.
    record: Option<Vec<u8>>,
    /// Whether the line before what is read next contains a piece that is continued, if that is known.
    piece_before: Option<bool>,
}

/// The bytes before a block decide what its first lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NeedsWarmUp;

impl<'n> Finder<'n> {
    /// Starts at a log's start, or before a call of [`Finder::warm_up`].
    pub(crate) fn new(needles: &'n Needles, habits: &Arc<Habits>) -> Finder<'n> {
        let output = || Output { known: true, ..Output::default() };
        Finder {
            needles,
            judge: Judge::new(habits),
            out: output(),
            err: output(),
            record: None,
            piece_before: Some(false),
        }
    }

    /// Starts in the middle of a log, without having read what is before it.
    pub(crate) fn in_the_middle(needles: &'n Needles, habits: &Arc<Habits>) -> Finder<'n> {
        Finder {
            needles,
            judge: Judge::new(habits),
            out: Output::default(),
            err: Output::default(),
            record: None,
            piece_before: None,
        }
    }

    /// Notes that the line before the first block is shorter than [`MIN_PIECE_LINE`].
    pub(crate) fn follows_short_line(&mut self) {
        self.piece_before = Some(false);
    }

    /// Returns what reads the lines.
    pub(crate) fn judge(&self) -> &Judge {
        &self.judge
    }

    fn output(&self, stream: Stream) -> &Output {
        match stream {
            Stream::Out => &self.out,
            Stream::Err => &self.err,
        }
    }

    fn output_mut(&mut self, stream: Stream) -> &mut Output {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }

    /// Looks at the bytes before the first block for split lines that reach into it. Such a line belongs to the reader
    /// of its beginning; its last pieces are skipped here. `data` starts at `offset` of the log and ends at a line's
    /// end.
    pub(crate) fn warm_up(&mut self, data: &[u8], offset: u64) {
        let mut ignored = Found::default();
        if self.needles.next_hit(data, 0).is_some() {
            // The data begins so far away that what is before it does not matter.
            let _ = self.read(data, offset, &mut ignored);
        }
        self.note_docker(data, offset);
        // It belongs to the reader of its beginning.
        self.record = None;
        for output in [&mut self.out, &mut self.err] {
            if let Some(split) = &mut output.split {
                split.counts = false;
            }
        }
    }

    /// Whether a line that began here has not ended.
    pub(crate) fn is_open(&self) -> bool {
        let is_split = |it: &Output| it.split.as_ref().is_some_and(|split| split.counts);
        self.record.is_some() || is_split(&self.out) || is_split(&self.err)
    }

    /// Reads `data`, which starts at `offset` of the log, at a line's start, and consists of whole lines. Their line
    /// breaks are counted.
    ///
    /// # Errors
    /// If the meaning of a line depends on the bytes before `data` and those have not been read. This happens only to
    /// the first line of a stream, and only if it matters.
    pub(crate) fn read(&mut self, data: &[u8], offset: u64, found: &mut Found) -> Result<(), NeedsWarmUp> {
        let [mut out_passed, mut err_passed] = self.close_splits(data, offset, found);
        let needles = self.needles;
        let mut from = 0;
        while let Some(hit) = needles.next_hit(data, from) {
            if hit.kind == Kind::Utf16 {
                // Its zeros separate lines, so it is none that could be read.
                found.has_utf16 = true;
                from = hit.at + 1;
                continue;
            }
            let start = line_start(data, hit.at);
            let end = next_separator(data, hit.at).unwrap_or(data.len());
            from = end;
            // In range: the hit is at or after `start`, and `end` is a separator after it, or the end of the data.
            let line = &data[start..end];
            let has_phrase = || hit.kind == Kind::Phrase || needles.occur_in(line);
            let Some(prefix) = self.judge.cri_prefix(line) else {
                if has_phrase() {
                    if self.continues_docker_piece(line, data, start, offset)? {
                        continue;
                    }
                    match self.continues_exported_piece(line, &data[..start])? {
                        // Its text may begin with whatever a user likes.
                        true => found.unreadable += 1,
                        false => self.judge_record(line, data, end + 1, found),
                    }
                }
                continue;
            };
            let passed = match prefix.stream {
                Stream::Out => &mut out_passed,
                Stream::Err => &mut err_passed,
            };
            if start < *passed {
                continue;
            }
            // In range: `start` is the place of the line.
            if !self.output(prefix.stream).known && !self.has_stream(&data[..start], prefix.stream) {
                return Err(NeedsWarmUp);
            }
            let output = self.output_mut(prefix.stream);
            output.known = true;
            if prefix.partial && line.len() <= MAX_PIECE_BYTES {
                let text = without_carriage_return(line).to_vec();
                output.split = Some(Split { text, end: offset + end as u64, counts: true });
                *passed = self.follow(prefix.stream, data, offset, end + 1, found);
            } else if has_phrase() {
                self.judge_record(line, data, end + 1, found);
            }
        }
        found.lines += count_lines(data);
        (self.out.known, self.err.known) = (true, true);
        self.note_docker(data, offset);
        Ok(())
    }

    /// Whether `line`, which starts at `start` of `data`, is docker's and continues the line before it.
    fn continues_docker_piece(
        &self,
        line: &[u8],
        data: &[u8],
        start: usize,
        offset: u64,
    ) -> Result<bool, NeedsWarmUp> {
        let Some(stream) = docker::stream(line) else { return Ok(false) };
        let is_near = |end: u64| offset + start as u64 - end <= MAX_PIECE_DISTANCE;
        // In range: `start` is the place of the line.
        let mut before = lines_backwards(&data[..start], NEAR_BYTES);
        match before.find(|(_, line)| docker::stream(line) == Some(stream)) {
            Some((at, before)) => {
                Ok(docker::is_continued(before) && is_near(offset + (at + before.len()) as u64))
            }
            None if self.output(stream).known => Ok(self.output(stream).docker_piece.is_some_and(is_near)),
            None => Err(NeedsWarmUp),
        }
    }

    /// Remembers how docker's lines at the end of `data`, which starts at `offset` of the log, end.
    fn note_docker(&mut self, data: &[u8], offset: u64) {
        self.piece_before = ends_with_piece(data).or(self.piece_before);
        let (mut out_seen, mut err_seen) = (false, false);
        for (at, line) in lines_backwards(data, NEAR_BYTES) {
            // A log that is docker's is so from end to end.
            let Some(stream) = docker::stream(line) else { break };
            let seen = match stream {
                Stream::Out => &mut out_seen,
                Stream::Err => &mut err_seen,
            };
            if !std::mem::replace(seen, true) {
                let end = offset + (at + line.len()) as u64;
                self.output_mut(stream).docker_piece = docker::is_continued(line).then_some(end);
            }
            if out_seen && err_seen {
                break;
            }
        }
    }

    /// Looks in `data`, which follows the last block, only for the ends of lines that began before it.
    pub(crate) fn finish_splits(&mut self, data: &[u8], offset: u64, found: &mut Found) {
        self.close_splits(data, offset, found);
    }

    /// Reads what there is of split lines whose end never came.
    pub(crate) fn finish(&mut self, found: &mut Found) {
        if let Some(record) = self.record.take() {
            self.judge.judge(&record, found);
        }
        for stream in [Stream::Out, Stream::Err] {
            if let Some(split) = self.output_mut(stream).split.take() {
                self.complete(&split, found);
            }
        }
    }

    /// Follows both streams' open lines into `data`. Returns the end of what has been read of each.
    fn close_splits(&mut self, data: &[u8], offset: u64, found: &mut Found) -> [usize; 2] {
        self.follow_record(data, 0, found);
        [Stream::Out, Stream::Err].map(|stream| self.follow(stream, data, offset, 0, found))
    }

    /// Reads `line`, and if it is the first one of a record, those that belong to it; the next one begins at `from` of
    /// `data`.
    fn judge_record(&mut self, line: &[u8], data: &[u8], from: usize, found: &mut Found) {
        if !continues_context(line) || self.judge.content(line).first() == Some(&b'{') {
            return self.judge.judge(line, found);
        }
        self.record = Some(without_carriage_return(line).to_vec());
        self.follow_record(data, from, found);
    }

    /// Appends the lines from `from` on to the open record, until it is complete, another begins, or the block ends.
    fn follow_record(&mut self, data: &[u8], from: usize, found: &mut Found) {
        let Some(mut record) = self.record.take() else { return };
        for (_, line) in lines_from(data, from) {
            let content = without_carriage_return(self.judge.content(line));
            let is_next = canton::read_start(content).is_some() || content.first() == Some(&b'{');
            if is_next || record.len() + content.len() > MAX_RECORD_BYTES {
                return self.judge.judge(&record, found);
            }
            record.push(b'\n');
            record.extend_from_slice(content);
            if !continues_context(&record) {
                return self.judge.judge(&record, found);
            }
        }
        self.record = Some(record);
    }

    /// Appends the pieces from `from` on to the stream's open line, until the line is complete, the next piece is too
    /// far away, or the block ends. Returns the end of the last piece taken.
    fn follow(&mut self, stream: Stream, data: &[u8], offset: u64, from: usize, found: &mut Found) -> usize {
        let Some(mut split) = self.output_mut(stream).split.take() else { return 0 };
        let mut passed = 0;
        for (start, line) in lines_from(data, from) {
            if (offset + start as u64).saturating_sub(split.end) > MAX_PIECE_DISTANCE {
                self.complete(&split, found);
                return passed;
            }
            let Some(prefix) = self.judge.cri_prefix(line).filter(|prefix| prefix.stream == stream) else {
                continue;
            };
            if line.len() > MAX_PIECE_BYTES {
                // Not a piece: the end of the line before it was never written.
                self.complete(&split, found);
                return passed;
            }
            // One byte more than is read is enough to know that the line is too long.
            let content = without_carriage_return(prefix.content);
            let room = (MAX_LINE_BYTES + 1).saturating_sub(split.text.len()).min(content.len());
            // In range: at most the length of the content.
            split.text.extend_from_slice(&content[..room]);
            split.end = offset + (start + line.len()) as u64;
            passed = start + line.len();
            if !prefix.partial {
                self.complete(&split, found);
                return passed;
            }
        }
        self.output_mut(stream).split = Some(split);
        passed
    }

    /// Whether `line` continues the text in the line before it, which is the last of `before`: log drivers and platforms
    /// pass pieces on in objects of their own.
    fn continues_exported_piece(&self, line: &[u8], before: &[u8]) -> Result<bool, NeedsWarmUp> {
        if line.first() != Some(&b'{') || names_logger(line) || docker::stream(line).is_some() {
            return Ok(false);
        }
        ends_with_piece(before).or(self.piece_before).ok_or(NeedsWarmUp)
    }

    /// Whether `data` contains a line of `stream`.
    fn has_stream(&self, data: &[u8], stream: Stream) -> bool {
        let of_stream =
            |line: &[u8]| self.judge.cri_prefix(line).is_some_and(|prefix| prefix.stream == stream);
        lines_from(data, 0).any(|(_, line)| of_stream(line))
    }

    fn complete(&mut self, split: &Split, found: &mut Found) {
        if split.counts && self.needles.occur_in(&split.text) {
            self.judge.judge(&split.text, found);
        }
    }
}

/// Returns a piece without the carriage return of a log whose line ends were converted on the way.
fn without_carriage_return(piece: &[u8]) -> &[u8] {
    piece.strip_suffix(b"\r").unwrap_or(piece)
}

/// Whether the last line of `data` contains a piece that the next line continues.
fn ends_with_piece(data: &[u8]) -> Option<bool> {
    let (_, line) = lines_backwards(data, NEAR_BYTES).next()?;
    // Nearly every line is too short to contain a piece, at the cost of one comparison.
    Some(line.len() >= MIN_PIECE_LINE && continues_piece(line))
}

/// Whether `line` can only be a record of its own: the unescaped key of a logger is not inside of a text.
fn names_logger(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"\"logger_name\":").is_some()
}
