//! Why a fetch brought no dump, and whether another try can bring one.

use std::time::Duration;

use svdr_files::FileError;
use svdr_protocol::failure::{CommandError, Exit};
use tokio::task::JoinError;

use super::tries::TryError;
use crate::sources::app::{Class, Failure};
use crate::sources::volume::ExportError;
use svdr_dump::{Defect, Document, MergeError};

/// Why the writer stopped.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The merge.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is nothing to merge the snapshot with.
    #[error("no backup of the node identities is configured; only mode = \"trigger\" does without")]
    NoIdentities,
    /// The payloads are not in the snapshot.
    #[error("the payloads are files on the SV app's own volume")]
    SeparateFiles,
}

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The SV app did not give a snapshot.
    #[error(transparent)]
    SvApp(#[from] Failure),
    /// What arrived as complete is no JSON document: it was cut, damaged or replaced on its way.
    #[error(
        "{url} answered 200, but what arrived is not a data snapshot: {source}. If this goes on, look at what stands \
         between here and the app"
    )]
    Damaged {
        /// What was asked for.
        url: String,
        /// Where it is wrong.
        source: MergeError,
    },
    /// The snapshot is a document, but not the one asked for, or incomplete in a way that a transfer cannot cause.
    #[error("{url} answered with a data snapshot that is refused: {source}")]
    Refused {
        /// What was asked for.
        url: String,
        /// Why.
        source: MergeError,
    },
    /// The snapshot is made for another migration than the configured one.
    #[error(
        "{url} answered with a data snapshot for migration id {found}, but migration_id is {expected}. If the others \
         migrate to {found}, correct migration_id; if the network has agreed on {expected} although it is not the \
         app's own + 1, ask for it with --request-migration-id"
    )]
    OtherMigrationId {
        /// What was asked for.
        url: String,
        /// The configured one.
        expected: u64,
        /// The snapshot's.
        found: u64,
    },
    /// The merge failed on this machine.
    #[error(transparent)]
    Merge(MergeError),
    /// The file cannot be written.
    #[error(transparent)]
    File(FileError),
    /// What the SV app wrote into its volume was not taken.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// There is no backup of the node identities.
    #[error(
        "the snapshot of the SV app has to be merged with the backup of the node identities, and none is configured; add \
         backup = \"/secure/identities.json\" under [node_identities], or have the app write the whole dump with mode = \
         \"trigger\""
    )]
    NoIdentities,
    /// The answer names files of the app's volume.
    #[error(
        "{url} answered with a data snapshot whose payloads are files on the SV app's own volume. Take the dump from \
         there: set mode = \"trigger\" and dump_dir, the volume as this machine sees it, under [sv_app] (--mode, \
         --dump-dir)"
    )]
    SeparateFiles {
        /// What was asked for.
        url: String,
    },
    /// The snapshot does not fit into an answer, and there is no volume to take it from.
    #[error(
        "the data snapshot is too large for one answer of the SV app ({sign}). Have the app write it into its dump \
         volume instead: mount that here, and say where with dump_dir = \"{}\" under [sv_app], or --dump-dir, or \
         SVDR_DUMP_DIR",
        crate::sources::volume::APP_DIR
    )]
    TooLarge {
        /// What shows it.
        sign: &'static str,
        /// What the try failed with.
        source: Box<FetchError>,
    },
    /// The last of several tries.
    #[error("gave up after {tries} tries; the last: {source}")]
    GaveUp {
        /// How many.
        tries: u32,
        /// What the last one failed with.
        source: Box<FetchError>,
    },
    /// The thread that writes the dump has died.
    #[error("the thread that writes the dump has died; run this again, and report it if it happens again")]
    WriterDied(#[source] JoinError),
    /// The thread that writes the dump has stopped before the snapshot was complete.
    #[error(
        "the thread that writes the dump stopped without a reason; run this again, and report it if it happens again"
    )]
    WriterStopped,
}

impl FetchError {
    /// What a merge's error means for a document that came from `url`.
    pub(super) fn of_document(url: String, source: MergeError) -> FetchError {
        let MergeError::Refused(refusal) = &source else { return FetchError::Merge(source) };
        match refusal.defect {
            _ if refusal.document == Document::Identities => FetchError::Merge(source),
            Defect::OtherMigrationId { expected, found } => {
                FetchError::OtherMigrationId { url, expected, found }
            }
            _ if is_damage(&refusal.defect) => FetchError::Damaged { url, source },
            _ => FetchError::Refused { url, source },
        }
    }

    /// Whether another try can bring a dump.
    pub fn is_worth_retrying(&self) -> bool {
        match self {
            FetchError::SvApp(failure) => failure.is_worth_retrying(),
            FetchError::Damaged { .. } => true,
            FetchError::Export(error) => error.is_worth_retrying(),
            FetchError::NoIdentities
            | FetchError::SeparateFiles { .. }
            | FetchError::TooLarge { .. }
            | FetchError::Refused { .. }
            | FetchError::OtherMigrationId { .. }
            | FetchError::Merge(_)
            | FetchError::File(_)
            | FetchError::GaveUp { .. }
            | FetchError::WriterDied(_)
            | FetchError::WriterStopped => false,
        }
    }
}

impl TryError for FetchError {
    fn is_worth_retrying(&self) -> bool {
        FetchError::is_worth_retrying(self)
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

/// Whether the text is no JSON, as a cut, a proxy or a broken app causes it, rather than another document than the
/// one asked for.
pub(crate) fn is_damage(defect: &Defect) -> bool {
    matches!(
        defect,
        Defect::Empty
            | Defect::Truncated { .. }
            | Defect::ByteOrderMark
            | Defect::Trailing { .. }
            | Defect::Unexpected { .. }
            | Defect::ControlCharacter { .. }
            | Defect::NotUtf8
            | Defect::NotBase64(_)
    )
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
            FetchError::Damaged { .. }
            | FetchError::NoIdentities
            | FetchError::SeparateFiles { .. }
            | FetchError::TooLarge { .. }
            | FetchError::Merge(_)
            | FetchError::WriterDied(_)
            | FetchError::WriterStopped => Exit::Failed,
        }
    }
}
