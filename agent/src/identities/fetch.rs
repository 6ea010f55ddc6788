//! From the SV app to a document in memory, checked, with the same tries again as for a data snapshot.

use std::time::{Duration, Instant};

use svdr_cli::progress::Progress;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::roster::Member;

use super::owner::{NotOurs, check_owner};
use crate::sources::app::{Failure, Snapshot, SvApp};
use crate::sources::fetch::tries::{Tries, TryError};
use crate::sources::fetch::{is_damage, is_page};
use svdr_client::retry::RetryPolicy;
use svdr_dump::limits::MAX_IDENTITIES_LEN;
use svdr_dump::{HeldText, Identities, MergeError};

/// Why there are no identities. Nothing of them is in one of these.
#[derive(Debug, thiserror::Error)]
pub enum BackupFetchError {
    /// The SV app did not give them.
    #[error(transparent)]
    SvApp(#[from] Failure),
    /// What arrived as complete is no JSON document: it was cut, damaged or replaced on its way.
    #[error(
        "{url} answered 200, but what arrived is not an identities dump: {found}. If this goes on, look at what stands \
         between here and the SV app"
    )]
    Damaged {
        /// What was asked for.
        url: String,
        /// Where it is wrong.
        found: MergeError,
    },
    /// It is a document, but lacks what a transfer cannot take away.
    #[error("{url} answered with an identities dump that is refused: {source}")]
    Refused {
        /// What was asked for.
        url: String,
        /// Why.
        source: MergeError,
    },
    /// It is longer than any identities.
    #[error(
        "{url} answered with more than {MAX_IDENTITIES_LEN} bytes, which are no identities; check that url is the SV \
         app's API"
    )]
    TooLarge {
        /// What was asked for.
        url: String,
    },
    /// They are of another participant.
    #[error("{url} answered with an identities dump that is not this member's: {source}")]
    NotOurs {
        /// What was asked for.
        url: String,
        /// Whose they are.
        source: NotOurs,
    },
    /// The last of several tries.
    #[error("gave up after {tries} tries; the last: {source}")]
    GaveUp {
        /// How many.
        tries: u32,
        /// What the last one failed with.
        source: Box<BackupFetchError>,
    },
}

impl CommandError for BackupFetchError {
    fn exit(&self) -> Exit {
        match self {
            BackupFetchError::SvApp(_) | BackupFetchError::Damaged { .. } => Exit::Failed,
            BackupFetchError::Refused { .. }
            | BackupFetchError::TooLarge { .. }
            | BackupFetchError::NotOurs { .. } => Exit::Refused,
            BackupFetchError::GaveUp { source, .. } => source.exit(),
        }
    }
}

impl TryError for BackupFetchError {
    fn is_worth_retrying(&self) -> bool {
        match self {
            BackupFetchError::SvApp(failure) => failure.is_worth_retrying(),
            BackupFetchError::Damaged { .. } => true,
            BackupFetchError::Refused { .. }
            | BackupFetchError::TooLarge { .. }
            | BackupFetchError::NotOurs { .. }
            | BackupFetchError::GaveUp { .. } => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            BackupFetchError::SvApp(failure) => failure.retry_after(),
            _ => None,
        }
    }

    fn gave_up(self, tries: u32) -> BackupFetchError {
        BackupFetchError::GaveUp { tries, source: Box::new(self) }
    }
}

/// Asks for the identities until they are there, checked and `member`'s, until trying again cannot help, or until
/// `policy` says that it has been enough. Every failure that is followed by another try is logged as a warning.
///
/// # Errors
/// [`BackupFetchError`]: the last failure.
pub async fn fetch(
    app: &SvApp,
    member: &Member,
    policy: RetryPolicy,
) -> Result<Identities, BackupFetchError> {
    let mut tries = Tries::new(policy);
    loop {
        match attempt(app, member, &mut tries).await {
            Ok(identities) => return Ok(identities),
            Err(failure) => tries.pause_after(failure).await?,
        }
    }
}

/// One try. The time in which the document arrives does not count against the budget.
async fn attempt(app: &SvApp, member: &Member, tries: &mut Tries) -> Result<Identities, BackupFetchError> {
    let _waiting = Progress::bytes("waiting for the SV app's identities", None);
    let mut answer = app.identities_dump().await?;
    let began = Instant::now();
    let received = receive(&mut answer).await;
    tries.worked(began.elapsed());
    let identities = received?;
    let url = || answer.url().to_owned();
    check_owner(&identities, member).map_err(|source| BackupFetchError::NotOurs { url: url(), source })?;
    Ok(identities)
}

/// Receives the document to its end, and checks it.
async fn receive(answer: &mut Snapshot) -> Result<Identities, BackupFetchError> {
    let mut held = HeldText::new(answer.total());
    let mut is_first = true;
    while let Some(chunk) = answer.chunk().await? {
        if std::mem::take(&mut is_first) && is_page(&chunk) {
            return Err(answer.not_a_snapshot(&chunk).into());
        }
        held.push(&chunk).map_err(|source| refused(answer.url(), source))?;
    }
    Identities::parse(held.into_text()).map_err(|source| refused(answer.url(), source))
}

/// What a refused document means for an answer of `url`.
fn refused(url: &str, source: MergeError) -> BackupFetchError {
    let url = url.to_owned();
    match &source {
        MergeError::IdentitiesTooLarge => BackupFetchError::TooLarge { url },
        MergeError::Refused(refusal) if is_damage(&refusal.defect) => {
            BackupFetchError::Damaged { url, found: source }
        }
        _ => BackupFetchError::Refused { url, source },
    }
}
