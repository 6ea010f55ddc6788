#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// Enough for every graph here, and far less than minutes.
const STEPS: u64 = 4_000_000;

/// xorshift64*: the same graphs everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn percent(&mut self, percent: u64) -> bool {
        (self.next() >> 33) % 100 < percent
    }
}

fn graph(vertices: usize, mut connected: impl FnMut(usize, usize) -> bool) -> Graph {
    let mut graph = Graph::new();
    for b in 0..vertices {
        for a in 0..b {
            if connected(a, b) {
                graph.connect(a, b);
            }
        }
    }
    graph
}

/// The words of `length` bits with `weight` ones (any weight if `None`), connected at Hamming distance
/// `distance` or more.
fn code(length: u32, weight: Option<u32>, distance: u32) -> (usize, Graph) {
    let words: Vec<u32> = (0..1 << length)
        .filter(|word: &u32| weight.is_none_or(|weight| word.count_ones() == weight))
        .collect();
    let graph = graph(words.len(), |a, b| (words[a] ^ words[b]).count_ones() >= distance);
    (words.len(), graph)
}

fn random(vertices: usize, density: u64, seed: u64) -> Graph {
    let mut random = Random(seed);
    graph(vertices, |_, _| random.percent(density))
}

fn is_clique(graph: &Graph, clique: VertexSet) -> bool {
    clique.iter().all(|v| {
        let mut others = clique;
        others.remove(v);
        others.minus(graph.neighbours(v)).is_empty()
    })
}

fn maximum(graph: &Graph, vertices: usize) -> VertexSet {
    let mut budget = Budget::new(STEPS);
    let clique = graph.maximum_clique(VertexSet::first(vertices), 0, &mut budget).unwrap().unwrap();
    assert!(is_clique(graph, clique));
    clique
}

/// All subsets, the plain way.
fn by_brute_force(graph: &Graph, vertices: usize) -> VertexSet {
    (0..1u128 << vertices)
        .map(VertexSet::from_bits)
        .filter(|set| is_clique(graph, *set))
        .min_by_key(|set| (std::cmp::Reverse(set.len()), set.iter().collect::<Vec<_>>()))
        .unwrap()
}

#[test]
fn the_classic_codes() {
    // Names and clique numbers as in the second DIMACS challenge; hamming7-4 is the code of Hamming with a
    // parity bit.
    for (name, (vertices, graph), size, expected) in [
        ("johnson8-2-4", code(8, Some(2), 4), 28, 4),
        ("johnson8-4-4", code(8, Some(4), 4), 70, 14),
        ("johnson16-2-4", code(16, Some(2), 4), 120, 8),
        ("hamming6-2", code(6, None, 2), 64, 32),
        ("hamming6-4", code(6, None, 4), 64, 4),
        ("hamming7-4", code(7, None, 4), 128, 8),
        ("hamming7-2", code(7, None, 2), 128, 64),
    ] {
        assert_eq!(vertices, size, "{name}");
        let clique = maximum(&graph, vertices);
        assert_eq!(clique.len(), expected, "{name}");
        // The lowest words at that distance, greedily: these codes are lexicodes.
        assert!(clique.contains(0), "{name}");
    }
    let (_, johnson) = code(16, Some(2), 4);
    // Weight two at distance four: disjoint pairs, so {0,1}, {2,3}, … come first.
    let first: Vec<usize> = maximum(&johnson, 120).iter().collect();
    assert_eq!(first.len(), 8);
    assert_eq!(first[0], 0);
}

#[test]
fn keller_graphs() {
    // Words over Z/4, connected if they differ in at least two places, in one of them by two. The graph of
    // dimension three has cliques of five.
    let digits = |word: usize| [word & 3, word >> 2 & 3, word >> 4 & 3];
    let keller = graph(64, |a, b| {
        let differences = digits(a).into_iter().zip(digits(b)).map(|(a, b)| (a + 4 - b) % 4);
        let differences: Vec<usize> = differences.filter(|difference| *difference != 0).collect();
        differences.len() >= 2 && differences.contains(&2)
    });
    assert_eq!(maximum(&keller, 64).len(), 5);
}

#[test]
fn random_graphs_at_the_full_size() {
    for density in [50, 70, 90, 95, 98] {
        for seed in 1..=2 {
            let graph = random(MAX_VERTICES, density, seed);
            let size = maximum(&graph, MAX_VERTICES).len();
            let larger = graph.maximum_clique(VertexSet::first(128), size + 1, &mut Budget::new(STEPS));
            assert_eq!(larger, Ok(None));
        }
    }
}

#[test]
fn joins_of_odd_rings_are_easy() {
    // 25 rings of five: colours alone would allow 75, and searching without taking it apart never ends.
    let rings = graph(125, |a, b| a / 5 != b / 5 || matches!((b - a) % 5, 1 | 4));
    assert_eq!(maximum(&rings, 125).len(), 50);
}

#[test]
fn a_few_missing_pairs_are_easy() {
    // Each vertex lacks about `missing` others: the shape of evidence with lost lines.
    for missing in 1..=8 {
        let mut random = Random(missing);
        let graph = graph(128, |_, _| (random.next() >> 33) % 128 >= missing);
        maximum(&graph, 128);
    }
}

#[test]
fn the_budget_is_exact() {
    let graph = random(128, 80, 7);
    let all = VertexSet::first(128);
    let mut budget = Budget::new(STEPS);
    let clique = graph.maximum_clique(all, 0, &mut budget).unwrap();
    let steps = STEPS - budget.left();
    assert_eq!(graph.maximum_clique(all, 0, &mut Budget::new(steps)), Ok(clique));
    assert_eq!(graph.maximum_clique(all, 0, &mut Budget::new(steps - 1)), Err(Exhausted));
}

#[test]
fn no_vertices_have_the_empty_clique() {
    let mut budget = Budget::new(STEPS);
    let mut none = |size| Graph::new().maximum_clique(VertexSet::EMPTY, size, &mut budget).unwrap();
    assert_eq!(none(0), Some(VertexSet::EMPTY));
    assert_eq!(none(1), None);
    let lone = Graph::new().maximum_clique(VertexSet::first(3), 1, &mut budget).unwrap();
    assert_eq!(lone, Some(VertexSet::first(1)));
}

proptest! {
    #[test]
    fn agrees_with_brute_force(vertices in 0usize..=12, edges: [u16; 12], kind in 0usize..3) {
        let graph = graph(vertices, |a, b| {
            let bits = [edges[a], edges[a] | edges[b], edges[a] & edges[b]][kind];
            bits >> b & 1 == 1
        });
        let expected = by_brute_force(&graph, vertices);
        let all = VertexSet::first(vertices);
        for size in 0..=vertices + 1 {
            let found = graph.maximum_clique(all, size, &mut Budget::new(STEPS)).unwrap();
            prop_assert_eq!(found, (size <= expected.len()).then_some(expected), "at least {}", size);
        }
    }

    #[test]
    fn a_part_has_no_larger_clique(seed in 1u64.., density in 0u64..100) {
        let whole = random(40, density, seed);
        let mut part = whole.clone();
        let all = VertexSet::first(40);
        for v in (0..40).step_by(3) {
            part.neighbours[v] = VertexSet::EMPTY;
            for other in 0..40 {
                part.neighbours[other].remove(v);
            }
        }
        prop_assert!(part.is_part_of(&whole));
        prop_assert_eq!(whole.is_part_of(&part), whole == part);
        let size = whole.maximum_clique(all, 0, &mut Budget::new(STEPS)).unwrap().unwrap().len();
        prop_assert_eq!(part.maximum_clique(all, size + 1, &mut Budget::new(STEPS)), Ok(None));
    }
}
