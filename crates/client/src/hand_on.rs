//! What an agent hands to one coordinator of what it holds: a pure decision.
//!
//! * The opening and this member's own statements go at once.
//! * What others signed goes after a short random delay, and only if the coordinator lacks it still. So when a coordinator
//!   lacks much, its agents share the work, and when it lacks little, one agent does it.
//! * What the coordinator has shown, acknowledged or refused is not submitted again on the same connection. What others signed
//!   is handed to a journal once, also if the coordinator does not show it on a later connection.
//! * What others signed goes to at most [`MAX_JOURNALS_AN_HOUR`] journals of one key in an hour ([`JournalBudget`]): a
//!   coordinator that forgets all the time must not make every agent send everything all the time.
//!
//! Times are spans since some start, which the caller chooses.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use svdr_protocol::digest::Digest;
use svdr_protocol::receipt::JournalId;

/// The shortest delay before others' statements are handed on: an agent that is connected to two coordinators submits its
/// own statements to both, and needs no help.
pub const SHORTEST_DELAY: Duration = Duration::from_millis(500);

/// The longest one. Nobody waits longer for a coordinator that forgot, and 128 agents are spread over it.
pub const LONGEST_DELAY: Duration = Duration::from_secs(3);

/// Journals of one key that are handed what others signed, in an hour: an operator who repairs a coordinator starts it a
/// few times.
pub const MAX_JOURNALS_AN_HOUR: usize = 4;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Whose statement it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The opening: before it the coordinator takes nothing else of the session.
    Opening,
    /// This member's.
    Own,
    /// Another member's, or a coordinator's.
    Others,
}

/// What is known of one coordinator in one session, on one connection.
#[derive(Clone, Debug, Default)]
pub struct HandOn {
    has: HashSet<Digest>,
    refuses: HashSet<Digest>,
    /// What it has acknowledged on earlier connections, in the journal that it has now.
    acknowledged: HashSet<Digest>,
    /// When a statement of others that it lacks is due.
    due: HashMap<Digest, Duration>,
}

impl HandOn {
    /// The coordinator has this statement: it has shown or acknowledged it.
    pub fn has(&mut self, statement: Digest) {
        self.due.remove(&statement);
        self.has.insert(statement);
    }

    /// The coordinator does not accept this statement.
    pub fn refuses(&mut self, statement: Digest) {
        self.due.remove(&statement);
        self.refuses.insert(statement);
    }

    /// The coordinator acknowledged this statement on an earlier connection, in the journal that it has now.
    pub fn was_given(&mut self, statement: Digest) {
        self.acknowledged.insert(statement);
    }

    /// Whether the coordinator may need this statement.
    pub fn lacks(&self, statement: &Digest) -> bool {
        !self.has.contains(statement) && !self.refuses.contains(statement)
    }

    /// The statements to submit now, the opening first, of those that this agent holds. `others` says whether any of others'
    /// may be among them. `delay` draws a delay between [`SHORTEST_DELAY`] and [`LONGEST_DELAY`].
    pub fn due(
        &mut self,
        held: impl IntoIterator<Item = (Digest, Origin)>,
        others: bool,
        now: Duration,
        mut delay: impl FnMut() -> Duration,
    ) -> Vec<Digest> {
        let mut due = Vec::new();
        for (statement, origin) in held {
            if !self.lacks(&statement) {
                continue;
            }
            let at = match origin {
                Origin::Opening | Origin::Own => now,
                Origin::Others if others && !self.acknowledged.contains(&statement) => {
                    *self.due.entry(statement).or_insert_with(|| now + delay())
                }
                Origin::Others => continue,
            };
            if at <= now {
                due.push((origin, statement));
            }
        }
        // A stable sort: each kind stays in the order in which it is held.
        due.sort_by_key(|(origin, _)| *origin);
        due.into_iter().map(|(_, statement)| statement).collect()
    }
}

/// Which journals of one coordinator's key were handed what others signed.
#[derive(Clone, Debug, Default)]
pub struct JournalBudget {
    journals: VecDeque<(Option<JournalId>, Duration)>,
}

impl JournalBudget {
    /// Whether that journal may be handed what others signed; if so, it counts from now on.
    pub fn allows(&mut self, journal: Option<JournalId>, now: Duration) -> bool {
        self.journals.retain(|(_, since)| now.saturating_sub(*since) < HOUR);
        if self.journals.iter().any(|(known, _)| *known == journal) {
            return true;
        }
        let is_allowed = self.journals.len() < MAX_JOURNALS_AN_HOUR;
        if is_allowed {
            self.journals.push_back((journal, now));
        }
        is_allowed
    }
}

/// Draws a delay before others' statements are handed on; `random` is a number drawn evenly from all of `u32`.
pub fn delay(random: u32) -> Duration {
    let share = f64::from(random) / f64::from(u32::MAX);
    SHORTEST_DELAY + (LONGEST_DELAY - SHORTEST_DELAY).mul_f64(share)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use svdr_protocol::time::Timestamp;

    use super::*;

    fn statement(number: usize) -> Digest {
        Digest::of(&number.to_be_bytes())
    }

    fn held(count: usize) -> Vec<(Digest, Origin)> {
        let origin = |number| match number {
            0 => Origin::Opening,
            number if number % 3 == 0 => Origin::Own,
            _ => Origin::Others,
        };
        // The opening is not always known first.
        (0..count).rev().map(|number| (statement(number), origin(number))).collect()
    }

    #[test]
    fn what_this_member_signed_goes_at_once_and_the_opening_first() {
        let due = HandOn::default().due(held(8), true, Duration::ZERO, || delay(0));
        assert_eq!(due, [0, 6, 3].map(statement));
    }

    #[test]
    fn what_others_signed_goes_after_the_delay_if_it_is_lacking_still() {
        let mut hand_on = HandOn::default();
        let others = |number| (statement(number), Origin::Others);
        let none: [Digest; 0] = [];
        assert_eq!(hand_on.due([others(1), others(2)], true, Duration::ZERO, || delay(0)), none);
        hand_on.has(statement(2));
        assert_eq!(hand_on.due([others(1), others(2)], true, SHORTEST_DELAY / 2, || delay(0)), none);
        assert_eq!(hand_on.due([others(1), others(2)], true, SHORTEST_DELAY, || delay(0)), [statement(1)]);
        assert_eq!(hand_on.due([others(1)], false, LONGEST_DELAY, || delay(0)), none);
        hand_on.was_given(statement(1));
        assert_eq!(hand_on.due([others(1)], true, LONGEST_DELAY, || delay(0)), none);
        // What this member signed is sent again, as another agent cannot know that it is missing.
        let own = (statement(1), Origin::Own);
        assert_eq!(hand_on.due([own], true, LONGEST_DELAY, || delay(0)), [statement(1)]);
        assert_eq!([0, u32::MAX].map(delay), [SHORTEST_DELAY, LONGEST_DELAY]);
    }

    #[test]
    fn a_key_is_handed_what_others_signed_in_four_journals_an_hour() {
        let journal = |number: u8| {
            Some(JournalId::new(Timestamp::from_micros(i64::from(number)).unwrap(), [number; 16]))
        };
        let mut budget = JournalBudget::default();
        for number in 0..4 {
            assert!(budget.allows(journal(number), Duration::ZERO));
        }
        let later = HOUR / 2;
        assert!(!budget.allows(journal(4), later) && !budget.allows(None, later));
        // One that was handed everything is not forgotten.
        assert!(budget.allows(journal(0), later));
        assert!(budget.allows(journal(4), HOUR));
    }

    proptest! {
        /// Whatever the coordinator does with each statement, each is submitted until it is had or refused, and never after.
        #[test]
        fn everything_is_handed_on_and_nothing_twice(
            count in 1usize..40,
            fates in proptest::collection::vec(0u8..4, 400),
            seed: u32,
        ) {
            let mut hand_on = HandOn::default();
            let mut fates = fates.into_iter();
            let mut settled = HashSet::new();
            for round in 0..200u32 {
                let now = SHORTEST_DELAY * round;
                for one in hand_on.due(held(count), true, now, || delay(seed.wrapping_mul(round + 1))) {
                    prop_assert!(!settled.contains(&one));
                    match fates.next().unwrap_or(0) {
                        0 | 1 => { hand_on.has(one); settled.insert(one); }
                        2 => { hand_on.refuses(one); settled.insert(one); }
                        // The answer is lost: it is submitted again.
                        _ => {}
                    }
                }
            }
            prop_assert_eq!(settled.len(), count);
        }
    }
}
