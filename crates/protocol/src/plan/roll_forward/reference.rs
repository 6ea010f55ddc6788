//! The rule in its plainest form, straight from its text, to compare the real one with.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::tests::{at, psid, seen};
use super::*;
use crate::fixture::Net;
use crate::sequencing::Fence;

/// One member's evidence; times are microseconds.
#[derive(Clone, Debug)]
struct Report {
    last: i64,
    /// Sequenced and effective, as distances before `last` and after the former.
    topology: Option<(i64, i64)>,
    record: Option<i64>,
    /// Whether it is of another physical synchronizer.
    elsewhere: bool,
    fence: Option<(i64, bool)>,
    /// Serial and upgrade time.
    announced: Option<(u32, i64)>,
}

#[derive(Clone, Debug)]
struct Case {
    members: usize,
    reports: Vec<Option<Report>>,
    excluded: Vec<bool>,
    serial: u32,
    max: Option<i64>,
    lower: Option<i64>,
    upgrade: Option<i64>,
    corroboration: i64,
    announced: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    exports: Option<(i64, i64)>,
    times: [i64; 3],
    covered: Vec<usize>,
    lost: Option<i64>,
    divergence: Option<(i64, i64, Vec<usize>)>,
    uncorroborated: Vec<usize>,
    provisional: bool,
}

/// The rows and the choice, or that the rule refuses.
type Answer = Option<(Vec<Row>, Option<usize>)>;

impl Case {
    fn answer(&self) -> Answer {
        let reporting: Vec<(usize, &Report)> = (0..self.members)
            .filter(|member| !self.excluded[*member])
            .filter_map(|member| Some((member, self.reports[member].as_ref()?)))
            .filter(|(_, report)| !report.elsewhere)
            .collect();
        let n = self.members;
        let f = (n - 1) / 3;
        let threshold = (n + f + 1).div_ceil(2);
        let topology = |report: &Report| report.topology.map(|(before, _)| report.last - before);
        let effective = |report: &Report| report.topology.map(|(before, after)| report.last - before + after);

        // Rules 3 and 4: the same for every candidate.
        let mut seen_times: Vec<i64> = Vec::new();
        for (_, report) in &reporting {
            seen_times.push(report.last);
            seen_times.extend(report.record);
        }
        let newest = seen_times.iter().max().copied();
        let newest_effective = reporting.iter().filter_map(|(_, report)| effective(report)).max();
        let max = self.max.or(newest.map(|newest| newest + 1));
        let lower = self.lower.or(match (max, newest_effective) {
            (Some(max), Some(effective)) => Some(max.max(effective)),
            (max, _) => max,
        });
        let upgrade = self.upgrade.or(lower);
        let not_after = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => a <= b,
            _ => true,
        };
        let agreed = (0..n).find_map(|one| {
            let announced = self.reports[one].as_ref()?.announced?;
            let by: Vec<usize> = reporting
                .iter()
                .filter(|(_, report)| report.announced == Some(announced))
                .map(|(member, _)| *member)
                .collect();
            (self.announced && by.len() >= threshold).then_some((announced, by))
        });
        let valid = self.serial > 1
            && reporting
                .iter()
                .all(|(_, report)| report.announced.is_none_or(|(serial, _)| serial != self.serial))
            && agreed.as_ref().is_none_or(|((serial, _), _)| self.serial > *serial)
            && seen_times.iter().all(|seen| *seen < max.unwrap())
            && reporting
                .iter()
                .all(|(_, report)| report.fence.is_none_or(|(fence, _)| fence == max.unwrap()))
            && not_after(max, lower)
            && not_after(newest_effective, lower)
            && not_after(lower, upgrade);
        if !valid {
            return None;
        }

        let mut last: Vec<i64> = reporting.iter().map(|(_, report)| report.last).collect();
        last.sort();
        last.reverse();
        let reference = last.get(f).or(last.last()).copied();
        let uncorroborated: Vec<usize> = reporting
            .iter()
            .filter(|(_, report)| {
                let times = [Some(report.last), report.record, effective(report)];
                times.into_iter().flatten().any(|time| time - reference.unwrap() > self.corroboration)
            })
            .map(|(member, _)| *member)
            .collect();
        let row = |exports: Option<(i64, i64)>, covered: Vec<usize>| {
            let lost = reporting.iter().filter_map(|(_, report)| topology(report)).max();
            let ahead: Vec<&(usize, &Report)> = reporting
                .iter()
                .filter(|(_, report)| exports.is_some_and(|(_, traffic)| report.last > traffic))
                .collect();
            let reached = covered
                .iter()
                .all(|member| self.reports[*member].as_ref().unwrap().fence == Some((max.unwrap(), true)));
            Row {
                exports,
                times: [max.unwrap(), lower.unwrap(), upgrade.unwrap()],
                lost: lost.filter(|lost| exports.is_some_and(|(export, _)| *lost > export)),
                divergence: ahead.iter().map(|(_, report)| report.last).max().map(|until| {
                    (exports.unwrap().1, until, ahead.iter().map(|(member, _)| *member).collect())
                }),
                uncorroborated: uncorroborated.clone(),
                provisional: max.unwrap() > newest.unwrap() + 1 && !reached,
                covered,
            }
        };
        let mut rows: Vec<Row> = Vec::new();
        if self.announced {
            rows.extend(agreed.map(|(_, by)| row(None, by)));
        } else {
            let mut times: Vec<i64> = reporting.iter().filter_map(|(_, report)| topology(report)).collect();
            times.sort();
            times.dedup();
            for export in times.into_iter().rev() {
                let covered: Vec<&(usize, &Report)> = reporting
                    .iter()
                    .filter(|(_, report)| topology(report).is_some_and(|topology| topology >= export))
                    .collect();
                if covered.len() >= 2 && rows.iter().all(|newer| newer.covered.len() < covered.len()) {
                    let traffic = covered.iter().map(|(_, report)| report.last).min().unwrap();
                    let members = covered.iter().map(|(member, _)| *member).collect();
                    rows.push(row(Some((export, traffic)), members));
                }
            }
        }
        let chosen = rows.iter().position(|row| row.covered.len() >= threshold);
        Some((rows, chosen))
    }

    fn evidence(&self, roster: &Roster) -> Vec<Sequencing> {
        let of = |(member, report): (usize, &Report)| {
            let times =
                report.topology.map(|(before, after)| (report.last - before, report.last - before + after));
            let mut evidence = seen(roster, member, report.last, times);
            evidence.participant_record_time = report.record.map(at);
            if report.elsewhere {
                evidence.physical_synchronizer = psid(roster, 7);
            }
            evidence.fence = report.fence.map(|(fence, reached)| Fence { at: at(fence), reached });
            evidence.announcement = report.announced.map(|(serial, upgrade)| Announcement {
                successor: psid(roster, serial),
                effective: at(0),
                upgrade_time: at(upgrade),
            });
            evidence
        };
        let reports = self.reports.iter().enumerate();
        reports.filter_map(|(member, report)| Some((member, report.as_ref()?))).map(of).collect()
    }

    fn parameters(&self, roster: &Roster) -> Parameters {
        let members = roster.members().iter().zip(&self.excluded);
        Parameters {
            excluded: members.filter(|(_, excluded)| **excluded).map(|(one, _)| one.name.clone()).collect(),
            max_sequencing_time: self.max.map(at),
            lower_bound: self.lower.map(at),
            upgrade_time: self.upgrade.map(at),
            corroboration: Duration::from_micros(self.corroboration.unsigned_abs()),
            announced: self.announced,
            ..Parameters::new(self.serial, 35)
        }
    }
}

/// Small numbers, so that times are often equal or next to each other.
fn case() -> impl Strategy<Value = Case> {
    let rarely = |most: i64| prop_oneof![9 => Just(None), 1 => (0..most).prop_map(Some)];
    let fence = prop_oneof![6 => Just(None), 1 => (Just(20i64), any::<bool>()).prop_map(Some)];
    let announced =
        prop_oneof![2 => Just(None), 4 => Just(Some((2u32, 9i64))), 1 => (2u32..4, 8i64..10).prop_map(Some)];
    let report = (
        0i64..16,
        prop::option::weighted(0.85, (0i64..4, 0i64..6)),
        prop::option::of(0i64..17),
        prop::bool::weighted(0.08),
        fence,
        announced,
    )
        .prop_map(|(last, topology, record, elsewhere, fence, announced)| Report {
            last,
            topology,
            record,
            elsewhere,
            fence,
            announced,
        });
    // Names are compared as text, so that at most ten have the order of their numbers.
    (2usize..=9).prop_flat_map(move |members| {
        let max = prop_oneof![3 => Just(None), 2 => Just(Some(20i64)), 1 => (0i64..22).prop_map(Some)];
        (
            prop::collection::vec(prop::option::weighted(0.9, report.clone()), members),
            prop::collection::vec(prop::bool::weighted(0.08), members),
            prop_oneof![1 => Just(1u32), 8 => Just(3), 4 => Just(4)],
            (max, rarely(30), rarely(34)),
            0i64..8,
            prop::bool::weighted(0.3),
        )
            .prop_map(
                move |(reports, excluded, serial, (max, lower, upgrade), corroboration, announced)| Case {
                    members,
                    reports,
                    excluded,
                    serial,
                    max,
                    lower,
                    upgrade,
                    corroboration,
                    announced,
                },
            )
    })
}

#[test]
fn the_cases_reach_every_answer() {
    let mut runner = TestRunner::deterministic();
    let [mut refused, mut chosen, mut none, mut announced, mut provisional, mut false_clock] = [0; 6];
    for _ in 0..2000 {
        let case = case().new_tree(&mut runner).unwrap().current();
        match case.answer() {
            None => refused += 1,
            Some((_, None)) => none += 1,
            Some((rows, Some(at))) => {
                chosen += 1;
                announced += usize::from(rows[at].exports.is_none());
                provisional += usize::from(rows[at].provisional);
                false_clock += usize::from(!rows[at].uncorroborated.is_empty());
            }
        }
    }
    let reached = [refused, chosen, none, announced, provisional, false_clock];
    assert!(reached.iter().all(|count| *count >= 10), "{reached:?}");
}

/// What the rule says, in the reference's terms.
fn rows(roster: &Roster, outcome: &Outcome) -> (Vec<Row>, Option<usize>) {
    let micros = |time: Timestamp| time.micros() - at(0).micros();
    let members = |names: &[MemberName]| -> Vec<usize> {
        names
            .iter()
            .map(|name| roster.members().iter().position(|member| member.name == *name).unwrap())
            .collect()
    };
    let row = |candidate: &Candidate| {
        let values = candidate.values;
        let exports = values.exports();
        Row {
            exports: exports.map(|exports| (micros(exports.topology), micros(exports.traffic))),
            times: [values.max_sequencing_time(), values.lower_bound(), values.upgrade_time()].map(micros),
            covered: members(&candidate.covered),
            lost: candidate.lost_topology_until.map(micros),
            divergence: candidate
                .divergence
                .as_ref()
                .map(|one| (micros(one.from), micros(one.until), members(&one.members))),
            uncorroborated: members(&candidate.uncorroborated),
            provisional: candidate.provisional,
        }
    };
    let chosen = match outcome.choice {
        Choice::Candidate(at) => Some(at),
        Choice::NotPossible(_) => None,
    };
    (outcome.candidates.iter().map(row).collect(), chosen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn agrees_with_the_text(case in case(), turn in 0usize..9) {
        let roster = Net::new(case.members).roster;
        let mut evidence = case.evidence(&roster);
        let parameters = case.parameters(&roster);
        let result = propose(&roster, &evidence, &psid(&roster, 1), &parameters);
        let found = result.as_ref().ok().map(|outcome| rows(&roster, outcome));
        prop_assert_eq!(found, case.answer(), "{:?}", result);
        // In whatever order the evidence arrives.
        let len = evidence.len().max(1);
        evidence.rotate_left(turn % len);
        evidence.reverse();
        prop_assert_eq!(propose(&roster, &evidence, &psid(&roster, 1), &parameters), result);
    }

    #[test]
    fn rule_4_is_true_of_every_candidate(case in case()) {
        let roster = Net::new(case.members).roster;
        let evidence = case.evidence(&roster);
        let parameters = case.parameters(&roster);
        let Ok(outcome) = propose(&roster, &evidence, &psid(&roster, 1), &parameters) else { return Ok(()) };
        prop_assert!(outcome.new.serial() > outcome.old.serial());
        for candidate in &outcome.candidates {
            let values = candidate.values;
            let [max, lower, upgrade] =
                [values.max_sequencing_time(), values.lower_bound(), values.upgrade_time()];
            prop_assert!(max <= lower && lower <= upgrade);
            if let Some(Exports { topology, traffic }) = values.exports() {
                prop_assert!(topology <= traffic && traffic < max);
                // A covered member's exports do not hang.
                for one in evidence.iter().filter(|one| candidate.covered.contains(&one.member)) {
                    prop_assert!(one.topology.unwrap().sequenced >= topology && one.last_sequenced >= traffic);
                }
            }
            for one in &evidence {
                if parameters.excluded.contains(&one.member) || one.physical_synchronizer != outcome.old {
                    prop_assert!(!candidate.covered.contains(&one.member));
                    continue;
                }
                prop_assert!(one.last_sequenced < max && one.participant_record_time.is_none_or(|at| at < max));
                prop_assert!(one.topology.is_none_or(|times| times.effective <= lower));
                prop_assert!(one.fence.is_none_or(|fence| fence.at == max));
            }
            let named: BTreeSet<&MemberName> =
                candidate.covered.iter().chain(candidate.left_behind.iter().map(|left| &left.member)).collect();
            prop_assert_eq!(named.len(), case.members);
            prop_assert_eq!(candidate.covered.len() + candidate.left_behind.len(), case.members);
        }
    }
}
