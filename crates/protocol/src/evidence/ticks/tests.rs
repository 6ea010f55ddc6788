#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn at(micros: i64) -> Tick {
    Tick(Timestamp::from_micros(micros).unwrap())
}

fn ticks(micros: &[i64]) -> Ticks {
    micros.iter().copied().map(at).collect()
}

fn run(first: i64, step: u64, count: u32) -> TickRun {
    TickRun { first, step, count }
}

#[test]
fn an_even_series_is_one_run() {
    let minutes = ticks(&(0..2880).map(|minute| minute * 60_000_000).collect::<Vec<_>>());
    assert_eq!(minutes.runs(), [run(0, 60_000_000, 2880)]);
    assert_eq!(ticks(&[7]).runs(), [run(7, 0, 1)]);
    assert_eq!(ticks(&[1, 5, 6, 7, 9]).runs(), [run(1, 0, 1), run(5, 1, 3), run(9, 0, 1)]);
}

#[test]
fn as_many_ticks_as_are_allowed_cost_one_run() {
    let all = Ticks::from_runs([run(0, 1, u32::MAX)], usize::MAX).unwrap();
    assert_eq!((all.len(), all.runs().len()), (u32::MAX as usize, 1));
    assert_eq!(all.newest(), Some(at(i64::from(u32::MAX) - 1)));
    let more = [run(0, 1, u32::MAX), run(i64::from(u32::MAX), 0, 1)];
    assert_eq!(Ticks::from_runs(more, usize::MAX), Err(TickRunError::TooMany { limit: usize::MAX }));
}

#[test]
fn malformed_runs_are_refused() {
    let refused = |runs: &[TickRun]| Ticks::from_runs(runs.iter().copied(), 10).unwrap_err();
    assert_eq!(refused(&[run(0, 0, 0)]), TickRunError::Empty);
    assert_eq!(refused(&[run(0, 0, 2)]), TickRunError::Step { count: 2, step: 0 });
    assert_eq!(refused(&[run(0, 1, 1)]), TickRunError::Step { count: 1, step: 1 });
    assert_eq!(refused(&[run(0, 1, 11)]), TickRunError::TooMany { limit: 10 });
    assert_eq!(refused(&[run(0, 1, 6), run(9, 1, 5)]), TickRunError::TooMany { limit: 10 });
    assert_eq!(refused(&[run(0, 1, u32::MAX)]), TickRunError::TooMany { limit: 10 });
    assert_eq!(refused(&[run(0, u64::MAX, 2)]), TickRunError::OutOfRange);
    assert_eq!(refused(&[run(i64::MAX, 0, 1)]), TickRunError::OutOfRange);
    assert_eq!(refused(&[run(5, 0, 1), run(5, 0, 1)]), TickRunError::Order { at: at(5) });
    assert_eq!(refused(&[run(0, 2, 4), run(5, 1, 2)]), TickRunError::Order { at: at(5) });
}

/// Ticks as logs have them and as nobody has: even stretches of several distances, and single ones between.
fn stretches() -> impl Strategy<Value = Vec<(i64, i64, i64)>> {
    prop::collection::vec((-60i64..60, 1i64..5, 1i64..12), 0..8)
}

fn set(stretches: &[(i64, i64, i64)]) -> BTreeSet<i64> {
    let stretch = |&(first, step, count): &(i64, i64, i64)| (0..count).map(move |nth| first + nth * step);
    stretches.iter().flat_map(stretch).collect()
}

fn of(set: &BTreeSet<i64>) -> Ticks {
    set.iter().copied().map(at).collect()
}

/// The set as runs that are cut after so many ticks each, in turn, and not where they should be.
fn cut_anyhow(set: &BTreeSet<i64>, lengths: &[usize]) -> Vec<TickRun> {
    let ticks: Vec<i64> = set.iter().copied().collect();
    let (mut runs, mut from, mut lengths) = (Vec::new(), 0, lengths.iter().cycle());
    while let Some(&first) = ticks.get(from) {
        let most = lengths.next().copied().unwrap_or(1).max(1);
        let step = ticks.get(from + 1).map_or(0, |next| next - first);
        let even = |nth: usize| ticks.get(from + nth) == Some(&(first + nth as i64 * step));
        let count = if step == 0 { 1 } else { (1..most).take_while(|nth| even(*nth)).count() + 1 };
        runs.push(run(first, if count == 1 { 0 } else { step as u64 }, count as u32));
        from += count;
    }
    runs
}

proptest! {
    #[test]
    fn is_the_set_however_it_was_made(made in stretches(), lengths in prop::collection::vec(1usize..9, 1..5)) {
        let set = set(&made);
        let expected = of(&set);
        prop_assert_eq!(expected.len(), set.len());
        prop_assert_eq!(expected.is_empty(), set.is_empty());
        prop_assert_eq!(expected.newest(), set.last().copied().map(at));
        let cut = Ticks::from_runs(cut_anyhow(&set, &lengths), set.len()).unwrap();
        prop_assert_eq!(&cut, &expected);
        prop_assert_eq!(&Ticks::from_runs(expected.runs().iter().copied(), set.len()).unwrap(), &expected);
        prop_assert!(expected.runs().len() <= set.len());
        let shuffled: Ticks = set.iter().rev().chain(&set).copied().map(at).collect();
        prop_assert_eq!(shuffled, expected);
        if let Some(fewer) = set.len().checked_sub(1) {
            let refused = Ticks::from_runs(cut_anyhow(&set, &lengths), fewer);
            prop_assert_eq!(refused, Err(TickRunError::TooMany { limit: fewer }));
        }
    }

    #[test]
    fn differs_where_the_sets_differ(one in stretches(), another in stretches()) {
        let (one, another) = (set(&one), set(&another));
        prop_assert_eq!(of(&one) == of(&another), one == another);
    }

    #[test]
    fn looks_up_like_a_set(made in stretches(), a in -70i64..120, b in -70i64..120) {
        let set = set(&made);
        let ticks = of(&set);
        prop_assert_eq!(ticks.contains(at(a)), set.contains(&a));
        prop_assert_eq!(ticks.newest_until(at(a).0), set.range(..=a).next_back().copied().map(at));
        prop_assert_eq!(ticks.any_between(at(a).0, at(b).0), set.iter().any(|&t| a < t && t <= b));
    }

    #[test]
    fn is_walked_from_both_ends_like_a_set(made in stretches(), back in prop::collection::vec(any::<bool>(), 100)) {
        let set = set(&made);
        let ticks = of(&set);
        let (mut iter, mut reference) = (ticks.iter(), set.iter().copied().map(at));
        for back in back {
            prop_assert_eq!(iter.len(), iter.clone().count());
            let (found, expected) =
                if back { (iter.next_back(), reference.next_back()) } else { (iter.next(), reference.next()) };
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn is_walked_down_like_a_set(made in stretches(), a in -70i64..120, b in -70i64..120) {
        let set = set(&made);
        let ticks = of(&set);
        let found: Vec<Tick> = ticks.descending(at(a).0, at(b).0).collect();
        let expected: Vec<Tick> = set.iter().rev().copied().filter(|&t| a <= t && t <= b).map(at).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn leaps_like_a_walk(made in stretches(), other in stretches(), leaps in prop::collection::vec((0u8..3, 0i64..30), 20)) {
        let (set, other) = (of(&set(&made)), of(&set(&other)));
        let (oldest, newest) = (Timestamp::MIN, Timestamp::MAX);
        let mut down = set.descending(oldest, newest);
        let mut left: Vec<Tick> = set.iter().collect();
        for (leap, size) in leaps {
            let bound = left.last().map_or(0, |newest| newest.0.micros()) - size;
            match leap {
                0 => {
                    down.pass_newer(at(bound));
                    left.retain(|tick| tick.0.micros() <= bound);
                }
                1 => {
                    let taken = down.take_run(at(bound));
                    let taken: Vec<Tick> = taken.iter().flat_map(|run| (0..run.count).filter_map(|nth| run.nth(nth))).collect();
                    prop_assert_eq!(taken.is_empty(), left.is_empty());
                    let kept = left.split_off(left.len() - taken.len());
                    prop_assert_eq!(kept, taken.clone());
                    prop_assert!(taken.iter().all(|tick| tick.0.micros() >= bound));
                }
                _ => {
                    let mut others = other.descending(oldest, newest);
                    others.pass_newer(down.peek().unwrap_or(at(bound)));
                    let alike = down.alike(&others);
                    let walked: Vec<Tick> = down.take(alike as usize).collect();
                    prop_assert_eq!(walked, others.take(alike as usize).collect::<Vec<_>>());
                    prop_assert_eq!(alike > 0, down.peek().is_some() && down.peek() == others.peek());
                    down.pass(alike);
                    left.truncate(left.len() - alike as usize);
                }
            }
            prop_assert_eq!(down.peek(), left.last().copied());
        }
        prop_assert!(down.eq(left.into_iter().rev()));
    }
}
