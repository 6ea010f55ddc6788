//! The outcome as text: the answer, one row a candidate, and why each member left behind stays behind.

use std::collections::BTreeMap;

use svdr_cli::output;
use svdr_cli::output::comfy_table::ColumnConstraint;
use svdr_protocol::names::MemberName;
use svdr_protocol::plan::dump::{Candidate, Choice, Outcome};
use svdr_protocol::span;
use svdr_protocol::text::listed;

/// Marks the chosen candidate, in the table, the reasons and the chart alike.
pub(super) const CHOSEN: &str = "=>";

/// Columns from which the tick has room beside the names.
const WIDE: u16 = 104;

/// How much history a candidate loses, in human units.
pub(super) fn lost(candidate: &Candidate) -> String {
    // The newest matched tick is never before the recovery timestamp.
    span::print(candidate.history_lost_seconds.unsigned_abs())
}

pub(super) fn is_chosen(outcome: &Outcome, at: usize) -> bool {
    outcome.choice == Choice::Candidate(at)
}

/// What to read aloud.
pub(super) fn answer(outcome: &Outcome) -> String {
    let margin = span::print(outcome.margin.as_secs());
    let (threshold, members) = (outcome.threshold, outcome.members);
    let asked = format!("threshold {threshold} of {members} members, margin {margin}");
    match outcome.chosen() {
        Some(chosen) => format!(
            "Recover to {}: {} ({asked}).\nCovered: {}.",
            chosen.recovery_timestamp,
            outcome.reason(),
            all(&chosen.covered)
        ),
        None => format!("No recovery timestamp ({asked}): {}.", outcome.reason()),
    }
}

/// One row a candidate. Where there is little room, without the tick: it is the recovery timestamp and the margin.
pub(super) fn candidates(outcome: &Outcome) -> String {
    let wide = output::width() >= WIDE;
    let cells = |tick: String, [mark, recovery, covered, lost, bracketed, left]: [String; 6]| {
        let tick = wide.then_some(tick);
        [mark, recovery].into_iter().chain(tick).chain([covered, lost, bracketed, left])
    };
    let header = ["", "recovery timestamp", "covered", "history lost", "bracketed", "left behind"];
    let header: Vec<String> = cells("tick".to_owned(), header.map(str::to_owned)).collect();
    let mut table = output::table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for (at, candidate) in outcome.candidates.iter().enumerate() {
        let left_behind: Vec<MemberName> =
            candidate.left_behind.iter().map(|left| left.member.clone()).collect();
        let row = [
            if is_chosen(outcome, at) { CHOSEN.to_owned() } else { String::new() },
            candidate.recovery_timestamp.to_string(),
            format!("{}/{}", candidate.covered.len(), outcome.members),
            lost(candidate),
            if candidate.bracketed { "yes" } else { "no" }.to_owned(),
            if left_behind.is_empty() { "nobody".to_owned() } else { listed(&left_behind) },
        ];
        table.add_row(cells(candidate.tick.to_string(), row));
    }
    // Only the names may be broken over lines: half a timestamp is easily misread.
    let names = table.column_count().saturating_sub(1);
    for column in table.column_iter_mut().take(names) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    table.trim_fmt()
}

/// For each candidate who stays behind, members with the same reason together; `None` where nobody does.
pub(super) fn left_behind(outcome: &Outcome) -> Option<String> {
    let mut text = String::from("Left behind");
    for (at, candidate) in outcome.candidates.iter().enumerate() {
        let mut by_reason: BTreeMap<String, Vec<MemberName>> = BTreeMap::new();
        for left in &candidate.left_behind {
            by_reason.entry(left.reason.to_string()).or_default().push(left.member.clone());
        }
        let mut reasons: Vec<_> = by_reason.into_iter().collect();
        reasons.sort_by(|(_, one), (_, other)| one.cmp(other));
        if !reasons.is_empty() {
            let mark = if is_chosen(outcome, at) { CHOSEN } else { "  " };
            text += &format!("\n{mark} {}", candidate.recovery_timestamp);
        }
        for (reason, members) in reasons {
            text += &format!("\n     {}: {reason}", all(&members));
        }
    }
    outcome.candidates.iter().any(|candidate| !candidate.left_behind.is_empty()).then_some(text)
}

/// All of them: who is covered or left behind is not to be guessed.
pub(super) fn all(members: &[MemberName]) -> String {
    members.iter().map(MemberName::as_str).collect::<Vec<_>>().join(", ")
}
