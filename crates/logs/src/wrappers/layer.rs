//! What a wrapper shows of its inside.

use crate::canton::LineTime;

/// What the wrappers around a message know about it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context<'a> {
    /// When the line was written.
    pub(crate) at: Option<LineTime>,
    /// The trace id.
    pub(crate) trace: Option<&'a str>,
    /// The logger with its parameters.
    pub(crate) logger: Option<&'a str>,
    /// The level.
    pub(crate) level: Option<&'a str>,
}

/// What a wrapper contains.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Inside<'a> {
    /// A whole line, itself perhaps wrapped.
    Line(&'a [u8]),
    /// A message of the context's logger, or of an unknown one if the context names none.
    Message(&'a str),
    /// Text that is neither a line nor a message.
    Other,
    /// Nothing that this wrapper is known to contain a message in.
    Unknown,
}

/// Shows everything in `line` that may be the line or the message that the wrapper contains, the likeliest first, with
/// the context that the wrapper adds to. Returns whether the line has the wrapper's form; if it has, something has
/// been shown.
pub(crate) type Open = fn(line: &[u8], context: &Context<'_>, show: Show<'_>) -> bool;

/// Receives what a wrapper contains.
pub(crate) type Show<'s> = &'s mut dyn FnMut(Inside<'_>, &Context<'_>);
