//! What a line of a participant's log can say about a commitment.

use svdr_protocol::time::{Tick, Timestamp};

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
    /// The synchronizer in short form, if the line names one.
    pub(crate) synchronizer: Option<String>,
    /// Whether the line names its logger.
    pub(crate) logger: bool,
    /// The statement itself.
    pub(crate) fact: Fact,
}

/// The statement of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The commitment equals our own.
    Match(Commitment),
    /// The commitment is about to be compared.
    Checking(Commitment),
    /// A commitment differs from our own, or we share no contracts with its sender.
    Mismatch {
        /// The error code with its arguments; distinguishes two mismatches of one trace.
        code: String,
        /// Whose commitment, if the line says so.
        remote: Option<Commitment>,
    },
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
