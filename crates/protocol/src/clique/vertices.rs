//! Sets of vertices as 128 bits.

use std::ops::{BitAnd, BitOr};

/// The largest number of vertices: one bit each in a [`VertexSet`]. A roster has no more members.
pub const MAX_VERTICES: usize = 128;

/// A set of vertices, each below [`MAX_VERTICES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VertexSet(u128);

impl VertexSet {
    /// The set without vertices.
    pub const EMPTY: VertexSet = VertexSet(0);

    /// The set whose vertex `i` is bit `i` of `bits`.
    pub(crate) const fn from_bits(bits: u128) -> VertexSet {
        VertexSet(bits)
    }

    /// The vertices `0` to `count − 1`, at most all.
    pub const fn first(count: usize) -> VertexSet {
        if count < MAX_VERTICES { VertexSet((1 << count) - 1) } else { VertexSet(u128::MAX) }
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The lowest.
    pub(crate) const fn lowest(self) -> Option<usize> {
        if self.0 == 0 { None } else { Some(self.0.trailing_zeros() as usize) }
    }

    /// Whether `vertex` is one of them.
    pub const fn contains(self, vertex: usize) -> bool {
        vertex < MAX_VERTICES && self.0 >> vertex & 1 == 1
    }

    /// Adds `vertex`, if it is below [`MAX_VERTICES`].
    pub const fn insert(&mut self, vertex: usize) {
        if vertex < MAX_VERTICES {
            self.0 |= 1 << vertex;
        }
    }

    /// Takes `vertex` out.
    pub const fn remove(&mut self, vertex: usize) {
        if vertex < MAX_VERTICES {
            self.0 &= !(1 << vertex);
        }
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn minus(self, other: VertexSet) -> VertexSet {
        VertexSet(self.0 & !other.0)
    }

    /// The vertices, ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let lowest = VertexSet(rest).lowest()?;
            rest &= rest - 1;
            Some(lowest)
        })
    }
}

impl BitAnd for VertexSet {
    type Output = VertexSet;

    fn bitand(self, other: VertexSet) -> VertexSet {
        VertexSet(self.0 & other.0)
    }
}

impl BitOr for VertexSet {
    type Output = VertexSet;

    fn bitor(self, other: VertexSet) -> VertexSet {
        VertexSet(self.0 | other.0)
    }
}

impl FromIterator<usize> for VertexSet {
    fn from_iter<I: IntoIterator<Item = usize>>(vertices: I) -> VertexSet {
        let mut set = VertexSet::EMPTY;
        for vertex in vertices {
            set.insert(vertex);
        }
        set
    }
}
