//! Who may be in a handshake, when more want to than there is room for.
//!
//! A handshake costs memory and a file descriptor, and a stranger's may never end. So there are so many slots and no more:
//!
//! * While there is room, everybody gets a slot.
//! * Without room, a handshake is dropped at random, of the source that has most: the newcomer's own, if that has most with
//!   it. So a source has the same share as any other, and who has fewer handshakes than the others is never dropped.
//! * If several sources have most, one of them is chosen at random. So with more sources than slots, each handshake has
//!   the same chance. Dropping the oldest instead would drop exactly those of members with a long round trip.
//!
//! A source is an IPv4 address, or the first 64 bits of an IPv6 address: whoever has one IPv6 address has such a network.
//! Every operation takes constant time, but for the few that compare the handshakes of one source. Pure: randomness is
//! passed in, and nothing is dropped here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};

/// Where a connection comes from, as far as slots are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source(IpAddr);

/// A handshake that has a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    source: Source,
    number: u64,
}

/// The slots, each with what is needed to drop its handshake.
#[derive(Debug)]
pub(super) struct Slots<T> {
    capacity: usize,
    sources: HashMap<Source, Held<T>>,
    /// The sources that have so many handshakes, by that number; the last is not empty.
    by_count: Vec<Vec<Source>>,
    len: usize,
    next: u64,
}

/// The handshakes of a source, never none.
#[derive(Debug)]
struct Held<T> {
    handshakes: Vec<(u64, T)>,
    /// The place of the source among those with the same number of handshakes.
    place: usize,
}

impl Source {
    pub(super) fn of(address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Source(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            address => Source(address),
        }
    }
}

impl<T> Slots<T> {
    /// So many slots, all free.
    pub(super) fn new(capacity: usize) -> Slots<T> {
        Slots { capacity, sources: HashMap::new(), by_count: Vec::new(), len: 0, next: 0 }
    }

    /// The ticket of the next handshake, from `source`. It has no slot before [`Slots::take`].
    pub(super) fn ticket(&mut self, source: Source) -> Ticket {
        self.next += 1;
        Ticket { source, number: self.next }
    }

    /// Takes a slot. Returns the handshake that must be dropped for it, which may be the same. `pick` returns a random
    /// number below its argument, which is never 0.
    pub(super) fn take(
        &mut self,
        ticket: Ticket,
        handshake: T,
        mut pick: impl FnMut(usize) -> usize,
    ) -> Option<T> {
        self.add(ticket, handshake);
        if self.len <= self.capacity {
            return None;
        }
        let most = self.by_count.last()?;
        let source = *most.get(pick(most.len()))?;
        let handshakes = &self.sources.get(&source)?.handshakes;
        let (number, _) = handshakes.get(pick(handshakes.len()))?;
        self.give_back(Ticket { source, number: *number })
    }

    /// Frees a slot, whose handshake is returned; `None` if it was dropped before.
    pub(super) fn give_back(&mut self, ticket: Ticket) -> Option<T> {
        let held = self.sources.get_mut(&ticket.source)?;
        let at = held.handshakes.iter().position(|(number, _)| *number == ticket.number)?;
        let (_, handshake) = held.handshakes.swap_remove(at);
        let (left, place) = (held.handshakes.len(), held.place);
        self.leave(left + 1, place);
        if left == 0 {
            self.sources.remove(&ticket.source);
        } else {
            let place = self.enter(left, ticket.source);
            if let Some(held) = self.sources.get_mut(&ticket.source) {
                held.place = place;
            }
        }
        self.len -= 1;
        Some(handshake)
    }

    fn add(&mut self, ticket: Ticket, handshake: T) {
        let (count, place) = match self.sources.entry(ticket.source) {
            Entry::Occupied(mut known) => {
                let held = known.get_mut();
                held.handshakes.push((ticket.number, handshake));
                (held.handshakes.len(), Some(held.place))
            }
            Entry::Vacant(new) => {
                new.insert(Held { handshakes: vec![(ticket.number, handshake)], place: 0 });
                (1, None)
            }
        };
        if let Some(place) = place {
            self.leave(count - 1, place);
        }
        let place = self.enter(count, ticket.source);
        if let Some(held) = self.sources.get_mut(&ticket.source) {
            held.place = place;
        }
        self.len += 1;
    }

    /// Lists a source among those with `count` handshakes. Returns its place there.
    fn enter(&mut self, count: usize, source: Source) -> usize {
        if self.by_count.len() <= count {
            self.by_count.resize_with(count + 1, Vec::new);
        }
        let Some(listed) = self.by_count.get_mut(count) else { return 0 };
        listed.push(source);
        listed.len() - 1
    }

    /// Removes the source at that place of those with `count` handshakes.
    fn leave(&mut self, count: usize, place: usize) {
        let Some(listed) = self.by_count.get_mut(count).filter(|listed| place < listed.len()) else { return };
        listed.swap_remove(place);
        // The last one is at the place of the removed one now.
        if let Some(moved) = listed.get(place).and_then(|source| self.sources.get_mut(source)) {
            moved.place = place;
        }
        while self.by_count.last().is_some_and(Vec::is_empty) {
            self.by_count.pop();
        }
    }
}

#[cfg(test)]
mod tests;
