//! Searches what can only be read from its start to its end, in parts of any size.

use crate::documents::{self, Elements};
use crate::limits::MAX_LINE_BYTES;
use crate::lines::{
    Finder, Found, Needles, count_lines, count_overlong, first_time, last_time, line_start, next_separator,
};

/// Reads a log from its start to its end, in parts of any size.
pub(crate) struct StreamReader<'n> {
    needles: &'n Needles,
    form: Form<'n>,
    /// What has been read but is not a whole line yet, or, at first, not enough to detect the form.
    carry: Vec<u8>,
    last_byte: Option<u8>,
}

enum Form<'n> {
    Unknown,
    Lines {
        finder: Finder<'n>,
        /// The place of the carry, in bytes of the log.
        offset: u64,
        /// For a line that is too long, whether the part of it that was dropped contained a phrase.
        overlong: Option<bool>,
    },
    Document(Elements<'n>),
}

impl<'n> StreamReader<'n> {
    /// Starts at the log's first byte.
    pub(crate) fn new(needles: &'n Needles) -> StreamReader<'n> {
        StreamReader { needles, form: Form::Unknown, carry: Vec::new(), last_byte: None }
    }

    /// Reads the next part.
    pub(crate) fn read(&mut self, data: &[u8], found: &mut Found) {
        if let Form::Document(elements) = &mut self.form {
            return elements.read(data, found);
        }
        self.last_byte = data.last().copied().or(self.last_byte);
        self.carry.extend_from_slice(data);
        if matches!(self.form, Form::Unknown) && !self.detect_form(false, found) {
            return;
        }
        self.read_lines(found);
    }

    /// Reads what is left.
    pub(crate) fn finish(&mut self, found: &mut Found) {
        if matches!(self.form, Form::Unknown) {
            self.detect_form(true, found);
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
                        // It cannot fail: a stream is read from its start, so nothing is before it.
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

    /// Detects the form of the log from its head, once there is enough of it.
    fn detect_form(&mut self, at_end: bool, found: &mut Found) -> bool {
        if !at_end && self.carry.len() < documents::HEAD_BYTES {
            return false;
        }
        let head = self.carry.get(..documents::HEAD_BYTES).unwrap_or(&self.carry);
        if documents::is_document(head) {
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
            // In range: a separator's place, or the length.
            let phrase = phrase || self.needles.occur_in(&self.carry[..end.unwrap_or(self.carry.len())]);
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
                    let dropped = self.carry.len().saturating_sub(self.needles.overlap());
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
