//! Reads a roster from its file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::roster::{MAX_ROSTER_LEN, Roster, RosterError};

/// Why a roster file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RosterFileError {
    /// It cannot be read.
    #[error("the roster {} cannot be read\nhelp: check --roster and the file's permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is far too large.
    #[error(
        "the roster {} has {found} bytes; expected at most {MAX_ROSTER_LEN}\nhelp: check that it is the right file",
        path.display()
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its size.
        found: u64,
    },
    /// It is not text.
    #[error("the roster {} is not text in UTF-8\nhelp: check that it is the right file", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Where it stops being text.
        #[source]
        source: std::string::FromUtf8Error,
    },
    /// It has mistakes.
    #[error("{} cannot be used", path.display())]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// All of them.
        source: RosterError,
    },
}

impl CommandError for RosterFileError {
    fn exit(&self) -> Exit {
        match self {
            RosterFileError::Read { .. } => Exit::Failed,
            RosterFileError::TooLong { .. }
            | RosterFileError::NotText { .. }
            | RosterFileError::Mistakes { .. } => Exit::Refused,
        }
    }
}

/// Reads and checks the roster at `path`.
///
/// # Errors
/// If it cannot be read, or with every mistake in it.
pub fn read(path: &Path) -> Result<Roster, RosterFileError> {
    let read = |source| RosterFileError::Read { path: path.to_owned(), source };
    let found = fs::metadata(path).map_err(read)?.len();
    if found > MAX_ROSTER_LEN as u64 {
        return Err(RosterFileError::TooLong { path: path.to_owned(), found });
    }
    let text = String::from_utf8(fs::read(path).map_err(read)?)
        .map_err(|source| RosterFileError::NotText { path: path.to_owned(), source })?;
    Roster::parse(&text).map_err(|source| RosterFileError::Mistakes { path: path.to_owned(), source })
}
