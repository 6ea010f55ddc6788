//! By which way an SV app gives its dump: in an answer, or through its own volume.
//!
//! A snapshot too large for an answer is written by the app into its own volume instead, and taken from there
//! (`trigger.rs`); in [`Mode::Auto`] this is found out by itself (`signs.rs`).

use std::path::PathBuf;

use super::signs::{Sign, Signs};
use super::tries::Tries;
use super::{FetchError, Order, attempt, trigger};
use crate::sources::app::SvApp;
use crate::sources::volume::Volume;
use svdr_client::retry::RetryPolicy;
use svdr_dump::MergeSummary;
use svdr_protocol::failure::in_one_line;

/// By which way, and what that takes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Way {
    /// Which.
    pub mode: Mode,
    /// The app's dump volume, where it can be reached from here; [`Mode::Trigger`] needs it.
    pub volume: Option<Volume>,
    /// The participant whose identities a dump of the app's own has to hold, where that is known.
    pub participant: Option<String>,
}

/// The way by which the SV app gives its dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// In one answer, which is merged with the backup of the node identities.
    Http,
    /// The app writes the dump into its volume, and the agent copies it.
    Trigger,
    /// In an answer; through the volume where that turns out to be impossible.
    ///
    /// The default: it does what [`Mode::Http`] does for as long as that works, goes the other way only where the
    /// operator has named the volume, and says what to configure where nobody has. An operator who finds out on a
    /// recovery call that the snapshot has outgrown the answer has no time to read a manual.
    #[default]
    Auto,
}

impl Mode {
    /// As configurations write it.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Http => "http",
            Mode::Trigger => "trigger",
            Mode::Auto => "auto",
        }
    }
}

/// A finished dump.
#[derive(Clone, Debug)]
pub struct Made {
    /// The dump's own file; its payload files, where it has some, are beside it.
    pub path: PathBuf,
    /// What is in it.
    pub summary: MergeSummary,
}

/// An SV's dump, by the way that is wanted: tries as [`fetch`](super::fetch) does.
///
/// # Errors
/// [`FetchError`]: the last failure. Nothing is left behind.
pub async fn fetch_dump(
    app: &SvApp,
    order: &Order,
    way: &Way,
    policy: RetryPolicy,
) -> Result<Made, FetchError> {
    if way.mode == Mode::Trigger {
        return trigger::fetch(app, order, way, policy).await;
    }
    let (mut tries, mut signs) = (Tries::new(policy), Signs::default());
    loop {
        let failure = match attempt(app, order, &mut tries).await {
            Ok(summary) => return Ok(Made { path: order.out.clone(), summary }),
            Err(failure) => failure,
        };
        match signs.sign(&failure).filter(|sign| follows(*sign, way)) {
            None => tries.pause_after(failure).await?,
            Some(sign) if way.volume.is_some() => {
                tracing::warn!("{}", in_one_line(&failure));
                tracing::warn!(
                    "{}: the data snapshot seems to be too large for one answer; having the SV app write it into its \
                     volume instead",
                    sign.words()
                );
                return trigger::fetch(app, order, way, policy).await;
            }
            Some(sign) => {
                return Err(FetchError::TooLarge { sign: sign.words(), source: Box::new(failure) });
            }
        }
    }
}

/// Whether something follows from a sign: in [`Mode::Auto`], and from a likely one only where there is another way.
const fn follows(sign: Sign, way: &Way) -> bool {
    matches!(way.mode, Mode::Auto) && (matches!(sign, Sign::Sure(_)) || way.volume.is_some())
}
