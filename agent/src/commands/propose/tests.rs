#![allow(clippy::unwrap_used)]

use svdr_protocol::plan::dump::{Beyond, Candidate, LeftBehind, Reason, Shortfall, Warning};

use super::input::ProposeInputError;
use super::*;

fn named(name: &str) -> MemberName {
    name.parse().unwrap()
}

fn candidate(tick: &str, recovery: &str, covered: &[&str], left: &[(&str, Reason)], lost: i64) -> Candidate {
    Candidate {
        tick: tick.parse().unwrap(),
        recovery_timestamp: recovery.parse().unwrap(),
        covered: covered.iter().copied().map(named).collect(),
        left_behind: left
            .iter()
            .map(|(member, reason)| LeftBehind { member: named(member), reason: reason.clone() })
            .collect(),
        history_lost_seconds: lost,
        bracketed: left.len() > 1,
    }
}

fn outcome(choice: Choice) -> Outcome {
    let older = Reason::Older {
        newest: "2026-04-21T21:00:00Z".parse().unwrap(),
        with: vec![named("A")],
        everybody: false,
    };
    let three = [("C", older), ("D", Reason::NoEvidence), ("E", Reason::NoEvidence)];
    Outcome {
        threshold: 3,
        members: 5,
        margin: Duration::from_secs(900),
        candidates: vec![
            candidate("2026-04-21T23:25:00Z", "2026-04-21T23:10:00Z", &["A", "B"], &three, 1020),
            candidate("2026-04-21T21:00:00Z", "2026-04-21T20:45:00Z", &["A", "B", "C"], &three[1..2], 9720),
        ],
        choice,
        warnings: vec![Warning::NoEvidence { members: vec![named("D"), named("E")] }],
    }
}

fn shown(outcome: &Outcome) -> String {
    text(outcome, &ProposalDocument::from(outcome))
}

#[test]
fn a_person_reads_the_answer_first_and_then_why() {
    let text = shown(&outcome(Choice::Candidate(1)));
    let first = "Recover to 2026-04-21T20:45:00Z: newest candidate that 3 of 5 members mutually committed to \
                 (threshold 3 of 5 members, margin 15m).\nCovered: A, B, C.\n\n";
    assert!(text.starts_with(first), "{text}");
    let reasons = "Left behind
   2026-04-21T23:10:00Z
     C: its newest mutual match with A is 2026-04-21T21:00:00Z
     D, E: no evidence
=> 2026-04-21T20:45:00Z
     D: no evidence
";
    assert!(text.contains(reasons), "{text}");
    assert!(text.ends_with(
        "warning: no evidence of D and E, who can be covered only with evidence or if they are vouched for"
    ));
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("/5")).collect();
    assert!(rows[0].contains("17m") && !rows[0].contains("=>"), "{text}");
    assert!(rows[1].trim_start().starts_with("=>") && rows[1].contains("2h 42m"), "{text}");
}

#[test]
fn the_chart_keeps_to_its_width() {
    let outcome = outcome(Choice::Candidate(1));
    assert_eq!(
        chart::chart(&outcome, 45, chart::ChartStyle::Ascii),
        "History lost\n   3 left behind |## 17m\n=> 1 left behind |#################### 2h 42m"
    );
    for style in [chart::ChartStyle::Ascii, chart::ChartStyle::Blocks] {
        for width in [40, 80, 120, 400] {
            let chart = chart::chart(&outcome, width, style);
            assert!(chart.lines().all(|line| line.chars().count() <= width), "{chart}");
        }
    }
}

#[test]
fn without_a_choice_the_obstacle_comes_first() {
    let later = Some(Beyond { recovery_timestamp: "2026-04-21T23:10:00Z".parse().unwrap(), covered: 4 });
    let shortfall = Shortfall::Bounds { threshold: 3, later, earlier: None };
    let mut outcome = outcome(Choice::NotPossible(shortfall));
    outcome.candidates.clear();
    outcome.warnings.clear();
    assert_eq!(
        shown(&outcome),
        "No recovery timestamp (threshold 3 of 5 members, margin 15m): no recovery timestamp within the bounds \
         covers 3 members; without the latest bound, 2026-04-21T23:10:00Z would cover 4."
    );
}

#[test]
fn exit_codes_say_whose_fault_it_is() {
    use svdr_protocol::plan::dump::{ParameterError, ProposalError};
    let parameter = ParameterError::HighThreshold { found: 5, members: 4 };
    assert_eq!(ProposalError::from(parameter).exit(), Exit::Usage);
    assert_eq!(ProposalError::TwoEvidences { member: named("A") }.exit(), Exit::Refused);
    assert_eq!(NotPossible { reason: String::new() }.exit(), Exit::Impossible);
    assert_eq!(
        ProposeInputError::Empty { path: PathBuf::new(), command: "svdr-agent evidence" }.exit(),
        Exit::Refused
    );
    let unreadable =
        ProposeInputError::Read { path: PathBuf::new(), source: std::io::ErrorKind::NotFound.into() };
    assert_eq!(unreadable.exit(), Exit::Failed);
}
