//! Canton's own part of a log line: what, if anything, it says about a commitment.
//!
//! Pure functions over text; nothing here opens files, splits lines or counts. A message counts only if its logger is
//! `AcsCommitmentProcessor`, or `ReceivedAcsCommitmentMatcher` of Canton 3.6, and the message begins with the phrase.
//! Party names, workflow ids and exceptions reach logs too, and whoever chooses them must not be able to vote.
//!
//! Some exports keep the bare message and drop the logger. Such a message counts if it begins with the phrase, and
//! [`Message::logger`] says that nothing vouches for it.

mod date;
mod facts;
mod header;
mod logger;
mod message;
mod record;

pub(crate) use date::{epoch, utc};
pub(crate) use facts::{Commitment, Fact, Line, LineTime, Message};
pub(crate) use header::{read as read_header, read_start, starts_with_date};
pub(crate) use logger::{Component, Loggers, class, component};
pub(crate) use message::{
    ALARM_NEEDLE, CHECKING_NEEDLE, COMPARED_NEEDLE, MATCH_NEEDLE, MISMATCH_NEEDLE, continues_context,
    is_statement, mentions_commitment,
};
pub(crate) use record::{Record, read_record};
