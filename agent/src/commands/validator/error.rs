//! Why a validator's command came to nothing.

use std::io;
use std::path::PathBuf;

use svdr_cli::failure::Failure;
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::statement::SessionIdError;
use svdr_protocol::time::Timestamp;

use crate::sources::app::{self, AnswerText};
use crate::sources::fetch::FetchError;
use crate::validator::Recovery;

/// Why there is no dump, or why it is not delivered.
#[derive(Debug, thiserror::Error)]
pub(super) enum ValidatorError {
    #[error(
        "the roster {} has the fingerprint {found}, but --fingerprint expects {expected}\n\
         help: do not use this roster, and get the roster from the SVs again",
        path.display()
    )]
    OtherFingerprint { path: PathBuf, expected: Digest, found: Digest },
    #[error(
        "somebody must confirm that the roster is that of the SVs, but standard input is not a terminal, and \
         --yes does not answer this question\n\
         help: give --fingerprint sha256:… as the SVs announced it, or run the command in a terminal"
    )]
    NobodyToAsk,
    #[error(
        "standard input is not a terminal, so nobody can confirm the delivery\n\
         help: read the text above, and give --yes"
    )]
    NobodyToAskToDeliver,
    #[error(
        "not confirmed, so nothing was fetched or delivered\n\
         help: if the words differ, get the roster from the SVs again"
    )]
    Declined,
    #[error(
        "none of the {tried} coordinators can be reached with the key of this observer\n\
         help: see the log above, or give the published certificate with --certificate"
    )]
    NoCoordinator { tried: usize },
    #[error(
        "{given:?} is not a whole session id, but a certificate in a file is compared with the whole id\n\
         help: give the whole id, or remove --session"
    )]
    SessionId {
        given: String,
        #[source]
        source: SessionIdError,
    },
    #[error(
        "{url} answered 400 Bad Request{answer}. This validator's participant is pruned beyond {timestamp}, \
         the time that the network goes back to, so it cannot make a dump{}", reonboard(*migration_id)
    )]
    Pruned { url: String, answer: AnswerText, timestamp: Timestamp, migration_id: u64 },
    #[error(
        "{url} answered 429 Too Many Requests{answer}. This validator's participant had not caught up to \
         {timestamp}, the time that the network goes back to, when the synchronizer was lost. It can no \
         longer catch up, so it cannot make a dump{}",
        reonboard(*migration_id)
    )]
    Behind { url: String, answer: AnswerText, timestamp: Timestamp, migration_id: u64 },
    #[error(
        "{url} answered with a data snapshot for migration id {found}, but the SVs agreed on {expected}\n\
         help: check that url is the validator app of this network, or give --request-migration-id if \
         {expected} is not the app's own id + 1"
    )]
    OtherMigrationId { url: String, expected: u64, found: u64 },
    #[error(
        "the path {} cannot be made absolute\nhelp: run the command in a folder that exists",
        path.display()
    )]
    Absolute {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
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
    pub(super) fn of_fetch(error: FetchError, recovery: &Recovery) -> Failure {
        let (timestamp, migration_id) = (recovery.recovery_timestamp(), recovery.migration_id());
        match error {
            FetchError::SvApp(app::AppFailure::Pruned { url, answer }) => {
                ValidatorError::Pruned { url, answer, timestamp, migration_id }.into()
            }
            FetchError::SvApp(app::AppFailure::Behind { url, answer }) => {
                ValidatorError::Behind { url, answer, timestamp, migration_id }.into()
            }
            FetchError::OtherMigrationId { url, expected, found } => {
                ValidatorError::OtherMigrationId { url, expected, found }.into()
            }
            other => other.into(),
        }
    }
}

impl CommandError for ValidatorError {
    fn exit(&self) -> Exit {
        match self {
            ValidatorError::OtherFingerprint { .. }
            | ValidatorError::Declined
            | ValidatorError::OtherMigrationId { .. } => Exit::Refused,
            ValidatorError::NobodyToAsk
            | ValidatorError::NobodyToAskToDeliver
            | ValidatorError::SessionId { .. } => Exit::Usage,
            ValidatorError::Pruned { .. } | ValidatorError::Behind { .. } => Exit::Impossible,
            ValidatorError::NoCoordinator { .. } | ValidatorError::Absolute { .. } => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use svdr_protocol::session::Phase;
    use svdr_protocol::statement::SessionId;

    use super::*;
    use crate::validator::RecoveryError;

    /// Those that no golden case of the command line shows.
    #[test]
    fn every_failure_says_what_happened_and_what_to_do() {
        let url = || {
            "https://wallet.validator.example.com/api/validator/v0/admin/domain/data-snapshot?timestamp=2026-04-21T23:10:00Z&force=true"
                .to_owned()
        };
        let timestamp: Timestamp = "2026-04-21T23:10:00Z".parse().unwrap();
        let answer = || AnswerText::App("participant has been pruned up to 2026-04-21T23:15:00Z".to_owned());
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
            ValidatorError::Pruned { url: url(), answer: answer(), timestamp, migration_id: 6 },
            ValidatorError::Behind { url: url(), answer: AnswerText::None, timestamp, migration_id: 6 },
            ValidatorError::OtherMigrationId { url: url(), expected: 6, found: 7 },
            ValidatorError::Declined,
            ValidatorError::NobodyToAskToDeliver,
            ValidatorError::NoCoordinator { tried: 2 },
            ValidatorError::SessionId {
                given: "4f3a".to_owned(),
                source: "4f3a".parse::<SessionId>().unwrap_err(),
            },
            ValidatorError::Absolute { path: path(), source: io::ErrorKind::NotFound.into() },
        ];
        let told: Vec<String> = errors
            .into_iter()
            .map(Failure::from)
            .chain(recovery.into_iter().map(Failure::from))
            .map(|error| format!("{} {}", error.exit().code(), error.explain()))
            .collect();
        svdr_snapshot::assert_snapshot!("failures", told.join("\n\n"));
    }
}
