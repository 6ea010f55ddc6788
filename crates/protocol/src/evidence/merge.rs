//! Evidence of one member from several sources, as one.
//!
//! What any source reports counts. If one reports a match and another a mismatch, both are kept, and the mismatch counts,
//! as it does within one source: a participant's database forgets a mismatch that was healed, and its log does not. Such
//! pairs are named, because they can also mean that a source is not what its operator thinks.

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, EvidenceError, LogSpan, MAX_TICKS, Observations};
use crate::names::MemberName;
use crate::time::Tick;

/// Evidence of several sources, merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// What they report together.
    pub evidence: Evidence,
    /// Where they contradict each other, in the order of members and ticks.
    pub contradictions: Vec<Contradiction>,
}

/// A tick at which some sources report a match with a member, and others a mismatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The other member.
    pub counterparty: MemberName,
    /// The tick.
    pub tick: Tick,
    /// The sources that report a match only, by their place in the input.
    pub matched_by: Vec<usize>,
    /// The sources that report a mismatch.
    pub mismatched_by: Vec<usize>,
}

/// Merges evidence of one member: that of the `first` source, and that of the `others`.
///
/// # Errors
/// [`EvidenceError`] if together they have more ticks than evidence may have, or they are of different members.
pub fn merge(first: &Evidence, others: &[Evidence]) -> Result<Merged, EvidenceError> {
    let sources: Vec<&Evidence> = std::iter::once(first).chain(others).collect();
    if let Some(other) = sources.iter().find(|other| other.participant != first.participant) {
        return Err(EvidenceError::OtherParticipant {
            member: first.member.clone(),
            expected: first.participant.clone(),
            found: other.participant.clone(),
        });
    }
    let members: BTreeSet<&MemberName> = sources.iter().flat_map(|source| source.about.keys()).collect();
    let mut about = BTreeMap::new();
    let mut contradictions = Vec::new();
    for member in members {
        let observations: Vec<(usize, &Observations)> = sources
            .iter()
            .enumerate()
            .filter_map(|(nth, source)| source.about(member).map(|about| (nth, about)))
            .collect();
        let merged = Observations {
            matches: observations.iter().flat_map(|(_, one)| one.matches.iter()).collect(),
            mismatches: observations.iter().flat_map(|(_, one)| one.mismatches.iter()).collect(),
        };
        for tick in merged.mismatches.iter() {
            let (mismatching, others): (Vec<_>, Vec<_>) =
                observations.iter().partition(|(_, one)| one.mismatches.contains(tick));
            let matched_by: Vec<usize> =
                others.iter().filter(|(_, one)| one.matches.contains(tick)).map(|(nth, _)| *nth).collect();
            if !matched_by.is_empty() {
                let mismatched_by = mismatching.iter().map(|(nth, _)| *nth).collect();
                contradictions.push(Contradiction {
                    counterparty: member.clone(),
                    tick,
                    matched_by,
                    mismatched_by,
                });
            }
        }
        about.insert(member.clone(), merged);
    }
    let spans = sources.iter().filter_map(|source| source.log_span);
    let evidence = Evidence {
        member: first.member.clone(),
        participant: first.participant.clone(),
        synchronizers: sources.iter().flat_map(|source| source.synchronizers.iter().cloned()).collect(),
        log_span: spans
            .reduce(|all, one| LogSpan { first: all.first.min(one.first), last: all.last.max(one.last) }),
        about,
        unattributed_mismatches: sources
            .iter()
            .fold(0, |sum: u64, source| sum.saturating_add(source.unattributed_mismatches)),
    };
    match evidence.tick_count() > MAX_TICKS {
        true => Err(EvidenceError::TooManyTicks { member: evidence.member }),
        false => Ok(Merged { evidence, contradictions }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{Net, at};

    /// For each other member and second: whether there is a match, whether there is a mismatch.
    type Grid = [[(bool, bool); 4]; 2];

    fn evidence(net: &Net, grid: &Grid, unattributed_mismatches: u64) -> Evidence {
        let observed = |row: &[(bool, bool); 4]| {
            let ticks = |wanted: fn(&(bool, bool)) -> bool| {
                let seconds = (0i64..).zip(row).filter(|(_, cell)| wanted(cell));
                seconds.map(|(seconds, _)| Tick(at(seconds))).collect()
            };
            Observations { matches: ticks(|cell| cell.0), mismatches: ticks(|cell| cell.1) }
        };
        let about = grid.iter().zip(1..).map(|(row, member)| (net.name(member), observed(row)));
        Evidence {
            member: net.name(0),
            participant: net.roster.members()[0].participant.clone(),
            synchronizers: BTreeSet::new(),
            log_span: Some(LogSpan { first: at(0), last: at(9) }),
            about: about.filter(|(_, observations)| !observations.is_empty()).collect(),
            unattributed_mismatches,
        }
    }

    proptest! {
        #[test]
        fn any_source_counts_and_contradictions_are_exactly_the_opposed_ticks(
            grids in prop::collection::vec(any::<Grid>(), 1..4),
            turn in any::<prop::sample::Index>(),
        ) {
            let net = Net::new(3);
            let sources: Vec<Evidence> = grids.iter().map(|grid| evidence(&net, grid, 1)).collect();
            let merged = merge(&sources[0], &sources[1..]).unwrap();
            merged.evidence.check(&net.roster).unwrap();
            prop_assert_eq!(merged.evidence.unattributed_mismatches, grids.len() as u64);
            let mut expected = Vec::new();
            for member in 0..2usize {
                for second in 0..4usize {
                    let (name, tick) = (net.name(member + 1), Tick(at(second as i64)));
                    let cells: Vec<(bool, bool)> = grids.iter().map(|grid| grid[member][second]).collect();
                    let about = merged.evidence.about(&name);
                    prop_assert_eq!(
                        about.is_some_and(|about| about.matches.contains(tick)),
                        cells.iter().any(|cell| cell.0)
                    );
                    prop_assert_eq!(
                        about.is_some_and(|about| about.mismatches.contains(tick)),
                        cells.iter().any(|cell| cell.1)
                    );
                    let places = |wanted: fn(&(bool, bool)) -> bool| -> Vec<usize> {
                        (0..).zip(&cells).filter(|(_, cell)| wanted(cell)).map(|(nth, _)| nth).collect()
                    };
                    let (matched_by, mismatched_by) = (places(|cell| cell.0 && !cell.1), places(|cell| cell.1));
                    if !matched_by.is_empty() && !mismatched_by.is_empty() {
                        expected.push(Contradiction { counterparty: name, tick, matched_by, mismatched_by });
                    }
                }
            }
            prop_assert_eq!(&merged.contradictions, &expected);
            // The order of the sources changes nothing but their numbers.
            let mut turned = sources.clone();
            turned.rotate_left(turn.index(sources.len()));
            prop_assert_eq!(merge(&turned[0], &turned[1..]).unwrap().evidence, merged.evidence);
        }

        #[test]
        fn one_source_is_itself(grid in any::<Grid>()) {
            let net = Net::new(3);
            let one = evidence(&net, &grid, 3);
            let merged = merge(&one, &[]).unwrap();
            prop_assert_eq!(merged, Merged { evidence: one, contradictions: Vec::new() });
        }
    }

    #[test]
    fn sources_of_two_participants_are_not_merged() {
        let net = Net::new(3);
        let one = evidence(&net, &Grid::default(), 0);
        let other = Evidence { participant: net.roster.members()[1].participant.clone(), ..one.clone() };
        assert!(matches!(merge(&one, &[other]), Err(EvidenceError::OtherParticipant { .. })));
    }
}
