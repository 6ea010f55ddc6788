//! The header of a line in text.
//!
//! Canton's own form is `DATE [THREAD] LEVEL LOGGER tid:TRACE - MESSAGE`, in which `tid:TRACE` may be missing. Lines
//! copied out of lnav have the form `DATE [THREAD…] LEVEL - LOGGER (TRACE-SPAN…) - MESSAGE`. A user can choose neither
//! thread, level nor logger, and the first ` - ` after them ends the header. So nothing further right can pass for the
//! start of a message.

use super::date;
use super::facts::LineTime;
use crate::limits::MAX_HEADER_BYTES;

/// A header, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) at: LineTime,
    pub(crate) level: &'a str,
    pub(crate) logger: &'a str,
    pub(crate) trace: Option<&'a str>,
    pub(crate) message: &'a str,
}

const LEVELS: [&str; 5] = ["INFO", "DEBUG", "WARN", "ERROR", "TRACE"];

/// Returns as much of `line` as a header can take, without a character that is invalid or cut.
fn start_of(line: &[u8]) -> &str {
    // In range: at most the line's length.
    let start = &line[..line.len().min(MAX_HEADER_BYTES)];
    start.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// Whether `line` begins with a date of a header.
pub(crate) fn starts_with_date(line: &[u8]) -> bool {
    date::leading(start_of(line)).is_some()
}

/// Parses the header at the start of `line`, whose message may be cut.
pub(crate) fn read_start(line: &[u8]) -> Option<Header<'_>> {
    read(start_of(line))
}

/// Parses the header of `line`.
pub(crate) fn read(line: &str) -> Option<Header<'_>> {
    let (at, rest) = date::leading(line)?;
    let rest = rest.strip_prefix('[')?;
    // A thread's name may itself hold brackets; its end is the first that a level follows.
    let mut ends = memchr::memchr_iter(b']', rest.as_bytes());
    let (thread, (level, rest)) =
        ends.find_map(|end| Some((rest.get(..end)?, level(rest.get(end + 1..)?.strip_prefix(' ')?)?)))?;
    // It holds no quotes and braces: what a tool put into brackets before an object must not reach into its texts.
    if thread.contains(['"', '{', '}', '\\']) {
        return None;
    }
    match rest.strip_prefix("- ") {
        Some(rest) => {
            let (origin, message) = split(rest)?;
            let (logger, trace) = match origin.strip_suffix(')').and_then(|origin| origin.rsplit_once(" (")) {
                Some((logger, ids)) => (logger, ids.split('-').next().filter(|trace| !trace.is_empty())),
                None => (origin, None),
            };
            Some(Header { at, level, logger, trace, message })
        }
        None => {
            let (origin, message) = split(rest)?;
            // The trace may carry a second part behind a dash.
            let last = memchr::memrchr(b' ', origin.as_bytes());
            let (logger, trace) = match last
                .and_then(|last| Some((origin.get(..last)?, origin.get(last..)?.strip_prefix(" tid:")?)))
            {
                Some((logger, trace)) => (logger, trace.split('-').next().filter(|trace| !trace.is_empty())),
                None => (origin, None),
            };
            Some(Header { at, level, logger: logger.trim_end(), trace, message })
        }
    }
}

/// Splits `text` into the level at its start and what follows the level's padding.
fn level(text: &str) -> Option<(&str, &str)> {
    let level = LEVELS.into_iter().find(|level| text.starts_with(level))?;
    let rest = text.get(level.len()..)?;
    Some((level, rest.strip_prefix(' ')?.trim_start_matches(' ')))
}

/// Splits a header into its origin and its message, the two sides of the first ` - `.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut dashes = memchr::memchr_iter(b'-', text.as_bytes());
    let end = dashes.find_map(|dash| {
        text.get(dash.checked_sub(1)?..dash + 2).filter(|it| *it == " - ").map(|_| dash - 1)
    })?;
    Some((text.get(..end)?, text.get(end + 3..)?))
}
