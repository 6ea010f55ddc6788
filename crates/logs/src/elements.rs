//! Takes JSON documents apart that are not one object a line: an array of objects, on one line of gigabytes or
//! pretty-printed over many, and objects printed over several lines.
//!
//! Only brackets and strings are followed; each outermost object is then read like a line. Where something is torn,
//! the next object starts afresh: a line break inside a string is not JSON, nor is an object that stands where a member's
//! value or an array's element cannot be. Only where an array inside of an object is torn, what follows can pass for its
//! elements; it is then one object that is too long or never ends, and is counted as unreadable.

use super::canton::{self, LineTime};
use super::limits::MAX_LINE_BYTES;
use super::lines::{Found, Needles, count_lines, judge};

/// How much of a log is looked at to tell whether it is such a document.
pub const HEAD_BYTES: usize = 64 * 1024;
/// Objects in which a first time is looked for, before it is given up.
const MAX_TIME_TRIES: u32 = 1000;

/// Whether the log that begins with `head` is such a document: [`HEAD_BYTES`] of it, or all where it has less.
pub fn is_document(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let line_end = memchr::memchr(b'\n', head);
    let line = head.get(..line_end.unwrap_or(head.len())).unwrap_or(head).trim_ascii_end();
    let second = line_end.and_then(|end| head.get(end + 1..)).and_then(<[u8]>::first);
    let goes_on = second.is_some_and(|second| *second != b'{');
    match line.first() {
        Some(b'[') => {
            let behind = head.get(1..).unwrap_or_default().trim_ascii_start();
            matches!(behind.first(), None | Some(b'{' | b']'))
        }
        // An object that its first line does not end, or one that is torn in front of a member of it. Where the
        // second line starts another object, there is one a line, and the first is torn.
        Some(b'{') => goes_on && leaves_open(line),
        // Lines that are whole strings hold one line of a log each.
        Some(b'"') => goes_on && memchr::memmem::find(line, b"\":").is_some() && !canton::is_quoted(line),
        Some(b'}' | b']') => line.len() <= 2,
        _ => false,
    }
}

/// Whether `line` opens more brackets than it closes, and ends outside of a string.
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
    /// The last two bytes that are not white space of what was read before, the last one first.
    before: [Option<u8>; 2],
}

enum Event {
    Opened,
    Closed,
    /// The open object is torn, and nothing begins here.
    Torn,
    /// The open object is torn, and another begins here.
    TornAndOpened,
    Nothing,
}

struct Step {
    event: Event,
    at: usize,
    next: usize,
}

impl State {
    /// Goes on to the next byte that matters.
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
        let event = match (data.get(at), self.in_string) {
            (Some(b'"'), in_string) => {
                self.in_string = !in_string;
                Event::Nothing
            }
            (Some(b'\\'), _) => {
                self.escaped = true;
                Event::Nothing
            }
            (Some(b'\n'), _) => {
                *self = State::default();
                Event::Torn
            }
            (Some(b'{'), _) if self.depth == 0 => {
                *self = State { depth: 1, ..State::default() };
                Event::Opened
            }
            (Some(b'{'), _) => {
                if self.nest(data.get(..at).unwrap_or_default()) {
                    Event::Nothing
                } else {
                    *self = State { depth: 1, ..State::default() };
                    Event::TornAndOpened
                }
            }
            _ => {
                self.depth -= 1;
                if self.depth == 0 { Event::Closed } else { Event::Nothing }
            }
        };
        Some(Step { event, at, next: at + 1 })
    }

    /// Goes one object deeper, where one can stand behind `front`. Behind a comma that is in an array, behind another
    /// object of it; an array that holds other things in front of an object is taken for torn.
    fn nest(&mut self, front: &[u8]) -> bool {
        let bit = 1u64.checked_shl(self.depth).unwrap_or(0);
        let is_element = match self.last_two(front) {
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

    /// The last two bytes that are not white space, the last one first, where `data` is what was read last.
    fn last_two(&self, data: &[u8]) -> [Option<u8>; 2] {
        let mut bytes = data.iter().rev().filter(|byte| !byte.is_ascii_whitespace()).copied();
        match (bytes.next(), bytes.next()) {
            (None, _) => self.before,
            (last, None) => [last, self.before[0]],
            (last, second) => [last, second],
        }
    }

    /// Remembers how `data`, which has been read, ends.
    fn pass(&mut self, data: &[u8]) {
        self.before = self.last_two(data);
    }
}

/// Reads a document in consecutive parts of any size.
pub struct Elements<'n> {
    needles: &'n Needles,
    state: State,
    /// What earlier parts held of the object that is open.
    open: Vec<u8>,
    /// Length of the open object so far, kept or not.
    length: usize,
    /// Whether what has been dropped of it held a phrase.
    phrase_dropped: bool,
    last: Vec<u8>,
    time_tries: u32,
    ends_with_break: bool,
    empty: bool,
}

impl<'n> Elements<'n> {
    /// Starts at the document's start.
    pub fn new(needles: &'n Needles) -> Elements<'n> {
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
    pub fn read(&mut self, data: &[u8], found: &mut Found) {
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
                    let part = data.get(begun..step.next).unwrap_or_default();
                    newest = (self.open.is_empty() && self.length == 0).then_some(part).or(newest);
                    self.complete(part, true, found);
                }
                (Event::Torn, Some(begun)) => {
                    start = None;
                    self.complete(data.get(begun..step.at).unwrap_or_default(), false, found);
                }
                (Event::TornAndOpened, begun) => {
                    start = Some(step.at);
                    let begun = begun.unwrap_or(step.at);
                    self.complete(data.get(begun..step.at).unwrap_or_default(), false, found);
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
            self.keep(data.get(begun..).unwrap_or_default());
        }
    }

    /// Reads what is left at the document's end.
    pub fn finish(&mut self, found: &mut Found) {
        if !self.ends_with_break && !self.empty {
            found.lines += 1;
        }
        if self.length > 0 {
            self.complete(b"", false, found);
        }
        found.last = self.time_of_last();
    }

    fn time_of_last(&self) -> Option<LineTime> {
        Some(self.last.as_slice()).filter(|last| !last.is_empty()).and_then(canton::object_time)
    }

    /// Keeps `part` of the open object; of one that is too long only what a phrase on the border needs.
    fn keep(&mut self, part: &[u8]) {
        self.length = self.length.saturating_add(part.len());
        self.open.extend_from_slice(part);
        if self.length > MAX_LINE_BYTES {
            self.phrase_dropped |= self.needles.occur_in(&self.open);
            let dropped = self.open.len().saturating_sub(self.needles.overlap());
            self.open.drain(..dropped);
        }
    }

    /// The object whose last part is `part` has ended, as it should or torn.
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
                found.first = canton::object_time(object);
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
