//! Branch and bound for cliques.
//!
//! A node asks for a clique of some size among its candidates. Before it branches it
//!
//! 1. takes every candidate that lacks at most one other: some maximum clique contains it;
//! 2. takes apart candidates that fall into groups, each of which is wholly connected to the others: their
//!    cliques add up;
//! 3. colours the candidates so that equal colours are unconnected: a clique has at most as many vertices as
//!    there are colours. A vertex whose colour is too many is moved to a lower one if a swap allows it, or
//!    skipped if it and two colours together have no triangle, and so at most two vertices of a clique.
//!
//! The first two make graphs easy in which only few pairs are missing, the usual case of evidence and the one
//! in which colours alone are weak; the third is what makes dense regular graphs feasible.

use super::{Budget, Exhausted, Graph, MAX_VERTICES, VertexSet};

/// What a search is to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// A largest clique.
    Maximum,
    /// Any clique of the wanted size.
    Any,
}

pub(super) struct Search<'a> {
    pub(super) graph: &'a Graph,
    pub(super) budget: &'a mut Budget,
}

/// The number of colours that suffice when each vertex in turn takes the lowest one possible: no clique is
/// larger.
pub(super) fn colours(graph: &Graph, mut vertices: VertexSet) -> usize {
    let mut colours = 0;
    while !vertices.is_empty() {
        colours += 1;
        let mut free = vertices;
        while let Some(v) = free.lowest() {
            vertices.remove(v);
            free.remove(v);
            free = free.minus(graph.neighbours(v));
        }
    }
    colours
}

/// Candidates to branch on, in ascending order of `colour`.
struct Branches {
    count: usize,
    vertex: [u8; MAX_VERTICES],
    colour: [u8; MAX_VERTICES],
}

/// Non-neighbours per candidate, on average, up to which groups are looked for.
const GROUPS_WORTH_LOOKING: usize = 6;

impl Search<'_> {
    /// A clique of at least `size` among `candidates`; for [`Goal::Maximum`] a largest one. `None` if there
    /// is no clique of that size.
    pub(super) fn clique(
        &mut self,
        candidates: VertexSet,
        size: usize,
        goal: Goal,
    ) -> Result<Option<VertexSet>, Exhausted> {
        if candidates.len() < size {
            return Ok(None);
        }
        self.budget.spend()?;
        let (taken, rest, missing) = self.take_the_obvious(candidates);
        if rest.is_empty() {
            return Ok((taken.len() >= size).then_some(taken));
        }
        let wanted = size.saturating_sub(taken.len());
        if rest.len() < wanted {
            return Ok(None);
        }
        let found = if missing <= GROUPS_WORTH_LOOKING * rest.len() {
            let group = self.group(rest);
            if group == rest {
                self.branch(rest, wanted, goal)?
            } else {
                self.groups(group, rest, wanted, goal)?
            }
        } else {
            self.branch(rest, wanted, goal)?
        };
        Ok(found.map(|found| found | taken))
    }

    /// Candidates that some maximum clique contains, what is left to decide, and how many ordered pairs of that
    /// are not connected.
    fn take_the_obvious(&self, candidates: VertexSet) -> (VertexSet, VertexSet, usize) {
        let mut taken = VertexSet::EMPTY;
        let mut rest = candidates;
        loop {
            let before = rest;
            let mut missing = 0;
            let mut most = 0;
            for v in before.iter().filter(|&v| before.contains(v)) {
                if !rest.contains(v) {
                    continue;
                }
                let lacks = rest.minus(self.graph.neighbours(v)).len() - 1;
                if lacks <= 1 {
                    taken.insert(v);
                    rest = rest & self.graph.neighbours(v);
                }
                missing += lacks;
                most = most.max(lacks);
            }
            if rest != before {
                continue;
            }
            // If each lacks exactly two others, the unconnected pairs form rings, and every vertex of a
            // ring is in some largest choice from it.
            match rest.lowest() {
                Some(v) if most == 2 => {
                    taken.insert(v);
                    rest = rest & self.graph.neighbours(v);
                }
                _ => return (taken, rest, missing),
            }
        }
    }

    /// The candidates that are linked to the lowest one by unconnected pairs.
    fn group(&self, candidates: VertexSet) -> VertexSet {
        let mut group = VertexSet::EMPTY;
        let mut edge: VertexSet = candidates.lowest().into_iter().collect();
        while let Some(v) = edge.lowest() {
            edge.remove(v);
            group.insert(v);
            edge = edge | candidates.minus(self.graph.neighbours(v)).minus(group);
        }
        group
    }

    /// `group` and the rest of `candidates` are wholly connected: a largest clique of both is one of each.
    fn groups(
        &mut self,
        group: VertexSet,
        candidates: VertexSet,
        size: usize,
        goal: Goal,
    ) -> Result<Option<VertexSet>, Exhausted> {
        let others = candidates.minus(group);
        let wanted = size.saturating_sub(colours(self.graph, others));
        let Some(found) = self.clique(group, wanted, Goal::Maximum)? else { return Ok(None) };
        let wanted = size.saturating_sub(found.len());
        Ok(self.clique(others, wanted, goal)?.map(|others| others | found))
    }

    fn branch(
        &mut self,
        candidates: VertexSet,
        size: usize,
        goal: Goal,
    ) -> Result<Option<VertexSet>, Exhausted> {
        let branches = self.branches(candidates, size);
        let mut rest = candidates;
        let mut best = None;
        let mut wanted = size;
        for at in (0..branches.count).rev() {
            if usize::from(branches.colour[at]) < wanted {
                break;
            }
            let v = usize::from(branches.vertex[at]);
            let with = self.clique(rest & self.graph.neighbours(v), wanted.saturating_sub(1), goal)?;
            if let Some(mut clique) = with {
                clique.insert(v);
                if goal == Goal::Any {
                    return Ok(Some(clique));
                }
                wanted = clique.len() + 1;
                best = Some(clique);
            }
            rest.remove(v);
        }
        Ok(best)
    }

    /// The candidates without which no clique of `size` is left, with bounds: up to and including one of
    /// them, a clique has at most as many vertices as its colour says.
    fn branches(&self, candidates: VertexSet, size: usize) -> Branches {
        let allowed = size.saturating_sub(1);
        let mut branches = Branches { count: 0, vertex: [0; MAX_VERTICES], colour: [0; MAX_VERTICES] };
        let mut classes = [VertexSet::EMPTY; MAX_VERTICES];
        let mut used = VertexSet::EMPTY;
        let mut rest = candidates;
        let mut colour = 0;
        while !rest.is_empty() {
            let mut free = rest;
            let mut any_left = false;
            while let Some(v) = free.lowest() {
                rest.remove(v);
                free.remove(v);
                if colour < allowed {
                    free = free.minus(self.graph.neighbours(v));
                    classes[colour].insert(v);
                } else if !self.swap(v, &mut classes[..allowed], used)
                    && !self.no_triangle(v, &classes[..allowed], &mut used)
                {
                    free = free.minus(self.graph.neighbours(v));
                    any_left = true;
                    branches.vertex[branches.count] = v as u8;
                    // At most 128 colours: fits.
                    branches.colour[branches.count] = (colour + 1) as u8;
                    branches.count += 1;
                }
            }
            colour += usize::from(colour < allowed || any_left);
        }
        branches
    }

    /// Gives `v` one of the colours of `classes`, by moving the one neighbour it has in it to another.
    fn swap(&self, v: usize, classes: &mut [VertexSet], used: VertexSet) -> bool {
        for own in 0..classes.len() {
            if used.contains(own) {
                continue;
            }
            let mut in_the_way = (classes[own] & self.graph.neighbours(v)).iter();
            match (in_the_way.next(), in_the_way.next()) {
                (None, _) => {
                    classes[own].insert(v);
                    return true;
                }
                (Some(neighbour), None) => {
                    let blocked = self.graph.neighbours(neighbour);
                    let other = (0..classes.len())
                        .find(|&c| c != own && !used.contains(c) && (classes[c] & blocked).is_empty());
                    if let Some(other) = other {
                        classes[own].remove(neighbour);
                        classes[own].insert(v);
                        classes[other].insert(neighbour);
                        return true;
                    }
                }
                _ => {}
            }
        }
        false
    }

    /// Whether `v` and two of `classes` that were not used for this before have no triangle; marks them used.
    fn no_triangle(&self, v: usize, classes: &[VertexSet], used: &mut VertexSet) -> bool {
        let neighbours = self.graph.neighbours(v);
        for (one, class) in classes.iter().enumerate() {
            if used.contains(one) {
                continue;
            }
            let ends = *class & neighbours;
            for (two, class) in classes.iter().enumerate().skip(one + 1) {
                if used.contains(two) {
                    continue;
                }
                let others = *class & neighbours;
                if ends.iter().all(|end| (others & self.graph.neighbours(end)).is_empty()) {
                    used.insert(one);
                    used.insert(two);
                    return true;
                }
            }
        }
        false
    }

    /// Of all cliques as large as `maximum` among `candidates`, the one that comes first when their vertices
    /// are compared in the order of `by_name`.
    ///
    /// One vertex at a time: the first that is in any such clique together with those chosen before it. A
    /// vertex that is in none is out for good, so there are at most as many tests that fail as vertices; the
    /// clique known last spares the tests behind its own next vertex.
    pub(super) fn first_in(
        &mut self,
        by_name: &[usize],
        mut candidates: VertexSet,
        maximum: VertexSet,
    ) -> Result<VertexSet, Exhausted> {
        let mut known = maximum;
        let mut chosen = VertexSet::EMPTY;
        for &v in by_name {
            let left = maximum.len() - chosen.len();
            if left == 0 {
                break;
            }
            if !candidates.contains(v) {
                continue;
            }
            let with = candidates & self.graph.neighbours(v);
            let clique =
                if known.contains(v) { Some(known) } else { self.clique(with, left - 1, Goal::Any)? };
            candidates.remove(v);
            if let Some(mut clique) = clique {
                clique.insert(v);
                chosen.insert(v);
                known = clique | chosen;
                candidates = with;
            }
        }
        Ok(chosen)
    }
}
