//! What a wrapper shows of its inside, and what it may know about the log.

use crate::canton::LineTime;

/// What the lines of one log have in common, as its beginning shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Habits {
    /// The shapes of what tools print before every line: see [`super::prefix`]. None if they print nothing.
    pub(crate) prefixes: Vec<String>,
    /// What the texts in its objects are.
    pub(crate) texts: Texts,
}

/// What the texts are in objects that name no logger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Texts {
    /// Not known: a message is as credible as a whole line.
    #[default]
    Any,
    /// Whole lines. A message alone is a part of some other line's text.
    Lines,
    /// Messages. A whole line is what a user wrote into a message.
    Messages,
}

/// What the wrappers around a message know about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// When the line was written.
    pub(crate) at: Option<LineTime>,
    /// The trace id.
    pub(crate) trace: Option<&'a str>,
    /// The logger with its parameters.
    pub(crate) logger: Option<&'a str>,
    /// The level.
    pub(crate) level: Option<&'a str>,
    /// The remote commitment of a mismatch, if it is a key beside the message.
    pub(crate) remote: Option<&'a str>,
    /// The logger that is named beside a whole line, and so must be the line's own.
    pub(crate) around: Option<&'a str>,
    /// Whether this is inside of a text in an object.
    pub(crate) in_text: bool,
    /// What is known about the log.
    pub(crate) habits: &'a Habits,
}

impl<'a> Context<'a> {
    /// Returns the context of a line, before anything of it has been read.
    pub(crate) fn new(habits: &'a Habits) -> Context<'a> {
        Context {
            at: None,
            trace: None,
            logger: None,
            level: None,
            remote: None,
            around: None,
            in_text: false,
            habits,
        }
    }
}

/// What a wrapper contains.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Inside<'a> {
    /// A whole line, itself perhaps wrapped.
    Line(&'a [u8]),
    /// A message of the context's logger, or of an unknown one if the context names none.
    Message(&'a str),
    /// Text that is neither a line nor a message.
    Text(&'a str),
    /// Bytes of which the wrapper does not know what they are.
    Unknown(&'a [u8]),
}

/// Shows everything in `line` that may be a line or a message that the wrapper contains, with the context that the
/// wrapper adds to. Returns whether the line has the wrapper's form; if it has, something has been shown.
pub(crate) type Open = fn(line: &[u8], context: &Context<'_>, show: Show<'_>) -> bool;

/// Receives what a wrapper contains. Returns whether that was a statement about a commitment, so that a wrapper need not
/// show the same in another form.
pub(crate) type Show<'s> = &'s mut dyn FnMut(Inside<'_>, &Context<'_>) -> bool;
