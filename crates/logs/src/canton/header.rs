//! The header of a line in text.
//!
//! Canton's own: `DATE [THREAD] LEVEL LOGGER tid:TRACE - MESSAGE`, where `tid:TRACE` may be missing. Copied out
//! of lnav: `DATE [THREAD…] LEVEL - LOGGER (TRACE-SPAN…) - MESSAGE`. Neither a thread, a level nor a logger can
//! be chosen by a user, and the first ` - ` behind them ends the header, so nothing further right can pass for
//! the start of a message.

use super::{LineTime, PROCESSOR, date};
use crate::limits::{MAX_HEADER_BYTES, MAX_SYNCHRONIZER_BYTES};
use svdr_protocol::names::SHORT_FINGERPRINT_LEN;

/// A header, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) at: LineTime,
    pub(super) level: &'a str,
    pub(super) logger: &'a str,
    pub(super) trace: Option<&'a str>,
    pub(super) message: &'a str,
}

const LEVELS: [&str; 5] = ["INFO", "DEBUG", "WARN", "ERROR", "TRACE"];
/// The names under which a logger carries the synchronizer, over the releases.
const SYNCHRONIZER_FIELDS: [&str; 4] = ["synchronizerId", "psid", "synchronizer", "domainId"];

/// As much of `line` as a header can take, cut before a character that does not end there.
pub(super) fn cut(line: &[u8]) -> &[u8] {
    let cut = line.get(..MAX_HEADER_BYTES).unwrap_or(line);
    match std::str::from_utf8(cut) {
        Ok(_) => cut,
        Err(error) => cut.get(..error.valid_up_to()).unwrap_or_default(),
    }
}

/// The header of `line`, where it has one.
pub(super) fn read(line: &str) -> Option<Header<'_>> {
    let (at, rest) = date::leading(line)?;
    let rest = rest.strip_prefix('[')?;
    // A thread's name may itself hold brackets; its end is the first that a level follows.
    let mut ends = memchr::memchr_iter(b']', rest.as_bytes());
    let (level, rest) = ends.find_map(|end| level(rest.get(end + 1..)?.strip_prefix(' ')?))?;
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

/// The level at the start of `text`, and what follows it and its padding.
fn level(text: &str) -> Option<(&str, &str)> {
    let level = LEVELS.into_iter().find(|level| text.starts_with(level))?;
    let rest = text.get(level.len()..)?;
    Some((level, rest.strip_prefix(' ')?.trim_start_matches(' ')))
}

/// The origin and the message, on both sides of the first ` - `.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut dashes = memchr::memchr_iter(b'-', text.as_bytes());
    let end = dashes.find_map(|dash| {
        text.get(dash.checked_sub(1)?..dash + 2).filter(|it| *it == " - ").map(|_| dash - 1)
    })?;
    Some((text.get(..end)?, text.get(end + 3..)?))
}

/// Whether `logger` is the commitment processor, or a class inside of it.
pub(super) fn is_processor(logger: &str) -> bool {
    is_processor_class(class(logger))
}

/// Whether `class` is the commitment processor, or one inside of it, which Scala parts with a dollar sign.
pub(crate) fn is_processor_class(class: &str) -> bool {
    class.strip_prefix(PROCESSOR).is_some_and(|inner| inner.is_empty() || inner.starts_with('$'))
}

/// The class of a logger: what stands before its parameters, behind the packages.
pub(super) fn class(logger: &str) -> &str {
    let end = memchr::memchr2(b':', b' ', logger.as_bytes());
    let path = logger.get(..end.unwrap_or(logger.len())).unwrap_or(logger);
    let start = memchr::memrchr(b'.', path.as_bytes()).map_or(0, |dot| dot + 1);
    path.get(start..).unwrap_or(path)
}

/// The synchronizer that a logger names, in short form.
pub(super) fn synchronizer(logger: &str) -> Option<String> {
    let mut rest = logger.get(memchr::memchr(b':', logger.as_bytes())? + 1..);
    while let Some(parameters) = rest {
        let end = memchr::memchr2(b'/', b',', parameters.as_bytes());
        let parameter = parameters.get(..end.unwrap_or(parameters.len()))?;
        rest = end.and_then(|end| parameters.get(end + 1..));
        if let Some((field, value)) = parameter.split_once('=')
            && SYNCHRONIZER_FIELDS.contains(&field.trim())
            && let Some(short) = short_synchronizer(value)
        {
            return Some(short);
        }
    }
    None
}

/// `identifier::fingerprint`, with or without a physical suffix (`::34-0`) and dots, cut to the short form.
pub(super) fn short_synchronizer(text: &str) -> Option<String> {
    let text = text.trim();
    let identifier = pair_of_colons(text)?;
    let rest = text.get(identifier + 2..)?;
    let fingerprint = pair_of_colons(rest).and_then(|end| rest.get(..end)).unwrap_or(rest);
    let fingerprint = fingerprint.trim_end_matches(['.', '…']);
    let fingerprint = fingerprint.get(..SHORT_FINGERPRINT_LEN).unwrap_or(fingerprint);
    let fits = identifier > 0 && !fingerprint.is_empty() && text.len() <= MAX_SYNCHRONIZER_BYTES;
    text.get(..identifier + 2 + fingerprint.len()).filter(|_| fits).map(str::to_owned)
}

/// Where the first `::` of `text` is.
fn pair_of_colons(text: &str) -> Option<usize> {
    text.as_bytes().windows(2).position(|pair| pair == b"::")
}
