//! Why an export was not taken, and whether it may still become one that can be.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use svdr_files::FileError;
use svdr_protocol::failure::{CommandError, Exit};

use svdr_dump::{MergeError, PayloadFileError};

/// Why an export was not taken. Every message names the file and the way out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(
        "the SV app's dump volume {} cannot be opened\nhelp: mount it on this machine, and name it with \
         dump_dir",
        path.display()
    )]
    Volume { path: PathBuf, source: io::Error },
    #[error(
        "{} does not exist: dump_dir is another volume, or this release of the SV app takes no timestamp in \
         this call\nhelp: set dump_dir to the volume that this SV app writes its dumps to (the folder of its \
         domainMigrationDumpPath)",
        path.display()
    )]
    Absent { path: PathBuf },
    #[error(
        "{} does not exist yet\nhelp: check the log of the SV app, which writes this file before it answers",
        path.display()
    )]
    Missing { path: PathBuf },
    #[error(
        "{} is {found}, not {expected} that the SV app wrote\nhelp: find out who put it there, then remove it",
        path.display()
    )]
    Foreign { path: PathBuf, expected: &'static str, found: &'static str },
    #[error(
        "{} belongs to user {found}, but the export's folder belongs to user {expected}\nhelp: find out who \
         put the file there, then remove it",
        path.display()
    )]
    OtherOwner { path: PathBuf, expected: u32, found: u32 },
    #[error(
        "{} is world-writable (mode {mode:04o}), so its content cannot be trusted\nhelp: run `chmod -R o-w` \
         on the export's folder, then have the SV app export again",
        path.display()
    )]
    Writable { path: PathBuf, mode: u32 },
    #[error(
        "{} cannot be read\nhelp: let the user of this program read the SV app's volume, for example by a \
         common group",
        path.display()
    )]
    Read { path: PathBuf, source: io::Error },
    #[error("the exported dump {} cannot be taken", path.display())]
    Document { path: PathBuf, source: MergeError },
    #[error("the payload file {} cannot be taken", path.display())]
    Payload { path: PathBuf, source: PayloadFileError },
    #[error(
        "{} was written after the dump that names it, so the SV app is exporting again or was stopped\nhelp: \
         wait until the export is complete, or have the app export again",
        path.display()
    )]
    Newer { path: PathBuf },
    #[error(
        "{} has changed while it was read, so the SV app is exporting again\nhelp: run the command again \
         when the export is complete",
        path.display()
    )]
    Changed { path: PathBuf },
    #[error(
        "{} contains the identities of {found}, but this SV's participant is {expected}\nhelp: set dump_dir \
         to the volume of this SV's own app, or correct the roster",
        path.display()
    )]
    OtherParticipant { path: PathBuf, expected: String, found: String },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("copying the SV app's dump was cancelled\nhelp: run the command again")]
    Cancelled,
    #[error(
        "{} is not complete, and nothing has changed in it for {}", path.display(), humantime::format_duration(*waited)
    )]
    Unfinished { path: PathBuf, waited: Duration, source: Box<ExportError> },
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
            ExportError::Document { source, .. } => is_not_written_to_its_end(source),
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
fn is_not_written_to_its_end(error: &MergeError) -> bool {
    let MergeError::Refused(refusal) = error else { return false };
    refusal.defect.is_not_json()
}

impl CommandError for ExportError {
    fn exit(&self) -> Exit {
        match self {
            ExportError::Foreign { .. }
            | ExportError::OtherOwner { .. }
            | ExportError::Writable { .. }
            | ExportError::OtherParticipant { .. } => Exit::Refused,
            ExportError::Document { source, .. }
                if source.is_refusal() && !is_not_written_to_its_end(source) =>
            {
                Exit::Refused
            }
            ExportError::File(error) => error.exit(),
            ExportError::Volume { .. }
            | ExportError::Absent { .. }
            | ExportError::Missing { .. }
            | ExportError::Read { .. }
            | ExportError::Document { .. }
            | ExportError::Payload { .. }
            | ExportError::Newer { .. }
            | ExportError::Changed { .. }
            | ExportError::Cancelled
            | ExportError::Unfinished { .. } => Exit::Failed,
        }
    }
}
