//! The participant's logs: present, and with commitments of a level that a recovery can use.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::roster::{Member, Roster};
use svdr_protocol::span;
use svdr_protocol::time::{Tick, Timestamp};

use super::{Finding, explained};
use crate::config::EvidenceSection;
use svdr_logs::{Bound, Effort, LogsRequest};

const NAME: &str = "logs";
/// How far back to look: several ticks at any interval, and little to read.
const WINDOW: Duration = Duration::from_secs(4 * 60 * 60);
/// A participant compares commitments at every reconciliation interval, which is half an hour or less; twice that
/// without a match is not normal.
const SILENT_AFTER: Duration = Duration::from_secs(60 * 60);

/// Scans the end of the logs, as a session would.
pub(super) fn logs(
    evidence: Option<&EvidenceSection>,
    roster: Option<&Roster>,
    me: Option<&Member>,
    now: SystemTime,
) -> Finding {
    let Some(evidence) = evidence else {
        let text =
            "no logs are configured: add [evidence] with logs = [\"/var/log/canton/participant*.log*\"]";
        return Finding::failed(NAME, text);
    };
    let (Some(roster), Some(me)) = (roster, me) else {
        return Finding::failed(NAME, "skipped: fix the roster and the signing key first");
    };
    let paths: Vec<PathBuf> = evidence.logs.iter().map(PathBuf::from).collect();
    let since = evidence.since.map_or(WINDOW, |since| since.min(WINDOW));
    let request = LogsRequest {
        roster,
        member: &me.name,
        since: Some(Bound::Back(since)),
        until: None,
        logger_participant: evidence.logger_participant.as_deref(),
        paths: &paths,
        effort: Effort::default(),
        on_bytes: &|_| {},
    };
    match svdr_logs::read(&request) {
        Ok(document) => found(&document, roster, now),
        Err(error) => Finding::failed(NAME, explained(&error)),
    }
}

fn found(document: &EvidenceDocument, roster: &Roster, now: SystemTime) -> Finding {
    let seen = |ticks: &[Tick]| !ticks.is_empty();
    let matches = || document.matches.iter().filter(|one| seen(&one.ticks));
    let newest = matches().flat_map(|one| &one.ticks).max();
    let warnings: String = document.warnings.iter().map(|warning| format!("; {warning}")).collect();
    let files = document.sources.len();
    let Some(newest) = newest else {
        return Finding::failed(NAME, format!("no match with any member in {}{warnings}", counted(files)));
    };
    let age = age(newest.0, now);
    let others = roster.members().len().saturating_sub(1);
    let text = format!(
        "{}: matches with {} of {others} other members, the newest {} ago ({newest}){warnings}",
        counted(files),
        matches().count(),
        span::print(age.as_secs())
    );
    if age > SILENT_AFTER {
        return Finding::failed(
            NAME,
            format!("{text}. Check that the participant runs, and that these are its current logs"),
        );
    }
    Finding::passed(NAME, text)
}

fn counted(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

/// How long before `now` a tick was; zero if it is later.
fn age(tick: Timestamp, now: SystemTime) -> Duration {
    // No network has ticks from before 1970, so this is only for a hostile log.
    let since_epoch = Duration::from_micros(tick.micros().max(0).unsigned_abs());
    now.duration_since(SystemTime::UNIX_EPOCH + since_epoch).unwrap_or(Duration::ZERO)
}
