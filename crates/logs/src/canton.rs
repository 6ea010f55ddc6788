//! Reads one line of a participant's log: what, if anything, the commitment processor says in it.
//!
//! Pure functions over bytes; nothing here opens, splits or counts. A line is read strictly from its start:
//! the wrappers of a container runtime or a log platform, then the header that Canton writes (text or JSON),
//! then the message. A message counts only where the header's logger is `AcsCommitmentProcessor` and the
//! phrase is the first thing behind the header. Party names, workflow ids and exceptions reach logs too, and
//! whoever chooses them must not be able to vote.
//!
//! Some exports keep the bare message and drop the logger. It counts where the string starts with the phrase,
//! and [`Message::logger`] says that nothing vouches for it.

use svdr_protocol::time::{Tick, Timestamp};

mod cri;
mod date;
mod docker;
mod header;
mod json;
mod message;

pub use cri::{Prefix, Stream, prefix as cri_prefix};
pub use docker::{is_continued as docker_is_continued, stream as docker_stream};
pub(super) use header::is_processor_class;
pub use json::object_time;

/// Whether `line` is a string of JSON, and nothing besides.
pub fn is_quoted(line: &[u8]) -> bool {
    json::quoted(line).is_some()
}

/// The class whose messages are evidence.
pub const PROCESSOR: &str = "AcsCommitmentProcessor";
/// What every match holds. A part of the phrase is searched, because its rare start makes the search fast.
pub const MATCH_NEEDLE: &str = "correct for sender";
/// What both kinds of mismatch hold.
pub const MISMATCH_NEEDLE: &str = "_MISMATCH";
/// What the lines hold that say which commitment a trace is checking.
pub const CHECKING_NEEDLE: &str = "Checking commitment";

/// Wrappers around one message: kubelet or docker, a platform's export, one more where it was escaped twice.
const MAX_WRAPPERS: u32 = 5;

/// What a line is to the scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A message of the commitment processor.
    Ours(Message),
    /// A well-formed line of somebody else, or a message of the processor that says nothing about a commitment.
    Foreign,
    /// No known form, or a processor's message that ends too early.
    Unreadable,
}

/// A message of the commitment processor about one commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When the line was written, best as a point in time.
    pub at: Option<LineTime>,
    /// The time that Canton itself wrote, which is the same under every wrapper.
    pub stamp: Option<LineTime>,
    /// The trace it belongs to; not kept for matches, which need none.
    pub trace: Option<String>,
    /// The synchronizer in short form, where the line names one.
    pub synchronizer: Option<String>,
    /// Whether the line names its logger.
    pub logger: bool,
    /// What it says.
    pub fact: Fact,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The commitment equals our own.
    Match(Commitment),
    /// The commitment is about to be compared.
    Checking(Commitment),
    /// A commitment differs from our own, or there should be none.
    Mismatch {
        /// The error code with what stands in its parentheses; tells two mismatches of one trace apart.
        code: String,
        /// Whose, where the line says so.
        remote: Option<Commitment>,
    },
}

/// Somebody's commitment for one period.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Commitment {
    /// The participant in the form of logs, without the dots: `PAR::identifier::` and 12 characters.
    pub sender: String,
    /// The end of the period.
    pub tick: Tick,
}

/// The time of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineTime {
    /// A point in time.
    Utc(Timestamp),
    /// What a clock on the wall of the container's zone showed, written down as if it were UTC.
    Local(Timestamp),
}

/// Reads `line`, which holds no line break; a carriage return at its end is allowed.
pub fn read_line(line: &[u8]) -> Line {
    read_wrapped(line, MAX_WRAPPERS, &Context::default())
}

/// The time that `line` carries, where it has a known form. The outermost wrapper's time wins, because it is
/// UTC where Canton's own is not.
pub fn line_time(line: &[u8]) -> Option<LineTime> {
    let line = trim(line);
    if let Some(prefix) = cri::prefix(line) {
        return Some(LineTime::Utc(prefix.at));
    }
    if let Some((at, _)) = date::stamp(line) {
        return Some(LineTime::Utc(at));
    }
    if line.first() == Some(&b'{') {
        return object_time(line);
    }
    if let Some(inner) = json::quoted(line) {
        return line_time(inner.as_bytes());
    }
    header::read(std::str::from_utf8(header::cut(line)).ok()?).map(|header| header.at)
}

/// The logger and the level of `line`, where it has a known form and names them: for telling an operator which
/// component wrote a log. The names are Canton's, shortened to the class.
pub fn origin(line: &[u8]) -> Option<(String, String)> {
    let line = trim(line);
    let line = cri::prefix(line).map_or(line, |prefix| prefix.content);
    let line = date::stamp(line).map_or(line, |(_, content)| content);
    if line.first() == Some(&b'{') {
        return json::origin(line);
    }
    let header = header::read(std::str::from_utf8(header::cut(line)).ok()?)?;
    Some((header::class(header.logger).to_owned(), header.level.to_owned()))
}

/// What the wrappers outside of a message know about it.
#[derive(Clone, Copy, Debug, Default)]
struct Context<'a> {
    at: Option<LineTime>,
    trace: Option<&'a str>,
    logger: Option<&'a str>,
}

fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    line.trim_ascii_end()
}

fn read_wrapped(line: &[u8], wrappers: u32, context: &Context<'_>) -> Line {
    let line = trim(line);
    let Some(wrappers) = wrappers.checked_sub(1) else { return Line::Unreadable };
    if let Some(prefix) = cri::prefix(line) {
        let context = Context { at: Some(LineTime::Utc(prefix.at)), ..*context };
        return read_wrapped(prefix.content, wrappers, &context);
    }
    if let Some((at, content)) = date::stamp(line) {
        let context = Context { at: Some(LineTime::Utc(at)), ..*context };
        return read_wrapped(content, wrappers, &context);
    }
    if let Some(inner) = json::quoted(line) {
        return read_wrapped(inner.as_bytes(), wrappers, context);
    }
    match line.first() {
        Some(b'{') => json::read(line, wrappers, context),
        // An element of an array that stands one to a line.
        Some(b'[' | b',') if line.get(1) == Some(&b'{') => {
            json::read(line.get(1..).unwrap_or_default(), wrappers, context)
        }
        _ => read_text(line, context),
    }
}

/// A line with Canton's header in text, or the same as lnav shows it.
fn read_text(line: &[u8], context: &Context<'_>) -> Line {
    // A line torn inside a character can still hold a whole message in front of it.
    let text = match simdutf8::compat::from_utf8(line) {
        Ok(text) => text,
        Err(error) => {
            std::str::from_utf8(line.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
    };
    let Some(header) = header::read(text) else { return Line::Unreadable };
    let logger = header.logger;
    let at = match (context.at, header.at) {
        (_, LineTime::Utc(at)) => Some(LineTime::Utc(at)),
        (Some(outer), _) => Some(outer),
        (None, local) => Some(local),
    };
    message_of(Some(logger), header.message, header.trace, at, Some(header.at))
}

/// `message` as a message of `logger`, where there is one.
fn message_of(
    logger: Option<&str>,
    message: &str,
    trace: Option<&str>,
    at: Option<LineTime>,
    stamp: Option<LineTime>,
) -> Line {
    if logger.is_some_and(|logger| !header::is_processor(logger)) {
        return Line::Foreign;
    }
    let (fact, named) = match message::read(message) {
        message::Reading::Fact { fact, synchronizer } => (fact, synchronizer),
        message::Reading::Other => return Line::Foreign,
        message::Reading::Torn => return Line::Unreadable,
    };
    let synchronizer = logger.and_then(header::synchronizer).or(named);
    let trace = trace.filter(|_| !matches!(fact, Fact::Match(_))).map(str::to_owned);
    Line::Ours(Message { at, stamp, trace, synchronizer, logger: logger.is_some(), fact })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
