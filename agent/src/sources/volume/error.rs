//! Why an export was not taken, and whether it may still become one that can be.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use svdr_files::FileError;
use svdr_protocol::failure::{CommandError, Exit};

use svdr_dump::{Defect, MergeError, PayloadFileError};

/// Why an export was not taken. Every message names the file and the way out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The volume is not there.
    #[error(
        "the SV app's dump volume {} cannot be opened; mount it on this machine, and say where with dump_dir",
        path.display()
    )]
    Volume {
        /// Its folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no export of that time.
    #[error(
        "{} is not there; check that dump_dir is the volume that this SV app writes its dumps to (the folder of its \
         domainMigrationDumpPath), and that the release of the app knows a timestamp in this call", path.display()
    )]
    Absent {
        /// Where it should be.
        path: PathBuf,
    },
    /// A file of it is not there.
    #[error("{} is not there yet; the SV app writes it before it answers, see its log", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Something else has its name.
    #[error(
        "{} is {found}, and not {expected} that the SV app wrote; find out who put it there, and remove it",
        path.display()
    )]
    Foreign {
        /// Its path.
        path: PathBuf,
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A file belongs to somebody else than the folder.
    #[error(
        "{} belongs to user {found}, but the export's folder to user {expected}: the SV app writes both; find out who \
         put it there, and remove it", path.display()
    )]
    OtherOwner {
        /// Its path.
        path: PathBuf,
        /// The folder's owner.
        expected: u32,
        /// Its own.
        found: u32,
    },
    /// Anybody could have written it.
    #[error(
        "everybody on this machine may write {} (mode {mode:04o}), so that it may be anybody's; run chmod -R o-w on \
         the export's folder, have the SV app export again, and run this again", path.display()
    )]
    Writable {
        /// Its path.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It cannot be read.
    #[error(
        "{} cannot be read; let the user of this program read the SV app's volume (the same user or group), and check \
         the disk", path.display()
    )]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The document is refused, or could not be read or copied.
    #[error("{}: {source}", path.display())]
    Document {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: MergeError,
    },
    /// A payload file is refused, or could not be read or copied.
    #[error("{}: {source}", path.display())]
    Payload {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: PayloadFileError,
    },
    /// A payload file was written after the document.
    #[error(
        "{} was written after the dump that names it: the SV app is exporting again, or was stopped while it did; wait \
         until it is done, or have it export again", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// A file has changed meanwhile.
    #[error("{} has changed while it was read: the SV app is exporting again; run this again when it is done", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// It is another node's.
    #[error(
        "{} holds the identities of participant {found}, but this SV's is {expected}; dump_dir is the volume of \
         another SV app, or the wrong roster or identities are configured", path.display()
    )]
    OtherParticipant {
        /// The document.
        path: PathBuf,
        /// The roster's.
        expected: String,
        /// The document's.
        found: String,
    },
    /// The set cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nobody wants it any more.
    #[error("the taking of the SV app's dump was given up; run this again to have it")]
    GivenUp,
    /// It has not become complete.
    #[error(
        "{} is not complete, and nothing has changed in it for {}", path.display(), humantime::format_duration(*waited)
    )]
    Unfinished {
        /// The export's folder.
        path: PathBuf,
        /// How long it was looked at.
        waited: Duration,
        /// What it lacks.
        source: Box<ExportError>,
    },
}

impl ExportError {
    /// Whether the app may be about to repair it: it has not written everything yet.
    pub fn may_settle(&self) -> bool {
        match self {
            ExportError::Absent { .. }
            | ExportError::Missing { .. }
            | ExportError::Newer { .. }
            | ExportError::Changed { .. }
            | ExportError::Payload { source: PayloadFileError::Chunks(_), .. } => true,
            ExportError::Document { source, .. } => is_torn(source),
            _ => false,
        }
    }

    /// Whether having the app export once more can help.
    pub fn is_worth_retrying(&self) -> bool {
        match self {
            // Of an export that is not there at all the app said that it was made: it would say so again.
            ExportError::Unfinished { source, .. } => !matches!(**source, ExportError::Absent { .. }),
            other => other.may_settle(),
        }
    }

    pub(super) fn read(path: &Path) -> impl Fn(io::Error) -> ExportError + use<> {
        let path = path.to_owned();
        move |source| ExportError::Read { path: path.clone(), source }
    }
}

/// Whether the document is no JSON, as one is that has not been written to its end.
fn is_torn(error: &MergeError) -> bool {
    let MergeError::Refused(refusal) = error else { return false };
    matches!(
        refusal.defect,
        Defect::Empty
            | Defect::Truncated { .. }
            | Defect::Unexpected { .. }
            | Defect::Trailing { .. }
            | Defect::ControlCharacter { .. }
            | Defect::NotUtf8
    )
}

impl CommandError for ExportError {
    fn exit(&self) -> Exit {
        match self {
            ExportError::Foreign { .. }
            | ExportError::OtherOwner { .. }
            | ExportError::Writable { .. }
            | ExportError::OtherParticipant { .. } => Exit::Refused,
            ExportError::Document { source, .. } if source.is_refusal() && !is_torn(source) => Exit::Refused,
            ExportError::File(error) => error.exit(),
            ExportError::Volume { .. }
            | ExportError::Absent { .. }
            | ExportError::Missing { .. }
            | ExportError::Read { .. }
            | ExportError::Document { .. }
            | ExportError::Payload { .. }
            | ExportError::Newer { .. }
            | ExportError::Changed { .. }
            | ExportError::GivenUp
            | ExportError::Unfinished { .. } => Exit::Failed,
        }
    }
}
