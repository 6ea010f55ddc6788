//! Tables of text: CSV and TSV as log platforms and query tools export them.
//!
//! A record is a line, unless a quoted cell contains line breaks. Such a cell may contain what a user wrote, so where
//! records begin follows from the quotes of everything before, never from how a line looks: every quote in a quoted cell
//! is doubled, so a record ends at the first line break after which the number of quotes is even.

use std::borrow::Cow;
use std::sync::Arc;

use crate::canton;
use crate::limits::MAX_LINE_BYTES;
use crate::line::Element;
use crate::lines::{Found, Judge, Needles, count_lines, count_overlong};
use crate::wrappers::{Habits, prefix};

const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
const QUOTE: u8 = b'"';
/// The first line with which spreadsheets are told the delimiter: `sep=;`.
const SEPARATOR_HINT: &[u8] = b"sep=";
/// The longest name of a column.
const MAX_NAME_BYTES: usize = 80;
/// Records of the head that are looked at to detect whether it is a table's.
const MAX_SAMPLE: usize = 50;
/// Records in which a first time, or a participant's line, is looked for.
const MAX_TRIES: u32 = 1000;

/// How a table is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    delimiter: u8,
    /// The names of the columns; none if the first record is not a header.
    names: Arc<Vec<String>>,
    /// Whether cells are quoted. If not, a record is a line.
    is_quoted: bool,
    /// Bytes before the first record that is not the header.
    start: usize,
}

impl Dialect {
    /// Detects the table that begins with `head`. None if it begins no table.
    pub(crate) fn detect(head: &[u8]) -> Option<Dialect> {
        let mut start = head.len() - head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).len();
        // In range: the length of a prefix.
        if head[start..].starts_with(SEPARATOR_HINT) {
            start += memchr::memchr(b'\n', &head[start..])? + 1;
        }
        // In range: a line's start is at most the length.
        let table = &head[start..];
        let first = table.split(|byte| *byte == b'\n').next()?;
        // A line as a string of JSON begins with a quote too.
        let quoted = serde_json::from_slice::<String>(first.trim_ascii()).unwrap_or_default();
        if begins_line(first) || begins_line(quoted.as_bytes()) {
            return None;
        }
        let quoted = DELIMITERS.iter().map(|delimiter| (*delimiter, true));
        let dialects = quoted.chain(DELIMITERS.iter().map(|delimiter| (*delimiter, false)));
        dialects.filter_map(|(delimiter, is_quoted)| Dialect::fit(table, start, delimiter, is_quoted)).next()
    }

    /// Returns the dialect if `table` is written in it: each of its first records has as many cells as the first, and
    /// one of the cells that are no names contains a line or a statement about a commitment.
    fn fit(table: &[u8], start: usize, delimiter: u8, is_quoted: bool) -> Option<Dialect> {
        let mut dialect = Dialect { delimiter, names: Arc::default(), is_quoted, start };
        let mut records = Vec::new();
        let mut from = 0;
        while records.len() < MAX_SAMPLE
            && let Some(end) = dialect.record_end(table, from)
        {
            // In range: a record's end is in the table, at or after its start.
            records.push((from, &table[from..end]));
            from = end + 1;
        }
        let (_, first) = records.first()?;
        // Cells between tabs are rarely quoted, and then their quotes mean nothing.
        let begins_quoted = |record: &[u8]| {
            record.first() == Some(&QUOTE) || memchr::memmem::find(record, &[delimiter, QUOTE]).is_some()
        };
        if is_quoted && delimiter == b'\t' && !records.iter().any(|(_, record)| begins_quoted(record)) {
            return None;
        }
        let first = dialect.cells(first);
        let width = first.len();
        let has_header = first.iter().all(|cell| is_name(cell));
        let fits = |record: &[u8]| dialect.cells(record).len() == width;
        let body = records.get(usize::from(has_header)..)?;
        // The last record of the head can be cut.
        let complete = body.get(..body.len().saturating_sub(1).max(1)).unwrap_or(body);
        let is_regular = complete.iter().all(|(_, record)| record.is_empty() || fits(record));
        let says_something = body.iter().any(|(_, record)| {
            let cells = dialect.cells(record);
            // A line that contains no delimiter is no row.
            let is_row = width > 1 || record.first() == Some(&QUOTE) && is_quoted;
            let contains_line = |cell: &str| match has_header {
                true => prefix::learn(cell.as_bytes()).is_some() || begins_message(cell),
                // Without names, only a cell in quotes is surely one: bars and commas are also in lines of text.
                false => is_quoted && is_quoted_in(record, cell) && begins_line(cell.as_bytes()),
            };
            is_row && cells.iter().any(|cell| contains_line(cell))
        });
        if !is_regular || !says_something || !has_header && width < 2 {
            return None;
        }
        if has_header {
            dialect.names = Arc::new(first.iter().map(|cell| cell.trim().to_owned()).collect());
            dialect.start += records.get(1)?.0;
        }
        Some(dialect)
    }

    /// Returns the end of the record that begins at `from`: the place of its line break, or the end of the data.
    fn record_end(&self, data: &[u8], from: usize) -> Option<usize> {
        let rest = data.get(from..).filter(|rest| !rest.is_empty())?;
        let mut quotes = 0;
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', rest) {
            // In range: each line break is at or behind the one before.
            quotes += self.quotes(&rest[begin..end]);
            begin = end;
            if quotes % 2 == 0 {
                return Some(from + end);
            }
        }
        Some(data.len())
    }

    fn quotes(&self, data: &[u8]) -> usize {
        if self.is_quoted { bytecount::count(data, QUOTE) } else { 0 }
    }

    /// Divides a record into its cells.
    fn cells<'r>(&self, record: &'r [u8]) -> Vec<Cow<'r, str>> {
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        let mut cells = Vec::new();
        let mut rest = Some(record);
        while let Some(text) = rest {
            let quoted = text.strip_prefix(&[QUOTE]).filter(|_| self.is_quoted).and_then(unquote);
            let (cell, after) = match quoted {
                Some((cell, after)) => (cell, after),
                None => (Cow::Borrowed(text), text),
            };
            let end = memchr::memchr(self.delimiter, after);
            cells.push(match (cell, end) {
                // In range: the place of the delimiter.
                (Cow::Borrowed(text), Some(end)) if text.len() == after.len() => lossy(&text[..end]),
                (Cow::Borrowed(text), _) => lossy(text),
                (Cow::Owned(text), _) => Cow::Owned(String::from_utf8_lossy(&text).into_owned()),
            });
            // In range: behind the delimiter, at most the end.
            rest = end.map(|end| &after[end + 1..]);
        }
        cells
    }
}

fn lossy(text: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(text)
}

/// Returns the content of a quoted cell, whose first quote has been taken, and what follows its last quote.
fn unquote(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut content: Option<Vec<u8>> = None;
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(QUOTE, text.get(from..)?)?;
        // In range: `from` is at most the place that was found behind it.
        let part = &text[from..at];
        if text.get(at + 1) != Some(&QUOTE) {
            let after = &text[at + 1..];
            return Some(match content {
                None => (Cow::Borrowed(part), after),
                Some(mut content) => {
                    content.extend_from_slice(part);
                    (Cow::Owned(content), after)
                }
            });
        }
        let content = content.get_or_insert_default();
        content.extend_from_slice(part);
        content.push(QUOTE);
        from = at + 2;
    }
}

fn is_name(cell: &str) -> bool {
    let cell = cell.trim();
    let begins = cell.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '@' | '$' | '#'));
    begins && cell.len() <= MAX_NAME_BYTES && !cell.contains(['{', '}', '"', '=']) && !begins_message(cell)
}

/// Whether `text` begins with a line of Canton's or of kubelet's, or an object.
fn begins_line(text: &[u8]) -> bool {
    prefix::learn(text).is_some_and(|shape| shape.is_empty())
}

/// Whether `cell` is in quotes in `record`.
fn is_quoted_in(record: &[u8], cell: &str) -> bool {
    let start = cell.split('"').next().unwrap_or(cell);
    memchr::memmem::find(record, format!("\"{start}").as_bytes()).is_some()
}

fn begins_message(text: &str) -> bool {
    canton::is_statement(text)
}

/// Reads the records of a table in consecutive parts of any size.
pub(crate) struct Records<'n> {
    needles: &'n Needles,
    judge: Judge,
    dialect: Dialect,
    /// Bytes before the first record that are still to be skipped.
    skip: usize,
    /// The record that is not complete yet.
    carry: Vec<u8>,
    /// For a record that is too long, whether the part of it that was dropped contained a phrase.
    overlong: Option<bool>,
    tries: u32,
    last: Vec<u8>,
    last_byte: Option<u8>,
}

impl<'n> Records<'n> {
    pub(crate) fn new(needles: &'n Needles, habits: &Arc<Habits>, dialect: Dialect) -> Records<'n> {
        Records {
            needles,
            judge: Judge::new(habits),
            skip: dialect.start,
            dialect,
            carry: Vec::new(),
            overlong: None,
            tries: 0,
            last: Vec::new(),
            last_byte: None,
        }
    }

    /// Reads the next part.
    pub(crate) fn read(&mut self, data: &[u8], found: &mut Found) {
        found.lines += count_lines(data);
        self.last_byte = data.last().copied().or(self.last_byte);
        let skipped = self.skip.min(data.len());
        self.skip -= skipped;
        // In range: at most the length.
        self.carry.extend_from_slice(&data[skipped..]);
        let mut carry = std::mem::take(&mut self.carry);
        let done = self.read_whole(&carry, found);
        carry.drain(..done);
        if carry.len() > MAX_LINE_BYTES {
            // The next line begins a record: there is no better place.
            let phrase = self.needles.occur_in(&carry);
            self.overlong = Some(self.overlong.unwrap_or(false) || phrase);
            let dropped = carry.len().saturating_sub(self.needles.overlap());
            carry.drain(..dropped);
        }
        self.carry = carry;
    }

    /// Reads what is left at the table's end.
    pub(crate) fn finish(&mut self, found: &mut Found) {
        found.lines += u64::from(self.last_byte.is_some_and(|last| last != b'\n'));
        let rest = std::mem::take(&mut self.carry);
        match self.overlong.take() {
            Some(phrase) => count_overlong(phrase || self.needles.occur_in(&rest), found),
            None if rest.is_empty() => {}
            // A cell that never ends swallowed what follows.
            None if self.dialect.quotes(&rest) % 2 == 1 => {
                found.unreadable += u64::from(self.needles.occur_in(&rest))
            }
            None => self.read_record(&rest, found),
        }
        found.last = self.time_of(&self.last);
    }

    /// Reads the whole records of `data`. Returns where the last one ends.
    fn read_whole(&mut self, data: &[u8], found: &mut Found) -> usize {
        let mut from = 0;
        if let Some(phrase) = self.overlong {
            let Some(end) = memchr::memchr(b'\n', data) else { return 0 };
            // In range: the place of the line break.
            count_overlong(phrase || self.needles.occur_in(&data[..end]), found);
            self.overlong = None;
            from = end + 1;
        }
        let mut last = None;
        // In range: `from` is at most the length, and so is every record's end.
        while let Some(end) = self.dialect.record_end(data, from).filter(|end| *end < data.len()) {
            self.read_record(&data[from..end], found);
            last = Some((from, end));
            from = end + 1;
        }
        if let Some((begin, end)) = last {
            self.last.clear();
            self.last.extend_from_slice(&data[begin..end]);
        }
        from
    }

    fn read_record(&mut self, record: &[u8], found: &mut Found) {
        if record.len() > MAX_LINE_BYTES {
            return count_overlong(self.needles.occur_in(record), found);
        }
        let is_wanted = self.needles.occur_in(record);
        let is_tried = self.tries < MAX_TRIES;
        if !is_wanted && !is_tried {
            return;
        }
        let cells = self.dialect.cells(record);
        let row = Element::Row(&self.dialect.names, &cells);
        if is_wanted {
            self.judge.judge_element(row, found);
        }
        if is_tried {
            self.tries += 1;
            found.first = found.first.or_else(|| self.judge.time(row));
            found.is_recognised |= self.judge.recognises(row);
            if found.first.is_some() && found.is_recognised {
                self.tries = MAX_TRIES;
            }
        }
    }

    fn time_of(&self, record: &[u8]) -> Option<canton::LineTime> {
        let cells = self.dialect.cells(record);
        self.judge.time(Element::Row(&self.dialect.names, &cells))
    }
}

/// Calls `show` with the first records of the table that begins with `head`.
pub(crate) fn sample(dialect: &Dialect, head: &[u8], mut show: impl FnMut(Element<'_>)) {
    let mut from = dialect.start;
    while let Some(end) = dialect.record_end(head, from) {
        // In range: a record's end is in the data, at or after its start.
        let cells = dialect.cells(&head[from..end]);
        show(Element::Row(&dialect.names, &cells));
        from = end + 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MESSAGE: &str = "Commitment correct for sender PAR::A::1220 and period CommitmentPeriod(a, b)";

    fn cells(delimiter: u8, record: &str) -> Vec<String> {
        let dialect = Dialect { delimiter, names: Arc::default(), is_quoted: true, start: 0 };
        dialect.cells(record.as_bytes()).into_iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn cells_of_every_kind() {
        assert_eq!(cells(b',', "a,\"b,\"\"c\"\"\nd\",,e\r"), ["a", "b,\"c\"\nd", "", "e"]);
        assert_eq!(cells(b';', "\"\";\"x\" ;y\"z\""), ["", "x", "y\"z\""]);
        assert_eq!(cells(b',', "\"never ends"), ["\"never ends"]);
        assert_eq!(cells(b',', ""), [""]);
    }

    #[test]
    fn tables_are_detected_by_their_first_records() {
        for (delimiter, name) in
            [(',', "Message"), (';', "\"@message\""), ('\t', "jsonPayload.message"), ('|', "_raw")]
        {
            let quoted = MESSAGE.replace('"', "\"\"");
            let head =
                format!("time{delimiter}{name}{delimiter}host\n1{delimiter}\"{quoted}\"{delimiter}h\n");
            let dialect = Dialect::detect(head.as_bytes()).unwrap();
            assert_eq!(char::from(dialect.delimiter), delimiter);
            assert_eq!(dialect.names[1], name.trim_matches('"'));
            let with_hint = format!("\u{feff}sep={delimiter}\n{head}");
            assert_eq!(Dialect::detect(with_hint.as_bytes()).unwrap().names, dialect.names);
        }
        let one = format!("_raw\n\"{MESSAGE}\"\n");
        assert_eq!(*Dialect::detect(one.as_bytes()).unwrap().names, ["_raw"]);
        let line = "{\"\"message\"\":\"\"m\"\"}";
        let unnamed = format!("1,\"{line}\"\n2,\"{line}\"\n");
        assert!(Dialect::detect(unnamed.as_bytes()).unwrap().names.is_empty());
    }

    #[test]
    fn what_is_no_table() {
        for head in [
            "",
            "a, b\nc, d\n",
            "2026-04-21 22:01:04,120 [t] INFO  c.d.X - a, b\n",
            "{\"a\":1,\"b\":2}\n",
            "participant-1  | {\"message\":\"m\"}\nparticipant-1  | {\"message\":\"m\"}\n",
            "Hello, world\nCommitment correct for sender x, and more, and more\n",
        ] {
            assert_eq!(Dialect::detect(head.as_bytes()), None, "{head}");
        }
    }
}
