//! The top of every screen about a session: the session, and what nobody may overlook.

use std::collections::BTreeMap;

use svdr_protocol::names::MemberName;

use super::facts::{MisfitFacts, PartDifference, Remark, SessionFacts};
use super::{coordinators, short, size};
use svdr_protocol::text::shown;

/// Contradictions of one member that are shown one by one.
const SHOWN_EQUIVOCATIONS: usize = 3;

/// How a screen is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether alarms are coloured.
    pub colours: bool,
    /// Columns of a line.
    pub width: u16,
}

/// Text without colours, for questions and for what is not printed at once.
pub const PLAIN: Style = Style { colours: false, width: 120 };

impl Style {
    /// For stdout: colours where it takes them, and its width.
    pub fn of_stdout() -> Style {
        Style { colours: crate::output::colours(), width: crate::output::width() }
    }

    /// `text` as an alarm: bold and red where there are colours. `text` is made safe here.
    pub fn alarm(self, text: &str) -> String {
        let text = shown(text);
        if self.colours { format!("\u{1b}[1;31m{text}\u{1b}[0m") } else { text }
    }

    /// `text` as a title: bold where there are colours. `text` is made safe here.
    pub fn title(self, text: &str) -> String {
        let text = shown(text);
        if self.colours { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text }
    }
}

/// The line that every screen of a drill begins with.
pub const DRILL: &str = "DRILL: this is a rehearsal. Nothing in it is valid for a real recovery.";

/// What a screen says of a session whose opening lists no coordinators.
const ANYBODY_PROPOSES: &str = "Any key may propose round 1: an earlier version of svdr opened the session and lists no \
                                coordinators. Compare who proposed.";

/// The top of a screen: dumps that differ where they must not, the drill, the session and its state, then the alarms.
pub fn heading(facts: &SessionFacts, style: Style) -> String {
    let mut lines = Vec::from_iter(differing_dumps(facts, style));
    if facts.drill {
        lines.push(style.alarm(DRILL));
    }
    lines.push(style.title(&title(facts)));
    lines.push(shown(&format!(
        "opened by {} for migration {}: {}",
        facts.opened_by, facts.migration_id, facts.reason
    )));
    if facts.coordinators.is_empty() {
        lines.push(ANYBODY_PROPOSES.to_owned());
    }
    match facts.unknown_statements {
        0 => {}
        1 => lines.push("1 statement of a newer version of svdr is kept and counts for nothing.".to_owned()),
        n => lines.push(format!("{n} statements of newer versions of svdr are kept and count for nothing.")),
    }
    lines.extend(facts.unknown_plan.iter().map(|text| style.alarm(text)));
    lines.extend(alarms(facts).iter().map(|alarm| style.alarm(alarm)));
    lines.join("\n")
}

/// Parts of dumps that must be equal and are not, and what to do first: what every screen, and the question before a
/// delivery, says before anything else. `None` if all that was attested is as it must be.
pub fn differing_dumps(facts: &SessionFacts, style: Style) -> Option<String> {
    let mut parts = Vec::new();
    if !facts.differences.is_empty() {
        parts.push(differences(&facts.differences, style));
    }
    if !facts.misfits.is_empty() {
        parts.push(misfits(&facts.misfits, style));
    }
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// Who differs from whom in which part of the dump.
fn differences(differences: &[PartDifference], style: Style) -> String {
    let mut text = style.alarm(
        "DUMPS DIFFER in a part that must be equal for all members. SVs that import them do not get the same network. \
         Do not import a dump. First compare these digests on the call, and make the dumps that are wrong again:",
    );
    for PartDifference { part, versions } in differences {
        text += &shown(&format!("\n  {part}"));
        for version in versions {
            let what = match (version.digest, version.size) {
                (Some(digest), Some(bytes)) => format!("{} ({})", short(&digest), size(bytes)),
                _ => "missing".to_owned(),
            };
            text += &shown(&format!("\n    {what}: {}", all(&version.members)));
        }
    }
    text
}

/// Received dumps that are not what was donated.
fn misfits(misfits: &[MisfitFacts], style: Style) -> String {
    let mut text = style.alarm(
        "RECEIVED DUMPS DIFFER from the donated snapshots. Do not import these dumps. First compare the digests with the \
         donor on the call, and receive the snapshot again:",
    );
    for MisfitFacts { member, round, from, what } in misfits {
        text += &shown(&format!("\n  {member}, round {round}, from {from}: {what}"));
    }
    text
}

fn title(facts: &SessionFacts) -> String {
    let state = match (facts.phase, facts.round) {
        ("gathering", _) if facts.unknown_plan.is_some() => "its plan is unknown to this version".to_owned(),
        ("gathering", _) => "gathering evidence".to_owned(),
        ("aborted", _) => "ABORTED".to_owned(),
        ("completed", Some(round)) => format!("COMPLETED in round {round}"),
        ("verified", Some(round)) => format!("COMPLETED in round {round}, the network is VERIFIED"),
        ("proposed", Some(round)) => format!("round {round} is proposed"),
        ("agreed", Some(round)) => format!("round {round} is agreed, the SVs can make their dumps"),
        ("recovering", Some(round)) => format!("round {round} is agreed, the SVs are making their dumps"),
        (phase, _) => phase.to_owned(),
    };
    format!("{} session {}: {state}", facts.network, facts.session)
}

/// The alarms, a line each: aborts, equivocations, releases, and coordinators that forgot.
pub fn alarms(facts: &SessionFacts) -> Vec<String> {
    let mut alarms = Vec::new();
    for Remark { by, reason, .. } in &facts.aborts {
        alarms.push(match facts.phase {
            "completed" | "verified" => {
                format!("ABORT by {by} without effect, because the session was completed before: {reason}")
            }
            _ => format!("ABORTED by {by}: {reason}"),
        });
    }
    alarms.extend(equivocations(facts));
    for Remark { by, round, reason } in &facts.releases {
        let round = round.unwrap_or_default();
        alarms.push(format!(
            "RELEASE: {by} withdrew its attestation of round {round}: {reason}. Do not act on an older certificate of \
             round {round}"
        ));
    }
    alarms.extend(coordinators::alarms(&facts.contacts));
    alarms
}

/// The first contradictions of each member: a member that signs thousands must not hide the other alarms.
fn equivocations(facts: &SessionFacts) -> Vec<String> {
    let mut counts: BTreeMap<&MemberName, usize> = BTreeMap::new();
    let mut lines = Vec::new();
    for one in &facts.equivocations {
        let count = counts.entry(&one.member).or_default();
        *count += 1;
        if *count <= SHOWN_EQUIVOCATIONS {
            lines.push(format!(
                "EQUIVOCATION: {} signed {} ({} and {}). Its statements there do not count. Call the member, and keep \
                 the transcript as the proof",
                one.member,
                one.what,
                short(&one.first),
                short(&one.second)
            ));
        }
    }
    let more = counts.into_iter().filter(|(_, count)| *count > SHOWN_EQUIVOCATIONS);
    lines.extend(more.map(|(member, count)| {
        format!("EQUIVOCATION: {member} contradicted itself {} more times", count - SHOWN_EQUIVOCATIONS)
    }));
    lines
}

/// All of the names, because nobody must guess who is covered or left behind.
pub fn all(members: &[MemberName]) -> String {
    let names: Vec<&str> = members.iter().map(MemberName::as_str).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}
