//! From the SV app to a document in memory, checked, with the same retries as for a data snapshot.

use std::time::Instant;

use svdr_cli::progress::Progress;
use svdr_client::retry::RetryPolicy;
use svdr_dump::{Identities, IdentitiesText};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::roster::Member;

use super::owner::{NotOurs, check_owner};
use crate::sources::app::{DocumentAnswer, SvApp};
use crate::sources::fetch::{FetchError, is_page};
use crate::sources::tries::Tries;

/// Why there are no identities. Nothing of them is in one of these.
#[derive(Debug, thiserror::Error)]
pub enum IdentitiesFetchError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the SV app answered with node identities that are not this member's")]
    NotOurs(#[from] NotOurs),
}

impl CommandError for IdentitiesFetchError {
    fn exit(&self) -> Exit {
        match self {
            IdentitiesFetchError::Fetch(error) => error.exit(),
            IdentitiesFetchError::NotOurs(error) => error.exit(),
        }
    }
}

/// Asks for the identities until they are here and checked, until a retry cannot help, or until `policy` ends it; then
/// checks that they are `member`'s. Every failure that is followed by a retry is logged as a warning.
///
/// # Errors
/// [`IdentitiesFetchError`]: the last failure.
pub async fn fetch(
    app: &SvApp,
    member: &Member,
    policy: RetryPolicy,
) -> Result<Identities, IdentitiesFetchError> {
    let mut tries = Tries::new(policy);
    loop {
        match attempt(app, &mut tries).await {
            Ok(identities) => {
                check_owner(&identities, member)?;
                return Ok(identities);
            }
            Err(failure) => tries.pause_after(failure).await?,
        }
    }
}

/// One try. The time in which the document arrives does not count against the budget.
async fn attempt(app: &SvApp, tries: &mut Tries) -> Result<Identities, FetchError> {
    let _waiting = Progress::bytes("waiting for the SV app's identities", None);
    let mut answer = app.identities_dump().await?;
    let began = Instant::now();
    let received = receive(&mut answer).await;
    tries.worked(began.elapsed());
    received
}

/// Receives the document to its end, and checks it.
async fn receive(answer: &mut DocumentAnswer) -> Result<Identities, FetchError> {
    let mut text = IdentitiesText::new(answer.total());
    let mut is_first = true;
    while let Some(chunk) = answer.chunk().await? {
        if std::mem::take(&mut is_first) && is_page(&chunk) {
            return Err(answer.not_a_snapshot(&chunk).into());
        }
        text.push(&chunk).map_err(|source| FetchError::of_document(answer.url(), source))?;
    }
    text.finish().map_err(|source| FetchError::of_document(answer.url(), source))
}
