//! What a participant's admin API answers about commitments, as evidence.
//!
//! The API has two calls. One says what came of the commitments that the participant *received*, the other of those that it
//! *sent*. Each row has a period, whose end is the tick, and a state. The states are not equal in worth:
//!
//! * A received row has the state of the first stored period that overlaps it. After a catch-up that period can be another
//!   than the one that ends at the row's tick. So a match counts only if both calls report it for the tick.
//! * A mismatch in either call counts: nothing but a difference makes one. A mismatch that was healed later reads as a
//!   match, so the API never proves that there was none.
//! * A row that was not compared yet (buffered, outstanding) is neither, and it also voids a match of its own direction at
//!   that tick: two periods end there, and only one of them was compared.
//! * A tick without rows is unknown: it may be pruned, or never computed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Evidence, EvidenceError, MAX_TICKS, Observations};
use crate::names::{MemberName, ParticipantId};
use crate::roster::Roster;
use crate::time::Tick;

/// What came of one commitment, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comparison {
    /// It was equal.
    Match,
    /// It was not compared, or not yet.
    NotCompared,
    /// It differed.
    Mismatch,
}

/// Which of the two calls says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The commitments of others.
    Received,
    /// The participant's own.
    Sent,
}

/// One row of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The other participant.
    pub counterparty: ParticipantId,
    /// The end of the period, included.
    pub tick: Tick,
    /// What came of it.
    pub comparison: Comparison,
}

/// Rows of both calls for one member, and what they mean together.
#[derive(Debug)]
pub struct Lookup<'r> {
    roster: &'r Roster,
    member: MemberName,
    participant: ParticipantId,
    names: BTreeMap<&'r ParticipantId, &'r MemberName>,
    seen: BTreeMap<(&'r MemberName, Tick), Seen>,
}

/// What each call says about one member at one tick.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    received: Option<Comparison>,
    sent: Option<Comparison>,
}

/// What the rows mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The evidence.
    pub evidence: Evidence,
    /// Ticks at which one call reports a match and the other a mismatch. The mismatch counts.
    pub contradictory: Vec<(MemberName, Tick)>,
    /// How many pairs of a member and a tick were seen without a match or a mismatch that counts.
    pub undecided: usize,
}

impl<'r> Lookup<'r> {
    /// No rows of `member`'s participant yet; `None` if the roster has no such member.
    pub fn new(roster: &'r Roster, member: &MemberName) -> Option<Lookup<'r>> {
        let own = roster.member(member)?;
        let others = roster.members().iter().filter(|other| other.name != own.name);
        Some(Lookup {
            roster,
            member: own.name.clone(),
            participant: own.participant.clone(),
            names: others.map(|other| (&other.participant, &other.name)).collect(),
            seen: BTreeMap::new(),
        })
    }

    /// The participants to ask about: those of the other members.
    pub fn counterparties(&self) -> impl Iterator<Item = &'r ParticipantId> + '_ {
        self.names.keys().copied()
    }

    /// Adds a row. Rows about participants that are not members are skipped. The order and the number of times of rows do
    /// not matter.
    ///
    /// # Errors
    /// [`EvidenceError::TooManyTicks`] if there are more ticks than evidence may have.
    pub fn add(&mut self, direction: Direction, row: &Compared) -> Result<(), EvidenceError> {
        let Some(name) = self.names.get(&row.counterparty) else { return Ok(()) };
        let is_full = self.seen.len() >= MAX_TICKS;
        let seen = match self.seen.entry((name, row.tick)) {
            Entry::Vacant(_) if is_full => {
                return Err(EvidenceError::TooManyTicks { member: self.member.clone() });
            }
            Entry::Vacant(entry) => entry.insert(Seen::default()),
            Entry::Occupied(entry) => entry.into_mut(),
        };
        let side = match direction {
            Direction::Received => &mut seen.received,
            Direction::Sent => &mut seen.sent,
        };
        *side = (*side).max(Some(row.comparison));
        Ok(())
    }

    /// The newest tick of a row with a match or a mismatch in it.
    pub fn newest(&self) -> Option<Tick> {
        let compared = |seen: &&Seen| {
            let sides = [seen.received, seen.sent];
            sides.into_iter().flatten().any(|side| side != Comparison::NotCompared)
        };
        self.seen.iter().filter(|(_, seen)| compared(seen)).map(|((_, tick), _)| *tick).max()
    }

    /// What the rows from `oldest` to `newest`, both included, mean.
    pub fn finish(self, oldest: Tick, newest: Tick) -> Found {
        let mut about: BTreeMap<MemberName, (Vec<Tick>, Vec<Tick>)> = BTreeMap::new();
        let (mut contradictory, mut undecided) = (Vec::new(), 0);
        for ((name, tick), seen) in &self.seen {
            if !(oldest..=newest).contains(tick) {
                continue;
            }
            match (seen.received, seen.sent) {
                (Some(Comparison::Mismatch), other) | (other, Some(Comparison::Mismatch)) => {
                    about.entry((*name).clone()).or_default().1.push(*tick);
                    if other == Some(Comparison::Match) {
                        contradictory.push(((*name).clone(), *tick));
                    }
                }
                (Some(Comparison::Match), Some(Comparison::Match)) => {
                    about.entry((*name).clone()).or_default().0.push(*tick);
                }
                _ => undecided += 1,
            }
        }
        let observations = |(matches, mismatches): (Vec<Tick>, Vec<Tick>)| Observations {
            matches: matches.into_iter().collect(),
            mismatches: mismatches.into_iter().collect(),
        };
        let named = (!self.seen.is_empty()).then(|| self.roster.synchronizer().short());
        let evidence = Evidence {
            member: self.member,
            participant: self.participant,
            synchronizers: named.into_iter().collect(),
            log_span: None,
            about: about.into_iter().map(|(name, ticks)| (name, observations(ticks))).collect(),
            unattributed_mismatches: 0,
        };
        Found { evidence, contradictory, undecided }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{Net, at};
    use crate::time::Timestamp;

    type Row = (Direction, usize, i64, Comparison);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let direction = prop_oneof![Just(Direction::Received), Just(Direction::Sent)];
        let comparison =
            prop_oneof![Just(Comparison::Match), Just(Comparison::NotCompared), Just(Comparison::Mismatch)];
        // Member 0 is the participant itself, member 4 is not in the roster.
        prop::collection::vec((direction, 0usize..5, 0i64..6, comparison), 0..40)
    }

    fn participant(member: usize) -> ParticipantId {
        format!("PAR::sv-{member}::abc").parse().unwrap()
    }

    fn found(net: &Net, rows: &[Row]) -> Found {
        let mut lookup = Lookup::new(&net.roster, &net.name(0)).unwrap();
        for (direction, member, seconds, comparison) in rows {
            let row = Compared {
                counterparty: participant(*member),
                tick: Tick(at(*seconds)),
                comparison: *comparison,
            };
            lookup.add(*direction, &row).unwrap();
        }
        lookup.finish(Tick(Timestamp::MIN), Tick(Timestamp::MAX))
    }

    /// The rule, pair by pair, straight from its words.
    fn reference(rows: &[Row], member: usize, seconds: i64) -> Option<Comparison> {
        let of = |wanted: Direction| -> Vec<Comparison> {
            let at = rows.iter().filter(|row| row.0 == wanted && row.1 == member && row.2 == seconds);
            at.map(|row| row.3).collect()
        };
        let (received, sent) = (of(Direction::Received), of(Direction::Sent));
        let all_match =
            |side: &[Comparison]| !side.is_empty() && side.iter().all(|one| *one == Comparison::Match);
        if received.iter().chain(&sent).any(|one| *one == Comparison::Mismatch) {
            Some(Comparison::Mismatch)
        } else if all_match(&received) && all_match(&sent) {
            Some(Comparison::Match)
        } else {
            None
        }
    }

    proptest! {
        #[test]
        fn a_match_needs_both_calls_and_a_mismatch_one(rows in rows(), turn in any::<prop::sample::Index>()) {
            let net = Net::new(4);
            let found = found(&net, &rows);
            found.evidence.check(&net.roster).unwrap();
            prop_assert!(!found.evidence.about.contains_key(&net.name(0)));
            for member in 1..4 {
                for seconds in 0..6 {
                    let about = found.evidence.about(&net.name(member));
                    let tick = Tick(at(seconds));
                    let said = [
                        about.is_some_and(|about| about.matches.contains(tick)),
                        about.is_some_and(|about| about.mismatches.contains(tick)),
                    ];
                    let expected = reference(&rows, member, seconds);
                    prop_assert_eq!(said, [
                        expected == Some(Comparison::Match),
                        expected == Some(Comparison::Mismatch),
                    ]);
                }
            }
            // In any order, and twice.
            let mut again = rows.clone();
            if !rows.is_empty() {
                again.rotate_left(turn.index(rows.len()));
            }
            again.extend(rows.iter().copied());
            prop_assert_eq!(self::found(&net, &again), found);
        }
    }

    #[test]
    fn a_contradiction_between_the_calls_is_named() {
        let net = Net::new(4);
        let rows = [
            (Direction::Received, 1, 0, Comparison::Match),
            (Direction::Sent, 1, 0, Comparison::Mismatch),
            (Direction::Received, 2, 0, Comparison::Match),
        ];
        let found = found(&net, &rows);
        assert_eq!(found.contradictory, [(net.name(1), Tick(at(0)))]);
        assert_eq!(found.undecided, 1);
    }

    #[test]
    fn only_the_window_counts() {
        let net = Net::new(4);
        let mut lookup = Lookup::new(&net.roster, &net.name(0)).unwrap();
        for seconds in 0..5 {
            for direction in [Direction::Received, Direction::Sent] {
                let row = Compared {
                    counterparty: participant(1),
                    tick: Tick(at(seconds)),
                    comparison: Comparison::Match,
                };
                lookup.add(direction, &row).unwrap();
            }
        }
        assert_eq!(lookup.newest(), Some(Tick(at(4))));
        let found = lookup.finish(Tick(at(1)), Tick(at(3)));
        let ticks: Vec<Tick> = found.evidence.about(&net.name(1)).unwrap().matches.iter().collect();
        assert_eq!(ticks, [1, 2, 3].map(|seconds| Tick(at(seconds))));
    }
}
