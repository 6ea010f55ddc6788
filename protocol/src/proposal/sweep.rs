//! The graph of every tick, from the newest to the oldest.
//!
//! Evidence of a large roster holds tens of millions of ticks, so they are never gathered: the pairs' lists are
//! walked backwards side by side, in steps of some thousand ticks. For 64 ticks at a time each pair has a word
//! with one bit a tick; turned on their side, these words are the rows of 64 graphs. Ticks that cannot have
//! more connected members than wanted are passed over before that.

use crate::clique::{Graph, MAX_VERTICES, VertexSet};
use crate::time::{Tick, Timestamp};

use super::MAX_DISTINCT_TICKS;
use super::reports::Reports;

/// Ticks of the first step: often the newest decide.
const FIRST_STEP: usize = WORD;
/// Ticks of the largest step: 16,384 ticks of 8,128 pairs are 16 MB of words.
const LARGEST_STEP: usize = 16_384;
const WORD: usize = u64::BITS as usize;
/// Ticks that are compared at once where lists run alike.
const STRIDE: usize = 8;
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
    /// The ticks of this step, ascending; those at `done` and behind are done.
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
    matches: [&'a [Tick]; 2],
    contested: bool,
}

impl Pair<'_> {
    /// Which 64 of `ticks` hold the newest tick that both may still match. Irregular evidence has few ticks a pair
    /// among very many.
    fn next_block(&self, ticks: &[Tick]) -> Option<usize> {
        let [a, b] = self.matches;
        let next = a.last()?.min(b.last()?);
        let newest_block = ticks.len().checked_sub(1)? / WORD;
        if ticks.get(newest_block * WORD).is_some_and(|oldest| oldest <= next) {
            return Some(newest_block);
        }
        let reached = ticks.partition_point(|tick| tick <= next);
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
        // Two vouched members are connected at every tick, also where nobody else is. So the newest tick of all
        // may be a candidate even if it connects no other pair; no older one can be that has nothing else, and no
        // newer one counts: its matches are contradicted by mismatches of the same member.
        let two_vouched = (reports.vouched & eligible).len() >= 2;
        let newest_of_all = || reports.newest_eligible(window.newest.0).filter(|tick| *tick >= window.oldest);
        let extra = if two_vouched { newest_of_all() } else { None };
        let newest = if two_vouched { extra } else { Some(window.newest) };
        let pairs = newest.map(|newest| pairs(reports, Window { newest, ..window })).unwrap_or_default();
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
        for (at, pair) in self.pairs.iter_mut().enumerate() {
            let mut left = self.ticks.as_slice();
            while let Some(block) = pair.next_block(left) {
                let (rest, ticks) = left.split_at_checked(block * WORD).unwrap_or((&[], left));
                left = rest;
                let ticks = ticks.get(..WORD).unwrap_or(ticks);
                let mut word = common(ticks, &mut pair.matches);
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

    /// Makes the graphs of a block; only whom they connect, where none connects more than `size`.
    fn turn(&mut self, block: usize, size: usize) {
        let graphs = &mut *self.graphs;
        graphs.block = Some(block);
        let words =
            self.words.get(block * self.pairs.len()..(block + 1) * self.pairs.len()).unwrap_or_default();
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
    let clip = |ticks: &'a [Tick]| {
        let from = ticks.partition_point(|tick| *tick < window.oldest);
        let to = ticks.partition_point(|tick| *tick <= window.newest);
        ticks.get(from..to).unwrap_or_default()
    };
    let mut pairs = Vec::new();
    for a in eligible.iter() {
        for b in eligible.iter().skip_while(|b| *b <= a) {
            let Some(pair) = reports.of_pair(a, b) else { continue };
            let matches = pair.map(|one| clip(one.matches.as_slice()));
            if matches.iter().all(|ticks| !ticks.is_empty()) {
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

/// The last ticks of `list`, as many as are compared at once.
fn stride(list: &[Tick]) -> Option<&[Tick; STRIDE]> {
    list.last_chunk()
}

/// Takes off what is not older than `tick`; whether that was among it.
fn take_down_to(list: &mut &[Tick], tick: &Tick) -> bool {
    while let [older @ .., last] = *list
        && last >= tick
    {
        *list = older;
        if last == tick {
            return true;
        }
    }
    false
}

/// Which of `ticks` (at most 64, ascending) are in both lists; takes what is not older off the lists.
fn common(mut ticks: &[Tick], [a, b]: &mut [&[Tick]; 2]) -> u64 {
    let whole = ticks;
    if let (Some(a_older), Some(b_older)) = (a.strip_suffix(whole), b.strip_suffix(whole)) {
        (*a, *b) = (a_older, b_older);
        return u64::MAX >> (WORD - whole.len());
    }
    let mut word = 0;
    while let [older @ .., tick] = ticks {
        if let (Some(next), Some(x), Some(y)) = (stride(ticks), stride(a), stride(b))
            && next == x
            && next == y
        {
            let left = ticks.len() - STRIDE;
            word |= ((1 << STRIDE) - 1) << left;
            (ticks, *a, *b) = (&ticks[..left], &a[..a.len() - STRIDE], &b[..b.len() - STRIDE]);
            continue;
        }
        let both = take_down_to(a, tick) & take_down_to(b, tick);
        word |= u64::from(both) << older.len();
        ticks = older;
    }
    word
}

/// The newest ticks at which any pair matches, `extra` among them: at most `count`, ascending.
fn newest_common(pairs: &[Pair], count: usize, extra: Option<Tick>) -> Vec<Tick> {
    let mut newest: Vec<Tick> = Vec::new();
    let mut unsorted: Vec<Tick> = extra.into_iter().collect();
    for pair in pairs {
        let [mut a, mut b] = pair.matches;
        let mut known = newest.as_slice();
        let floor = if newest.len() == count { newest[0] } else { Tick(Timestamp::MIN) };
        let mut left = count;
        while left > 0 {
            if let (Some(next), Some(x), Some(y)) = (stride(known), stride(a), stride(b))
                && next == x
                && next == y
            {
                (known, a, b) =
                    (&known[..known.len() - STRIDE], &a[..a.len() - STRIDE], &b[..b.len() - STRIDE]);
                left = left.saturating_sub(STRIDE);
                continue;
            }
            let ([a_older @ .., x], [b_older @ .., y]) = (a, b) else { break };
            if x < &floor || y < &floor {
                break;
            }
            if x == y {
                left -= 1;
                while let [older @ .., last] = known
                    && last > x
                {
                    known = older;
                }
                match known {
                    [older @ .., last] if last == x => known = older,
                    _ => unsorted.push(*x),
                }
            }
            if x >= y {
                a = a_older;
            }
            if y >= x {
                b = b_older;
            }
        }
        if unsorted.len() >= UNSORTED.max(newest.len() / 4) {
            sort_in(&mut newest, &mut unsorted, count);
        }
    }
    sort_in(&mut newest, &mut unsorted, count);
    newest
}

fn sort_in(newest: &mut Vec<Tick>, unsorted: &mut Vec<Tick>, count: usize) {
    newest.append(unsorted);
    newest.sort();
    newest.dedup();
    newest.drain(..newest.len().saturating_sub(count));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
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
