//! The rule in its plainest form, straight from its text, to compare the fast one with.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::{MINUTE, name, roster, tick};
use super::*;
use crate::evidence::Observations;

/// What is reported by one about another, by minute: whether it is a match.
type Said = BTreeMap<(usize, usize), BTreeMap<i64, bool>>;

#[derive(Clone, Debug)]
struct Case {
    members: usize,
    /// Members with evidence.
    heard: BTreeSet<usize>,
    /// By whom, about whom, when, and which of match and mismatch.
    reports: Vec<(usize, usize, i64, u8)>,
    margin: i64,
    not_before: Option<i64>,
    not_after: Option<i64>,
    excluded: BTreeSet<usize>,
    vouched: BTreeSet<usize>,
    threshold: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    tick: i64,
    covered: Vec<MemberName>,
    lost: i64,
    bracketed: bool,
}

impl Case {
    fn said(&self) -> Said {
        let mut said = Said::new();
        for &(by, about, minute, kind) in &self.reports {
            if by != about && self.heard.contains(&by) {
                let matched = said.entry((by, about)).or_default().entry(minute).or_insert(kind == 0);
                *matched &= kind == 0;
            }
        }
        said
    }

    fn evidence(&self, roster: &Roster) -> Vec<Evidence> {
        let mut evidence: BTreeMap<usize, Evidence> = BTreeMap::new();
        for &by in &self.heard {
            let member = name(by);
            let participant = roster.member(&member).unwrap().participant.clone();
            evidence.insert(
                by,
                Evidence {
                    member,
                    participant,
                    synchronizers: BTreeSet::new(),
                    log_span: None,
                    about: BTreeMap::new(),
                    unattributed_mismatches: 0,
                },
            );
        }
        // By pair and kind: 2 means both at one tick.
        let mut ticks: BTreeMap<(usize, usize, bool), Vec<Tick>> = BTreeMap::new();
        for &(by, about, minute, kind) in &self.reports {
            if by == about || !self.heard.contains(&by) {
                continue;
            }
            for matched in [true, false] {
                if kind == 2 || matched == (kind == 0) {
                    ticks.entry((by, about, matched)).or_default().push(tick(minute * MINUTE));
                }
            }
        }
        for ((by, about, matched), ticks) in ticks {
            let observations: &mut Observations =
                evidence.get_mut(&by).unwrap().about.entry(name(about)).or_default();
            let set = if matched { &mut observations.matches } else { &mut observations.mismatches };
            *set = ticks.into_iter().collect();
        }
        evidence.into_values().collect()
    }

    fn connected(&self, said: &Said, a: usize, b: usize, tick: i64) -> bool {
        if self.vouched.contains(&a) && self.vouched.contains(&b) {
            return true;
        }
        let nothing = BTreeMap::new();
        let says = |by, about| said.get(&(by, about)).unwrap_or(&nothing);
        let both = [(a, b), (b, a)];
        let matched = both
            .iter()
            .filter(|(by, _)| !self.vouched.contains(by))
            .all(|&(by, about)| says(by, about).get(&tick) == Some(&true));
        let recovery = tick - self.margin;
        let before = both.iter().flat_map(|&(by, about)| says(by, about).keys());
        let last = before.copied().filter(|at| *at <= recovery).max();
        let mismatched = both
            .iter()
            .flat_map(|&(by, about)| says(by, about))
            .any(|(&at, &matched)| !matched && (recovery < at && at <= tick || Some(at) == last));
        matched && !mismatched
    }

    fn rows(&self) -> Vec<Row> {
        let said = self.said();
        let eligible: Vec<usize> =
            (0..self.members).filter(|member| !self.excluded.contains(member)).collect();
        let matched = |at: &BTreeMap<i64, bool>| -> Vec<i64> {
            at.iter().filter(|(_, matched)| **matched).map(|(at, _)| *at).collect()
        };
        let newest = said.values().flat_map(matched).max();
        let ticks: BTreeSet<i64> = said
            .iter()
            .filter(|((by, about), _)| eligible.contains(by) && eligible.contains(about))
            .flat_map(|(_, at)| matched(at))
            .collect();
        let mut rows: Vec<Row> = Vec::new();
        for tick in ticks.into_iter().rev() {
            let recovery = tick - self.margin;
            let allowed = self.not_before.is_none_or(|bound| bound <= recovery)
                && self.not_after.is_none_or(|bound| recovery <= bound);
            let most = rows.last().map_or(0, |row| row.covered.len());
            if !allowed || most == eligible.len() {
                continue;
            }
            let cliques = (0u32..1 << eligible.len()).map(|set| {
                let chosen = eligible.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1);
                chosen.map(|(_, member)| *member).collect::<Vec<_>>()
            });
            let largest = cliques
                .filter(|set| {
                    set.iter().all(|a| set.iter().all(|b| a == b || self.connected(&said, *a, *b, tick)))
                })
                .map(|set| {
                    let mut names: Vec<MemberName> = set.iter().map(|member| name(*member)).collect();
                    names.sort();
                    (std::cmp::Reverse(names.len()), names, set)
                })
                .min();
            let Some((_, covered, set)) = largest else { continue };
            if covered.len() >= 2 && covered.len() > most {
                let bracketed = set.iter().all(|a| {
                    set.iter().all(|b| {
                        let reports = |a: &usize, b: &usize| {
                            let at = said.get(&(*a, *b));
                            at.is_some_and(|at| at.iter().any(|(at, matched)| *matched && *at <= recovery))
                        };
                        let aside = a == b || self.vouched.contains(a) && self.vouched.contains(b);
                        aside || reports(a, b) || reports(b, a)
                    })
                });
                rows.push(Row { tick, covered, lost: (newest.unwrap() - recovery) * 60, bracketed });
            }
        }
        rows
    }

    fn parameters(&self, roster: &Roster) -> Parameters {
        let time = |minute: i64| tick(minute * MINUTE).0;
        Parameters {
            margin: Duration::from_secs(self.margin.unsigned_abs() * 60),
            threshold: self.threshold.clamp(roster.threshold(), self.members),
            not_before: self.not_before.map(time),
            not_after: self.not_after.map(time),
            excluded: self.excluded.iter().map(|member| name(*member)).collect(),
            vouched: self.vouched.iter().map(|member| name(*member)).collect(),
        }
    }
}

fn case() -> impl Strategy<Value = Case> {
    // Ten ticks in steps of one, or a hundred and fifty in steps of one to three: more than a word holds.
    let span = prop_oneof![Just(10i64), Just(150)];
    (2usize..=6, span, 0i64..5).prop_flat_map(|(members, span, margin)| {
        // Mostly matches, and mostly the same ones by both: else nobody is ever connected.
        let kind = prop_oneof![8 => Just(0u8), 1 => Just(1), 1 => Just(2)];
        let one = (0..members, 0..members, 0..span, kind, any::<bool>());
        let dense = prop::collection::vec((0..members, 0..members, 0..span, 1..span), 0..12);
        let reports = (prop::collection::vec(one, 0..120), dense).prop_map(move |(single, dense)| {
            let single = single.into_iter().flat_map(|(by, about, at, kind, both)| {
                let other = both.then_some((about, by, at, 0));
                [Some((by, about, at, kind)), other].into_iter().flatten()
            });
            let dense = dense.into_iter().flat_map(move |(by, about, from, length)| {
                (from..(from + length).min(span)).flat_map(move |at| [(by, about, at, 0), (about, by, at, 0)])
            });
            single.chain(dense).collect::<Vec<_>>()
        });
        let roles = prop::collection::vec(0u8..10, members);
        let bound = || prop::option::of(-2..span + 2);
        (reports, roles, bound(), bound(), 2..=members).prop_map(
            move |(reports, roles, not_before, not_after, threshold)| {
                let having = |wanted: &[u8]| -> BTreeSet<usize> {
                    (0..members).filter(|member| wanted.contains(&roles[*member])).collect()
                };
                let (not_before, not_after) = match (not_before, not_after) {
                    (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
                    bounds => bounds,
                };
                Case {
                    members,
                    heard: having(&[0, 3, 4, 5, 6, 7, 8, 9]),
                    reports,
                    margin,
                    not_before,
                    not_after,
                    excluded: having(&[0]),
                    vouched: having(&[1]),
                    threshold,
                }
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn agrees_with_the_text(case in case(), turn in 0usize..6) {
        let roster = roster(case.members);
        let parameters = case.parameters(&roster);
        let mut evidence = case.evidence(&roster);
        let outcome = propose(&roster, &evidence, &parameters).unwrap();
        let rows: Vec<Row> = outcome
            .candidates
            .iter()
            .map(|one| Row {
                tick: one.tick.0.micros() / MINUTE,
                covered: one.covered.clone(),
                lost: one.history_lost_seconds,
                bracketed: one.bracketed,
            })
            .collect();
        let expected = case.rows();
        let chosen = expected.iter().position(|row| row.covered.len() >= parameters.threshold);
        prop_assert_eq!(rows, expected);
        match &outcome.choice {
            Choice::Candidate(at) => prop_assert_eq!(Some(*at), chosen),
            Choice::NotPossible(_) => prop_assert_eq!(None, chosen),
        }
        // In whatever order the evidence arrives.
        let len = evidence.len().max(1);
        evidence.rotate_left(turn % len);
        evidence.reverse();
        prop_assert_eq!(propose(&roster, &evidence, &parameters).unwrap(), outcome);
    }

    #[test]
    fn the_reasons_hold(case in case()) {
        let roster = roster(case.members);
        let outcome = propose(&roster, &case.evidence(&roster), &case.parameters(&roster)).unwrap();
        let said = case.said();
        let vertex = |wanted: &MemberName| (0..case.members).find(|at| name(*at) == *wanted).unwrap();
        let mutual = |a: usize, b: usize| -> BTreeSet<i64> {
            let of = |by: usize, about: usize| -> Option<BTreeSet<i64>> {
                let matched = said.get(&(by, about)).into_iter().flatten().filter(|(_, matched)| **matched);
                (!case.vouched.contains(&by)).then(|| matched.map(|(at, _)| *at).collect())
            };
            match (of(a, b), of(b, a)) {
                (Some(one), Some(other)) => &one & &other,
                (one, other) => one.or(other).unwrap_or_default(),
            }
        };
        for candidate in &outcome.candidates {
            let tick = candidate.tick.0.micros() / MINUTE;
            prop_assert_eq!(candidate.covered.len() + candidate.left_behind.len(), case.members);
            for LeftBehind { member, reason } in &candidate.left_behind {
                let member = vertex(member);
                let newest = |with: &MemberName| mutual(member, vertex(with)).last().copied();
                match reason {
                    Reason::Excluded => prop_assert!(case.excluded.contains(&member)),
                    Reason::NoEvidence => {
                        prop_assert!(!case.heard.contains(&member) && !case.vouched.contains(&member));
                    }
                    Reason::Mismatch { with } => for (other, at) in with {
                        let (other, at) = (vertex(other), at.0.micros() / MINUTE);
                        prop_assert!(!case.connected(&said, member, other, tick));
                        let reports = [(member, other), (other, member)];
                        prop_assert!(reports.iter().any(|pair| said.get(pair).and_then(|one| one.get(&at)) == Some(&false)));
                        prop_assert!(at <= tick);
                    },
                    Reason::NeverMatched { with, .. } => {
                        prop_assert!(!with.is_empty() && with.iter().all(|with| newest(with).is_none()));
                    }
                    Reason::Older { newest: at, with, .. } => {
                        let at = at.0.micros() / MINUTE;
                        prop_assert!(at < tick && !with.is_empty());
                        prop_assert!(with.iter().all(|with| newest(with) == Some(at)));
                    }
                    Reason::NotAtTick { with, newest: at, .. } => {
                        prop_assert!(at.is_some_and(|at| at > candidate.tick) && !with.is_empty());
                        prop_assert!(with.iter().all(|with| !mutual(member, vertex(with)).contains(&tick)));
                    }
                }
            }
        }
    }
}
