//! The maximum clique of a small graph, found exactly: who can recover together.
//!
//! Members are vertices, and the largest set of members that are pairwise connected is a maximum clique. The
//! problem is hard in general and evidence may be hostile, so the search is a branch and bound on bitsets with a
//! colouring bound (the module `search`), and its work is counted: a [`Budget`] runs out after the same steps on every
//! machine, so that all members either find the same answer or refuse together. It is never approximate.
//!
//! Several cliques may be maximum. The one whose vertices come first in order is taken, compared as sorted
//! lists; the caller numbers the vertices so that this is the order it wants.

use search::{Goal, Search};

mod search;
mod vertices;

pub use vertices::{MAX_VERTICES, VertexSet};

/// An undirected graph without loops on the vertices 0 to 127.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    neighbours: [VertexSet; MAX_VERTICES],
}

/// How many steps a search may still take. A step is one node of the search tree, that is a few microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    left: u64,
}

/// The budget ran out before the answer was certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the largest set of pairwise connected vertices was not found within the allowed steps")]
pub struct Exhausted;

impl Graph {
    /// The graph without edges.
    pub fn new() -> Graph {
        Graph { neighbours: [VertexSet::EMPTY; MAX_VERTICES] }
    }

    /// The graph in which vertex `i` is connected to those of row `i`, which the caller makes symmetric and
    /// without loops. Rows that are not given are empty.
    pub(crate) fn from_rows(rows: impl IntoIterator<Item = VertexSet>) -> Graph {
        let mut graph = Graph::new();
        for (neighbours, row) in graph.neighbours.iter_mut().zip(rows) {
            *neighbours = row;
        }
        graph
    }

    /// Adds the edge between `a` and `b`. Nothing happens if they are equal, or one is not below
    /// [`MAX_VERTICES`].
    pub fn connect(&mut self, a: usize, b: usize) {
        if a != b && a < MAX_VERTICES && b < MAX_VERTICES {
            self.neighbours[a].insert(b);
            self.neighbours[b].insert(a);
        }
    }

    /// The vertices connected to `vertex`, which is below [`MAX_VERTICES`].
    pub fn neighbours(&self, vertex: usize) -> VertexSet {
        self.neighbours[vertex]
    }

    /// Whether every edge of `self` is one of `other` too; then no clique of `self` is larger than all of
    /// `other`'s.
    pub(crate) fn is_part_of(&self, other: &Graph) -> bool {
        self.neighbours.iter().zip(&other.neighbours).all(|(own, others)| own.minus(*others).is_empty())
    }

    /// What can at most be in a clique of `size`: the vertices left when those with fewer than `size − 1`
    /// neighbours among the rest are taken away, again and again. A clique larger than what is left does not
    /// exist.
    pub fn core(&self, mut vertices: VertexSet, size: usize) -> VertexSet {
        loop {
            let kept: VertexSet =
                vertices.iter().filter(|&v| (self.neighbours(v) & vertices).len() + 1 >= size).collect();
            if kept == vertices {
                return kept;
            }
            vertices = kept;
        }
    }

    /// The maximum clique among `vertices`, if it has at least `size` of them; of several the first in order,
    /// compared as sorted lists.
    ///
    /// # Errors
    /// [`Exhausted`] if `budget` does not suffice; which it does or not on every machine alike.
    pub fn maximum_clique(
        &self,
        vertices: VertexSet,
        size: usize,
        budget: &mut Budget,
    ) -> Result<Option<VertexSet>, Exhausted> {
        let core = self.core(vertices, size);
        if core.is_empty() || core.len() < size {
            return Ok((size == 0).then_some(VertexSet::EMPTY));
        }
        // Colours in the given order are cheap and settle most graphs without any search.
        if search::colours(self, core) < size {
            return Ok(None);
        }
        let order = self.degeneracy_order(core);
        let relabelled = self.relabelled(&order);
        let all = VertexSet::first(order.len());
        let mut search = Search { graph: &relabelled, budget };
        let Some(found) = search.clique(all, size, Goal::Maximum)? else { return Ok(None) };

        let mut place = [0; MAX_VERTICES];
        for (new, &old) in order.iter().enumerate() {
            place[old] = new;
        }
        let by_name: Vec<usize> = core.iter().map(|old| place[old]).collect();
        let first = search.first_in(&by_name, all, found)?;
        Ok(Some(first.iter().map(|new| order[new]).collect()))
    }

    /// `vertices` so that each has the fewest neighbours among those up to itself: the ones that are easiest to
    /// rule out last, where the search begins.
    fn degeneracy_order(&self, vertices: VertexSet) -> Vec<usize> {
        let mut rest = vertices;
        let mut order = Vec::with_capacity(vertices.len());
        while let Some(least) = rest.iter().min_by_key(|&v| (self.neighbours(v) & rest).len()) {
            rest.remove(least);
            order.push(least);
        }
        order.reverse();
        order
    }

    /// The graph on `order`, with vertex `order[i]` called `i`.
    fn relabelled(&self, order: &[usize]) -> Graph {
        let mut graph = Graph::new();
        for (new, &old) in order.iter().enumerate() {
            let neighbours = self.neighbours(old);
            graph.neighbours[new] = order
                .iter()
                .enumerate()
                .filter(|(_, v)| neighbours.contains(**v))
                .map(|(new, _)| new)
                .collect();
        }
        graph
    }
}

impl Default for Graph {
    fn default() -> Graph {
        Graph::new()
    }
}

impl Budget {
    /// A budget of `steps`.
    pub const fn new(steps: u64) -> Budget {
        Budget { left: steps }
    }

    /// The steps that are left.
    pub const fn left(&self) -> u64 {
        self.left
    }

    fn spend(&mut self) -> Result<(), Exhausted> {
        self.left = self.left.checked_sub(1).ok_or(Exhausted)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
