//! Makes the document of what was counted.

use std::collections::BTreeMap;

use svdr_protocol::evidence::document::{EvidenceDocument, OutsideRoster};
use svdr_protocol::evidence::{Evidence, LogSpan, MAX_TICKS, Observations};
use svdr_protocol::text::shown_in_line;
use svdr_protocol::time::Timestamp;

use crate::canton::LineTime;
use crate::input::SourcePath;
use crate::request::{Bound, LogsError, LogsRequest};
use crate::source::LogRead;
use crate::tally::{Seen, Tally};
use crate::warnings::{self, Readings};
use crate::zone::{self, Zone};

/// Makes the document of what was counted.
///
/// # Errors
/// If there are more ticks than evidence may contain, or the window ends before its start.
pub(crate) fn document(
    request: &LogsRequest<'_>,
    tally: &Tally,
    logs: &[LogRead],
    paths: &[SourcePath],
    unattributed: u64,
    checks_overflow: bool,
) -> Result<EvidenceDocument, LogsError> {
    let bound = |bound: Option<Bound>, open: Timestamp| match bound {
        None => open,
        Some(Bound::At(at)) => at,
        Some(Bound::Back(span)) => {
            let newest = tally.newest.map_or(open, |newest| newest.0);
            newest.checked_sub(span).unwrap_or(Timestamp::MIN)
        }
    };
    participants(request, tally)?;
    let (from, to) = (bound(request.since, Timestamp::MIN), bound(request.until, Timestamp::MAX));
    if to < from {
        return Err(LogsError::BackwardWindow { since: from, until: to });
    }
    let evidence = evidence(request, tally, logs, (from, to), unattributed)?;
    let (matches, participants) = tally.outside_between(from, to);
    let mut document = EvidenceDocument::new(&evidence, request.roster);
    document.sources = logs.iter().map(|log| log.source.clone()).collect();
    for source in &mut document.sources {
        source.path = shown_in_line(&source.path);
    }
    document.outside_roster = OutsideRoster { matches, participants };
    document.warnings = warnings::all(&Readings {
        roster: request.roster,
        member: request.member,
        tally,
        logs,
        paths,
        evidence: &evidence,
        window: (from, to),
        checks_overflow,
    });
    Ok(document)
}

/// Checks that the lines that were counted can only be those of the member's participant.
fn participants(request: &LogsRequest<'_>, tally: &Tally) -> Result<(), LogsError> {
    let names: Vec<String> = tally.participants.iter().map(|name| shown_in_line(name)).collect();
    let member = request.member.clone();
    if let Some(chosen) = request.logger_participant
        && !tally.participants.iter().any(|name| name == chosen)
    {
        // Where nothing is about commitments, nothing is of another participant.
        return match names.is_empty() && tally.not_of_chosen == 0 {
            true => Ok(()),
            false => Err(LogsError::NoSuchParticipant { chosen: chosen.to_owned(), participants: names }),
        };
    }
    if tally.own_lines > 0 {
        let receivers: Vec<String> = tally.receivers.iter().map(|name| shown_in_line(name)).collect();
        let others = names.into_iter().filter(|name| !receivers.contains(name)).collect();
        let own = request.roster.member(request.member);
        let participant = own.map_or_else(String::new, |own| own.participant.in_logs());
        return Err(LogsError::OwnCommitments {
            member,
            participant,
            receivers,
            others,
            lines: tally.own_lines,
        });
    }
    if request.logger_participant.is_none() && names.len() > 1 {
        return Err(LogsError::SeveralParticipants { member, participants: names });
    }
    Ok(())
}

fn evidence(
    request: &LogsRequest<'_>,
    tally: &Tally,
    logs: &[LogRead],
    (from, to): (Timestamp, Timestamp),
    unattributed_mismatches: u64,
) -> Result<Evidence, LogsError> {
    let members = request.roster.members();
    let own = members.iter().find(|member| member.name == *request.member);
    let Some(own) = own else { return Err(LogsError::not_a_member(request.member, request.roster)) };
    let count = |seen: &Seen| seen.matches.count_between(from, to) + seen.mismatches.count_between(from, to);
    // Counted before anything is laid out tick by tick.
    if tally.members_full || tally.members.iter().map(count).sum::<u64>() > MAX_TICKS as u64 {
        return Err(LogsError::TooManyTicks);
    }
    let observations = |seen: &Seen| Observations {
        matches: seen.matches.between(from, to).collect(),
        mismatches: seen.mismatches.between(from, to).collect(),
    };
    let about: BTreeMap<_, _> = members
        .iter()
        .zip(&tally.members)
        .map(|(member, seen)| (member.name.clone(), observations(seen)))
        .filter(|(_, observations)| !observations.is_empty())
        .collect();
    let named = tally.synchronizer_seen.then(|| request.roster.synchronizer().short());
    Ok(Evidence {
        member: own.name.clone(),
        participant: own.participant.clone(),
        synchronizers: named.into_iter().collect(),
        log_span: log_span(logs),
        about,
        unattributed_mismatches,
    })
}

/// Returns the oldest and the newest time of a line. Local times count if their zone can be estimated.
fn log_span(logs: &[LogRead]) -> Option<LogSpan> {
    let anywhere = zone::estimate(logs.iter().filter_map(|log| log.least_lag).min());
    let times = logs.iter().flat_map(|log| {
        let winter = zone::estimate(log.least_lag).or(anywhere);
        // A line's own zone is that of summer time, or it was written late.
        let zone = move |own: Option<Zone>| match (own, winter) {
            (Some(own), Some(winter)) if own.is_summer_of(winter) => Some(own),
            (_, winter) => winter,
        };
        let utc = move |at: LineTime, own: Option<Zone>| match at {
            LineTime::Utc(at) => Some(at),
            LineTime::Local(at) => zone(own).and_then(|zone| zone.utc(at)),
        };
        let of_processor = log.utc.into_iter().flat_map(|(oldest, newest)| [Some(oldest), Some(newest)]);
        let local = log.local.iter().flat_map(move |lines| {
            [lines.oldest, lines.newest].map(|at| utc(LineTime::Local(at), Some(lines.zone)))
        });
        let first = log.first.map(|at| utc(at, log.first_zone));
        let last = log.last.map(|at| utc(at, log.last_zone));
        of_processor.chain(local).chain(first).chain(last).flatten().collect::<Vec<_>>()
    });
    times.fold(None, |span: Option<LogSpan>, at| {
        let LogSpan { first, last } = span.unwrap_or(LogSpan { first: at, last: at });
        Some(LogSpan { first: first.min(at), last: last.max(at) })
    })
}
