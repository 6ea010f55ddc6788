#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn source(at: u8) -> Source {
    Source::of(IpAddr::from([10, 0, 0, at]))
}

/// How many handshakes each source has, as a plain list would count them.
fn counts(held: &BTreeMap<u64, u8>) -> BTreeMap<u8, usize> {
    held.values().fold(BTreeMap::new(), |mut counts, source| {
        *counts.entry(*source).or_default() += 1;
        counts
    })
}

proptest! {
    /// Against a plain list: the slots never have more than their capacity, what is dropped is of a source that has most,
    /// and what was dropped or given back is gone.
    #[test]
    fn they_are_shared_evenly_and_never_too_many(
        capacity in 1_usize..20,
        steps in prop::collection::vec((0_u8..12, any::<bool>(), any::<usize>()), 1..200),
    ) {
        let mut slots = Slots::new(capacity);
        let mut held: BTreeMap<u64, u8> = BTreeMap::new();
        let mut tickets: BTreeMap<u64, Ticket> = BTreeMap::new();
        for (from, gives_back, random) in steps {
            if gives_back {
                // Any ticket of before, in use or not.
                let number = random as u64 % (slots.next + 1);
                if let Some(ticket) = tickets.get(&number) {
                    let was_held = held.remove(&number).is_some();
                    prop_assert_eq!(slots.give_back(*ticket).is_some(), was_held);
                }
                continue;
            }
            let ticket = slots.ticket(source(from));
            tickets.insert(ticket.number, ticket);
            held.insert(ticket.number, from);
            let dropped = slots.take(ticket, ticket.number, |below| random % below);
            prop_assert_eq!(dropped.is_some(), held.len() > capacity);
            if let Some(dropped) = dropped {
                let counts = counts(&held);
                let of = held.remove(&dropped).unwrap();
                prop_assert_eq!(counts.get(&of), counts.values().max());
            }
            prop_assert_eq!(slots.len, held.len());
            let listed: usize = slots.by_count.iter().enumerate().map(|(count, of)| count * of.len()).sum();
            prop_assert_eq!(listed, held.len());
            prop_assert!(slots.by_count.last().is_none_or(|most| !most.is_empty()));
        }
    }
}

/// Random enough for a test, and the same each time.
fn generator() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    }
}

#[test]
fn who_has_fewer_than_the_others_is_never_dropped() {
    let mut slots = Slots::new(100);
    let mut pick = generator();
    let member = slots.ticket(source(200));
    assert_eq!(slots.take(member, u64::MAX, &mut pick), None);
    for number in 0..10_000 {
        let ticket = slots.ticket(source(u8::try_from(number % 50).unwrap()));
        assert_ne!(slots.take(ticket, number, &mut pick), Some(u64::MAX));
    }
    assert_eq!(slots.give_back(member), Some(u64::MAX));
}

#[test]
fn with_more_sources_than_slots_each_handshake_has_the_same_chance() {
    // Whatever was there first: of 64 that stay, the first and the newest 64 arrivals are kept equally often.
    let mut pick = generator();
    let (mut first, mut newest) = (0, 0);
    for _ in 0..500 {
        let mut slots = Slots::new(64);
        for number in 0..128_u8 {
            let ticket = slots.ticket(source(number));
            slots.take(ticket, number, &mut pick);
        }
        let kept: Vec<u8> =
            slots.sources.values().flat_map(|held| &held.handshakes).map(|(_, one)| *one).collect();
        first += kept.iter().filter(|one| **one < 64).count();
        newest += kept.iter().filter(|one| **one >= 64).count();
    }
    // Of the first 64, each survives 64 arrivals with (64/65)^64 = 0.37.
    assert!((20.0..27.0).contains(&(f64::from(u32::try_from(first).unwrap()) / 500.0)), "{first} {newest}");
}

#[test]
fn a_network_of_ipv6_is_one_source_and_ipv4_in_ipv6_is_ipv4() {
    let of = |text: &str| Source::of(text.parse().unwrap());
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
    assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
}
