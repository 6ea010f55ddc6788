//! Takes JSON documents apart that are not one object a line: an array of objects, on one line of gigabytes or
//! pretty-printed over many, and objects printed over several lines.
//!
//! Only brackets and strings are followed. Each outermost object is then read like a line. If something is truncated,
//! the next object starts afresh: a line break inside a string is not JSON, and neither is an object in a place where no
//! member's value and no array's element can be. Only if an array inside an object is truncated, what follows can pass
//! for its elements. It is then one object that is too long or never ends, and is counted as unreadable.
//!
//! An answer of a search can be one object of gigabytes, with the records in an array inside of it. Such an object is not
//! kept: once it is long, the elements of that array are read one by one, each within the text that is around the array.

use std::mem;
use std::sync::Arc;

use crate::canton::LineTime;
use crate::limits::MAX_LINE_BYTES;
use crate::line::Element;
use crate::lines::{Found, Judge, Needles, count_lines, count_overlong};
use crate::wrappers::{self, Habits};

/// How much of a log is looked at to detect whether it is such a document.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// Objects in which a first time, or a participant's line, is looked for.
const MAX_TRIES: u32 = 1000;
/// Bytes of an object from which on the elements of an array in it are read one by one.
const LONG_BYTES: usize = MAX_LINE_BYTES / 2;
/// Bytes that are added to an object before it is looked at again.
const STEP_BYTES: usize = MAX_LINE_BYTES / 4;
/// Bytes around the array of a long object. Answers of searches have some hundred; more is no such answer.
const MAX_AROUND_BYTES: usize = 64 * 1024;
/// Objects of the head that are looked at to learn about the log.
const MAX_SAMPLE: usize = 200;

/// Whether the log that begins with `head` is such a document. The head is [`HEAD_BYTES`] long, or the whole log.
pub(crate) fn is_document(head: &[u8]) -> bool {
    // No line of a log is as long as that, and what is one object a line can be read as a document too.
    let is_endless = head.len() >= HEAD_BYTES && !head.contains(&b'\n');
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let mut lines = head.splitn(2, |byte| *byte == b'\n');
    let line = lines.next().unwrap_or(head).trim_ascii_end();
    let continues = lines.next().and_then(<[u8]>::first).is_some_and(|second| *second != b'{');
    match line {
        [b'[', ..] => {
            // An array of objects, or an empty one; its first element may be on the next line.
            let inside = head.strip_prefix(b"[").unwrap_or(head).trim_ascii_start();
            let of_objects = matches!(inside.first(), None | Some(b'{' | b']'));
            // Prefixes such as `[pod/a/b] ` begin with a bracket too.
            of_objects || is_endless && matches!(inside.first(), Some(b'['))
        }
        // An object that its first line does not end, or one that is truncated before one of its members. If the
        // second line starts another object, there is one a line, and the first is truncated.
        [b'{', ..] => continues && leaves_open(line) || is_endless,
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
    judge: Judge,
    /// Whether objects are read that contain no phrase: arrays of bytes show none.
    reads_all: bool,
    state: State,
    /// What earlier parts contained of the open object.
    open: Vec<u8>,
    /// Length of the open object so far, kept or not.
    length: usize,
    /// The length from which on the open object is looked at for an array.
    next_look: usize,
    /// Whether what has been dropped of it contained a phrase.
    phrase_dropped: bool,
    /// The last complete object, for its time.
    last: Vec<u8>,
    tries: u32,
    ends_with_break: bool,
    empty: bool,
}

impl<'n> Elements<'n> {
    /// Starts at the document's start. `reads_all` if phrases can be written as arrays of bytes.
    pub(crate) fn new(needles: &'n Needles, habits: &Arc<Habits>, reads_all: bool) -> Elements<'n> {
        Elements {
            needles,
            judge: Judge::new(habits),
            reads_all,
            state: State::default(),
            open: Vec::new(),
            length: 0,
            next_look: LONG_BYTES,
            phrase_dropped: false,
            last: Vec::new(),
            tries: 0,
            ends_with_break: true,
            empty: true,
        }
    }

    /// Reads the next part.
    pub(crate) fn read(&mut self, data: &[u8], found: &mut Found) {
        // A long object is looked at before it can get too long.
        data.chunks(STEP_BYTES).for_each(|part| self.read_part(part, found));
    }

    fn read_part(&mut self, data: &[u8], found: &mut Found) {
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
            self.keep(&data[begun..], found);
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
        let last = Some(self.last.as_slice()).filter(|last| !last.is_empty())?;
        self.judge.time(Element::Line(last))
    }

    /// Keeps `part` of the open object. If the object is too long, only what a phrase across the border needs is kept.
    fn keep(&mut self, part: &[u8], found: &mut Found) {
        self.length = self.length.saturating_add(part.len());
        self.open.extend_from_slice(part);
        if self.length == self.open.len() && self.length >= self.next_look {
            self.read_inside(found);
        }
        if self.length > MAX_LINE_BYTES {
            self.phrase_dropped |= self.needles.occur_in(&self.open);
            let dropped = self.open.len().saturating_sub(self.needles.overlap());
            self.open.drain(..dropped);
        }
    }

    /// Reads the complete elements of the array in the open object, and keeps the rest of it.
    fn read_inside(&mut self, found: &mut Found) {
        let open = mem::take(&mut self.open);
        let Some(inside) = Inside::of(&open) else {
            self.next_look = open.len() + STEP_BYTES;
            self.open = open;
            return;
        };
        for &(begin, end) in &inside.elements {
            // In range: elements are places in the open object, each before its end.
            let element = &open[begin..end];
            if self.wants(element) {
                let whole = [&open[..inside.start], element, &inside.closing].concat();
                self.judge_whole(&whole, found);
            }
        }
        self.open = [&open[..inside.start], &open[inside.rest..]].concat();
        self.length = self.open.len();
        self.next_look = LONG_BYTES.max(self.length + STEP_BYTES);
    }

    /// Whether `object` must be read.
    fn wants(&self, object: &[u8]) -> bool {
        self.reads_all || self.tries < MAX_TRIES || self.needles.occur_in(object)
    }

    /// Reads a whole object.
    fn judge_whole(&mut self, object: &[u8], found: &mut Found) {
        if self.tries < MAX_TRIES {
            self.tries += 1;
            found.first = found.first.or_else(|| self.judge.time(Element::Line(object)));
            found.is_recognised |= self.judge.recognises(Element::Line(object));
            if found.first.is_some() && found.is_recognised {
                self.tries = MAX_TRIES;
            }
        }
        if self.reads_all || self.needles.occur_in(object) {
            self.judge.judge(object, found);
        }
    }

    /// Reads the object whose last part is `part`, unless it is truncated.
    fn complete(&mut self, part: &[u8], whole: bool, found: &mut Found) {
        let length = self.length + part.len();
        let mut kept = mem::take(&mut self.open);
        let continued = !kept.is_empty();
        if continued {
            kept.extend_from_slice(part);
        }
        let object = if continued { kept.as_slice() } else { part };
        if length > MAX_LINE_BYTES {
            count_overlong(self.phrase_dropped || self.needles.occur_in(object), found);
        } else if whole {
            if self.wants(object) {
                self.judge_whole(object, found);
            }
            if continued {
                self.last.clear();
                self.last.extend_from_slice(object);
            }
        } else {
            found.unreadable += u64::from(self.needles.occur_in(object));
        }
        kept.clear();
        (self.open, self.length, self.next_look, self.phrase_dropped) = (kept, 0, LONG_BYTES, false);
    }
}

/// The elements of an array inside of an object that is not complete.
#[derive(Debug, PartialEq, Eq)]
struct Inside {
    /// Where the array's content begins.
    start: usize,
    /// Its complete elements, from where to where.
    elements: Vec<(usize, usize)>,
    /// What closes the array and all around it.
    closing: Vec<u8>,
    /// Where what follows the complete elements begins.
    rest: usize,
}

/// A bracket that is not closed yet.
struct Bracket {
    byte: u8,
    at: usize,
    /// If it is an array, its complete elements that are objects or arrays.
    elements: Vec<(usize, usize)>,
}

impl Inside {
    /// Returns the outermost array of `open` that has a complete element.
    fn of(open: &[u8]) -> Option<Inside> {
        let mut brackets: Vec<Bracket> = Vec::new();
        let mut at = 0;
        while let Some(&byte) = open.get(at) {
            match byte {
                b'"' => at = string_end(open, at)?,
                b'{' | b'[' => brackets.push(Bracket { byte, at, elements: Vec::new() }),
                b'}' | b']' => {
                    let closed = brackets.pop()?;
                    if let Some(parent) = brackets.last_mut().filter(|parent| parent.byte == b'[') {
                        parent.elements.push((closed.at, at + 1));
                    }
                }
                _ => {}
            }
            at += 1;
        }
        let depth = brackets.iter().position(|bracket| !bracket.elements.is_empty())?;
        // In range: a position of the list.
        let closing = brackets[..=depth].iter().rev().map(|it| if it.byte == b'[' { b']' } else { b'}' });
        let closing = closing.collect();
        let array = brackets.swap_remove(depth);
        let &(_, end) = array.elements.last()?;
        // In range: an element's end is in the object.
        let gap = open[end..].iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b',').count();
        let inside = Inside { start: array.at + 1, rest: end + gap, elements: array.elements, closing };
        (inside.start <= MAX_AROUND_BYTES).then_some(inside)
    }
}

/// Returns the place of the quote that ends the string that begins at `at`; the data's end if none does.
fn string_end(data: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    loop {
        let Some(found) = memchr::memchr2(b'"', b'\\', data.get(from..)?) else { return Some(data.len()) };
        match data.get(from + found) {
            Some(b'"') => return Some(from + found),
            _ => from += found + 2,
        }
        if from >= data.len() {
            return Some(data.len());
        }
    }
}

/// Returns the first objects of the document that begins with `head`.
pub(crate) fn sample(head: &[u8]) -> Vec<&[u8]> {
    let mut state = State::default();
    let (mut from, mut start) = (0, None);
    let mut objects = Vec::new();
    while objects.len() < MAX_SAMPLE
        && let Some(step) = state.step(head, from)
    {
        from = step.next;
        match step.event {
            Event::Opened | Event::TruncatedAndOpened => start = Some(step.at),
            // In range: an object begins before it ends.
            Event::Closed => objects.extend(start.take().map(|start| &head[start..step.next])),
            Event::Truncated => start = None,
            Event::Nothing => {}
        }
    }
    if let Some(start) = start {
        // In range: the place of a byte.
        let open = &head[start..];
        let inside = Inside::of(open).map(|inside| inside.elements).unwrap_or_default();
        let room = MAX_SAMPLE.saturating_sub(objects.len());
        objects.extend(inside.into_iter().take(room).map(|(begin, end)| &open[begin..end]));
    }
    objects
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_array_with_a_complete_element() {
        let inside = |open: &str| {
            let inside = Inside::of(open.as_bytes())?;
            let elements: Vec<&str> = inside.elements.iter().map(|&(from, to)| &open[from..to]).collect();
            let closing = String::from_utf8(inside.closing).unwrap();
            Some((
                open[..inside.start].to_owned(),
                elements.join(" "),
                closing,
                open[inside.rest..].to_owned(),
            ))
        };
        let found = |start: &str, elements: &str, closing: &str, rest: &str| {
            Some((start.to_owned(), elements.to_owned(), closing.to_owned(), rest.to_owned()))
        };
        assert_eq!(
            inside(r#"{"a":[{"b":[1]}, [2],{"c""#),
            found(r#"{"a":["#, r#"{"b":[1]} [2]"#, "]}", r#"{"c""#)
        );
        assert_eq!(
            inside(r#"{"x":[{"s":{"n":"]}"},"r":[{"m":"\"]"},{"#),
            found(r#"{"x":[{"s":{"n":"]}"},"r":["#, r#"{"m":"\"]"}"#, "]}]}", "{")
        );
        for open in ["", "{", r#"{"a":["#, r#"{"a":[{"b":1"#, r#"{"a":[{}],"b":"#, r#"{"a":"[{},"#, "}"] {
            assert_eq!(inside(open), None, "{open}");
        }
    }
}
