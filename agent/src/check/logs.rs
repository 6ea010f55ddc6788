//! The evidence: logs that are present, with commitments of a level that a recovery can use; a participant that can be
//! asked. Each source is judged alone, because the other may be gone on the day.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::roster::{Member, Roster};
use svdr_protocol::span;
use svdr_protocol::time::{Tick, Timestamp};

use super::{Finding, explained};
use crate::config::EvidenceSection;
use crate::evidence::{self, EvidenceOrder};
use svdr_logs::{Bound, Effort};

const NAME: &str = "logs";
/// How far back to look: several ticks at any interval, and little to read.
const WINDOW: Duration = Duration::from_secs(4 * 60 * 60);
/// A participant compares commitments at every reconciliation interval, which is half an hour or less; twice that
/// without a match is not normal.
const SILENT_AFTER: Duration = Duration::from_secs(60 * 60);

/// Scans the end of the logs, as a session would.
pub(super) async fn logs(
    evidence: Option<&EvidenceSection>,
    roster: Option<&Arc<Roster>>,
    me: Option<&Member>,
    now: SystemTime,
) -> Finding {
    let Some(evidence) = evidence else {
        let text =
            "no logs are configured: add [evidence] with logs = [\"/var/log/canton/participant*.log*\"]";
        return Finding::failed(NAME, text);
    };
    if evidence.logs.is_empty() && evidence.commands.is_empty() {
        return Finding::left_out(NAME, "no logs are configured: the participant alone gives evidence");
    }
    let (Some(roster), Some(me)) = (roster, me) else {
        return Finding::failed(NAME, "skipped: fix the roster and the signing key first");
    };
    let since = evidence.since.map_or(WINDOW, |since| since.min(WINDOW));
    let order = EvidenceOrder {
        logs: evidence.logs.iter().map(PathBuf::from).collect(),
        commands: evidence.commands.clone(),
        participant: None,
        since: Some(Bound::Back(since)),
        until: None,
        logger_participant: evidence.logger_participant.clone(),
        effort: Effort::default(),
    };
    match evidence::gather(order, Arc::clone(roster), me.name.clone(), "reading the logs").await {
        Ok(document) => {
            let hint = "Check that the participant runs, and that these are its current logs";
            judged(NAME, &counted(document.sources.len()), hint, &document, roster, now)
        }
        Err(error) => Finding::failed(NAME, explained(&error)),
    }
}

/// Reads the newest comparisons of the participant, as a session would; nothing if none is configured.
pub(super) async fn participant(
    evidence: Option<&EvidenceSection>,
    roster: Option<&Roster>,
    me: Option<&Member>,
    now: SystemTime,
) -> Option<Finding> {
    const NAME: &str = "participant";
    let settings = evidence?.participant.as_ref()?;
    let (Some(roster), Some(me)) = (roster, me) else {
        return Some(Finding::failed(NAME, "skipped: fix the roster and the signing key first"));
    };
    let since = Some(Bound::Back(WINDOW));
    Some(match evidence::read_participant(settings, roster, &me.name, since, None).await {
        Ok(reading) => {
            let document = reading.into_document(roster);
            let hint = "Check that the participant is connected to its synchronizer";
            judged(NAME, &settings.url.to_string(), hint, &document, roster, now)
        }
        Err(error) => Finding::failed(NAME, explained(&error)),
    })
}

/// Whether a source has matches, and recent ones; `subject` is the source, and `hint` says what to do if they are old.
fn judged(
    name: &'static str,
    subject: &str,
    hint: &str,
    document: &EvidenceDocument,
    roster: &Roster,
    now: SystemTime,
) -> Finding {
    let seen = |ticks: &[Tick]| !ticks.is_empty();
    let matches = || document.matches.iter().filter(|one| seen(&one.ticks));
    let newest = matches().flat_map(|one| &one.ticks).max();
    let warnings: String = document.warnings.iter().map(|warning| format!("; {warning}")).collect();
    let Some(newest) = newest else {
        return Finding::failed(name, format!("no match with any member in {subject}{warnings}"));
    };
    let age = age(newest.0, now);
    let others = roster.members().len().saturating_sub(1);
    let text = format!(
        "{subject}: matches with {} of {others} other members, the newest {} ago ({newest}){warnings}",
        matches().count(),
        span::print(age.as_secs())
    );
    if age > SILENT_AFTER {
        return Finding::failed(name, format!("{text}. {hint}"));
    }
    Finding::passed(name, text)
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
