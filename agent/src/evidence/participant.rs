//! What the participant's admin API knows about commitments, read in windows; see [`svdr_protocol::evidence::lookup`] for
//! what counts.
//!
//! The participant must be the member's own: its id is compared before anything is asked. If it restarts while it is read,
//! the call that failed is made again for [`RETRY_FOR`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use svdr_canton::{
    Answer, CallError, ConnectError, Connection, NodeSettings, NodeState, NodeUrl, Participant, Reason,
    Window,
};
use svdr_client::retry::Backoff;
use svdr_logs::{Bound, LogsError};
use svdr_protocol::evidence::document::{EvidenceDocument, Source};
use svdr_protocol::evidence::lookup::{Comparison, Direction, Found, Lookup};
use svdr_protocol::evidence::{Evidence, EvidenceError};
use svdr_protocol::failure::{CommandError, Exit, in_one_line};
use svdr_protocol::names::{MemberName, ParticipantId};
use svdr_protocol::roster::Roster;
use svdr_protocol::text::{excerpt, shown_in_line};
use svdr_protocol::time::{Tick, Timestamp};

use super::named;
use super::windows::Windows;
use crate::run::jobs::now;

/// How long a participant that restarts is waited for, from its first failure on: a pod is back within a minute.
const RETRY_FOR: Duration = Duration::from_secs(90);
/// What the participant does not have of the wanted history without a warning: a few ticks of half an hour, by which the
/// bounds of a window and the ticks may differ.
const GAP: Duration = Duration::from_secs(2 * 60 * 60);
/// Characters of another participant's id that an error quotes: the longest that there is.
const MAX_ID: usize = 260;

/// Why a participant gave no evidence.
#[derive(Debug, thiserror::Error)]
pub enum ParticipantError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What it answers is no evidence.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The member is not in the roster.
    #[error(transparent)]
    Member(#[from] LogsError),
    /// The node is another member's.
    #[error(
        "the participant at {url} is {found}, but the roster says that {member} has {expected}\n\
         help: give the URL of {member}'s own participant"
    )]
    OtherParticipant {
        /// Where.
        url: NodeUrl,
        /// Whose evidence is wanted.
        member: MemberName,
        /// That member's participant.
        expected: Box<ParticipantId>,
        /// What the node says it is.
        found: String,
    },
    /// The node has no identity.
    #[error("the participant at {url} is not initialized\nhelp: check that the URL is the old participant's")]
    NotInitialized {
        /// Where.
        url: NodeUrl,
    },
}

impl CommandError for ParticipantError {
    fn exit(&self) -> Exit {
        match self {
            ParticipantError::Connect(error) => error.exit(),
            ParticipantError::Call(error) => error.exit(),
            ParticipantError::Evidence(error) => error.exit(),
            ParticipantError::Member(error) => error.exit(),
            ParticipantError::OtherParticipant { .. } => Exit::Refused,
            ParticipantError::NotInitialized { .. } => Exit::Failed,
        }
    }
}

/// What a participant gave.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The evidence in it.
    pub(super) evidence: Evidence,
    /// How much it gave.
    pub(super) source: Source,
    /// What the operator should know.
    pub(super) warnings: Vec<String>,
}

impl Reading {
    /// The reading as the only source of evidence.
    pub(crate) fn into_document(self, roster: &Roster) -> EvidenceDocument {
        let Reading { evidence, source, warnings } = self;
        EvidenceDocument { sources: vec![source], warnings, ..EvidenceDocument::new(&evidence, roster) }
    }
}

/// Reads the commitments of a member's participant.
///
/// # Errors
/// [`ParticipantError`] if the participant cannot be asked, or is another one.
pub(crate) async fn read(
    settings: &NodeSettings,
    roster: &Roster,
    member: &MemberName,
    since: Option<Bound>,
    until: Option<Bound>,
) -> Result<Reading, ParticipantError> {
    let Some(mut lookup) = Lookup::new(roster, member) else {
        return Err(LogsError::not_a_member(member, roster).into());
    };
    let counterparties: Vec<ParticipantId> = lookup.counterparties().cloned().collect();
    let participant = Participant::new(Connection::open(settings).await?);
    check_identity(&participant, roster, member).await?;
    let mut windows = Windows::new(since, until, now());
    let mut source = Source { path: settings.url.to_string(), ..Source::default() };
    let mut without_store = None;
    while let Some(window) = windows.next(lookup.newest()) {
        match ask(&participant, roster, &counterparties, window).await {
            Ok(answers) => {
                for (direction, answer) in answers {
                    source.bytes += answer.bytes;
                    for row in &answer.rows {
                        source.lines += 1;
                        source.commitment_lines += u64::from(row.comparison != Comparison::NotCompared);
                        lookup.add(direction, row)?;
                    }
                }
                windows.answered(window, lookup.newest());
            }
            Err(CallError::TooLong { .. }) if windows.too_long(window) => {}
            // It is up, and has nothing to compare: unknown, which is not an error.
            Err(error) if error.reason() == Some(Reason::NoComputations) => {
                without_store = Some(error);
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let newest = lookup.newest();
    let oldest = Tick(windows.oldest(newest));
    let newest_wanted = match (until, newest) {
        (Some(Bound::Back(span)), Some(newest)) => newest.0.checked_sub(span).unwrap_or(Timestamp::MIN),
        (Some(Bound::At(at)), _) => at,
        _ => Timestamp::MAX,
    };
    let found = lookup.finish(oldest, Tick(newest_wanted));
    let warnings = warnings(&settings.url, &found, oldest, without_store.as_ref());
    Ok(Reading { evidence: found.evidence, source, warnings })
}

/// Compares the node's id with the roster's.
async fn check_identity(
    participant: &Participant,
    roster: &Roster,
    member: &MemberName,
) -> Result<(), ParticipantError> {
    let url = || participant.url().clone();
    let Some(listed) = roster.member(member) else {
        return Err(LogsError::not_a_member(member, roster).into());
    };
    match participant.state().await? {
        NodeState::Waiting { .. } => Err(ParticipantError::NotInitialized { url: url() }),
        NodeState::Initialized(state) if state.id != listed.participant.to_string() => {
            Err(ParticipantError::OtherParticipant {
                url: url(),
                member: member.clone(),
                expected: Box::new(listed.participant.clone()),
                found: shown_in_line(&excerpt(&state.id, MAX_ID)),
            })
        }
        NodeState::Initialized(_) => Ok(()),
    }
}

/// Asks for both directions of a window.
async fn ask(
    participant: &Participant,
    roster: &Roster,
    counterparties: &[ParticipantId],
    window: Window,
) -> Result<[(Direction, Answer); 2], CallError> {
    let synchronizer = roster.synchronizer();
    let received =
        async || Ok(participant.received_commitments(synchronizer, counterparties, window).await?);
    let sent = async || Ok(participant.sent_commitments(synchronizer, counterparties, window).await?);
    // One after the other: the node reads its database for each.
    Ok([(Direction::Received, retrying(received).await?), (Direction::Sent, retrying(sent).await?)])
}

/// Makes a call again while the participant restarts.
async fn retrying<T, F: Future<Output = Result<T, CallError>>>(
    mut call: impl FnMut() -> F,
) -> Result<T, CallError> {
    let mut backoff = Backoff::new();
    let mut first_failure = None;
    loop {
        match call().await {
            Err(error) if error.is_transient() => {
                let since = *first_failure.get_or_insert_with(Instant::now);
                if since.elapsed() > RETRY_FOR {
                    return Err(error);
                }
                tracing::debug!("the participant is asked again: {}", in_one_line(&error));
                tokio::time::sleep(backoff.failed()).await;
            }
            other => return other,
        }
    }
}

/// What the operator should know about a reading.
fn warnings(url: &NodeUrl, found: &Found, wanted: Tick, without_store: Option<&CallError>) -> Vec<String> {
    let mut warnings = Vec::new();
    let about = found.evidence.about.values();
    let oldest = about.flat_map(|about| about.matches.iter().chain(about.mismatches.iter())).min();
    match (oldest, without_store) {
        (_, Some(error)) => warnings.push(in_one_line(error)),
        (None, None) => warnings.push(format!(
            "the participant {url} knows of no comparison with any member since {wanted}: they are pruned, or were never \
             made. Whether there were mismatches is unknown"
        )),
        (Some(oldest), None) if oldest.0.checked_sub(GAP).is_some_and(|at| at > wanted.0) => warnings.push(format!(
            "the participant {url} knows of no comparison before {oldest}. Whether there were mismatches before that is \
             unknown"
        )),
        (Some(_), None) => {}
    }
    let mut by_member: BTreeMap<&MemberName, Vec<Tick>> = BTreeMap::new();
    for (member, tick) in &found.contradictory {
        by_member.entry(member).or_default().push(*tick);
    }
    for (member, ticks) in by_member {
        warnings.push(format!(
            "{member} at {}: the participant {url} reports both a match and a mismatch. The mismatch counts",
            named(&ticks)
        ));
    }
    warnings
}
