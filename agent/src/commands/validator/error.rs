//! Why a validator's command came to nothing.

use std::io;
use std::path::PathBuf;

use svdr_cli::confirm::ConfirmError;
use svdr_cli::screens::choice::ChoiceError;
use svdr_client::{CoordinatorsError, SessionError};
use svdr_files::FileError;
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::statement::SessionIdError;
use svdr_protocol::time::Timestamp;

use crate::config::ConfigError;
use crate::deliver::DeliverError;
use crate::roster_file::RosterFileError;
use crate::sources::app::{Failure, SetupError, Words};
use crate::sources::fetch::FetchError;
use crate::validator::{Recovery, RecoveryError};
use svdr_cli::signing_key::SigningKeyError;
use svdr_dump::MergeError;

/// Why there is no dump, or why it is not delivered.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The roster.
    #[error(transparent)]
    Roster(#[from] RosterFileError),
    /// The roster is not the one whose fingerprint was given.
    #[error(
        "the roster {} has the fingerprint {found}, but --fingerprint expects {expected}\n\
         help: do not use this roster, and get the roster from the SVs again",
        path.display()
    )]
    OtherFingerprint {
        /// The roster's file.
        path: PathBuf,
        /// What was given.
        expected: Digest,
        /// What it has.
        found: Digest,
    },
    /// Nobody can be asked whether the roster is the right one.
    #[error(
        "somebody must confirm that the roster is that of the SVs, but standard input is not a terminal, and \
         --yes does not answer this question\n\
         help: give --fingerprint sha256:… as the SVs announced it, or run the command in a terminal"
    )]
    NobodyToAsk,
    /// Nobody can be asked whether to deliver.
    #[error(
        "standard input is not a terminal, so nobody can confirm the delivery\n\
         help: read the text above, and give --yes"
    )]
    NobodyToAskToDeliver,
    /// The operator says no.
    #[error(
        "not confirmed, so nothing was fetched or delivered\n\
         help: if the words differ, get the roster from the SVs again"
    )]
    Declined,
    /// The question cannot be asked.
    #[error(transparent)]
    Confirm(#[from] ConfirmError),
    /// The observer's key.
    #[error(transparent)]
    Identity(#[from] SigningKeyError),
    /// The coordinators of the configuration.
    #[error(transparent)]
    Coordinators(#[from] CoordinatorsError),
    /// A coordinator.
    #[error(transparent)]
    Session(Box<SessionError>),
    /// None can be reached.
    #[error(
        "none of the {tried} coordinators can be reached with the key of this observer\n\
         help: see the log above, or give the published certificate with --certificate"
    )]
    NoCoordinator {
        /// How many.
        tried: usize,
    },
    /// It is not clear which session is meant.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// It is not a whole id.
    #[error(
        "{given:?} is not a whole session id, but a certificate in a file is compared with the whole id\n\
         help: give the whole id, or remove --session"
    )]
    SessionId {
        /// What was given.
        given: String,
        /// Why.
        #[source]
        source: SessionIdError,
    },
    /// The certificate.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The client.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The app answers 400.
    #[error(
        "{url} answered 400 Bad Request{words}. This validator's participant is pruned beyond {timestamp}, \
         the time that the network goes back to, so it cannot make a dump{}", reonboard(*migration_id)
    )]
    Pruned {
        /// What was asked for.
        url: String,
        /// The app's words.
        words: Words,
        /// The recovery timestamp.
        timestamp: Timestamp,
        /// The migration id of the recovered network.
        migration_id: u64,
    },
    /// The app answers 429.
    #[error(
        "{url} answered 429 Too Many Requests{words}. This validator's participant had not caught up to \
         {timestamp}, the time that the network goes back to, when the synchronizer was lost. It can no \
         longer catch up, so it cannot make a dump{}",
        reonboard(*migration_id)
    )]
    Behind {
        /// What was asked for.
        url: String,
        /// The app's words.
        words: Words,
        /// The recovery timestamp.
        timestamp: Timestamp,
        /// The migration id of the recovered network.
        migration_id: u64,
    },
    /// The app makes its snapshot for another migration.
    #[error(
        "{url} answered with a data snapshot for migration id {found}, but the SVs agreed on {expected}\n\
         help: check that url is the validator app of this network, or give --request-migration-id if \
         {expected} is not the app's own id + 1"
    )]
    OtherMigrationId {
        /// What was asked for.
        url: String,
        /// The certificate's.
        expected: u64,
        /// The snapshot's.
        found: u64,
    },
    /// The app, the network, or what came from it.
    #[error(transparent)]
    Fetch(FetchError),
    /// The output.
    #[error(transparent)]
    File(#[from] FileError),
    /// The dump to be delivered cannot be opened.
    #[error("the dump {} cannot be opened\nhelp: check its path and its permissions", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The dump to be delivered is not one of this recovery.
    #[error("the dump {} cannot be used", path.display())]
    Dump {
        /// The file.
        path: PathBuf,
        /// Why.
        source: MergeError,
    },
    /// The delivery.
    #[error(transparent)]
    Deliver(#[from] DeliverError),
    /// Stopped by a signal.
    #[error(
        "stopped by a signal before the dump was complete, and no file was left\nhelp: run the command again"
    )]
    Interrupted,
    /// The system gives no threads or signals.
    #[error("this process cannot start its threads\nhelp: check the limits of the user that runs it")]
    Runtime(#[source] io::Error),
    /// The current folder is unknown.
    #[error(
        "the path {} cannot be made absolute\nhelp: run the command in a folder that exists",
        path.display()
    )]
    Absolute {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Stdout cannot be written; everything else is done.
    #[error("everything is done, but the result cannot be printed")]
    Print(#[source] io::Error),
}

/// The way out for a validator without a dump: Splice's own, for both ways to deploy it.
fn reonboard(migration_id: u64) -> String {
    format!(
        "\nhelp: re-onboard this validator from the backup of its node identities, when the SVs have restored the \
         network.\n  \
         This recovers the balances of its parties. docs/validators.md has the steps, also without a backup.\n  \
         Deploy a new validator with the same party hint, without a new onboarding secret, and with a participant \
         identifier that was never used before.\n  \
         Helm: put the backup into the secret participant-bootstrap-dump (kubectl create secret generic \
         participant-bootstrap-dump --from-file=content=BACKUP -n validator), and in the values set migration.id: \
         {migration_id}, migrateValidatorParty: true, participantIdentitiesDumpImport.secretName, and its \
         newParticipantIdentifier and nodeIdentifier to the same new identifier\n  \
         Docker Compose: ./start.sh -s SPONSOR_SV_URL -o \"\" -p PARTY_HINT -m {migration_id} -i BACKUP \
         -P NEW_PARTICIPANT_ID -w"
    )
}

impl ValidatorError {
    /// What a failed fetch means for a validator that follows `recovery`.
    pub(super) fn of_fetch(error: FetchError, recovery: &Recovery) -> ValidatorError {
        let (timestamp, migration_id) = (recovery.recovery_timestamp(), recovery.migration_id());
        match error {
            FetchError::SvApp(Failure::Pruned { url, words }) => {
                ValidatorError::Pruned { url, words, timestamp, migration_id }
            }
            FetchError::SvApp(Failure::Behind { url, words }) => {
                ValidatorError::Behind { url, words, timestamp, migration_id }
            }
            FetchError::OtherMigrationId { url, expected, found } => {
                ValidatorError::OtherMigrationId { url, expected, found }
            }
            other => ValidatorError::Fetch(other),
        }
    }
}

impl From<SessionError> for ValidatorError {
    fn from(error: SessionError) -> ValidatorError {
        ValidatorError::Session(Box::new(error))
    }
}

impl CommandError for ValidatorError {
    fn exit(&self) -> Exit {
        match self {
            ValidatorError::Config(error) => error.exit(),
            ValidatorError::Roster(error) => error.exit(),
            ValidatorError::Confirm(error) => error.exit(),
            ValidatorError::Coordinators(error) => error.exit(),
            ValidatorError::Session(error) => error.exit(),
            ValidatorError::Recovery(error) => error.exit(),
            ValidatorError::Fetch(error) => error.exit(),
            ValidatorError::File(error) => error.exit(),
            ValidatorError::Deliver(error) => error.exit(),
            ValidatorError::Dump { source, .. } if source.is_refusal() => Exit::Refused,
            ValidatorError::OtherFingerprint { .. }
            | ValidatorError::Declined
            | ValidatorError::OtherMigrationId { .. } => Exit::Refused,
            ValidatorError::NobodyToAsk
            | ValidatorError::NobodyToAskToDeliver
            | ValidatorError::Choice(_)
            | ValidatorError::SessionId { .. } => Exit::Usage,
            ValidatorError::Pruned { .. } | ValidatorError::Behind { .. } => Exit::Impossible,
            ValidatorError::Identity(_)
            | ValidatorError::NoCoordinator { .. }
            | ValidatorError::Setup(_)
            | ValidatorError::Open { .. }
            | ValidatorError::Dump { .. }
            | ValidatorError::Interrupted
            | ValidatorError::Runtime(_)
            | ValidatorError::Absolute { .. }
            | ValidatorError::Print(_) => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use svdr_cli::failure::explain;
    use svdr_protocol::session::Phase;
    use svdr_protocol::statement::SessionId;

    use super::*;

    /// Those that no golden case of the command line shows.
    #[test]
    fn every_failure_says_what_happened_and_what_to_do() {
        let url = || {
            "https://wallet.validator.example.com/api/validator/v0/admin/domain/data-snapshot?timestamp=2026-04-21T23:10:00Z&force=true"
                .to_owned()
        };
        let timestamp: Timestamp = "2026-04-21T23:10:00Z".parse().unwrap();
        let words = || Words::App("participant has been pruned up to 2026-04-21T23:15:00Z".to_owned());
        let (path, session) = (|| PathBuf::from("dump.json"), SessionId::from_bytes([0xab; 16]));
        let from = || "transcript.jsonl".to_owned();
        let recovery = [
            RecoveryError::Empty { from: from() },
            RecoveryError::TooMany { path: path() },
            RecoveryError::Transcript { from: from() },
            RecoveryError::NotOneSession { from: from(), drill: false },
            RecoveryError::NotOneSession { from: from(), drill: true },
            RecoveryError::NotCompleted { session, phase: Phase::Proposed(2), needed: 9 },
        ];
        let errors = [
            ValidatorError::Pruned { url: url(), words: words(), timestamp, migration_id: 6 },
            ValidatorError::Behind { url: url(), words: Words::None, timestamp, migration_id: 6 },
            ValidatorError::OtherMigrationId { url: url(), expected: 6, found: 7 },
            ValidatorError::Declined,
            ValidatorError::NobodyToAskToDeliver,
            ValidatorError::NoCoordinator { tried: 2 },
            ValidatorError::SessionId {
                given: "4f3a".to_owned(),
                source: "4f3a".parse::<SessionId>().unwrap_err(),
            },
            ValidatorError::Interrupted,
            ValidatorError::Absolute { path: path(), source: io::ErrorKind::NotFound.into() },
            ValidatorError::Print(io::ErrorKind::BrokenPipe.into()),
        ];
        let told: Vec<String> = errors
            .into_iter()
            .chain(recovery.into_iter().map(ValidatorError::from))
            .map(|error| format!("{} {}", error.exit().code(), explain(&error)))
            .collect();
        svdr_snapshot::assert_snapshot!("failures", told.join("\n\n"));
    }
}
