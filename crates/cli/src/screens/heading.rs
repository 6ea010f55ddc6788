//! What stands at the top of every screen about a session: what it is, and what nobody may overlook.

use std::collections::BTreeMap;

use svdr_protocol::names::MemberName;

use super::facts::{Remark, SessionFacts};
use super::short;
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

/// The top of a screen: the drill, the session and where it stands, then the alarms.
pub fn heading(facts: &SessionFacts, style: Style) -> String {
    let mut lines = Vec::new();
    if facts.drill {
        lines.push(style.alarm(DRILL));
    }
    lines.push(style.title(&title(facts)));
    lines.push(shown(&format!(
        "opened by {} for migration {}: {}",
        facts.opened_by, facts.migration_id, facts.reason
    )));
    lines.extend(alarms(facts).iter().map(|alarm| style.alarm(alarm)));
    lines.join("\n")
}

fn title(facts: &SessionFacts) -> String {
    let stands = match (facts.phase, facts.round) {
        ("gathering", _) => "gathering evidence".to_owned(),
        ("aborted", _) => "ABORTED".to_owned(),
        ("completed", Some(round)) => format!("COMPLETED in round {round}"),
        ("verified", Some(round)) => format!("COMPLETED in round {round}, and the network VERIFIED"),
        ("proposed", Some(round)) => format!("round {round} is proposed"),
        ("agreed", Some(round)) => format!("round {round} is agreed, dumps may be made"),
        ("recovering", Some(round)) => format!("round {round} is agreed, dumps are being made"),
        (phase, _) => phase.to_owned(),
    };
    format!("{} session {}: {stands}", facts.network, facts.session)
}

/// What nobody may overlook, a line each: ends, equivocations, releases, left attestations.
pub fn alarms(facts: &SessionFacts) -> Vec<String> {
    let mut alarms = Vec::new();
    for Remark { by, reason, .. } in &facts.aborts {
        alarms.push(match facts.phase {
            "completed" | "verified" => {
                format!("ABORT by {by}, which does not count, because the session is completed: {reason}")
            }
            _ => format!("ABORTED by {by}: {reason}"),
        });
    }
    alarms.extend(equivocations(facts));
    for Remark { by, round, reason } in &facts.releases {
        let round = round.unwrap_or_default();
        alarms.push(format!(
            "RELEASE: {by} took its attestation of round {round} back: {reason}. Nobody may act on an older \
             certificate of round {round}"
        ));
    }
    alarms
}

/// The first contradictions of each member; whoever signs thousands is not to hide what else there is to see.
fn equivocations(facts: &SessionFacts) -> Vec<String> {
    let mut counts: BTreeMap<&MemberName, usize> = BTreeMap::new();
    let mut lines = Vec::new();
    for one in &facts.equivocations {
        let count = counts.entry(&one.member).or_default();
        *count += 1;
        if *count <= SHOWN_EQUIVOCATIONS {
            lines.push(format!(
                "EQUIVOCATION: {} signed {} ({} and {}). Its word counts for nothing there: call it, and keep the \
                 transcript as the proof",
                one.member,
                one.what,
                short(&one.first),
                short(&one.second)
            ));
        }
    }
    let more = counts.into_iter().filter(|(_, count)| *count > SHOWN_EQUIVOCATIONS);
    lines.extend(more.map(|(member, count)| {
        format!("EQUIVOCATION: {member} contradicted itself {} times more", count - SHOWN_EQUIVOCATIONS)
    }));
    lines
}

/// All of the names: who is covered or left behind is not to be guessed.
pub fn all(members: &[MemberName]) -> String {
    let names: Vec<&str> = members.iter().map(MemberName::as_str).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}
