//! The table of members and steps of the runbook, and which members agree on the new synchronizer.

use svdr_protocol::milestone::Step;
use svdr_protocol::names::MemberName;

use super::facts::SessionFacts;
use super::facts::restored::RestorationFacts;
use super::heading::{Style, all};
use crate::output::comfy_table::{ContentArrangement, Table, presets};
use svdr_protocol::text::shown;

/// What a step's column is called: a word or two.
const fn column(step: Step) -> &'static str {
    match step {
        Step::Stopped => "stopped",
        Step::BackedUp => "backed up",
        Step::IdentitiesChecked => "identities",
        Step::DumpMade => "dump",
        Step::Delivered => "delivered",
        Step::SynchronizerDeployed => "deployed",
        Step::Restored => "restored",
        Step::Verified => "verified",
    }
}

/// The steps that each member has done; `None` before anybody has marked one and before the session is completed.
pub fn milestones(facts: &SessionFacts, me: Option<&MemberName>, style: Style) -> Option<String> {
    let listed = |name: &str| name.parse::<Step>().is_ok();
    let marked = facts.members.iter().flat_map(|member| &member.milestones).any(|one| listed(&one.name));
    if !marked && !matches!(facts.phase, "completed" | "verified") {
        return None;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(style.width);
    let header = ["", "runbook"].into_iter().chain(Step::ALL.map(column));
    table.set_header(header.map(str::to_owned).collect::<Vec<_>>());
    for member in &facts.members {
        let own = if me == Some(&member.member) { super::steps::OWN } else { "" };
        let name = shown(member.member.as_str());
        let done = Step::ALL.map(|step| if member.steps.contains(&step.name()) { "done" } else { "-" });
        let cells = [own.to_owned(), name].into_iter().chain(done.map(str::to_owned));
        table.add_row(cells.collect::<Vec<_>>());
    }
    let text = table.trim_fmt();
    match text.split_once('\n') {
        Some((header, rows)) if style.colours => Some(format!("\u{1b}[1m{header}\u{1b}[0m\n{rows}")),
        _ => Some(text),
    }
}

/// Who agrees with whom on the new synchronizer; `None` before anybody has confirmed.
pub fn restored(facts: &SessionFacts, style: Style) -> Option<String> {
    let RestorationFacts { verified, after, together, confirmed, mismatches, .. } =
        facts.restoration.as_ref().filter(|restoration| !restoration.confirmed.is_empty())?;
    let (count, threshold) = (together.len(), facts.threshold);
    let state = if *verified { "VERIFIED" } else { "not verified yet" };
    let mut text = shown(&format!(
        "The new synchronizer is {state}: {count} members agree with each other after {after} ({}), of {threshold} \
         needed.",
        all(together)
    ));
    for one in confirmed.iter().filter(|one| one.newest_match.is_none()) {
        text += &shown(&format!("\n  {} has no match with anybody.", one.member));
    }
    if !mismatches.is_empty() {
        let alarm =
            "MISMATCHES on the new synchronizer. Compare the contracts of these participants pair by pair:";
        text += &format!("\n{}", style.alarm(alarm));
    }
    for one in mismatches {
        let [first, second] = &one.members;
        text += &shown(&format!(
            "\n  {first} and {second}, at {}, reported by {}",
            one.tick,
            all(&one.reported_by)
        ));
    }
    Some(text)
}
