//! Reads one line of a log: takes off every wrapper, then reads what Canton wrote.
//!
//! A line is read strictly from its start, and nothing is searched for in its text.

use crate::canton::{self, Line, LineTime, Record};
use crate::wrappers::{Context, Inside, WRAPPERS};

/// Wrappers around one message: kubelet or docker, a platform's export, one more if the export escaped it twice.
const MAX_LAYERS: u32 = 5;

/// Reads `line`, which contains no line break. A carriage return at its end is allowed.
pub(crate) fn read(line: &[u8]) -> Line {
    let mut best = None;
    unwrap(line, MAX_LAYERS, &Context::default(), &mut |inside, context| {
        let line = match inside {
            Inside::Line(text) => read_text(text, context),
            Inside::Message(message) => canton::read_record(&Record {
                logger: context.logger,
                message,
                trace: context.trace,
                at: context.at,
                stamp: context.at,
            }),
            Inside::Other => Line::Foreign,
            Inside::Unknown => Line::Unreadable,
        };
        match (&best, &line) {
            (Some(Line::Ours(_)), _) | (Some(Line::Unreadable), Line::Foreign) => {}
            _ => best = Some(line),
        }
    });
    best.unwrap_or(Line::Unreadable)
}

/// Returns the time of `line`. A wrapper's time has precedence, because it is UTC and Canton's own may not be.
pub(crate) fn time(line: &[u8]) -> Option<LineTime> {
    let mut time = None;
    unwrap(line, MAX_LAYERS, &Context::default(), &mut |inside, context| {
        if time.is_none() {
            time = context.at.or_else(|| match inside {
                Inside::Line(text) => Some(canton::read_start(text)?.at),
                _ => None,
            });
        }
    });
    time
}

/// Returns the logger's class and the level of `line`, to tell an operator which component wrote a log.
pub(crate) fn origin(line: &[u8]) -> Option<(String, String)> {
    let mut origin = None;
    unwrap(line, MAX_LAYERS, &Context::default(), &mut |inside, context| {
        let of = |logger, level: &str| Some((canton::class(logger).to_owned(), level.to_owned()));
        if origin.is_none() {
            origin = match inside {
                Inside::Line(text) => canton::read_start(text).and_then(|it| of(it.logger, it.level)),
                _ => context.logger.and_then(|logger| of(logger, context.level.unwrap_or(""))),
            };
        }
    });
    origin
}

/// Shows what remains of `line` without its wrappers: a line of text, or what the innermost wrapper contains.
fn unwrap(line: &[u8], layers: u32, context: &Context<'_>, show: &mut dyn FnMut(Inside<'_>, &Context<'_>)) {
    let line = trim(line);
    let Some(layers) = layers.checked_sub(1) else { return show(Inside::Unknown, context) };
    let mut show_inside = |inside: Inside<'_>, context: &Context<'_>| match inside {
        Inside::Line(line) => unwrap(line, layers, context, show),
        other => show(other, context),
    };
    if !WRAPPERS.iter().any(|open| open(line, context, &mut show_inside)) {
        show(Inside::Line(line), context);
    }
}

fn trim(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii_end()
}

/// Reads a line with Canton's header in text.
fn read_text(line: &[u8], context: &Context<'_>) -> Line {
    // A line that is truncated inside of a character can still contain a whole message before it.
    let text = match simdutf8::basic::from_utf8(line) {
        Ok(text) => text,
        Err(_) => line.utf8_chunks().next().map_or("", |chunk| chunk.valid()),
    };
    let Some(header) = canton::read_header(text) else { return Line::Unreadable };
    let at = match (context.at, header.at) {
        (Some(outer), LineTime::Local(_)) => outer,
        (_, own) => own,
    };
    canton::read_record(&Record {
        logger: Some(header.logger),
        message: header.message,
        trace: header.trace,
        at: Some(at),
        stamp: Some(header.at),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
