//! The table of members and steps: one row a member, one column a step of the recovery.
//!
//! Steps that are done are in small letters, failures in capitals, and `-` means unknown. Reasons do not fit into a
//! table and follow below it, a line each.

use svdr_protocol::milestone::Step;
use svdr_protocol::names::MemberName;

use super::facts::{DonationFacts, MemberFacts, SessionFacts};
use super::heading::Style;
use super::size;
use crate::output::comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use svdr_protocol::text::shown;

/// Marks the row of the member whose screen it is.
pub(super) const OWN: &str = "=>";
/// The cell of an unknown value.
const NOTHING: &str = "-";

/// The table, and what the members said about it.
pub fn steps(facts: &SessionFacts, me: Option<&MemberName>, style: Style) -> String {
    let mut parts = vec![table(facts, me, style)];
    let remarks = remarks(facts);
    if !remarks.is_empty() {
        parts.push(remarks.join("\n"));
    }
    parts.join("\n\n")
}

fn table(facts: &SessionFacts, me: Option<&MemberName>, style: Style) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(style.width);
    let vote = facts.round.map_or("vote".to_owned(), |round| format!("vote, round {round}"));
    table.set_header(["", "member", "check", "evidence up to", &vote, "dump", "runbook"].map(str::to_owned));
    for member in &facts.members {
        let own = if me == Some(&member.member) { OWN } else { "" };
        let cells = [
            own.to_owned(),
            member.member.to_string(),
            check(member),
            evidence(member),
            vote_cell(member),
            dump(member),
            runbook(member),
        ];
        table.add_row(cells.map(|cell| shown(&cell)));
    }
    // Half a timestamp is easily misread; names and steps of the runbook may be broken.
    for at in [2, 3] {
        if let Some(column) = table.column_mut(at) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let text = table.trim_fmt();
    if !style.colours {
        return text;
    }
    let lines: Vec<String> = text.lines().enumerate().map(|(at, line)| coloured(at, line)).collect();
    lines.join("\n")
}

/// The header in bold; nothing else, so that colour means alarm.
fn coloured(at: usize, line: &str) -> String {
    if at == 0 { format!("\u{1b}[1m{line}\u{1b}[0m") } else { line.to_owned() }
}

fn check(member: &MemberFacts) -> String {
    member.checks.map_or(NOTHING.to_owned(), |[passed, all]| match passed == all {
        true => format!("{passed}/{all}"),
        false => format!("{passed}/{all} !"),
    })
}

fn evidence(member: &MemberFacts) -> String {
    match (&member.evidence, member.role) {
        (_, Some("excluded")) => "excluded".to_owned(),
        (None, Some("vouched")) => "vouched for".to_owned(),
        (None, _) => NOTHING.to_owned(),
        (Some(evidence), _) => evidence.newest_match.map_or("no match".to_owned(), |tick| tick.to_string()),
    }
}

fn vote_cell(member: &MemberFacts) -> String {
    if member.equivocated {
        return "EQUIVOCATED".to_owned();
    }
    let vote = match member.vote {
        Some("rejected") => "REJECTED",
        Some("agreed_to_another") => "ANOTHER PROPOSAL",
        Some(vote) => vote,
        None => NOTHING,
    };
    match member.role {
        Some("left_behind") => format!("{vote} (left behind)"),
        _ => vote.to_owned(),
    }
}

fn dump(member: &MemberFacts) -> String {
    match (member.dump, member.dump_size) {
        (Some("made"), Some(bytes)) => format!("made, {}", size(bytes)),
        (Some("made"), None) => "made".to_owned(),
        (Some("received"), bytes) => {
            let from = member.received_from.as_ref().map(ToString::to_string).unwrap_or_default();
            let size = bytes.map(|bytes| format!(", {}", size(bytes))).unwrap_or_default();
            format!("made from {from}'s snapshot{size}")
        }
        (Some(state), _) => state.to_uppercase(),
        (None, _) => NOTHING.to_owned(),
    }
}

/// How many of the runbook's steps are done, and what else the member marked.
fn runbook(member: &MemberFacts) -> String {
    let steps = format!("{}/{}", member.steps.len(), Step::ALL.len());
    let steps = Some(steps).filter(|_| !member.steps.is_empty());
    let others =
        member.milestones.iter().map(|one| one.name.clone()).filter(|name| name.parse::<Step>().is_err());
    let cell: Vec<String> = steps.into_iter().chain(others).collect();
    if cell.is_empty() { NOTHING.to_owned() } else { cell.join(", ") }
}

/// Reasons, an SV app's words, failed checks and notes, a line each.
fn remarks(facts: &SessionFacts) -> Vec<String> {
    let mut remarks = Vec::new();
    for member in &facts.members {
        let name = &member.member;
        if let Some(reason) = &member.vote_reason {
            remarks.push(format!("{name} rejected: {reason}"));
        }
        if let (Some(state), Some(reason)) = (member.dump, &member.dump_reason) {
            remarks.push(match state {
                "pruned" => format!("{name} is pruned beyond the recovery timestamp: {reason}"),
                "behind" => format!("{name} has not caught up to the recovery timestamp: {reason}"),
                "abandoned" => format!("{name} will never attest this round: {reason}"),
                _ => format!("{name} withdrew its attestation: {reason}"),
            });
        }
        if !member.failed_checks.is_empty() {
            remarks.push(format!("{name}'s own check failed: {}", member.failed_checks.join(", ")));
        }
        let noted = member.milestones.iter().filter(|one| !one.note.is_empty());
        remarks.extend(noted.map(|one| format!("{name}, {}: {}", one.name, one.note)));
    }
    remarks.extend(facts.donations.iter().map(donation));
    remarks.iter().map(|remark| shown(remark)).collect()
}

fn donation(one: &DonationFacts) -> String {
    let how = match &one.url {
        Some(url) => format!("at {url}"),
        None => "as a file".to_owned(),
    };
    format!("{} donates its snapshot of {} ({}) {how}", one.donor, one.recovery_timestamp, size(one.size))
}
