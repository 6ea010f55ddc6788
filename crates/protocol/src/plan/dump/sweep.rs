//! The graph of every tick, from the newest to the oldest.
//!
//! Evidence of a large roster has tens of millions of ticks, so they are never collected: the pairs' runs are walked
//! backwards in parallel, in steps of some thousand ticks. For 64 ticks at a time each pair has a word with one bit a
//! tick. Transposed, these words are the rows of 64 graphs. Ticks that cannot connect more members than wanted are
//! skipped before that.

use crate::clique::{Graph, MAX_VERTICES, VertexSet};
use crate::evidence::{Descending, TickRun, Ticks};
use crate::time::{Tick, Timestamp};

use super::MAX_DISTINCT_TICKS;
use super::reports::Reports;

/// Ticks of the first step: often the newest decide.
const FIRST_STEP: usize = WORD;
/// Ticks of the largest step: 16,384 ticks of 8,128 pairs are 16 MB of words.
const LARGEST_STEP: usize = 16_384;
const WORD: usize = u64::BITS as usize;
/// Ticks not yet in order, after which they are put into order, at least.
const UNSORTED: usize = 64;

/// There are more ticks than [`MAX_DISTINCT_TICKS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyTicks;

/// The ticks to look at, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) oldest: Tick,
    pub(super) newest: Tick,
}

pub(super) struct Sweep<'r, 'a> {
    reports: &'r Reports<'a>,
    pairs: Vec<Pair<'a>>,
    step: usize,
    /// How many ticks may still come.
    left: usize,
    /// A tick at which there may be no pair but that of two vouched members.
    extra: Option<Tick>,
    /// The ticks of this step, ascending; those from `done` on are done.
    ticks: Vec<Tick>,
    done: usize,
    /// For each 64 of `ticks`, a word of each pair.
    words: Vec<u64>,
    /// The 64 graphs around the tick before `done`.
    graphs: Box<Graphs>,
}

struct Pair<'a> {
    a: usize,
    b: usize,
    /// Ticks not yet passed at which the one matches, and the other.
    matches: [Descending<'a>; 2],
    contested: bool,
}

impl Pair<'_> {
    /// Which 64 of `ticks` contain the newest tick that both may still match. Irregular evidence has few ticks a pair
    /// among very many.
    fn next_block(&self, ticks: &[Tick]) -> Option<usize> {
        let [a, b] = self.matches;
        let next = a.peek()?.min(b.peek()?);
        let newest_block = ticks.len().checked_sub(1)? / WORD;
        if ticks.get(newest_block * WORD).is_some_and(|oldest| *oldest <= next) {
            return Some(newest_block);
        }
        let reached = ticks.partition_point(|tick| *tick <= next);
        reached.checked_sub(1).map(|newest| newest / WORD)
    }
}

/// Rows by vertex, then by tick.
struct Graphs {
    block: Option<usize>,
    active: [u128; WORD],
    rows: [[u128; WORD]; MAX_VERTICES],
}

impl<'r, 'a> Sweep<'r, 'a> {
    pub(super) fn new(reports: &'r Reports<'a>, window: Window) -> Sweep<'r, 'a> {
        let eligible = reports.eligible();
        // Two vouched members are connected at every tick, also if nobody else is. So the newest tick of all
        // may be a candidate even if it connects no other pair; no older one can be that has nothing else, and no
        // newer one counts: its matches are contradicted by mismatches of the same member.
        let two_vouched = (reports.vouched & eligible).len() >= 2;
        let newest_of_all = || reports.newest_eligible(window.newest.0).filter(|tick| *tick >= window.oldest);
        let extra = if two_vouched { newest_of_all() } else { None };
        let newest = if two_vouched { extra } else { Some(window.newest) };
        let pairs = newest.map_or(Vec::new(), |newest| pairs(reports, Window { newest, ..window }));
        let graphs = Box::new(Graphs { block: None, active: [0; WORD], rows: [[0; WORD]; MAX_VERTICES] });
        let (ticks, words) = (Vec::new(), Vec::new());
        Sweep {
            reports,
            pairs,
            step: FIRST_STEP,
            left: MAX_DISTINCT_TICKS,
            extra,
            ticks,
            done: 0,
            words,
            graphs,
        }
    }

    /// The next tick at which more than `size` members could be pairwise connected, and its graph. From call to
    /// call, `size` never falls.
    pub(super) fn next_larger_than(&mut self, size: usize) -> Result<Option<(Tick, Graph)>, TooManyTicks> {
        loop {
            if self.done == 0 && !self.refill()? {
                return Ok(None);
            }
            self.done -= 1;
            let (block, bit) = (self.done / WORD, self.done % WORD);
            if self.graphs.block != Some(block) {
                self.turn(block, size);
            }
            let active = VertexSet::from_bits(self.graphs.active[bit]);
            if active.len() > size {
                let rows = self.graphs.rows.iter().map(|ticks| VertexSet::from_bits(ticks[bit]));
                return Ok(Some((self.ticks[self.done], Graph::from_rows(rows))));
            }
        }
    }

    /// The next step: its ticks, and the words of every pair.
    fn refill(&mut self) -> Result<bool, TooManyTicks> {
        self.ticks = newest_common(&self.pairs, self.step, self.extra.take());
        self.done = self.ticks.len();
        self.left = self.left.checked_sub(self.done).ok_or(TooManyTicks)?;
        self.step = (self.step * 4).min(LARGEST_STEP);
        self.graphs.block = None;
        let blocks = self.ticks.len().div_ceil(WORD);
        self.words.clear();
        self.words.resize(blocks * self.pairs.len(), 0);
        let count = self.pairs.len();
        let distances: Vec<u64> = self.ticks.chunks(WORD).map(distance).collect();
        for (at, pair) in self.pairs.iter_mut().enumerate() {
            let mut left = self.ticks.as_slice();
            while let Some(block) = pair.next_block(left) {
                // `block` is one of the blocks of `left`, which is a prefix of all ticks.
                let (rest, ticks) = left.split_at(block * WORD);
                left = rest;
                let ticks = &ticks[..WORD.min(ticks.len())];
                let [a, b] = &mut pair.matches;
                let mut word = marked(ticks, distances[block], a) & marked(ticks, distances[block], b);
                if pair.contested {
                    for bit in VertexSet::from_bits(u128::from(word)).iter() {
                        if self.reports.mismatch_in_the_way(pair.a, pair.b, ticks[bit]).is_some() {
                            word &= !(1 << bit);
                        }
                    }
                }
                self.words[block * count + at] = word;
            }
        }
        Ok(!self.ticks.is_empty())
    }

    /// Makes the graphs of a block; only whom they connect, if none connects more than `size`.
    fn turn(&mut self, block: usize, size: usize) {
        let graphs = &mut *self.graphs;
        graphs.block = Some(block);
        // Each block has a word of each pair, and `block` is one of them.
        let words = &self.words[block * self.pairs.len()..(block + 1) * self.pairs.len()];
        let mut active = [0; MAX_VERTICES];
        for (pair, word) in self.pairs.iter().zip(words) {
            active[pair.a] |= word;
            active[pair.b] |= word;
        }
        let vouched = self.reports.vouched & self.reports.eligible();
        if vouched.len() >= 2 {
            vouched.iter().for_each(|v| active[v] = u64::MAX);
        }
        graphs.active = transposed(&active);
        if graphs.active.iter().all(|active| active.count_ones() as usize <= size) {
            return;
        }
        let mut matrix = vec![[0; MAX_VERTICES]; MAX_VERTICES];
        for (pair, word) in self.pairs.iter().zip(words) {
            matrix[pair.a][pair.b] = *word;
            matrix[pair.b][pair.a] = *word;
        }
        for (a, b) in vouched.iter().flat_map(|a| vouched.iter().map(move |b| (a, b))) {
            matrix[a][b] = if a == b { 0 } else { u64::MAX };
        }
        for (row, words) in graphs.rows.iter_mut().zip(&matrix) {
            *row = transposed(words);
        }
    }
}

/// The pairs that match at any tick in `window`.
fn pairs<'a>(reports: &Reports<'a>, window: Window) -> Vec<Pair<'a>> {
    let eligible = reports.eligible();
    let clip = |ticks: &'a Ticks| ticks.descending(window.oldest.0, window.newest.0);
    let mut pairs = Vec::new();
    for a in eligible.iter() {
        for b in eligible.iter().skip_while(|b| *b <= a) {
            let Some(pair) = reports.of_pair(a, b) else { continue };
            let matches = pair.map(|one| clip(&one.matches));
            if matches.iter().all(|ticks| ticks.peek().is_some()) {
                pairs.push(Pair { a, b, matches, contested: reports.contested(a, b) });
            }
        }
    }
    pairs
}

/// Bit `v` of result `t` is bit `t` of word `v`.
fn transposed(words: &[u64; MAX_VERTICES]) -> [u128; WORD] {
    let mut halves = [[0u64; WORD]; 2];
    for (half, words) in halves.iter_mut().zip(words.chunks(WORD)) {
        half.copy_from_slice(words);
        // Swaps the off-diagonal quarters of ever smaller squares.
        let (mut width, mut mask) = (WORD / 2, u64::MAX >> (WORD / 2));
        while width > 0 {
            for at in (0..WORD).filter(|at| at & width == 0) {
                let swapped = (half[at] >> width ^ half[at + width]) & mask;
                half[at] ^= swapped << width;
                half[at + width] ^= swapped;
            }
            width /= 2;
            mask ^= mask << width;
        }
    }
    std::array::from_fn(|tick| u128::from(halves[1][tick]) << WORD | u128::from(halves[0][tick]))
}

/// The distance between each of `ticks` and the next, in microseconds; zero if it varies or there is only one.
fn distance(ticks: &[Tick]) -> u64 {
    let between = |pair: &[Tick; 2]| pair[1].0.micros().abs_diff(pair[0].0.micros());
    let mut distances = ticks.array_windows().map(between);
    let Some(first) = distances.next() else { return 0 };
    if distances.all(|next| next == first) { first } else { 0 }
}

/// Which of `ticks` (at most 64, ascending, `distance` apart if that is not zero) are in a list; takes what is not
/// older off the list.
fn marked(ticks: &[Tick], distance: u64, list: &mut Descending<'_>) -> u64 {
    let Some(oldest) = ticks.first() else { return 0 };
    let (mut word, mut left) = (0, ticks);
    while let Some(TickRun { first, step, count }) = list.take_run(*oldest) {
        if distance > 0 && (step == distance || count == 1) {
            let offset = first.abs_diff(oldest.0.micros());
            let (place, beside) = if offset == 0 { (0, 0) } else { (offset / distance, offset % distance) };
            if beside == 0 && place < ticks.len() as u64 {
                let marks = u64::from(count).min(ticks.len() as u64 - place);
                word |= u64::MAX >> (WORD as u64 - marks) << place;
            }
            continue;
        }
        while let [older @ .., tick] = left {
            let behind = tick.0.micros().checked_sub(first).and_then(|behind| u64::try_from(behind).ok());
            let Some(behind) = behind else { break };
            let (place, beside) =
                (behind.checked_div(step).unwrap_or(behind), behind.checked_rem(step).unwrap_or(0));
            word |= u64::from(beside == 0 && place < u64::from(count)) << older.len();
            left = older;
        }
    }
    word
}

/// The newest ticks at which any pair matches, `extra` among them: at most `count`, ascending.
fn newest_common(pairs: &[Pair], count: usize, extra: Option<Tick>) -> Vec<Tick> {
    let mut newest = Ticks::default();
    let mut unsorted: Vec<Tick> = extra.into_iter().collect();
    for pair in pairs {
        let [mut a, mut b] = pair.matches;
        let mut known = newest.descending(Timestamp::MIN, Timestamp::MAX);
        let floor = newest.iter().next().filter(|_| newest.len() == count);
        let mut left = u32::try_from(count).unwrap_or(u32::MAX);
        while left > 0
            && let (Some(x), Some(y)) = (a.peek(), b.peek())
            && floor.is_none_or(|floor| floor <= x && floor <= y)
        {
            if x > y {
                a.pass_newer(y);
            } else if y > x {
                b.pass_newer(x);
            } else {
                known.pass_newer(x);
                let new = known.peek() != Some(x);
                let alike = if new { 1 } else { known.alike(&a).min(known.alike(&b)).min(left) };
                if new {
                    unsorted.push(x);
                } else {
                    known.pass(alike);
                }
                a.pass(alike);
                b.pass(alike);
                left -= alike;
            }
        }
        if unsorted.len() >= UNSORTED.max(newest.len() / 4) {
            newest = sorted_in(&newest, &mut unsorted, count);
        }
    }
    sorted_in(&newest, &mut unsorted, count).iter().collect()
}

/// The newest `count` of both.
fn sorted_in(newest: &Ticks, unsorted: &mut Vec<Tick>, count: usize) -> Ticks {
    unsorted.extend(newest.iter());
    unsorted.sort_unstable();
    unsorted.dedup();
    unsorted.drain(..).rev().take(count).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Tick {
        Tick(Timestamp::from_micros(micros).unwrap_or(Timestamp::MIN))
    }

    proptest! {
        #[test]
        fn marks_what_is_in_the_list_and_takes_it(
            even in any::<bool>(),
            ticks in prop::collection::btree_set(0i64..200, 1..WORD),
            list in prop::collection::vec((0i64..200, 1i64..4, 1i64..30), 0..6),
        ) {
            let ticks: Vec<Tick> = match even {
                true => (0..ticks.len() as i64).map(|nth| at(60 + 2 * nth)).collect(),
                false => ticks.into_iter().map(at).collect(),
            };
            let list = list.into_iter().flat_map(|(first, step, count)| (0..count).map(move |nth| first + nth * step));
            let list: Ticks = list.map(at).collect();
            let mut left = list.descending(Timestamp::MIN, Timestamp::MAX);
            let word = marked(&ticks, distance(&ticks), &mut left);
            for (place, tick) in ticks.iter().enumerate() {
                prop_assert_eq!(word >> place & 1 == 1, list.contains(*tick), "{:?}", tick);
            }
            let older = list.iter().rev().filter(|tick| *tick < ticks[0]);
            prop_assert!(left.eq(older));
        }

        #[test]
        fn turning_words_on_their_side(words in prop::collection::vec(any::<u64>(), MAX_VERTICES)) {
            let words: [u64; MAX_VERTICES] = words.try_into().unwrap_or([0; MAX_VERTICES]);
            let turned = transposed(&words);
            for (vertex, word) in words.iter().enumerate() {
                for (tick, row) in turned.iter().enumerate() {
                    prop_assert_eq!(word >> tick & 1, (row >> vertex & 1) as u64);
                }
            }
        }
    }
}
