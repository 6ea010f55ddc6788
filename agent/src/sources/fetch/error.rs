//! Why a fetch brought no dump, and whether a retry can bring one.

use std::time::Duration;

use svdr_dump::{Defect, MergeError};
use svdr_files::FileError;
use svdr_protocol::failure::{CommandError, Exit};
use tokio::task::JoinError;

use crate::sources::app::{AppFailure, Class};
use crate::sources::tries::TryError;
use crate::sources::volume::{APP_DIR, ExportError};

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    SvApp(#[from] AppFailure),
    #[error(
        "{url} answered 200, but the answer is not valid\nhelp: if this happens again, check what is between this \
         machine and the app"
    )]
    Damaged { url: String, source: MergeError },
    #[error("the answer of {url} is refused")]
    Refused { url: String, source: MergeError },
    #[error(
        "{url} answered with a data snapshot for migration id {found}, but migration_id is {expected}\nhelp: correct \
         migration_id if the others migrate to {found}, or give --request-migration-id if the network has agreed on \
         {expected}"
    )]
    OtherMigrationId { url: String, expected: u64, found: u64 },
    #[error(transparent)]
    Merge(MergeError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(
        "the SV app's snapshot must be merged with the backup of the node identities, but none is configured\nhelp: set \
         backup = \"/secure/identities.json\" under [node_identities], or have the app write the whole dump with mode = \
         \"trigger\""
    )]
    NoIdentities,
    #[error(
        "{url} answered with a data snapshot whose payloads are files on the SV app's own volume\nhelp: set mode = \
         \"trigger\" and dump_dir, the volume on this machine, under [sv_app] (--mode, --dump-dir)"
    )]
    SeparateFiles { url: String },
    #[error(
        "the data snapshot is too large for one answer of the SV app: {symptom}\nhelp: mount the SV app's dump volume on \
         this machine, and name it with dump_dir = \"{APP_DIR}\" under [sv_app], --dump-dir or SVDR_DUMP_DIR"
    )]
    TooLarge { symptom: &'static str, source: Box<FetchError> },
    #[error("all {tries} tries failed")]
    GaveUp { tries: u32, source: Box<FetchError> },
    #[error("the thread that writes the dump has died\nhelp: retry, and report it if it happens again")]
    Thread(#[source] JoinError),
    #[error(
        "the thread that writes the dump stopped without a reason\nhelp: retry, and report it if it happens again"
    )]
    WriterStopped,
}

impl FetchError {
    /// What an error means for a document that came from `url`.
    pub(crate) fn of_document(url: &str, source: MergeError) -> FetchError {
        let url = url.to_owned();
        match &source {
            MergeError::Refused(refusal) => match refusal.defect {
                Defect::OtherMigrationId { expected, found } => {
                    FetchError::OtherMigrationId { url, expected, found }
                }
                Defect::ByteOrderMark | Defect::NotBase64(_) => FetchError::Damaged { url, source },
                _ if refusal.defect.is_not_json() => FetchError::Damaged { url, source },
                _ => FetchError::Refused { url, source },
            },
            MergeError::IdentitiesTooLarge => FetchError::Refused { url, source },
            _ => FetchError::Merge(source),
        }
    }
}

impl TryError for FetchError {
    fn is_worth_retrying(&self) -> bool {
        match self {
            FetchError::SvApp(failure) => failure.is_worth_retrying(),
            FetchError::Damaged { .. } => true,
            FetchError::Export(error) => error.is_worth_retrying(),
            _ => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            FetchError::SvApp(failure) => failure.retry_after(),
            _ => None,
        }
    }

    fn gave_up(self, tries: u32) -> FetchError {
        FetchError::GaveUp { tries, source: Box::new(self) }
    }
}

impl CommandError for FetchError {
    fn exit(&self) -> Exit {
        match self {
            FetchError::SvApp(failure) => match failure.class() {
                Class::Pruned | Class::Behind => Exit::Impossible,
                Class::Unauthorized | Class::Retry | Class::Hopeless => Exit::Failed,
            },
            FetchError::Refused { .. } | FetchError::OtherMigrationId { .. } => Exit::Refused,
            FetchError::Merge(error) if error.is_refusal() => Exit::Refused,
            FetchError::File(error) => error.exit(),
            FetchError::Export(error) => error.exit(),
            FetchError::GaveUp { source, .. } => source.exit(),
            _ => Exit::Failed,
        }
    }
}
