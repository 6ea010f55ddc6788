//! Turns what was counted into the document, with what an operator has to know of it.

use std::collections::BTreeMap;

use svdr_protocol::evidence::document::{EvidenceDocument, OutsideRoster};
use svdr_protocol::evidence::{Evidence, LogSpan, MAX_TICKS, Observations};
use svdr_protocol::span;
use svdr_protocol::text::shown_in_line;
use svdr_protocol::time::{Tick, Timestamp};

use super::canton::LineTime;
use super::input::SourcePath;
use super::limits::{
    MAX_LINE_BYTES, MAX_OUTSIDE_PARTICIPANTS, MAX_PENDING_MISMATCHES, MAX_WARNINGS_OF_A_KIND,
};
use super::sample::Sample;
use super::tally::{Seen, Tally};
use super::zone::{self, Zone};
use super::{Bound, Read, ScanError, ScanRequest};

/// Lines from which on a log without commitments is suspicious.
const MANY_LINES: u64 = 1000;
/// The reconciliation interval of a Splice network, in seconds, where the ticks do not tell.
const DEFAULT_INTERVAL_SECONDS: i64 = 30 * 60;
/// How much later than its tick a comparison is ordinarily written, in seconds.
const ORDINARY_DELAY_SECONDS: i64 = 15 * 60;
/// How many times longer than those around it a distance between ticks is for a gap.
const GAP_FACTOR: i64 = 3;
/// Distances on each side that it is compared with.
const GAP_NEIGHBOURS: usize = 5;

/// The document of what was counted.
///
/// # Errors
/// Where there are more ticks than evidence may carry, or the window turns out to end before it starts.
pub(super) fn document(
    request: &ScanRequest<'_>,
    tally: &Tally,
    read: &[Read],
    paths: &[SourcePath],
    unattributed: u64,
    checks_overflow: bool,
) -> Result<EvidenceDocument, ScanError> {
    let bound = |bound: Option<Bound>, open: Timestamp| match bound {
        None => open,
        Some(Bound::At(at)) => at,
        Some(Bound::Back(span)) => {
            let newest = tally.newest.map_or(open, |newest| newest.0);
            newest.checked_sub(span).unwrap_or(Timestamp::MIN)
        }
    };
    let (from, to) = (bound(request.since, Timestamp::MIN), bound(request.until, Timestamp::MAX));
    if to < from {
        return Err(ScanError::BackwardWindow { since: from, until: to });
    }
    let evidence = evidence(request, tally, read, (from, to), unattributed)?;
    let (matches, participants) = tally.outside_between(from, to);
    let mut document = EvidenceDocument::new(&evidence, request.roster);
    document.sources = read.iter().map(|read| read.source.clone()).collect();
    for source in &mut document.sources {
        source.path = shown_in_line(&source.path);
    }
    document.outside_roster = OutsideRoster { matches, participants };
    let mut warnings = Warnings(Vec::new());
    warnings.about_sources(read);
    warnings.about_lines(request, tally, read, paths);
    warnings.about_mismatches(unattributed, checks_overflow);
    warnings.about_members(request, &evidence);
    warnings.about_ticks(tally, (from, to), evidence.log_span);
    document.warnings = warnings.0;
    Ok(document)
}

fn evidence(
    request: &ScanRequest<'_>,
    tally: &Tally,
    read: &[Read],
    (from, to): (Timestamp, Timestamp),
    unattributed_mismatches: u64,
) -> Result<Evidence, ScanError> {
    let members = request.roster.members();
    let own = members.iter().find(|member| member.name == *request.member);
    let Some(own) = own else { return Err(ScanError::not_a_member(request.member, request.roster)) };
    let count = |seen: &Seen| seen.matches.count_between(from, to) + seen.mismatches.count_between(from, to);
    // Counted before anything is laid out tick by tick.
    if tally.members_full || tally.members.iter().map(count).sum::<u64>() > MAX_TICKS as u64 {
        return Err(ScanError::TooManyTicks);
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
        log_span: log_span(read),
        about,
        unattributed_mismatches,
    })
}

/// The oldest and the newest time of a line. Local times count where their zone can be estimated.
fn log_span(read: &[Read]) -> Option<LogSpan> {
    let anywhere = zone::estimate(read.iter().filter_map(|read| read.least_lag).min());
    let times = read.iter().flat_map(|read| {
        let zone = zone::estimate(read.least_lag).or(anywhere);
        let utc = |at: LineTime| match at {
            LineTime::Utc(at) => Some(at),
            LineTime::Local(at) => zone.and_then(|zone: Zone| zone.utc(at)),
        };
        let of_processor = [
            read.utc.map(|(oldest, newest)| [oldest, newest].map(LineTime::Utc)),
            read.local.map(|(oldest, newest)| [oldest, newest].map(LineTime::Local)),
        ];
        let of_processor = of_processor.into_iter().flatten().flatten();
        of_processor.chain(read.first).chain(read.last).filter_map(utc).collect::<Vec<_>>()
    });
    times.fold(None, |span: Option<LogSpan>, at| {
        let LogSpan { first, last } = span.unwrap_or(LogSpan { first: at, last: at });
        Some(LogSpan { first: first.min(at), last: last.max(at) })
    })
}

/// Sentences for the operator, in an order that is always the same.
struct Warnings(Vec<String>);

impl Warnings {
    /// Adds a warning. What logs and paths put into it must not drive a terminal.
    fn say(&mut self, warning: &str) {
        self.0.push(shown_in_line(warning));
    }

    fn about_sources(&mut self, read: &[Read]) {
        for read in read {
            let path = &read.source.path;
            if let Some(damage) = &read.damage {
                self.say(&format!("{path} is damaged {damage}. What was readable has been counted"));
            }
            if read.overlong > 0 {
                self.say(&format!(
                    "{path} holds {} longer than {MAX_LINE_BYTES} bytes, not counted. Look there by hand: a mismatch \
                     may be among them",
                    counted(read.overlong, "line about commitments", "lines about commitments")
                ));
            }
            let others = read.source.unreadable_lines.saturating_sub(read.overlong);
            if others > 0 {
                self.say(&format!(
                    "{path} holds {} torn or in no known form, not counted. Where a whole copy of the log exists, \
                     scan that too",
                    counted(others, "line about commitments", "lines about commitments")
                ));
            }
        }
    }

    fn about_lines(&mut self, request: &ScanRequest<'_>, tally: &Tally, read: &[Read], paths: &[SourcePath]) {
        let lines: u64 = read.iter().map(|read| read.source.lines).sum();
        let commitment_lines: u64 = read.iter().map(|read| read.source.commitment_lines).sum();
        if commitment_lines == 0 {
            let unreadable = read.iter().map(|read| read.source.unreadable_lines).sum();
            self.about_missing_lines(lines, unreadable, paths);
        }
        if tally.other_synchronizer_lines > 0 {
            let names: Vec<&str> = tally.other_synchronizers.keys().map(String::as_str).collect();
            self.say(&format!(
                "{} about other synchronizers ({}) and not counted; the roster is about {}",
                counted(tally.other_synchronizer_lines, "commitment line is", "commitment lines are"),
                names.join(", "),
                request.roster.synchronizer().short()
            ));
        }
        let without_logger: u64 = read.iter().map(|read| read.without_logger).sum();
        if without_logger > 0 {
            self.say(&format!(
                "{} no logger, so that neither author nor synchronizer could be checked; counted \
                 nonetheless. Export the logs with logger_name to have that checked",
                counted(without_logger, "commitment line names", "commitment lines name")
            ));
        }
        let unnamed = tally.without_synchronizer.saturating_sub(without_logger);
        if unnamed > 0 {
            self.say(&format!(
                "{} no synchronizer; counted nonetheless. Make sure that this participant is connected to {} alone",
                counted(unnamed, "commitment line names", "commitment lines name"),
                request.roster.synchronizer().short()
            ));
        }
        if tally.own_lines > 0 {
            self.say(&format!(
                "{}'s own participant is named as the sender in {}, which its own logs never do: these may be the \
                 logs of another participant. Check --member",
                request.member,
                counted(tally.own_lines, "line", "lines")
            ));
        }
        if tally.outside_overflow > 0 {
            self.say(&format!(
                "the logs name more than {MAX_OUTSIDE_PARTICIPANTS} participants outside of the roster, or too many ticks \
                 of them; their numbers are estimates. Nothing about the roster's members is affected"
            ));
        }
    }

    /// There are no commitments at all: says why that may be.
    fn about_missing_lines(&mut self, lines: u64, unreadable: u64, paths: &[SourcePath]) {
        if lines == 0 {
            return self.say("the logs are empty. Check the paths, and that the participant logs there");
        }
        if unreadable > 0 {
            // Advice about levels would send the operator the wrong way.
            return self.say(&format!(
                "of {lines} lines, {unreadable} speak about commitments, but none in a form that is read here: a tool may \
                 have put something in front of each line, or cut it. Scan the log as Canton, kubelet or docker wrote \
                 it; `kubectl logs` needs neither --prefix nor colours"
            ));
        }
        let sample = Sample::of(paths);
        let none = format!("there is no line about commitments among {lines} read");
        if sample.processor > 0 {
            self.say(&format!(
                "{none}, though AcsCommitmentProcessor does log: the level is likely too coarse. Canton 2 writes \
                 them at DEBUG, Canton 3 at INFO; set that level for \
                 com.digitalasset.canton.participant.pruning.AcsCommitmentProcessor"
            ));
        } else if sample.lines > 0 && sample.verbose == 0 {
            self.say(&format!(
                "{none}, and none at INFO or DEBUG at all: the level is too coarse. Set INFO (DEBUG before Canton 3) for \
                 com.digitalasset.canton.participant.pruning.AcsCommitmentProcessor"
            ));
        } else if sample.lines > 0 {
            self.say(&format!(
                "{none}, and none of AcsCommitmentProcessor: this is likely the wrong component, or its level is too \
                 coarse. Scan the participant's logs; these were mostly written by {}",
                sample.busiest().join(", ")
            ));
        } else if lines >= MANY_LINES {
            self.say(&format!(
                "{none}, and none in a form that Canton writes. Scan the participant's own logs, at level INFO (DEBUG \
                 before Canton 3)"
            ));
        } else {
            self.say(&format!("{none}. Scan the participant's logs, at level INFO (DEBUG before Canton 3)"));
        }
    }

    fn about_mismatches(&mut self, unattributed: u64, checks_overflow: bool) {
        if unattributed > 0 {
            self.say(&format!(
                "{} unattributed: the log gives no context, and the trace checked no commitment, or several. Scan the \
                 text logs of the same time, or find out by hand with whom it is before you rely on this evidence",
                counted(unattributed, "mismatch is", "mismatches are")
            ));
        }
        if unattributed >= MAX_PENDING_MISMATCHES as u64 {
            self.say("there are so many mismatches without a context that copies of one may have been counted twice");
        }
        if checks_overflow {
            self.say(
                "standard input held too many checks to remember them all, so that more mismatches than need be are \
                 unattributed. Scan the files themselves",
            );
        }
    }

    fn about_members(&mut self, request: &ScanRequest<'_>, evidence: &Evidence) {
        if evidence.about.is_empty() && evidence.log_span.is_none() {
            return;
        }
        let members = request.roster.members().iter().map(|member| &member.name);
        let unseen: Vec<String> = members
            .filter(|name| *name != request.member && evidence.about(name).is_none())
            .map(ToString::to_string)
            .collect();
        if !unseen.is_empty() {
            self.say(&format!(
                "these members were never seen: {}. They may be down, not connected, or named differently in the roster",
                listed(&unseen)
            ));
        }
    }

    fn about_ticks(&mut self, tally: &Tally, (from, to): (Timestamp, Timestamp), log_span: Option<LogSpan>) {
        let ticks: Vec<Tick> = tally.all_ticks(from, to).into_iter().collect();
        let distances: Vec<i64> = ticks
            .iter()
            .zip(ticks.iter().skip(1))
            .map(|(earlier, later)| later.0.seconds_since(earlier.0))
            .collect();
        let gaps: Vec<String> = distances
            .iter()
            .enumerate()
            .filter(|(at, distance)| is_gap(&distances, *at, **distance))
            .filter_map(|(at, _)| Some(format!("{} to {}", ticks.get(at)?.0, ticks.get(at + 1)?.0)))
            .collect();
        if !gaps.is_empty() {
            self.say(&format!(
                "there are gaps in the ticks: {}. Logs may be missing, or the participant was down or catching up",
                listed(&gaps)
            ));
        }
        let interval = median(distances.clone()).unwrap_or(DEFAULT_INTERVAL_SECONDS);
        if let (Some(newest), Some(span)) = (ticks.last(), log_span) {
            let silence = span.last.seconds_since(newest.0);
            if to == Timestamp::MAX && silence > 2 * interval + ORDINARY_DELAY_SECONDS {
                self.say(&format!(
                    "the newest tick, {}, is {} older than the newest line, {}: since then nobody's commitments were \
                     compared, or newer logs are at another level",
                    newest.0,
                    span::print(silence.unsigned_abs()),
                    span.last
                ));
            }
        }
    }
}

/// `number` with the words for one, or for any other number.
fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Whether the distance at `at` is much longer than those around it. The interval may change on the way.
fn is_gap(distances: &[i64], at: usize, distance: i64) -> bool {
    let before = distances.get(at.saturating_sub(GAP_NEIGHBOURS)..at).unwrap_or_default();
    let after = distances.get(at + 1..).unwrap_or_default();
    let around = before.iter().chain(after.iter().take(GAP_NEIGHBOURS)).copied().collect();
    median(around).is_some_and(|usual| distance >= GAP_FACTOR * usual.max(1))
}

/// The upper median.
fn median(mut numbers: Vec<i64>) -> Option<i64> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

/// The first few of `items`, and how many more there are.
fn listed(items: &[String]) -> String {
    let first = items.iter().take(MAX_WARNINGS_OF_A_KIND).cloned().collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(MAX_WARNINGS_OF_A_KIND) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
