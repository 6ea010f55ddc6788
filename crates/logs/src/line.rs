//! Reads one line of a log, or one element of a document or table: takes off every wrapper, then reads what Canton
//! wrote.
//!
//! A line is read strictly from its start, and nothing is searched for in its text.

use std::borrow::Cow;

use crate::canton::{self, Line, LineTime, Loggers, Message, Record};
use crate::wrappers::{self, Context, Habits, Inside, Show, Texts, WRAPPERS};

/// Wrappers around one message: kubelet or docker, a tool's prefix, colours, a platform's export, a string inside of a
/// string, one more if the export escaped it twice, and the line itself.
const MAX_LAYERS: u32 = 9;

/// What is read as one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Element<'e> {
    /// A line without its break, which may have a carriage return at its end, or a value of JSON.
    Line(&'e [u8]),
    /// A row of a table, and the names of the columns.
    Row(&'e [String], &'e [Cow<'e, str>]),
}

/// Reads `element` into `messages`. Returns how many statements about commitments in it could not be read: they have no
/// known form, end too early, or are where nobody can tell who wrote them.
pub(crate) fn read(
    element: Element<'_>,
    habits: &Habits,
    loggers: &mut Loggers,
    messages: &mut Vec<Message>,
) -> u64 {
    let mut unreadable = 0;
    leaves(element, habits, &mut |inside, context| {
        let line = match inside {
            Inside::Line(text) => read_text(text, context, loggers),
            Inside::Message(message) => canton::read_record(
                &Record {
                    logger: context.logger,
                    message,
                    remote: context.remote,
                    trace: context.trace,
                    at: context.at,
                    stamp: context.at,
                },
                loggers,
            ),
            Inside::Text(_) => Line::Foreign,
            Inside::Unknown(_) => Line::Unreadable,
        };
        match line {
            Line::Ours(message) if is_credible(&message, inside, context) => {
                messages.push(message);
                return true;
            }
            Line::Foreign => {}
            Line::Ours(_) | Line::Unreadable => unreadable += u64::from(mentions_commitment(inside)),
        }
        false
    });
    unreadable
}

fn mentions_commitment(inside: Inside<'_>) -> bool {
    match inside {
        Inside::Line(text) | Inside::Unknown(text) => canton::mentions_commitment(text),
        Inside::Message(text) | Inside::Text(text) => canton::mentions_commitment(text.as_bytes()),
    }
}

/// Whether nothing around the message contradicts that the component wrote it.
fn is_credible(message: &Message, inside: Inside<'_>, context: &Context<'_>) -> bool {
    let is_whole_line = matches!(inside, Inside::Line(_)) || message.logger.is_some();
    let own = message.logger.as_ref().map_or("", |logger| logger.class());
    let has_own_logger = context.around.is_none_or(|around| canton::class(around) == own);
    let is_usual = match context.habits.texts {
        Texts::Any => true,
        Texts::Lines => is_whole_line,
        Texts::Messages => !(context.in_text && is_whole_line),
    };
    has_own_logger && is_usual
}

/// Returns the time of `element`. A wrapper's time has precedence, because it is UTC and Canton's own may not be.
pub(crate) fn time(element: Element<'_>, habits: &Habits) -> Option<LineTime> {
    let mut time = None;
    leaves(element, habits, &mut |inside, context| {
        if time.is_none() {
            time = context.at.or_else(|| match inside {
                Inside::Line(text) => Some(canton::read_start(text)?.at),
                _ => None,
            });
        }
        time.is_some()
    });
    time
}

/// Who wrote a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The logger's class.
    pub(crate) class: String,
    pub(crate) level: String,
    /// Whether the class is of Canton's, or at least not of an app beside it.
    pub(crate) is_participants: bool,
}

/// The packages of the apps beside a participant, as their logs print them.
const APP_PACKAGES: [&str; 3] = ["o.l.s.", "org.lfdecentralizedtrust.", "com.daml.network."];

/// Returns who wrote `element`.
pub(crate) fn origin(element: Element<'_>, habits: &Habits) -> Option<Origin> {
    let mut origin = None;
    leaves(element, habits, &mut |inside, context| {
        let of = |logger: &str, level: &str| {
            let is_participants = !APP_PACKAGES.iter().any(|package| logger.starts_with(package));
            Some(Origin { class: canton::class(logger).to_owned(), level: level.to_owned(), is_participants })
        };
        if origin.is_none() {
            origin = match inside {
                Inside::Line(text) => canton::read_start(text).and_then(|it| of(it.logger, it.level)),
                _ => context.logger.and_then(|logger| of(logger, context.level.unwrap_or(""))),
            };
        }
        origin.is_some()
    });
    origin
}

/// Shows what is in `element` inside of all wrappers.
pub(crate) fn leaves(element: Element<'_>, habits: &Habits, show: Show<'_>) {
    let context = Context::new(habits);
    match element {
        Element::Line(line) => {
            unwrap(line, MAX_LAYERS, &context, show);
        }
        Element::Row(names, cells) => {
            let mut show_inside = |inside: Inside<'_>, context: &Context<'_>| match inside {
                Inside::Line(line) => unwrap(line, MAX_LAYERS - 1, context, show),
                other => show(other, context),
            };
            wrappers::open_row(names, cells, &context, &mut show_inside);
        }
    }
}

/// Shows what remains of `line` without its wrappers: a line of text, or what the innermost wrapper contains.
fn unwrap(line: &[u8], layers: u32, context: &Context<'_>, show: Show<'_>) -> bool {
    let line = trim(line);
    let Some(layers) = layers.checked_sub(1) else { return show(Inside::Unknown(line), context) };
    let mut is_ours = false;
    let mut show_inside = |inside: Inside<'_>, context: &Context<'_>| {
        let ours = match inside {
            Inside::Line(line) => unwrap(line, layers, context, show),
            other => show(other, context),
        };
        is_ours |= ours;
        ours
    };
    match WRAPPERS.iter().any(|open| open(line, context, &mut show_inside)) {
        true => is_ours,
        false => show(Inside::Line(line), context),
    }
}

fn trim(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii_end()
}

/// Reads a line with Canton's header in text.
fn read_text(line: &[u8], context: &Context<'_>, loggers: &mut Loggers) -> Line {
    // A line that is truncated inside of a character can still contain a whole message before it.
    let text = match simdutf8::basic::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(line),
    };
    let Some(header) = canton::read_header(&text) else { return Line::Unreadable };
    let at = match (context.at, header.at) {
        (Some(outer), LineTime::Local(_)) => outer,
        (_, own) => own,
    };
    canton::read_record(
        &Record {
            logger: Some(header.logger),
            message: header.message,
            remote: None,
            trace: header.trace,
            at: Some(at),
            stamp: Some(header.at),
        },
        loggers,
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
