//! The journal: every accepted statement, in order, on disk before it is acknowledged.
//!
//! A journal belongs to one roster. Each record has the head of a hash chain over all records up to it, so that the next
//! start detects a record that was altered, lost or moved. A journal has an identity from the time when it was made, which
//! every receipt names: whoever starts with an empty journal has a new history, and agents see that. Code above the trait must not depend on an implementation;
//! [`embedded::SledJournal`] is the one that needs no other service.

use std::io;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::receipt::JournalId;

pub mod embedded;
mod mark;
pub mod record;

/// What begins the bytes that a journal's first head is over.
const CHAIN_DOMAIN: &[u8] = b"svdr journal v1";

/// Where accepted statements are kept.
pub trait Journal: Send + 'static {
    /// The journal's identity; `None` if an earlier version made it.
    fn id(&self) -> Option<JournalId>;

    /// Appends `records` in their order. On return all of them are durable, and stay in that order for ever.
    ///
    /// # Errors
    /// If they may not be durable. Then the journal must not be used again before it is opened anew: only that shows
    /// what it contains.
    fn append(&mut self, records: &[Vec<u8>]) -> Result<(), JournalError>;

    /// Gives every record to `visit`, in order, after checking that it is what was appended.
    ///
    /// # Errors
    /// If anything that has been acknowledged is missing or altered.
    fn replay(&mut self, visit: &mut dyn FnMut(Vec<u8>)) -> Result<Replayed, JournalError>;
}

/// What a replay found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Records in the journal.
    pub records: u64,
    /// Records that had not been acknowledged when the coordinator stopped. They count, too.
    pub unacknowledged: u64,
    /// Whether the last record was incomplete and was removed. It had not been acknowledged.
    pub torn: bool,
    /// Head of the chain.
    pub head: Digest,
}

/// Why a journal cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file or folder cannot be used.
    #[error(
        "{} cannot be used for the journal\n\
         help: check the folder, its permissions and the free space of the disk",
        path.display()
    )]
    File {
        /// It.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store reports a failure.
    #[error(
        "the journal in {} cannot be {doing}\n\
         help: check the disk, and that no other coordinator uses this folder",
        path.display()
    )]
    Store {
        /// The journal's folder.
        path: PathBuf,
        /// What was being done: opened, read, written.
        doing: &'static str,
        /// Why.
        #[source]
        source: sled::Error,
    },
    /// The store gave up on what it found.
    #[error(
        "the journal in {} is corrupt: its store failed with {message:?}\nhelp: {WAY_OUT}",
        path.display()
    )]
    Unreadable {
        /// The journal's folder.
        path: PathBuf,
        /// What the store said.
        message: String,
    },
    /// It is of another roster.
    #[error(
        "the journal in {} belongs to the roster {found}, but this roster is {expected}\n\
         help: give another folder with --data",
        path.display()
    )]
    OtherRoster {
        /// The journal's folder.
        path: PathBuf,
        /// The roster in use.
        expected: Digest,
        /// The roster of the journal.
        found: String,
    },
    /// The identity of the journal is not one.
    #[error(
        "the journal in {} is corrupt: its identity has {len} bytes or an impossible time\nhelp: {WAY_OUT}",
        path.display()
    )]
    Identity {
        /// The journal's folder.
        path: PathBuf,
        /// Its length in bytes.
        len: usize,
    },
    /// The system has no randomness for a new journal's identity.
    #[error(
        "the system has no random bytes for the identity of a new journal\nhelp: start the coordinator again"
    )]
    Random(#[source] getrandom::Error),
    /// A record is not what was appended.
    #[error(
        "the journal in {} is corrupt at record {record}: {what}\nhelp: {WAY_OUT}",
        path.display()
    )]
    Damaged {
        /// The journal's folder.
        path: PathBuf,
        /// Which record, from zero.
        record: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Records are missing that had been acknowledged.
    #[error(
        "the journal in {} is truncated: expected {acknowledged} acknowledged records, found {found}\n\
         help: {WAY_OUT}",
        path.display()
    )]
    Shortened {
        /// The journal's folder.
        path: PathBuf,
        /// How many there must be.
        acknowledged: u64,
        /// How many there are.
        found: u64,
    },
    /// The mark of what has been acknowledged cannot be read, and there are records.
    #[error(
        "the journal in {} has lost {}\nhelp: {WAY_OUT}",
        path.display(),
        mark.display()
    )]
    NoMark {
        /// The journal's folder.
        path: PathBuf,
        /// The file with the mark.
        mark: PathBuf,
    },
}

impl CommandError for JournalError {
    fn exit(&self) -> Exit {
        match self {
            JournalError::File { .. } | JournalError::Store { .. } | JournalError::Random(_) => Exit::Failed,
            JournalError::Unreadable { .. }
            | JournalError::OtherRoster { .. }
            | JournalError::Identity { .. }
            | JournalError::Damaged { .. }
            | JournalError::Shortened { .. }
            | JournalError::NoMark { .. } => Exit::Refused,
        }
    }
}

/// What an operator does about a corrupt journal. The key may stay: receipts name their journal, so that a new one is a new
/// history to the agents and not a rewrite of the old one.
const WAY_OUT: &str = "keep the folder for analysis, and give another folder with --data: the key can stay, and the agents hand over \
     what they have";

/// The head before the first record of a journal of that roster.
fn first_head(roster: &Digest) -> Digest {
    chain(&[CHAIN_DOMAIN, roster.as_bytes()])
}

/// The head after `record`, the `position`-th from zero, has been added to `head`.
fn next_head(head: &Digest, position: u64, record: &[u8]) -> Digest {
    chain(&[head.as_bytes(), &position.to_be_bytes(), record])
}

fn chain(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    Digest::from_bytes(hash.finalize().into())
}
