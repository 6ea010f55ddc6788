//! The start: the journal's records become the sessions again.
//!
//! Each record is checked as if it had just arrived. The chain proves that it is what was accepted. The signatures
//! prove that nobody who could write to the folder invented a statement.

use std::panic;
use std::sync::Arc;
use std::thread;

use svdr_protocol::dsse::{Envelope, EnvelopeError};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::roster::Roster;
use svdr_protocol::time::Timestamp;

use crate::board::{From, Sessions};
use crate::incoming::Incoming;
use crate::journal::{Journal, JournalError, Replayed, record};
use crate::refusal::CallRefusal;

/// Records that are checked at once on all processors, and then given their places.
const CHECK_AT_ONCE: usize = 1024;

/// Why the journal's content cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal is corrupt.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record is not a statement.
    #[error(
        "record {record} of the journal is not a statement of this version\n\
         help: use the version of svdr that wrote the journal"
    )]
    Decode {
        /// Which, from zero.
        record: u64,
        /// Where decoding stopped.
        #[source]
        source: prost::DecodeError,
    },
    /// A record's envelope is malformed.
    #[error(
        "record {record} of the journal is not a statement of this version\n\
         help: use the version of svdr that wrote the journal"
    )]
    Envelope {
        /// Which, from zero.
        record: u64,
        /// What is wrong with it.
        #[source]
        source: EnvelopeError,
    },
    /// A record's statement is no longer accepted.
    #[error(
        "record {record} of the journal was accepted earlier, but is invalid now\n\
         help: use the version of svdr that wrote the journal"
    )]
    Refused {
        /// Which, from zero.
        record: u64,
        /// Why.
        #[source]
        source: Box<CallRefusal>,
    },
}

impl CommandError for RecoverError {
    fn exit(&self) -> Exit {
        match self {
            RecoverError::Journal(error) => error.exit(),
            _ => Exit::Refused,
        }
    }
}

/// The sessions in `journal`, and what was found there.
///
/// # Errors
/// If the journal is corrupt, or a record is refused.
pub fn recover(
    journal: &mut dyn Journal,
    roster: &Arc<Roster>,
) -> Result<(Sessions, Replayed), RecoverError> {
    let mut sessions = Sessions::new(Arc::clone(roster), journal.id());
    let mut waiting: Vec<Vec<u8>> = Vec::with_capacity(CHECK_AT_ONCE);
    let mut done = 0;
    let mut failed = None;
    let replayed = journal.replay(&mut |record| {
        waiting.push(record);
        if waiting.len() == CHECK_AT_ONCE && failed.is_none() {
            failed = restore(&mut sessions, roster, done, &waiting).err();
            done += waiting.len() as u64;
            waiting.clear();
        }
    })?;
    match failed {
        Some(error) => return Err(error),
        None => restore(&mut sessions, roster, done, &waiting)?,
    }
    Ok((sessions, replayed))
}

/// Checks the records side by side and gives them their places in order.
fn restore(
    sessions: &mut Sessions,
    roster: &Roster,
    first: u64,
    records: &[Vec<u8>],
) -> Result<(), RecoverError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = records.len().div_ceil(threads).max(1);
    let checked: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = records
            .chunks(share)
            .map(|records| {
                scope.spawn(|| records.iter().map(|record| check(record, roster)).collect::<Vec<_>>())
            })
            .collect();
        let results = workers.into_iter().flat_map(|worker| match worker.join() {
            Ok(results) => results,
            Err(payload) => panic::resume_unwind(payload),
        });
        results.collect()
    });
    for (record, checked) in (first..).zip(checked) {
        let refused = |refusal| RecoverError::Refused { record, source: Box::new(refusal) };
        let (incoming, accepted) = checked.map_err(|problem| match problem {
            Problem::Decode(source) => RecoverError::Decode { record, source },
            Problem::Envelope(source) => RecoverError::Envelope { record, source },
            Problem::Refused(refusal) => refused(refusal),
        })?;
        sessions.restore(incoming, &From::Itself, accepted).map_err(refused)?;
    }
    Ok(())
}

enum Problem {
    Decode(prost::DecodeError),
    Envelope(EnvelopeError),
    Refused(CallRefusal),
}

fn check(record: &[u8], roster: &Roster) -> Result<(Incoming, Option<Timestamp>), Problem> {
    let (message, accepted) = record::decode(record).map_err(Problem::Decode)?;
    let envelope = Envelope::from_message_in(message, roster).map_err(Problem::Envelope)?;
    let incoming = Incoming::read(envelope, roster).map_err(Problem::Refused)?;
    Ok((incoming, accepted))
}

#[cfg(test)]
mod tests;
