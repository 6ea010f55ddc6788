//! What a line of a participant's log can say about a commitment.

use std::sync::Arc;

use svdr_protocol::time::{Tick, Timestamp};

use super::logger::{Component, Logger};

/// What a line is to the reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A message of the commitment processor about a commitment.
    Ours(Message),
    /// A well-formed line of another component, or a message of the processor about something else.
    Foreign,
    /// A line of no known form, or a processor's message that ends too early.
    Unreadable,
}

/// A message of the commitment processor about one commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// When the line was written, as a point in time if any layer says so.
    pub(crate) at: Option<LineTime>,
    /// The time that Canton itself wrote, which is the same in every wrapper.
    pub(crate) stamp: Option<LineTime>,
    /// The trace id; not kept for matches, which need none.
    pub(crate) trace: Option<String>,
    /// The logger, if the line names it.
    pub(crate) logger: Option<Arc<Logger>>,
    /// The synchronizer in short form, as the statement names it.
    pub(crate) named: Option<String>,
    /// The statement itself.
    pub(crate) fact: Fact,
}

impl Message {
    /// Returns the synchronizer in short form, if the line names one.
    pub(crate) fn synchronizer(&self) -> Option<&str> {
        let logger = self.logger.as_ref().and_then(|logger| logger.synchronizer.as_deref());
        logger.or(self.named.as_deref())
    }

    /// Returns the name of the participant whose component this is, if the line names it.
    pub(crate) fn participant(&self) -> Option<&str> {
        self.logger.as_ref()?.participant.as_deref()
    }

    /// Returns the component that compares commitments. Only the processor writes lines that an export may strip of
    /// their logger and that still say something.
    pub(crate) fn component(&self) -> Component {
        self.logger.as_ref().and_then(|logger| logger.component).unwrap_or(Component::Processor)
    }
}

/// The statement of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The commitment equals our own.
    Match(Commitment),
    /// The processor is about to compare the commitment.
    Checking(Commitment),
    /// The matcher has compared the commitment, with a result that the line does not say.
    Compared(Commitment),
    /// A commitment that is neither equal nor different: its signature is wrong, or its sender sent two.
    Alarm,
    /// A commitment differs from our own, or we share no contracts with its sender.
    Mismatch {
        /// The error code with its arguments; distinguishes two mismatches of one trace.
        code: String,
        /// Whose commitment, if the line says so.
        remote: Option<Commitment>,
    },
}

impl Fact {
    /// Returns the tick that it is about, if it says so.
    pub(crate) fn tick(&self) -> Option<Tick> {
        match self {
            Fact::Match(commitment) | Fact::Checking(commitment) | Fact::Compared(commitment) => {
                Some(commitment.tick)
            }
            Fact::Mismatch { remote, .. } => remote.as_ref().map(|commitment| commitment.tick),
            Fact::Alarm => None,
        }
    }
}

/// A participant's commitment for one period.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Commitment {
    /// The participant as logs show it, without the dots: `PAR::identifier::` and 12 characters.
    pub(crate) sender: String,
    /// The end of the period.
    pub(crate) tick: Tick,
}

/// The time of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineTime {
    /// A point in time.
    Utc(Timestamp),
    /// The local time of the container's zone, kept as if it were UTC.
    Local(Timestamp),
}
