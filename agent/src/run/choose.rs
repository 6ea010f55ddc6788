//! Which session to join, where the operator names none: the newest that is open.
//!
//! Where none is open, one that is completed and that this member has signed something in: a restart after the end
//! still has to say what is next, or to hand in what it had not handed in. Otherwise it waits for one to be opened.
//! What a coordinator lists is only where to look; what a session is, its own statements say.

use std::time::Duration;

use svdr_client::Coordinators;
use svdr_client::retry::Backoff;
use svdr_proto::v1::{SessionState, SessionSummary};
use svdr_protocol::statement::SessionId;

use super::RunError;
use super::courier::Event;
use super::operator_log::OperatorLog;
use crate::store::{Store, StoreError};

/// How often a coordinator is asked whether a session has been opened: 128 agents ask it 512 times a second, which is
/// a tenth of what it answers, and nobody waits for the last of them.
const ASK_INTERVAL: Duration = Duration::from_millis(250);

/// Waits for a session to join.
///
/// # Errors
/// Where the store cannot be read.
pub(super) async fn choose(
    coordinators: &Coordinators,
    store: &Store,
    drill: bool,
) -> Result<SessionId, RunError> {
    let mut operator_log = OperatorLog::default();
    let (mut next, mut backoff) = (0, Backoff::new());
    loop {
        let error = match ask(coordinators, next, store, drill, &mut operator_log, &mut backoff).await {
            Ok(session) => return Ok(session),
            Err(RunError::Courier) => return Err(RunError::Courier),
            Err(RunError::Coordinators(error)) => error.into(),
            Err(RunError::Call(error)) => error.into(),
            Err(other) => return Err(other),
        };
        next += 1;
        let pause = backoff.failed();
        operator_log.event(&Event::Trouble { error, pause });
        tokio::time::sleep(pause).await;
    }
}

/// Asks one coordinator until it has a session to join.
async fn ask(
    coordinators: &Coordinators,
    first: usize,
    store: &Store,
    drill: bool,
    operator_log: &mut OperatorLog,
    backoff: &mut Backoff,
) -> Result<SessionId, RunError> {
    let mut connection = coordinators.connect(first).await?;
    operator_log.event(&Event::Connected { url: connection.coordinator().url.clone() });
    loop {
        let listed = connection.sessions().await?;
        backoff.succeeded();
        let took_part = |session| -> Result<bool, StoreError> { Ok(!store.signed(session)?.is_empty()) };
        if let Some(session) = pick(&listed, drill, took_part)? {
            return Ok(session);
        }
        let kind = if drill { "drill" } else { "session" };
        operator_log.waiting(vec![format!(
            "no {kind} is open; waiting for a convener to open one with `svdr-coordinator session open`"
        )]);
        tokio::time::sleep(ASK_INTERVAL).await;
    }
}

/// The session to join, of those that a coordinator lists, the newest first.
fn pick<E>(
    listed: &[SessionSummary],
    drill: bool,
    took_part: impl Fn(SessionId) -> Result<bool, E>,
) -> Result<Option<SessionId>, E> {
    let mut completed = None;
    for summary in listed.iter().filter(|summary| summary.drill == drill) {
        let Ok(session) = summary.session.parse() else { continue };
        match summary.state() {
            SessionState::Aborted => {}
            SessionState::Completed => {
                if completed.is_none() && took_part(session)? {
                    completed = Some(session);
                }
            }
            // One of a newer version's states is at least not one of an end that this version knows.
            _ => return Ok(Some(session)),
        }
    }
    Ok(completed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn listed(entries: &[(u8, bool, SessionState)]) -> Vec<SessionSummary> {
        let summary = |(id, drill, state): &(u8, bool, SessionState)| SessionSummary {
            session: SessionId::from_bytes([*id; 16]).to_string(),
            drill: *drill,
            state: (*state).into(),
            ..SessionSummary::default()
        };
        entries.iter().map(summary).collect()
    }

    fn picked(entries: &[(u8, bool, SessionState)], drill: bool, took_part: &[u8]) -> Option<u8> {
        let took_part = |session: SessionId| Ok::<_, ()>(took_part.contains(&session.as_bytes()[0]));
        pick(&listed(entries), drill, took_part).unwrap().map(|session| session.as_bytes()[0])
    }

    #[test]
    fn the_newest_open_session_of_the_right_kind_is_joined() {
        use SessionState::{Aborted, Agreed, Completed, Gathering};
        let all = [(5, true, Gathering), (4, false, Aborted), (3, false, Agreed), (2, false, Gathering)];
        assert_eq!(picked(&all, false, &[]), Some(3));
        assert_eq!(picked(&all, true, &[]), Some(5));
        assert_eq!(picked(&all[..2], false, &[]), None);
        let done = [(4, false, Completed), (3, false, Completed), (2, false, Gathering)];
        assert_eq!(picked(&done, false, &[3]), Some(2));
        assert_eq!(picked(&done[..2], false, &[3]), Some(3));
        assert_eq!(picked(&done[..2], false, &[]), None);
        assert_eq!(picked(&done[..2], true, &[3]), None);
    }

    #[test]
    fn what_is_no_session_id_is_passed_over() {
        let mut listed = listed(&[(1, false, SessionState::Gathering)]);
        listed[0].session = "\u{1b}[2J".to_owned();
        assert_eq!(pick(&listed, false, |_| Ok::<_, ()>(false)).unwrap(), None);
    }
}
