//! One record of Canton's log, whatever form it was written in: its logger, its message, its trace and its times.

use super::facts::{Fact, Line, LineTime, Message};
use super::logger::{Component, Loggers};
use super::message;

/// A record, taken apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Record<'a> {
    /// The logger with its parameters; none if an export dropped it.
    pub(crate) logger: Option<&'a str>,
    /// The message with its context.
    pub(crate) message: &'a str,
    /// The remote commitment of a mismatch, if it is a key of the record.
    pub(crate) remote: Option<&'a str>,
    /// The trace id.
    pub(crate) trace: Option<&'a str>,
    /// See [`Message::at`].
    pub(crate) at: Option<LineTime>,
    /// See [`Message::stamp`].
    pub(crate) stamp: Option<LineTime>,
}

/// Returns what `record` says about a commitment.
pub(crate) fn read_record(record: &Record<'_>, loggers: &mut Loggers) -> Line {
    let logger = record.logger.map(|logger| loggers.get(logger));
    let component = match &logger {
        None => Component::Processor,
        Some(logger) => match logger.component {
            Some(component) => component,
            None => return Line::Foreign,
        },
    };
    let (fact, named) = match message::read(record.message, component, record.remote) {
        message::Reading::Fact { fact, synchronizer } => (fact, synchronizer),
        message::Reading::Other => return Line::Foreign,
        message::Reading::Truncated => return Line::Unreadable,
    };
    Line::Ours(Message {
        at: record.at,
        stamp: record.stamp,
        // A match is complete without its trace, and a log contains millions of them.
        trace: record.trace.filter(|_| !matches!(fact, Fact::Match(_))).map(str::to_owned),
        logger,
        named,
        fact,
    })
}
