//! How long automatic approval waits for the members that have not reported.
//!
//! A proposal that comes early can leave an SV behind on purpose. So an agent agrees automatically only once everybody has
//! reported, or once its own grace period is over. The period is as long as a coordinator's, and begins when this agent
//! first has evidence of as many members as the threshold. A restart begins it again, which only delays.

use std::time::Duration;

use svdr_protocol::session::Session;
use tokio::time::Instant;

/// The grace period of one session.
#[derive(Debug)]
pub(super) struct Patience {
    grace: Duration,
    began: Option<Instant>,
    has_told: bool,
}

impl Patience {
    /// A period that has not begun.
    pub(super) const fn new(grace: Duration) -> Patience {
        Patience { grace, began: None, has_told: false }
    }

    /// Begins the period if as many members as the threshold have reported.
    pub(super) fn look(&mut self, session: &Session, now: Instant) {
        if self.began.is_none() && session.evidence().len() >= session.roster().threshold() {
            self.began = Some(now);
        }
    }

    /// Whether the period is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.began.is_some_and(|began| now.saturating_duration_since(began) >= self.grace)
    }

    /// Whether the period has ended since the last call.
    pub(super) fn has_ended(&mut self, now: Instant) -> bool {
        self.is_over(now) && !std::mem::replace(&mut self.has_told, true)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use svdr_cli::screens::fixture::Meeting;

    use super::*;

    #[test]
    fn it_begins_with_enough_evidence_and_ends_once() {
        let (start, mut meeting) = (Instant::now(), Meeting::open(false));
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut patience = Patience::new(Duration::from_secs(600));
        for member in 0..2 {
            meeting.report(member, &["23:24:00"]);
        }
        patience.look(&meeting.session, start);
        assert!(!patience.is_over(after(6000)) && !patience.has_ended(after(6000)));
        meeting.report(2, &["23:24:00"]);
        patience.look(&meeting.session, after(6000));
        patience.look(&meeting.session, after(6500));
        assert!(!patience.is_over(after(6599)));
        assert!(patience.is_over(after(6600)));
        assert!(patience.has_ended(after(6600)) && !patience.has_ended(after(6601)));
    }
}
