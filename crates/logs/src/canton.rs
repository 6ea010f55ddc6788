//! Canton's own part of a log line: what, if anything, the commitment processor says in it.
//!
//! Pure functions over text; nothing here opens files, splits lines or counts. A message counts only if the header's
//! logger is `AcsCommitmentProcessor` and the message begins with the phrase. Party names, workflow ids and exceptions
//! reach logs too, and whoever chooses them must not be able to vote.
//!
//! Some exports keep the bare message and drop the logger. Such a message counts if it begins with the phrase, and
//! [`Message::logger`] says that nothing vouches for it.

mod date;
mod facts;
mod header;
mod message;
mod record;

pub(crate) use date::utc;
pub(crate) use facts::{Commitment, Fact, Line, LineTime, Message};
pub(crate) use header::{class, is_processor_class, read as read_header, read_start, starts_with_date};
pub(crate) use message::{CHECKING_NEEDLE, MATCH_NEEDLE, MISMATCH_NEEDLE};
pub(crate) use record::{Record, read_record};
