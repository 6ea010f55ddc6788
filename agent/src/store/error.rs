//! Why the store cannot be used.

use std::io;
use std::path::PathBuf;

use svdr_files::FileError;
use svdr_protocol::certificate::CertificateError;
use svdr_protocol::dsse::{EnvelopeError, MAX_JSON_LEN};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::statement::{SessionId, StatementError};

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder cannot be made.
    #[error("the state folder {} cannot be made\nhelp: check its parent's permissions, or name another folder with --state", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or folder cannot be read.
    #[error("{} cannot be read\nhelp: check its permissions and the disk", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A log cannot be added to.
    #[error("{} cannot be written\nhelp: check its permissions and the free space on the disk", path.display())]
    Append {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A lock cannot be had.
    #[error("{} cannot be locked\nhelp: put the state folder on a disk of this machine", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another `run` is at work.
    #[error("another `svdr-agent run` uses {}\nhelp: leave the work to it, or stop it first", folder.display())]
    Running {
        /// The state folder.
        folder: PathBuf,
    },
    /// A file is longer than a statement can be.
    #[error(
        "{} has {found} bytes, but a signed statement has at most {MAX_JSON_LEN}: the file is corrupt, and it has a \
         promise of this member\nhelp: restore the file from a backup before this member signs anything else",
        path.display()
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        found: u64,
    },
    /// A line is not an envelope.
    #[error(
        "{}, line {line}, is not a signed statement: the file is corrupt, and it may have promises of this member\n\
         help: move the file away, and run this again: what this member sent is taken from the coordinators, which have it",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: EnvelopeError,
    },
    /// The record of a dump or a snapshot cannot be understood.
    #[error("{} is corrupt\nhelp: remove the file, so that it is made again", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A vote or record cannot be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// Nobody would accept the statement.
    #[error("the statement cannot be signed")]
    Statement(#[from] StatementError),
    /// A statement in the store is invalid with this roster.
    #[error(
        "a statement of session {session} in the state folder is invalid with this roster\n\
         help: use the roster that the statement was signed with"
    )]
    Foreign {
        /// The session.
        session: SessionId,
        /// What is wrong with it.
        #[source]
        source: StatementError,
    },
    /// A completion certificate in the store is invalid.
    #[error(
        "{} is not a valid completion certificate\nhelp: restore the file from a backup, and import nothing before",
        path.display()
    )]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: CertificateError,
    },
}

impl CommandError for StoreError {
    fn exit(&self) -> Exit {
        match self {
            StoreError::Damaged { .. }
            | StoreError::Foreign { .. }
            | StoreError::Certificate { .. }
            | StoreError::Statement(_) => Exit::Refused,
            StoreError::Write(error) => error.exit(),
            StoreError::Folder { .. }
            | StoreError::Read { .. }
            | StoreError::Append { .. }
            | StoreError::Lock { .. }
            | StoreError::Running { .. }
            | StoreError::TooLong { .. }
            | StoreError::Record { .. } => Exit::Failed,
        }
    }
}
