//! Why the store cannot be used.

use std::io;
use std::path::PathBuf;

use svdr_files::FileError;
use svdr_protocol::certificate::CertificateError;
use svdr_protocol::dsse::EnvelopeError;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::statement::{SessionId, StatementError};

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder cannot be made.
    #[error("the state folder {} cannot be made; check its parent's permissions, or name another with --state", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or folder cannot be read.
    #[error("{} cannot be read; check its permissions and the disk", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A log cannot be added to.
    #[error("{} cannot be written; check the room on the disk and its permissions", path.display())]
    Append {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A lock cannot be had.
    #[error("{} cannot be locked; the state folder has to be on a disk of this machine", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another `run` is at work.
    #[error("another svdr-agent run uses {}; leave the work to it, or stop it first", folder.display())]
    Running {
        /// The state folder.
        folder: PathBuf,
    },
    /// A file is longer than what it should hold.
    #[error("{} is longer than any signed statement; restore it from a backup, or ask the coordinator's operator for the transcript", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// What stands there is no envelope.
    #[error(
        "{}, line {line}, is not a signed statement any more; the file has been damaged. Restore it from a backup: \
         what this member has promised stands in it", path.display()
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
    /// A record of a dump cannot be understood.
    #[error("{} does not describe a dump any more; remove it, and the dump is made again", path.display())]
    DumpRecord {
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
    /// A statement in the store does not hold with this roster.
    #[error(
        "a statement of session {session} in the store does not hold with this roster. Use the roster that it was \
         signed with, or another state folder"
    )]
    Foreign {
        /// The session.
        session: SessionId,
        /// What is wrong with it.
        #[source]
        source: StatementError,
    },
    /// A completion certificate in the store does not hold.
    #[error("{} is no completion certificate; restore it from a backup, or remove it and run again", path.display())]
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
            | StoreError::DumpRecord { .. } => Exit::Failed,
        }
    }
}
