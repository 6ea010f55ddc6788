//! Joins lines into records: a message with its logger, in whatever wrapper and on however many lines.

use std::sync::Arc;

use crate::canton;
use crate::limits::MAX_LINE_BYTES;
use crate::line::{self, Element};
use crate::wrappers::{Habits, Inside, Texts, cri};

/// Bytes that are read at once.
pub(super) const BLOCK_BYTES: usize = 1 << 20;
/// The longest record. A block of ten thousand events, each on a line of a hundred bytes, has a million.
const MAX_RECORD_BYTES: usize = 16 * MAX_LINE_BYTES;
/// Parts of what a record that matters begins with. Of other lines only the start is looked at.
const PHRASES: [&[u8]; 3] = [b"Processing ", b"Skipping faulty event", b"SEQUENCING_TIME_NOT_ADMISSIBLE"];

/// A message with the logger that wrote it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// The logger with its parameters; none if an export dropped it.
    pub(super) logger: Option<&'a str>,
    /// The message, with its further lines.
    pub(super) message: &'a str,
}

/// Receives records.
type Sink<'s> = &'s mut dyn FnMut(&Record<'_>);

/// Makes records of bytes as they arrive. What it makes does not depend on where the parts begin and end.
#[derive(Default)]
pub(super) struct Records {
    /// What the lines of the log have in common.
    habits: Arc<Habits>,
    /// The beginning of a line whose end has not arrived.
    rest: Vec<u8>,
    /// Whether the rest of the line is skipped, because it is too long.
    skipping: bool,
    /// Pieces of a line that kubelet split, of standard output and of standard error.
    pieces: [Vec<u8>; 2],
    /// A record of a text log whose further lines may follow.
    open: Option<Open>,
    overlong: u64,
}

struct Open {
    logger: String,
    message: String,
}

impl Records {
    /// Says what the lines of the log that begins now have in common.
    pub(super) fn expect(&mut self, habits: Arc<Habits>) {
        self.habits = habits;
    }

    /// Adds the next part of the log.
    pub(super) fn add(&mut self, part: &[u8], sink: Sink<'_>) {
        let mut part = part;
        while let Some(end) = memchr::memchr(b'\n', part) {
            // In range: `end` is the place of a line break.
            let (line, behind) = (&part[..end], &part[end + 1..]);
            part = behind;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if self.rest.is_empty() {
                self.physical_line(line, sink);
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.physical_line(&whole, sink);
            }
        }
        if self.skipping {
            return;
        }
        self.rest.extend_from_slice(part);
        if self.rest.len() > MAX_RECORD_BYTES {
            self.rest = Vec::new();
            self.skipping = true;
            self.overlong += 1;
        }
    }

    /// Ends the log.
    pub(super) fn end(&mut self, sink: Sink<'_>) {
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.physical_line(&rest, sink);
        }
        self.close(sink);
        self.pieces = Default::default();
        self.skipping = false;
    }

    /// Records that were too long to be read.
    pub(super) const fn overlong(&self) -> u64 {
        self.overlong
    }

    /// Takes a line as it is in the file: a whole one, or a piece of one that kubelet split.
    fn physical_line(&mut self, line: &[u8], sink: Sink<'_>) {
        let Some(prefix) = cri::prefix(line) else { return self.line(line, sink) };
        let stream = usize::from(prefix.stream == cri::Stream::Err);
        // In range: a stream is one of two.
        let pieces = &mut self.pieces[stream];
        if !prefix.partial && pieces.is_empty() {
            return self.line(prefix.content, sink);
        }
        pieces.extend_from_slice(prefix.content);
        if pieces.len() > MAX_RECORD_BYTES {
            pieces.clear();
            self.overlong += 1;
        } else if !prefix.partial {
            let whole = std::mem::take(pieces);
            self.line(&whole, sink);
        }
    }

    /// Takes a whole line.
    fn line(&mut self, line: &[u8], sink: Sink<'_>) {
        let mentions = PHRASES.iter().any(|phrase| memchr::memmem::find(line, phrase).is_some());
        if self.open.is_none() && !mentions {
            return;
        }
        let habits = Arc::clone(&self.habits);
        line::leaves(Element::Line(line), &habits, &mut |inside, context| match inside {
            // A whole line in a text, if the log's texts are messages, is what a user wrote into a message.
            Inside::Line(_) if context.in_text && context.habits.texts == Texts::Messages => false,
            Inside::Line(text) => {
                self.text(&String::from_utf8_lossy(text), context.around, mentions, sink);
                true
            }
            Inside::Message(message) => {
                self.close(sink);
                sink(&Record { logger: context.logger, message });
                context.logger.is_some()
            }
            Inside::Text(_) | Inside::Unknown(_) => false,
        });
    }

    /// Takes a line of text: the first of a record if it has a header, else a further one. A logger that is named
    /// `around` the line must be its own.
    fn text(&mut self, text: &str, around: Option<&str>, mentions: bool, sink: Sink<'_>) {
        match canton::read_header(text) {
            Some(header) => {
                self.close(sink);
                let is_its_own =
                    around.is_none_or(|around| canton::class(around) == canton::class(header.logger));
                if mentions && is_its_own {
                    let (logger, message) = (header.logger.to_owned(), header.message.to_owned());
                    self.open = Some(Open { logger, message });
                }
            }
            None => {
                let Some(open) = &mut self.open else { return };
                if open.message.len() + text.len() > MAX_RECORD_BYTES {
                    self.open = None;
                    self.overlong += 1;
                    return;
                }
                open.message.push('\n');
                open.message.push_str(text);
            }
        }
    }

    fn close(&mut self, sink: Sink<'_>) {
        if let Some(Open { logger, message }) = self.open.take() {
            sink(&Record { logger: Some(&logger), message: &message });
        }
    }
}
