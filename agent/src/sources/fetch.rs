//! From the app to the disk: an SV's snapshot is merged while it arrives, or checked and kept as it is; a validator's
//! dump is taken out of what its app answers.
//!
//! A try asks the app, and gives what arrives to a writer on a thread of its own (`answer.rs`). A try that fails leaves
//! nothing behind, and the next begins anew: the app makes a new document for every request, so there is nothing to
//! resume.
//!
//! An SV app can also write its dump into its own volume, from where it is taken (`trigger.rs`). With
//! [`Handover::AnswerOrVolume`] that happens once the snapshot turns out to be too large for an answer (`too_large.rs`).
//!
//! What is retried: what [`Class::Retry`](crate::sources::app::Class::Retry) and `Class::Unauthorized` say, and a body
//! that arrived whole but is not a JSON document, because a proxy or a dying app cut it or answered instead. A sound
//! document that is the wrong one (another timestamp, another migration) would be the same again, and is refused.

mod answer;
mod error;
mod request;
mod too_large;
mod trigger;

use bytes::Bytes;

use crate::sources::app::SvApp;
use crate::sources::tries::Tries;
use svdr_client::retry::RetryPolicy;
use svdr_protocol::failure::in_one_line;

pub use error::FetchError;
pub use request::{FetchedDump, Handover, Mode, Request, RequestContent, SvDump};
use too_large::{Symptom, Symptoms};

/// Tries until the dump is made, until a retry cannot help, or until `policy` ends it. Every failure that is followed
/// by a retry is logged as a warning.
///
/// # Errors
/// [`FetchError`]: the last failure. Nothing is left behind.
pub async fn fetch(app: &SvApp, request: &Request, policy: RetryPolicy) -> Result<FetchedDump, FetchError> {
    let handover = request.handover();
    if let Handover::Volume(volume) = handover {
        return trigger::fetch(app, request, volume, policy).await;
    }
    let (mut tries, mut symptoms) = (Tries::new(policy), Symptoms::default());
    loop {
        let failure = match answer::fetch(app, request, &mut tries).await {
            Ok(summary) => return Ok(FetchedDump { path: request.out.clone(), summary }),
            Err(failure) => failure,
        };
        match (symptoms.of(&failure), handover) {
            (Some(symptom), Handover::AnswerOrVolume(Some(volume))) => {
                tracing::warn!("{}", in_one_line(&failure));
                tracing::warn!(
                    "{}: the data snapshot seems to be too large for one answer, so the SV app is asked to write its \
                     dump into its volume instead",
                    symptom.text()
                );
                return trigger::fetch(app, request, volume, policy).await;
            }
            // A likely one is not enough where nothing else can be done.
            (Some(Symptom::Sure(symptom)), Handover::AnswerOrVolume(None)) => {
                return Err(FetchError::TooLarge { symptom, source: Box::new(failure) });
            }
            _ => tries.pause_after(failure).await?,
        }
    }
}

/// Whether a body that does not say so begins like a web page.
pub(crate) fn is_page(start: &Bytes) -> bool {
    start.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod messages;
