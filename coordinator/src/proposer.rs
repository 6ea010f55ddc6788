//! When the coordinator proposes by itself: a pure decision.
//!
//! It proposes the first round alone, from what is there, as soon as every member has reported; or when as many
//! as the threshold have, and the others have had a grace period since. Any other proposal is a convener's.

use std::time::Duration;

use svdr_protocol::session::{Phase, Session};

/// How long members that have not reported are waited for, once the threshold has.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10 * 60);

/// Whether to propose now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Propose,
    /// Not before so long has passed, unless more evidence comes.
    WaitFor(Duration),
    /// Not before more evidence comes.
    WaitForEvidence,
    /// It is not the coordinator's turn: there is a proposal already, or the session has ended.
    Never,
}

/// Decides, where evidence of as many members as the threshold has been there for `reached`.
pub fn decide(session: &Session, reached: Option<Duration>, grace: Duration) -> Decision {
    if session.phase() != Phase::Gathering {
        return Decision::Never;
    }
    let (reported, members) = (session.evidence().len(), session.roster().members().len());
    if reported >= members {
        return Decision::Propose;
    }
    if !threshold_reported(session) {
        return Decision::WaitForEvidence;
    }
    match grace.checked_sub(reached.unwrap_or_default()) {
        None | Some(Duration::ZERO) => Decision::Propose,
        Some(left) => Decision::WaitFor(left),
    }
}

/// Whether as many members as the threshold have reported.
pub fn threshold_reported(session: &Session) -> bool {
    session.evidence().len() >= session.roster().threshold()
}
