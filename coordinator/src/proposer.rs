//! When the coordinator itself proposes: a pure decision.
//!
//! It proposes only the first round, as soon as every member has reported, or when the threshold has reported and a
//! grace period has passed since. A convener makes every other proposal.

use std::time::Duration;

pub use svdr_protocol::session::DEFAULT_GRACE;
use svdr_protocol::session::{Phase, Session};

/// Whether to propose now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposeWhen {
    /// Yes.
    Propose,
    /// Not before so long has passed, unless more evidence comes.
    WaitFor(Duration),
    /// Not before more evidence comes.
    WaitForEvidence,
    /// It is not the coordinator's turn: there is a proposal already, or the session has ended.
    Never,
}

/// Decides whether to propose. As many members as the threshold have had evidence for `reached`.
pub fn decide(session: &Session, reached: Option<Duration>, grace: Duration) -> ProposeWhen {
    if session.phase() != Phase::Gathering {
        return ProposeWhen::Never;
    }
    let (reported, members) = (session.evidence().len(), session.roster().members().len());
    if reported >= members {
        return ProposeWhen::Propose;
    }
    if !threshold_reported(session) {
        return ProposeWhen::WaitForEvidence;
    }
    match grace.checked_sub(reached.unwrap_or(Duration::ZERO)) {
        None | Some(Duration::ZERO) => ProposeWhen::Propose,
        Some(left) => ProposeWhen::WaitFor(left),
    }
}

/// Whether as many members as the threshold have reported.
pub fn threshold_reported(session: &Session) -> bool {
    session.evidence().len() >= session.roster().threshold()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use svdr_protocol::statement::{Abort, Body};

    use super::*;
    use crate::fixture::Net;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A session of four members of whom so many have reported.
    fn reported(net: &Net, count: usize) -> Session {
        let mut session = net.open();
        for member in 0..count {
            session.insert(net.evidence(&session, member)).unwrap();
        }
        session
    }

    fn decided(count: usize, reached: Option<Duration>) -> ProposeWhen {
        decide(&reported(&Net::new(4), count), reached, DEFAULT_GRACE)
    }

    #[test]
    fn it_proposes_at_once_when_everybody_has_reported() {
        assert_eq!(decided(4, None), ProposeWhen::Propose);
    }

    #[test]
    fn it_waits_for_the_threshold_however_long_that_takes() {
        assert_eq!(decided(0, None), ProposeWhen::WaitForEvidence);
        assert_eq!(decided(2, Some(DEFAULT_GRACE * 100)), ProposeWhen::WaitForEvidence);
    }

    #[test]
    fn with_the_threshold_it_waits_for_the_others_and_not_for_ever() {
        assert_eq!(decided(3, None), ProposeWhen::WaitFor(DEFAULT_GRACE));
        assert_eq!(decided(3, Some(MINUTE)), ProposeWhen::WaitFor(DEFAULT_GRACE - MINUTE));
        assert_eq!(decided(3, Some(DEFAULT_GRACE)), ProposeWhen::Propose);
        assert_eq!(decided(3, Some(DEFAULT_GRACE + MINUTE)), ProposeWhen::Propose);
    }

    #[test]
    fn after_a_proposal_or_an_abort_it_never_does() {
        let net = Net::new(4);
        let mut proposed = reported(&net, 4);
        let proposal = proposed.next_proposal(&proposed.parameters()).unwrap();
        proposed.insert(net.sign(&proposed, 0, Body::Proposal(proposal))).unwrap();
        assert_eq!(decide(&proposed, Some(DEFAULT_GRACE), DEFAULT_GRACE), ProposeWhen::Never);
        let mut aborted = reported(&net, 4);
        let abort = net.sign(&aborted, 0, Body::Abort(Abort { reason: "over".to_owned() }));
        aborted.insert(Arc::clone(&abort)).unwrap();
        assert_eq!(decide(&aborted, Some(DEFAULT_GRACE), DEFAULT_GRACE), ProposeWhen::Never);
    }
}
