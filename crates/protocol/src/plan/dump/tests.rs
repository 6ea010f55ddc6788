#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::SigningKey;

use super::*;
use crate::evidence::Observations;
use crate::keys::PublicKey;

pub(super) const MINUTE: i64 = 60_000_000;
/// 2026-04-21T23:00:00Z.
const ELEVEN: i64 = 1_776_812_400_000_000;

pub(super) fn name(member: usize) -> MemberName {
    // In the roster's order they would be B, A, D, C, …: not that of their names.
    char::from(b'A' + (member ^ 1) as u8).to_string().parse().unwrap()
}

pub(super) fn roster(members: usize) -> Roster {
    let member = |at: usize| {
        let key = PublicKey::from(SigningKey::from_bytes(&[at as u8 + 1; 32]).verifying_key());
        let name = name(at);
        let convener = at == 0;
        format!(
            "[[member]]\nname = \"{name}\"\nparticipant = \"PAR::{name}::fingerprint\"\nkey = \"{key}\"\nconvener = {convener}\n"
        )
    };
    let members: String = (0..members).map(member).collect();
    let head = "network = \"TestNet\"\nsynchronizer = \"global-domain::abcdefabcdef\"\n";
    Roster::parse(&format!("{head}{members}")).unwrap()
}

pub(super) fn tick(micros: i64) -> Tick {
    Tick(Timestamp::from_micros(micros).unwrap())
}

/// `minute` minutes after eleven.
fn at(minute: i64) -> Tick {
    tick(ELEVEN + minute * MINUTE)
}

fn recovery(minute: i64) -> Timestamp {
    at(minute).0
}

/// What is reported: by whom, about whom, the matched minutes, the mismatched minutes.
type Report<'a> = (char, char, &'a [i64], &'a [i64]);

fn named(name: char) -> MemberName {
    name.to_string().parse().unwrap()
}

fn evidence(roster: &Roster, reports: &[Report]) -> Vec<Evidence> {
    let mut all: BTreeMap<MemberName, Evidence> = BTreeMap::new();
    for (by, about, matches, mismatches) in reports {
        let member = named(*by);
        let participant = roster.member(&member).unwrap().participant.clone();
        let one = all.entry(member.clone()).or_insert_with(|| Evidence {
            member,
            participant,
            synchronizers: BTreeSet::new(),
            log_span: None,
            about: BTreeMap::new(),
            unattributed_mismatches: 0,
        });
        let ticks = |minutes: &[i64]| minutes.iter().map(|minute| at(*minute)).collect();
        let observations = Observations { matches: ticks(matches), mismatches: ticks(mismatches) };
        one.about.insert(named(*about), observations);
    }
    all.into_values().collect()
}

/// Everybody of `names` matches everybody else at `minutes`.
fn all_match<'a>(names: &str, minutes: &'a [i64]) -> Vec<Report<'a>> {
    let pairs = names.chars().flat_map(|by| names.chars().map(move |about| (by, about)));
    pairs.filter(|(by, about)| by != about).map(|(by, about)| (by, about, minutes, &[][..])).collect()
}

fn replace<'a>(reports: &mut [Report<'a>], report: Report<'a>) {
    let found = reports.iter_mut().find(|(by, about, ..)| (*by, *about) == (report.0, report.1));
    *found.unwrap() = report;
}

fn run(roster: &Roster, reports: &[Report], change: impl FnOnce(&mut Parameters)) -> Outcome {
    let mut parameters = Parameters::new(roster);
    change(&mut parameters);
    propose(roster, &evidence(roster, reports), &parameters).unwrap()
}

fn covered(candidate: &Candidate) -> String {
    candidate.covered.iter().map(MemberName::as_str).collect()
}

fn reason_of(candidate: &Candidate, member: char) -> String {
    let found = candidate.left_behind.iter().find(|left| left.member == named(member));
    found.unwrap().reason.to_string()
}

#[test]
fn everybody_agrees_at_the_newest_tick() {
    let roster = roster(4);
    let outcome = run(&roster, &all_match("ABCD", &[0, 5, 10, 25]), |_| {});
    let [candidate] = outcome.candidates.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((candidate.tick, candidate.recovery_timestamp), (at(25), recovery(10)));
    assert_eq!(covered(candidate), "ABCD");
    assert_eq!(candidate.history_lost_seconds, 15 * 60);
    assert!(candidate.bracketed && candidate.left_behind.is_empty());
    assert_eq!(outcome.choice, Choice::Candidate(0));
    assert_eq!(outcome.reason(), "newest candidate that 4 of 4 members mutually committed to");
    assert_eq!(outcome.warnings, []);
}

#[test]
fn less_history_against_fewer_left_behind() {
    let roster = roster(4);
    let mut reports = all_match("ABCD", &[0, 10, 20, 30]);
    for other in ['A', 'B', 'C'] {
        replace(&mut reports, ('D', other, &[0, 10], &[]));
    }
    let outcome = run(&roster, &reports, |_| {});
    let rows: Vec<_> = outcome.candidates.iter().map(|one| (one.tick, covered(one))).collect();
    assert_eq!(rows, [(at(30), "ABC".to_owned()), (at(10), "ABCD".to_owned())]);
    assert_eq!(outcome.choice, Choice::Candidate(0));
    assert_eq!(
        reason_of(&outcome.candidates[0], 'D'),
        "its newest mutual match with the covered members is 2026-04-21T23:10:00Z"
    );
    assert_eq!(outcome.candidates[1].history_lost_seconds, 35 * 60);
    // The tick of the second stands for 22:55, before which nothing is reported.
    assert!(!outcome.candidates[1].bracketed);
    let all = run(&roster, &reports, |parameters| parameters.threshold = 4);
    assert_eq!(all.choice, Choice::Candidate(1));
    assert_eq!(all.warnings, [Warning::Unbracketed]);
}

#[test]
fn a_mismatch_comes_back_until_something_is_reported_after_it_and_before_the_recovery_timestamp() {
    let roster = roster(4);
    // The mismatch at 20 was healed at 21: from tick 36 on (recovery at 21) it stays healed.
    let minutes: Vec<i64> = (0..60).collect();
    let without: Vec<i64> = minutes.iter().copied().filter(|minute| *minute != 20).collect();
    let mut reports = all_match("ABCD", &minutes);
    replace(&mut reports, ('A', 'B', &without, &[20]));
    let until = |newest: i64| {
        let outcome = run(&roster, &reports, |one| one.not_after = Some(recovery(newest - 15)));
        (covered(&outcome.candidates[0]), outcome)
    };
    assert_eq!(until(59).0, "ABCD");
    assert_eq!(until(36).0, "ABCD");
    for blocked in [35, 30, 20] {
        let (covered, outcome) = until(blocked);
        assert_eq!(covered, "ACD", "{blocked}");
        assert_eq!(reason_of(&outcome.candidates[0], 'B'), "mismatch with A at 2026-04-21T23:20:00Z");
    }
    assert_eq!(until(19).0, "ABCD");
}

#[test]
fn an_old_mismatch_counts_where_nothing_was_reported_after_it() {
    let roster = roster(4);
    let mut reports = all_match("ABCD", &[40]);
    replace(&mut reports, ('C', 'D', &[40], &[0]));
    let outcome = run(&roster, &reports, |_| {});
    assert_eq!(covered(&outcome.candidates[0]), "ABC");
    // What the other one reported in between is enough.
    replace(&mut reports, ('D', 'C', &[1, 40], &[]));
    assert_eq!(covered(&run(&roster, &reports, |_| {}).candidates[0]), "ABCD");
    // A report after the recovery timestamp, at 25, is not.
    replace(&mut reports, ('D', 'C', &[26, 40], &[]));
    assert_eq!(covered(&run(&roster, &reports, |_| {}).candidates[0]), "ABC");
}

#[test]
fn a_tick_reported_as_both_is_a_mismatch() {
    let roster = roster(4);
    let mut reports = all_match("ABCD", &[30]);
    replace(&mut reports, ('A', 'B', &[30], &[30]));
    let outcome = run(&roster, &reports, |parameters| parameters.margin = Duration::ZERO);
    assert_eq!(covered(&outcome.candidates[0]), "ACD");
    assert_eq!(reason_of(&outcome.candidates[0], 'B'), "mismatch with A at 2026-04-21T23:30:00Z");
}

#[test]
fn bounds_are_inclusive_and_named_when_they_stand_in_the_way() {
    let roster = roster(4);
    let reports = all_match("ABCD", &[10, 20]);
    let bounded = |not_before: Option<i64>, not_after: Option<i64>| {
        run(&roster, &reports, |one| {
            one.not_before = not_before.map(recovery);
            one.not_after = not_after.map(recovery);
        })
    };
    assert_eq!(bounded(Some(5), Some(5)).candidates[0].tick, at(20));
    assert_eq!(bounded(None, Some(4)).candidates[0].tick, at(10));
    assert_eq!(bounded(Some(-5), Some(4)).candidates[0].tick, at(10));
    let nothing = bounded(Some(-4), Some(4));
    let beyond = |minute| Some(Beyond { recovery_timestamp: recovery(minute), covered: 4 });
    assert_eq!(
        nothing.choice,
        Choice::NotPossible(Shortfall::Bounds { threshold: 3, later: beyond(5), earlier: beyond(-5) })
    );
    assert_eq!(
        nothing.reason(),
        "no recovery timestamp within the bounds covers 3 members; without the latest bound, \
         2026-04-21T23:05:00Z would cover 4; without the earliest bound, 2026-04-21T22:55:00Z would cover 4"
    );
}

#[test]
fn who_stands_in_the_way_is_named() {
    let roster = roster(4);
    let mut reports = all_match("ABCD", &[0, 30]);
    replace(&mut reports, ('A', 'C', &[0], &[30]));
    replace(&mut reports, ('B', 'C', &[0], &[]));
    replace(&mut reports, ('A', 'D', &[], &[]));
    replace(&mut reports, ('B', 'D', &[0], &[]));
    let outcome = run(&roster, &reports, |one| one.not_before = Some(recovery(0)));
    assert_eq!(covered(&outcome.candidates[0]), "AB");
    let earlier = run(&roster, &reports, |one| one.threshold = 4);
    let Choice::NotPossible(Shortfall::Pairs { tick, covered, gaps, .. }) = &earlier.choice else {
        panic!("{earlier:?}")
    };
    // At 0, A and D never matched; at 30 more are missing.
    assert_eq!((*tick, covered.len()), (at(0), 3));
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].reason, GapReason::NeverMatched);
    assert_eq!(
        earlier.reason(),
        "4 members must be covered, but at most 3 are: A, B and C at 2026-04-21T23:00:00Z; in the way: A and D \
         have no mutual match"
    );
}

#[test]
fn without_evidence_nobody_is_covered() {
    let roster = roster(4);
    let silent = run(&roster, &all_match("AB", &[0, 30]), |_| {});
    assert_eq!(covered(&silent.candidates[0]), "AB");
    assert_eq!(reason_of(&silent.candidates[0], 'C'), "no evidence");
    assert_eq!(silent.reason(), "3 members must be covered, but only A and B can be");
    let help = document::ProposalDocument::from(&silent).help;
    assert_eq!(help.as_deref(), Some("get the evidence of C and D, or vouch for members that have no logs"));
    assert_eq!(silent.warnings, [Warning::NoEvidence { members: vec![named('C'), named('D')] }]);
    let none = run(&roster, &[], |_| {});
    assert!(none.candidates.is_empty());
    assert_eq!(none.reason(), "3 members must be covered, but nobody can be");
    let empty = run(&roster, &all_match("ABCD", &[]), |_| {});
    assert_eq!(empty.choice, Choice::NotPossible(Shortfall::NoMatches));
    let excluded = run(&roster, &all_match("ABCD", &[0]), |one| one.excluded = ['A', 'B'].map(named).into());
    assert_eq!(excluded.choice, Choice::NotPossible(Shortfall::TooFewMembers { threshold: 3, left: 2 }));
    assert_eq!(reason_of(&excluded.candidates[0], 'A'), "excluded by the parameters");
}

#[test]
fn the_others_stand_in_for_a_vouched_member() {
    let roster = roster(4);
    let mut reports = all_match("AB", &[0, 30]);
    reports.extend([('A', 'C', &[0, 30][..], &[][..]), ('B', 'C', &[0], &[])]);
    reports.extend([('A', 'D', &[0][..], &[][..]), ('B', 'D', &[0], &[])]);
    let vouched = run(&roster, &reports, |one| one.vouched = ['C', 'D'].map(named).into());
    let rows: Vec<_> = vouched.candidates.iter().map(|one| (one.tick, covered(one))).collect();
    assert_eq!(rows, [(at(30), "AB".to_owned()), (at(0), "ABCD".to_owned())]);
    assert_eq!(
        reason_of(&vouched.candidates[0], 'C'),
        "its newest mutual match with B is 2026-04-21T23:00:00Z"
    );
    assert_eq!(vouched.choice, Choice::Candidate(1));
}

#[test]
fn two_vouched_members_are_connected_where_nobody_else_is() {
    let roster = roster(4);
    // At 30 only A reports anything, and that about B, who does not match it.
    let reports = [('A', 'B', &[30][..], &[][..]), ('B', 'A', &[0], &[]), ('A', 'C', &[0], &[])];
    let outcome = run(&roster, &reports, |one| one.vouched = ['C', 'D'].map(named).into());
    assert_eq!(covered(&outcome.candidates[0]), "CD");
    assert_eq!(outcome.candidates[0].tick, at(30));
    assert_eq!(outcome.warnings, [Warning::VouchedUnseen { member: named('D') }]);
}

#[test]
fn contradicting_parameters_are_refused() {
    let roster = roster(4);
    let evidence = evidence(&roster, &all_match("ABCD", &[0]));
    let refused = |change: &dyn Fn(&mut Parameters)| {
        let mut parameters = Parameters::new(&roster);
        change(&mut parameters);
        match propose(&roster, &evidence, &parameters) {
            Err(ProposalError::Parameter(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let member = named('A');
    let found = Duration::from_millis(1500);
    assert_eq!(refused(&|one| one.margin = found), ParameterError::FractionalMargin { found });
    let found = MAX_MARGIN + Duration::from_secs(1);
    assert_eq!(refused(&|one| one.margin = found), ParameterError::LargeMargin { found });
    let low = ParameterError::LowThreshold { found: 2, roster: 3, governance: 3, members: 4 };
    assert_eq!(refused(&|one| one.threshold = 2), low);
    let high = ParameterError::HighThreshold { found: 5, members: 4 };
    assert_eq!(refused(&|one| one.threshold = 5), high);
    let empty = ParameterError::EmptyWindow { not_before: recovery(1), not_after: recovery(0) };
    let window =
        |one: &mut Parameters| (one.not_before, one.not_after) = (Some(recovery(1)), Some(recovery(0)));
    assert_eq!(refused(&window), empty);
    let stranger = refused(&|one| _ = one.excluded.insert(named('E')));
    let members = (0..4).map(name).collect();
    assert_eq!(stranger, ParameterError::NotAMember { name: named('E'), members });
    let both = |one: &mut Parameters| {
        one.excluded.insert(named('A'));
        one.vouched.insert(named('A'));
    };
    assert_eq!(refused(&both), ParameterError::ExcludedAndVouched { member: member.clone() });
    let vouched = refused(&|one| _ = one.vouched.insert(named('A')));
    assert_eq!(vouched, ParameterError::VouchedWithEvidence { member });
}

#[test]
fn one_evidence_a_member() {
    let roster = roster(4);
    let mut evidence = evidence(&roster, &all_match("ABCD", &[0]));
    evidence.push(evidence[2].clone());
    let twice = propose(&roster, &evidence, &Parameters::new(&roster));
    assert_eq!(twice, Err(ProposalError::TwoEvidences { member: named('C') }));
}

#[test]
fn the_document_is_as_it_is_documented() {
    let roster = roster(4);
    let mut reports = all_match("ABCD", &[0, 5, 25]);
    for other in ['A', 'B', 'C'] {
        replace(&mut reports, ('D', other, &[], &[]));
    }
    let outcome = run(&roster, &reports, |_| {});
    let json = serde_json::to_string(&document::ProposalDocument::from(&outcome)).unwrap();
    assert_eq!(
        json,
        concat!(
            r#"{"threshold":3,"margin_seconds":900,"candidates":[{"tick":"2026-04-21T23:25:00Z","#,
            r#""recovery_timestamp":"2026-04-21T23:10:00Z","covered":["A","B","C"],"left_behind":[{"member":"D","#,
            r#""reason":"it has no mutual match with the covered members in all the evidence"}],"#,
            r#""history_lost_seconds":900,"bracketed":true}],"chosen":0,"#,
            r#""reason":"newest candidate that 3 of 4 members mutually committed to","warnings":[]}"#
        )
    );
    let read: document::ProposalDocument = serde_json::from_str(&json).unwrap();
    assert_eq!(read, document::ProposalDocument::from(&outcome));
}

#[test]
fn more_ticks_than_any_network_has_are_refused() {
    // Three pairs with 500,000 ticks each, and none in common.
    let roster = roster(4);
    let mut evidence = evidence(&roster, &all_match("ABCD", &[]));
    for (nth, (a, b)) in [('A', 'B'), ('C', 'D'), ('A', 'C')].into_iter().enumerate() {
        let ticks: crate::evidence::Ticks = (0..500_000).map(|at| tick(at * 3 + nth as i64)).collect();
        for (by, about) in [(a, b), (b, a)] {
            let one = evidence.iter_mut().find(|one| one.member == named(by)).unwrap();
            one.about.get_mut(&named(about)).unwrap().matches = ticks.clone();
        }
    }
    let all = Parameters { threshold: 4, ..Parameters::new(&roster) };
    let members = ['A', 'C', 'B', 'D'].map(named).to_vec();
    assert_eq!(propose(&roster, &evidence, &all), Err(ProposalError::TooManyTicks { members }));
    let fewer = Parameters { excluded: [named('A')].into(), threshold: 3, ..Parameters::new(&roster) };
    assert!(propose(&roster, &evidence, &fewer).is_ok());
}

#[test]
fn graphs_that_are_too_hard_are_refused_with_the_names_of_those_who_lack_most() {
    let roster = roster(4);
    let outcome = evidence(&roster, &all_match("ABCD", &[30]));
    let borrowed: Vec<&Evidence> = outcome.iter().collect();
    let parameters = Parameters::new(&roster);
    let reports = Reports::new(&roster, &borrowed, &parameters);
    let mut graph = Graph::new();
    graph.connect(0, 1);
    graph.connect(0, 2);
    let search = BoundedSearch { reports: &reports, budget: Budget::new(0) };
    let error = search.too_hard(at(30), &graph);
    assert_eq!(
        error.to_string(),
        "the largest set of members that agree at 2026-04-21T23:30:00Z was not found within 10000000 steps: too \
         many pairs lack matches without a pattern, most of them pairs with D, B, C and A\nhelp: exclude one of these \
         members, or narrow the bounds of the recovery timestamp"
    );
    let mut search = search;
    let window = parameters.window().unwrap();
    let swept = search.sweep(window, MIN_COVERAGE, |_, _| true);
    assert!(matches!(swept, Err(ProposalError::TooHard { .. })), "{swept:?}");
}
