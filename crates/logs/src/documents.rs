//! Takes JSON documents apart that are not one object a line: an array of objects, on one line of gigabytes or
//! pretty-printed over many, and objects printed over several lines.
//!
//! Only brackets and strings are followed. Each outermost object is then read like a line. If something is truncated,
//! the next object starts afresh: a line break inside a string is not JSON, and neither is an object in a place where no
//! member's value and no array's element can be. Only if an array inside an object is truncated, what follows can pass
//! for its elements. It is then one object that is too long or never ends, and is counted as unreadable.

use crate::canton::LineTime;
use crate::limits::MAX_LINE_BYTES;
use crate::line;
use crate::lines::{Found, Needles, count_lines, judge};
use crate::wrappers;

/// How much of a log is looked at to detect whether it is such a document.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// Objects in which a first time is looked for.
const MAX_TIME_TRIES: u32 = 1000;

/// Whether the log that begins with `head` is such a document. The head is [`HEAD_BYTES`] long, or the whole log.
pub(crate) fn is_document(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let mut lines = head.splitn(2, |byte| *byte == b'\n');
    let line = lines.next().unwrap_or(head).trim_ascii_end();
    let continues = lines.next().and_then(<[u8]>::first).is_some_and(|second| *second != b'{');
    match line {
        [b'[', ..] => {
            // An array of objects, or an empty one; its first element may be on the next line.
            let inside = head.strip_prefix(b"[").unwrap_or(head).trim_ascii_start();
            matches!(inside.first(), None | Some(b'{' | b']'))
        }
        // An object that its first line does not end, or one that is truncated before one of its members. If the
        // second line starts another object, there is one a line, and the first is truncated.
        [b'{', ..] => continues && leaves_open(line),
        // Lines that are whole strings contain one line of a log each.
        [b'"', ..] => continues && memchr::memmem::find(line, b"\":").is_some() && !wrappers::is_quoted(line),
        [b'}' | b']'] | [b'}' | b']', _] => true,
        _ => false,
    }
}

/// Whether `line` opens more objects than it closes, and ends outside of a string.
fn leaves_open(line: &[u8]) -> bool {
    let mut state = State::default();
    let mut at = 0;
    while let Some(step) = state.step(line, at) {
        at = step.next;
    }
    state.depth > 0 && !state.in_string
}

#[derive(Clone, Copy, Default)]
struct State {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// By depth, whether the last object there was an element of an array.
    in_array: u64,
    /// The last two bytes, apart from white space, of what was read before; the last one first.
    before: [Option<u8>; 2],
}

enum Event {
    Opened,
    Closed,
    /// The open object is truncated, and nothing begins here.
    Truncated,
    /// The open object is truncated, and another begins here.
    TruncatedAndOpened,
    Nothing,
}

struct Step {
    event: Event,
    at: usize,
    next: usize,
}

impl State {
    /// Steps to the next byte that matters.
    fn step(&mut self, data: &[u8], from: usize) -> Option<Step> {
        let rest = data.get(from..).filter(|rest| !rest.is_empty())?;
        if std::mem::take(&mut self.escaped) {
            return Some(Step { event: Event::Nothing, at: from, next: from + 1 });
        }
        let found = match (self.in_string, self.depth) {
            (true, _) => memchr::memchr3(b'"', b'\\', b'\n', rest)?,
            (false, 0) => memchr::memchr(b'{', rest)?,
            (false, _) => memchr::memchr3(b'"', b'{', b'}', rest)?,
        };
        let at = from + found;
        // In range: the place of a byte that was found.
        let event = match data[at] {
            b'"' => {
                self.in_string = !self.in_string;
                Event::Nothing
            }
            b'\\' => {
                self.escaped = true;
                Event::Nothing
            }
            b'\n' => {
                *self = State::default();
                Event::Truncated
            }
            b'{' if self.depth == 0 => {
                *self = State { depth: 1, ..State::default() };
                Event::Opened
            }
            b'{' => {
                // In range: see above.
                if self.nest(&data[..at]) {
                    Event::Nothing
                } else {
                    *self = State { depth: 1, ..State::default() };
                    Event::TruncatedAndOpened
                }
            }
            _ => {
                self.depth -= 1;
                if self.depth == 0 { Event::Closed } else { Event::Nothing }
            }
        };
        Some(Step { event, at, next: at + 1 })
    }

    /// Enters an object, if there can be one after `before`. After a comma, that is only in an array after another of
    /// its objects: an array that contains other things before an object is taken for truncated.
    fn nest(&mut self, before: &[u8]) -> bool {
        let bit = 1u64.checked_shl(self.depth).unwrap_or(0);
        let is_element = match self.last_two(before) {
            [Some(b':'), _] => false,
            [Some(b'['), _] => true,
            [Some(b','), Some(b'}')] if bit == 0 || self.in_array & bit != 0 => true,
            _ => return false,
        };
        self.in_array = if is_element { self.in_array | bit } else { self.in_array & !bit };
        self.in_array &= !bit.checked_shl(1).unwrap_or(0);
        self.depth += 1;
        true
    }

    /// Returns the last two bytes apart from white space, the last one first, after `data` has been read.
    fn last_two(&self, data: &[u8]) -> [Option<u8>; 2] {
        let mut bytes = data.iter().rev().filter(|byte| !byte.is_ascii_whitespace()).copied();
        match (bytes.next(), bytes.next()) {
            (None, _) => self.before,
            (last, None) => [last, self.before[0]],
            (last, second) => [last, second],
        }
    }

    /// Remembers the end of `data`, which has been read.
    fn pass(&mut self, data: &[u8]) {
        self.before = self.last_two(data);
    }
}

/// Reads a document in consecutive parts of any size.
pub(crate) struct Elements<'n> {
    needles: &'n Needles,
    state: State,
    /// What earlier parts contained of the open object.
    open: Vec<u8>,
    /// Length of the open object so far, kept or not.
    length: usize,
    /// Whether what has been dropped of it contained a phrase.
    phrase_dropped: bool,
    /// The last complete object, for its time.
    last: Vec<u8>,
    time_tries: u32,
    ends_with_break: bool,
    empty: bool,
}

impl<'n> Elements<'n> {
    /// Starts at the document's start.
    pub(crate) fn new(needles: &'n Needles) -> Elements<'n> {
        Elements {
            needles,
            state: State::default(),
            open: Vec::new(),
            length: 0,
            phrase_dropped: false,
            last: Vec::new(),
            time_tries: 0,
            ends_with_break: true,
            empty: true,
        }
    }

    /// Reads the next part.
    pub(crate) fn read(&mut self, data: &[u8], found: &mut Found) {
        let Some(end) = data.last() else { return };
        self.ends_with_break = *end == b'\n';
        self.empty = false;
        found.lines += count_lines(data);
        // An object that is open at the start of this part began before it.
        let mut start = (self.state.depth > 0).then_some(0);
        let mut from = 0;
        let mut newest = None;
        while let Some(step) = self.state.step(data, from) {
            from = step.next;
            match (step.event, start) {
                (Event::Opened, _) => start = Some(step.at),
                (Event::Closed, Some(begun)) => {
                    start = None;
                    // In range: an object begins before it ends, and both are places in the data.
                    let part = &data[begun..step.next];
                    newest = (self.open.is_empty() && self.length == 0).then_some(part).or(newest);
                    self.complete(part, true, found);
                }
                (Event::Truncated, Some(begun)) => {
                    start = None;
                    // In range: see above.
                    self.complete(&data[begun..step.at], false, found);
                }
                (Event::TruncatedAndOpened, begun) => {
                    start = Some(step.at);
                    // In range: see above.
                    self.complete(&data[begun.unwrap_or(step.at)..step.at], false, found);
                }
                _ => {}
            }
        }
        self.state.pass(data);
        if let Some(newest) = newest {
            self.last.clear();
            self.last.extend_from_slice(newest);
        }
        if let Some(begun) = start {
            // In range: the place of a byte of the data.
            self.keep(&data[begun..]);
        }
    }

    /// Reads what is left at the document's end.
    pub(crate) fn finish(&mut self, found: &mut Found) {
        if !self.ends_with_break && !self.empty {
            found.lines += 1;
        }
        if self.length > 0 {
            self.complete(b"", false, found);
        }
        found.last = self.time_of_last();
    }

    fn time_of_last(&self) -> Option<LineTime> {
        Some(self.last.as_slice()).filter(|last| !last.is_empty()).and_then(line::time)
    }

    /// Keeps `part` of the open object. If the object is too long, only what a phrase across the border needs is kept.
    fn keep(&mut self, part: &[u8]) {
        self.length = self.length.saturating_add(part.len());
        self.open.extend_from_slice(part);
        if self.length > MAX_LINE_BYTES {
            self.phrase_dropped |= self.needles.occur_in(&self.open);
            let dropped = self.open.len().saturating_sub(self.needles.overlap());
            self.open.drain(..dropped);
        }
    }

    /// Reads the object whose last part is `part`, unless it is truncated.
    fn complete(&mut self, part: &[u8], whole: bool, found: &mut Found) {
        let length = self.length + part.len();
        let mut kept = std::mem::take(&mut self.open);
        let continued = !kept.is_empty();
        if continued {
            kept.extend_from_slice(part);
        }
        let object = if continued { kept.as_slice() } else { part };
        if length > MAX_LINE_BYTES {
            if self.phrase_dropped || self.needles.occur_in(object) {
                found.overlong += 1;
                found.unreadable += 1;
            }
        } else {
            if whole && found.first.is_none() && self.time_tries < MAX_TIME_TRIES {
                self.time_tries += 1;
                found.first = line::time(object);
                if found.first.is_some() {
                    self.time_tries = MAX_TIME_TRIES;
                }
            }
            if self.needles.occur_in(object) {
                if whole { judge(object, found) } else { found.unreadable += 1 }
            }
            if whole && continued {
                self.last.clear();
                self.last.extend_from_slice(object);
            }
        }
        kept.clear();
        (self.open, self.length, self.phrase_dropped) = (kept, 0, false);
    }
}
