//! What an operator has to know about evidence: sentences in an order that is always the same.
//!
//! Each warning says what was found, what that means for the evidence, and what to do. They are part of the document and
//! of the signed evidence's screens.

use svdr_protocol::evidence::{Evidence, LogSpan};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::span;
use svdr_protocol::text::shown_in_line;
use svdr_protocol::time::{Tick, Timestamp};

use crate::input::SourcePath;
use crate::limits::{
    MAX_LINE_BYTES, MAX_OUTSIDE_PARTICIPANTS, MAX_PENDING_MISMATCHES, MAX_WARNINGS_OF_A_KIND,
};
use crate::sample::Sample;
use crate::source::LogRead;
use crate::tally::Tally;

/// Lines from which on a log without commitments is suspicious.
const MANY_LINES: u64 = 1000;
/// The reconciliation interval of a Splice network, in seconds, if the ticks do not show it.
const DEFAULT_INTERVAL_SECONDS: i64 = 30 * 60;
/// How much later than its tick a comparison is usually written, in seconds.
const ORDINARY_DELAY_SECONDS: i64 = 15 * 60;
/// How many times longer than those around it a distance between ticks is for a gap.
const GAP_FACTOR: i64 = 3;
/// Distances on each side that it is compared with.
const GAP_NEIGHBOURS: usize = 5;
/// What to do about a log that is not read.
const WHAT_TO_READ: &str = "If it is an export of one, export it as JSON, one object a line, or as the lines that Canton \
                            wrote. If it is another file, leave it out";
/// The logger whose level decides whether commitments are logged.
const LOGGER: &str = "com.digitalasset.canton.participant.pruning.AcsCommitmentProcessor";

/// What was read, for whom.
pub(crate) struct Readings<'a> {
    pub(crate) roster: &'a Roster,
    pub(crate) member: &'a MemberName,
    pub(crate) tally: &'a Tally,
    pub(crate) logs: &'a [LogRead],
    pub(crate) paths: &'a [SourcePath],
    pub(crate) evidence: &'a Evidence,
    /// The oldest and the newest tick that count.
    pub(crate) window: (Timestamp, Timestamp),
    /// Whether some checks could not be remembered.
    pub(crate) checks_overflow: bool,
}

/// Returns every warning about `readings`.
pub(crate) fn all(readings: &Readings<'_>) -> Vec<String> {
    let mut warnings = Warnings(Vec::new());
    let are_empty = readings.logs.iter().all(|log| log.source.lines == 0);
    readings.logs.iter().for_each(|log| warnings.about_log(log, are_empty));
    warnings.about_lines(readings);
    warnings.about_mismatches(readings);
    warnings.about_members(readings);
    warnings.about_ticks(readings.tally, readings.window, readings.evidence.log_span);
    warnings.0
}

struct Warnings(Vec<String>);

impl Warnings {
    /// Adds a warning. What logs and paths put into it must not control a terminal.
    fn say(&mut self, warning: &str) {
        self.0.push(shown_in_line(warning));
    }

    /// Says what is wrong with one log. If all are empty, that is said once, of all.
    fn about_log(&mut self, log: &LogRead, are_empty: bool) {
        let path = &log.source.path;
        if let Some(fault) = &log.fault {
            let counted = match log.source.lines {
                0 => "Nothing of it is counted",
                _ => "Only what precedes this byte is counted",
            };
            self.say(&format!("{path}, byte {}: {}. {counted}. {}", fault.offset, fault.reason, fault.help));
        }
        if log.overlong > 0 {
            self.say(&format!(
                "{path} contains {} longer than {MAX_LINE_BYTES} bytes. They are not counted, and one of them may be a \
                 mismatch. Read them by hand",
                counted(log.overlong, "line about commitments", "lines about commitments")
            ));
        }
        if log.has_utf16 {
            self.say(&format!(
                "{path} contains text in UTF-16 after text in another encoding, and that part is not counted. Split the \
                 file, convert that part with `iconv -f UTF-16 -t UTF-8`, and read both"
            ));
        }
        if !(log.is_recognised || log.fault.is_some() || log.has_utf16 || are_empty) {
            self.about_foreign_log(log);
        }
        if log.is_recognised && log.without_time > 0 && log.utc.is_none() && log.local.is_empty() {
            self.say(&format!(
                "{path} contains no time in a form that is known, so its lines are not in the span of the log. Their \
                 ticks are counted. Export the times in RFC 3339, if the tool can"
            ));
        }
        let others = log.source.unreadable_lines.saturating_sub(log.overlong);
        if others > 0 {
            self.say(&format!(
                "{path} contains {} truncated or of no known form. They are not counted, and one of them may be a \
                 mismatch. If there is a complete copy of the log, read that too",
                counted(
                    others,
                    "line about commitments that is",
                    "lines about commitments that are"
                )
            ));
        }
    }

    /// Names a log in which no line is a participant's.
    fn about_foreign_log(&mut self, log: &LogRead) {
        let path = &log.source.path;
        self.say(&match log.source.lines {
            0 => format!("{path} is empty"),
            1 => format!("{path} contains 1 line, and it is not of a participant's log. {WHAT_TO_READ}"),
            lines => format!(
                "{path} contains {lines} lines, and none that was recognised is of a participant's log. {WHAT_TO_READ}"
            ),
        });
    }

    fn about_lines(&mut self, Readings { roster, tally, logs, paths, .. }: &Readings<'_>) {
        let sum = |of: fn(&LogRead) -> u64| logs.iter().map(of).sum::<u64>();
        let synchronizer = roster.synchronizer().short();
        if sum(|log| log.source.commitment_lines) == 0 && tally.first_of_matcher.is_none() {
            let unreadable = sum(|log| log.source.unreadable_lines);
            self.about_missing_lines(sum(|log| log.source.lines), unreadable, paths);
        }
        if tally.other_synchronizer_lines > 0 {
            let names: Vec<&str> = tally.other_synchronizers.keys().map(String::as_str).collect();
            self.say(&format!(
                "{} about other synchronizers ({}) and not counted. The roster is about {synchronizer}",
                counted(tally.other_synchronizer_lines, "commitment line is", "commitment lines are"),
                names.join(", "),
            ));
        }
        let without_logger = sum(|log| log.without_logger);
        if without_logger > 0 {
            self.say(&format!(
                "{} no logger, so neither author nor synchronizer was checked. They are counted. Export the logs with \
                 logger_name to have both checked",
                counted(without_logger, "commitment line names", "commitment lines name")
            ));
        }
        let without_synchronizer = tally.without_synchronizer.saturating_sub(without_logger);
        if without_synchronizer > 0 {
            self.say(&format!(
                "{} no synchronizer. They are counted. Make sure that this participant is connected only to \
                 {synchronizer}",
                counted(without_synchronizer, "commitment line names", "commitment lines name"),
            ));
        }
        if tally.not_of_chosen > 0 {
            self.say(&format!(
                "{} no participant, although one was chosen. Their matches are not counted, their mismatches are",
                counted(tally.not_of_chosen, "commitment line names", "commitment lines name")
            ));
        }
        if tally.alarms > 0 {
            self.say(&format!(
                "{} ACS_COMMITMENT_ALARM: a commitment was neither equal nor different, because its signature is wrong or \
                 its sender sent two. They are not counted. Look at these lines before you rely on this evidence",
                counted(tally.alarms, "line reports", "lines report")
            ));
        }
        if let Some(first) = tally.first_of_matcher {
            self.say(&format!(
                "from {first} on, ReceivedAcsCommitmentMatcher of Canton 3.6 compares the commitments. Its logs state \
                 mismatches, and no matches: what is missing here since then says nothing. The participant itself keeps \
                 the received commitments: its admin API has them (LookupReceivedAcsCommitments)"
            ));
        }
        if tally.outside_overflow > 0 {
            self.say(&format!(
                "the logs name more than {MAX_OUTSIDE_PARTICIPANTS} participants outside the roster, or too many of \
                 their ticks. The numbers about them are estimates. The roster's members are not affected"
            ));
        }
    }

    /// Says why there may be no commitments at all.
    fn about_missing_lines(&mut self, lines: u64, unreadable: u64, paths: &[SourcePath]) {
        if lines == 0 {
            return self.say("the logs are empty. Check the paths, and that the participant logs there");
        }
        if unreadable > 0 {
            // Advice about levels would mislead the operator.
            return self.say(&format!(
                "{unreadable} of {lines} lines are about commitments, but none has a known form. A tool may have cut \
                 the lines, or written them in a form that is not read. Read the log as Canton, kubelet or docker wrote it"
            ));
        }
        let sample = Sample::of(paths);
        let none = format!("none of {lines} lines is about commitments");
        let set_level = format!("Set {LOGGER} to INFO (DEBUG before Canton 3)");
        if sample.matcher > 0 {
            self.say(&format!(
                "{none}, and ReceivedAcsCommitmentMatcher of Canton 3.6 compares them, whose logs state no matches. The \
                 participant itself keeps the received commitments: its admin API has them \
                 (LookupReceivedAcsCommitments)"
            ));
        } else if sample.processor > 0 {
            self.say(&format!(
                "{none}, although AcsCommitmentProcessor does log: its level is likely too coarse. {set_level}"
            ));
        } else if sample.lines > 0 && sample.verbose == 0 {
            self.say(&format!(
                "{none}, and none is at INFO or DEBUG at all: the level is too coarse. {set_level}"
            ));
        } else if sample.lines > 0 {
            self.say(&format!(
                "{none}, and none is by AcsCommitmentProcessor: this is likely the wrong component, or the level is too \
                 coarse. Most lines are by {}. Read the participant's logs",
                sample.busiest().join(", ")
            ));
        } else if lines >= MANY_LINES {
            self.say(&format!(
                "{none}, and none has a form that Canton writes. Read the participant's own logs, at INFO (DEBUG before \
                 Canton 3)"
            ));
        } else {
            self.say(&format!("{none}. Read the participant's logs, at INFO (DEBUG before Canton 3)"));
        }
    }

    fn about_mismatches(&mut self, readings: &Readings<'_>) {
        let unattributed = readings.evidence.unattributed_mismatches;
        if unattributed > 0 {
            self.say(&format!(
                "{} unattributed: the log contains no context, and the trace checked no commitment, or several. Read the \
                 text logs of the same time, or find the counterparty by hand before you rely on this evidence",
                counted(unattributed, "mismatch is", "mismatches are")
            ));
        }
        if unattributed >= MAX_PENDING_MISMATCHES as u64 {
            self.say(&format!(
                "more than {MAX_PENDING_MISMATCHES} mismatches have no context, so copies of one may be counted twice"
            ));
        }
        if readings.checks_overflow {
            self.say(
                "standard input contained too many checks to remember them all, so more mismatches than necessary are \
                 unattributed. Read the files themselves",
            );
        }
    }

    fn about_members(&mut self, Readings { roster, member, evidence, tally, .. }: &Readings<'_>) {
        // A component that states no matches names only those who differ.
        if tally.first_of_matcher.is_some() {
            return;
        }
        if evidence.about.is_empty() && evidence.log_span.is_none() {
            return;
        }
        let members = roster.members().iter().map(|member| &member.name);
        let unseen: Vec<String> = members
            .filter(|name| name != member && evidence.about(name).is_none())
            .map(ToString::to_string)
            .collect();
        if !unseen.is_empty() {
            self.say(&format!(
                "the logs contain no commitment of these members: {}. They may be down, not connected, or named \
                 differently in the roster",
                listed(&unseen)
            ));
        }
    }

    fn about_ticks(&mut self, tally: &Tally, (from, to): (Timestamp, Timestamp), log_span: Option<LogSpan>) {
        let ticks: Vec<Tick> = tally.all_ticks(from, to).into_iter().collect();
        let pairs = || ticks.iter().zip(ticks.iter().skip(1));
        let distances: Vec<i64> = pairs().map(|(earlier, later)| later.0.seconds_since(earlier.0)).collect();
        let gaps: Vec<String> = pairs()
            .enumerate()
            .filter(|(at, (_, later))| {
                is_gap(&distances, *at) && tally.first_of_matcher.is_none_or(|first| **later < first)
            })
            .map(|(_, (earlier, later))| format!("{} to {}", earlier.0, later.0))
            .collect();
        if !gaps.is_empty() {
            self.say(&format!(
                "there are no ticks from {}. Logs may be missing, or the participant was down or catching up",
                listed(&gaps)
            ));
        }
        let interval = median(distances).unwrap_or(DEFAULT_INTERVAL_SECONDS);
        // Without matches, silence is what a healthy log of Canton 3.6 says.
        if tally.first_of_matcher.is_some() {
            return;
        }
        if let (Some(newest), Some(span)) = (ticks.last(), log_span) {
            let silence = span.last.seconds_since(newest.0);
            if to == Timestamp::MAX && silence > 2 * interval + ORDINARY_DELAY_SECONDS {
                self.say(&format!(
                    "the newest tick, {}, is {} older than the newest line, {}. Since then no commitments were compared, \
                     or newer logs are at another level",
                    newest.0,
                    span::print(silence.unsigned_abs()),
                    span.last
                ));
            }
        }
    }
}

/// Returns `number` with the words for one, or for any other number.
fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Whether the distance at `at`, a place in `distances`, is much longer than those around it. The interval may change
/// in between.
fn is_gap(distances: &[i64], at: usize) -> bool {
    // In range: `at` is a place in the distances.
    let (before, after) = (&distances[..at], &distances[at + 1..]);
    let around = before.iter().rev().take(GAP_NEIGHBOURS).chain(after.iter().take(GAP_NEIGHBOURS));
    median(around.copied().collect()).is_some_and(|usual| distances[at] >= GAP_FACTOR * usual.max(1))
}

/// Returns the upper median.
fn median(mut numbers: Vec<i64>) -> Option<i64> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

/// Lists the first few of `items`, and says how many more there are.
fn listed(items: &[String]) -> String {
    let first = items.iter().take(MAX_WARNINGS_OF_A_KIND).cloned().collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(MAX_WARNINGS_OF_A_KIND) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
