//! Searches what can only be read from its start to its end, in parts of any size.

use crate::documents::{self, Elements};
use crate::form::{Form, Layout};
use crate::limits::MAX_LINE_BYTES;
use crate::lines::{
    Finder, Found, Judge, NeedleSets, Needles, count_lines, count_overlong, line_start, next_separator,
};
use crate::table::Records;
use crate::wrappers::Codes;

/// Reads a log from its start to its end, in parts of any size.
pub(crate) struct StreamReader<'n> {
    needles: &'n NeedleSets,
    form: State<'n>,
    /// What has been read but is not a whole line yet, or, at first, not enough to detect the form.
    carry: Vec<u8>,
    /// If codes for a terminal are removed: where in a code the part before has ended, and the text without codes.
    codes: Option<(Codes, Vec<u8>)>,
    last_byte: Option<u8>,
}

enum State<'n> {
    Unknown,
    Lines {
        needles: &'n Needles,
        finder: Finder<'n>,
        /// The place of the carry, in bytes of the log.
        offset: u64,
        /// For a line that is too long, whether the part of it that was dropped contained a phrase.
        overlong: Option<bool>,
    },
    Document(Elements<'n>),
    Table(Records<'n>),
}

impl<'n> StreamReader<'n> {
    /// Starts at the log's first byte.
    pub(crate) fn new(needles: &'n NeedleSets) -> StreamReader<'n> {
        StreamReader { needles, form: State::Unknown, carry: Vec::new(), codes: None, last_byte: None }
    }

    /// Reads the next part.
    pub(crate) fn read(&mut self, data: &[u8], found: &mut Found) {
        if matches!(self.form, State::Unknown) {
            self.carry.extend_from_slice(data);
            if self.carry.len() >= documents::HEAD_BYTES {
                self.begin(found);
            }
            return;
        }
        match self.codes.take() {
            None => self.read_text(data, found),
            Some((mut codes, mut text)) => {
                text.clear();
                codes.remove(data, &mut text);
                self.read_text(&text, found);
                self.codes = Some((codes, text));
            }
        }
    }

    /// Detects the form of the log from its head, and reads the head.
    fn begin(&mut self, found: &mut Found) {
        let head = std::mem::take(&mut self.carry);
        let form = Form::of(head.get(..documents::HEAD_BYTES).unwrap_or(&head));
        let needles = self.needles.of(form.has_byte_arrays);
        self.form = match form.layout {
            Layout::Lines => State::Lines {
                needles,
                finder: Finder::new(needles, &form.habits),
                offset: 0,
                overlong: None,
            },
            Layout::Document => State::Document(Elements::new(needles, &form.habits, form.has_byte_arrays)),
            Layout::Table(dialect) => State::Table(Records::new(needles, &form.habits, dialect)),
        };
        self.codes = form.is_highlighted.then(Default::default);
        self.read(&head, found);
    }

    fn read_text(&mut self, data: &[u8], found: &mut Found) {
        match &mut self.form {
            State::Document(elements) => elements.read(data, found),
            State::Table(records) => records.read(data, found),
            State::Lines { .. } | State::Unknown => {
                self.last_byte = data.last().copied().or(self.last_byte);
                self.carry.extend_from_slice(data);
                self.read_lines(found);
            }
        }
    }

    /// Reads what is left.
    pub(crate) fn finish(&mut self, found: &mut Found) {
        if matches!(self.form, State::Unknown) {
            self.begin(found);
        }
        match &mut self.form {
            State::Document(elements) => elements.finish(found),
            State::Table(records) => records.finish(found),
            State::Lines { needles, finder, offset, overlong } => {
                let rest = std::mem::take(&mut self.carry);
                found.lines += u64::from(self.last_byte.is_some_and(|last| last != b'\n'));
                match overlong {
                    Some(phrase) => count_overlong(*phrase || needles.occur_in(&rest), found),
                    None => {
                        // It cannot fail: a stream is read from its start, so nothing is before it.
                        let _ = finder.read(&rest, *offset, found);
                        note(finder.judge(), &rest, found);
                    }
                }
                finder.finish(found);
            }
            State::Unknown => {}
        }
    }

    fn read_lines(&mut self, found: &mut Found) {
        let State::Lines { needles, finder, offset, overlong } = &mut self.form else { return };
        let mut from = 0;
        if let Some(phrase) = *overlong {
            let end = next_separator(&self.carry, 0);
            // In range: a separator's place, or the length.
            let phrase = phrase || needles.occur_in(&self.carry[..end.unwrap_or(self.carry.len())]);
            match end {
                Some(end) => {
                    count_overlong(phrase, found);
                    *overlong = None;
                    from = end + 1;
                    // In range: a separator's place and one more is at most the length.
                    found.lines += count_lines(&self.carry[..from]);
                }
                None => {
                    *overlong = Some(phrase);
                    let dropped = self.carry.len().saturating_sub(needles.overlap());
                    self.carry.drain(..dropped);
                    *offset += dropped as u64;
                    return;
                }
            }
        }
        // In range: see above, and a line's start is at most the length.
        let data = &self.carry[from..];
        let whole = &data[..line_start(data, data.len())];
        if !whole.is_empty() {
            // It cannot fail: a stream is read from its start, so nothing is before it.
            let _ = finder.read(whole, *offset + from as u64, found);
            note(finder.judge(), whole, found);
        }
        let done = from + whole.len();
        self.carry.copy_within(done.., 0);
        self.carry.truncate(self.carry.len() - done);
        *offset += done as u64;
        if self.carry.len() > MAX_LINE_BYTES {
            *overlong = Some(needles.occur_in(&self.carry));
            let dropped = self.carry.len().saturating_sub(needles.overlap());
            self.carry.drain(..dropped);
            *offset += dropped as u64;
        }
    }
}

/// Notes the times of the first and last line of `data`, and whether a participant wrote one of the first.
fn note(judge: &Judge, data: &[u8], found: &mut Found) {
    found.first = found.first.or_else(|| judge.first_time(data));
    found.last = judge.last_time(data).or(found.last);
    found.is_recognised = found.is_recognised || judge.recognises_one_of(data);
}
