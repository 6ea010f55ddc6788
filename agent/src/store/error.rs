//! Why the store cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use svdr_files::FileError;
use svdr_protocol::certificate::CertificateError;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::EnvelopeError;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::receipt::ReceiptError;
use svdr_protocol::statement::{SessionId, StatementError};

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder cannot be made.
    #[error("the state folder {} cannot be made\nhelp: check the permissions of its parent", path.display())]
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
    /// A statement of this member is corrupt.
    #[error(
        "{}, line 1, is corrupt. It contained {}, which this member signed and is bound by\n\
         help: move the file to {}.corrupt, then run this again while every coordinator can be reached: a coordinator \
         gives the statement back",
        path.display(), statement(path), path.display()
    )]
    Promise {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: EnvelopeError,
    },
    /// A promise of this member is missing, and its corrupt file was moved away.
    #[error(
        "{} was corrupt, and no coordinator that was reached has the statement. It contained {}, which this member \
         signed and is bound by\n\
         help: run this again when every coordinator can be reached",
        path.display(), statement(path)
    )]
    Missing {
        /// The file that was moved away.
        path: PathBuf,
    },
    /// A line of a log is corrupt.
    #[error(
        "{}, line {line}, is corrupt. It contained what a coordinator sends again\n\
         help: stop `svdr-agent run`, and start it again: it sets the line aside",
        path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: EnvelopeError,
    },
    /// A receipt that was kept is not that of the coordinator.
    #[error(
        "{} contains an invalid receipt, so the file is corrupt\n\
         help: stop `svdr-agent run`, and start it again: it sets the receipt aside",
        path.display()
    )]
    Receipt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ReceiptError,
    },
    /// The record of a dump or a snapshot cannot be understood.
    #[error(
        "{} is corrupt. It says where a dump or snapshot is\n\
         help: stop `svdr-agent run`, and start it again: it sets the file aside and makes it again",
        path.display()
    )]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: RecordFault,
    },
    /// A vote or record cannot be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// Nobody would accept the statement.
    #[error("the statement cannot be signed")]
    Statement(#[from] StatementError),
    /// A statement in the store is invalid with this roster.
    #[error(
        "{} has a statement that is invalid with this roster\n\
         help: use the roster that the statement was signed with",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: StatementError,
    },
    /// A completion certificate in the store is invalid.
    #[error(
        "{} is corrupt. It contained the certificate of a completed round, which this member is bound by\n\
         help: run `svdr-agent status {session}` while a coordinator can be reached, which writes the file again",
        path.display()
    )]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The session.
        session: SessionId,
        /// What is wrong with it.
        #[source]
        source: CertificateFault,
    },
}

/// What is wrong with the record of a dump or a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum RecordFault {
    /// It is not JSON, or a field is missing.
    #[error("the file is not the JSON of a record")]
    Json(#[source] serde_json::Error),
    /// It is not text.
    #[error("the file is not text")]
    Text(#[source] std::str::Utf8Error),
    /// It was altered after it was written.
    #[error("the record was altered after it was written: its digest is {found}, but \"check\" is not")]
    Check {
        /// Of what the file has.
        found: Digest,
    },
}

/// What is wrong with a completion certificate on disk.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// A line is not a signed statement.
    #[error("line {line} is not a signed statement")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: EnvelopeError,
    },
    /// A line is incomplete, or there is none.
    #[error("the file is empty or incomplete")]
    Incomplete,
    /// A statement is invalid.
    #[error(transparent)]
    Statement(StatementError),
    /// The statements are no certificate.
    #[error(transparent)]
    Certificate(CertificateError),
}

/// What the file of a statement is called after: `000003-agreement.json` contained statement 3, an agreement.
fn statement(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (number, kind) = name.split_once('-').unwrap_or(("", &name));
    let kind = kind.split(['.', '-']).next().unwrap_or_default();
    format!("statement {} (kind {kind})", number.trim_start_matches('0'))
}

impl CommandError for StoreError {
    fn exit(&self) -> Exit {
        match self {
            StoreError::Promise { .. }
            | StoreError::Missing { .. }
            | StoreError::Foreign { .. }
            | StoreError::Certificate { .. }
            | StoreError::Statement(_) => Exit::Refused,
            StoreError::Write(error) => error.exit(),
            StoreError::Folder { .. }
            | StoreError::Read { .. }
            | StoreError::Append { .. }
            | StoreError::Lock { .. }
            | StoreError::Running { .. }
            | StoreError::Line { .. }
            | StoreError::Receipt { .. }
            | StoreError::Record { .. } => Exit::Failed,
        }
    }
}
