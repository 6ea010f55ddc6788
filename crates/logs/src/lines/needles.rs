//! The literals that are searched.

use aho_corasick::packed;

use super::count_lines;
use super::sieve::{Kept, Sieve};

/// What every piece of a split line holds in its prefix, except the last one.
const PIECES: [&str; 2] = ["stdout P", "stderr P"];
/// Their ends, which are searched where there is no sieve: the starts of the whole words stand on every line.
const PIECE_ENDS: [&str; 2] = ["ut P", "rr P"];

/// The literals that are searched, compiled.
pub struct Needles {
    /// Passes over what need not be searched, where that is faster.
    sieve: Option<Sieve>,
    /// The messages' phrases and the marks of split lines.
    all: Searcher,
    /// The phrases alone.
    phrases: Searcher,
    /// How many phrases there are; they stand before the marks.
    phrase_count: usize,
    longest: usize,
}

/// SIMD where the machine has it.
enum Searcher {
    Packed(packed::Searcher),
    Plain(Box<aho_corasick::AhoCorasick>),
}

impl Searcher {
    fn new(literals: &[&str]) -> Result<Searcher, aho_corasick::BuildError> {
        let packed = packed::Config::new().builder().extend(literals).build();
        match packed {
            Some(searcher) => Ok(Searcher::Packed(searcher)),
            None => aho_corasick::AhoCorasick::new(literals).map(|it| Searcher::Plain(Box::new(it))),
        }
    }

    /// The first literal in `data`: its start, and its place among the searcher's literals.
    fn find(&self, data: &[u8]) -> Option<(usize, usize)> {
        let found = match self {
            Searcher::Packed(searcher) => searcher.find(data)?,
            Searcher::Plain(searcher) => searcher.find(data)?,
        };
        Some((found.start(), found.pattern().as_usize()))
    }
}

impl Needles {
    /// Searches for `phrases`.
    ///
    /// # Errors
    /// Where they are too many or too long to be compiled.
    pub fn new(phrases: &[&str]) -> Result<Needles, aho_corasick::BuildError> {
        let alone = phrases.chunks(1);
        let sieve = Sieve::new(&alone.chain([&PIECES[..]]).collect::<Vec<_>>());
        Needles::with(phrases, sieve)
    }

    fn with(phrases: &[&str], sieve: Option<Sieve>) -> Result<Needles, aho_corasick::BuildError> {
        let pieces = if sieve.is_some() { PIECES } else { PIECE_ENDS };
        let all: Vec<&str> = phrases.iter().chain(&pieces).copied().collect();
        Ok(Needles {
            sieve,
            all: Searcher::new(&all)?,
            phrases: Searcher::new(phrases)?,
            phrase_count: phrases.len(),
            longest: all.iter().map(|literal| literal.len()).max().unwrap_or(0),
        })
    }

    /// Whether `text` holds a phrase.
    pub fn occur_in(&self, text: &[u8]) -> bool {
        self.phrases.find(text).is_some()
    }

    /// Bytes that two parts of one line must share for a literal on their border to be found.
    pub fn overlap(&self) -> usize {
        self.longest.saturating_sub(1)
    }

    /// The literals in `data`, from its start on.
    pub(super) fn hits<'a>(&'a self, data: &'a [u8]) -> Hits<'a> {
        let (kept, at, line_breaks) = match &self.sieve {
            Some(_) => (0, 0, 0),
            None => (data.len(), data.len(), count_lines(data)),
        };
        Hits { needles: self, data, kept: Kept { from: 0, to: kept }, at, line_breaks }
    }
}

/// A literal that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Its first byte.
    pub(super) at: usize,
    /// Whether it is a phrase; otherwise it is the mark of a piece.
    pub(super) is_phrase: bool,
}

/// A search that goes on behind what it found.
pub(super) struct Hits<'a> {
    needles: &'a Needles,
    data: &'a [u8],
    /// Where literals may start that have not been searched for.
    kept: Kept,
    /// What has been sieved.
    at: usize,
    line_breaks: u64,
}

impl Hits<'_> {
    /// The first literal that starts at or behind `from`, which never goes back.
    pub(super) fn next(&mut self, from: usize) -> Option<Hit> {
        loop {
            let start = self.kept.from.max(from);
            if start < self.kept.to {
                let end = (self.kept.to + self.needles.overlap()).min(self.data.len());
                if let Some((at, literal)) = self.needles.all.find(self.data.get(start..end)?) {
                    self.kept.from = start + at;
                    return Some(Hit { at: start + at, is_phrase: literal < self.needles.phrase_count });
                }
            }
            let sieve = self.needles.sieve.as_ref()?;
            self.kept = sieve.next(self.data, &mut self.at, &mut self.line_breaks)?;
        }
    }

    /// The line breaks in what has been searched: in all of it once there is nothing more to find.
    pub(super) fn line_breaks(&self) -> u64 {
        self.line_breaks
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PHRASES: [&str; 3] = ["correct for sender", "_MISMATCH", "Checking commitment"];

    /// What a search of `data` finds that goes on `step` bytes behind what it found, and the line breaks.
    fn found(needles: &Needles, data: &[u8], step: usize) -> (Vec<Hit>, u64) {
        let mut hits = needles.hits(data);
        let mut from = 0;
        let mut found = Vec::new();
        while let Some(hit) = hits.next(from) {
            from = hit.at + step;
            found.push(hit);
        }
        (found, hits.line_breaks())
    }

    /// The same, looked for byte by byte.
    fn plain(phrases: &[&str], pieces: &[&str], data: &[u8], step: usize) -> (Vec<Hit>, u64) {
        let starts = |at: usize, literals: &[&str]| {
            literals
                .iter()
                .any(|literal| data.get(at..).is_some_and(|rest| rest.starts_with(literal.as_bytes())))
        };
        let mut from = 0;
        let mut found = Vec::new();
        for at in 0..data.len() {
            let is_phrase = starts(at, phrases);
            if at >= from && (is_phrase || starts(at, pieces)) {
                found.push(Hit { at, is_phrase });
                from = at + step;
            }
        }
        (found, data.iter().filter(|byte| **byte == b'\n').count() as u64)
    }

    fn words() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            3 => prop::sample::select(PHRASES.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
            3 => prop::sample::select(PIECES.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
            2 => (prop::sample::select(PHRASES.to_vec()), any::<prop::sample::Index>())
                .prop_map(|(word, end)| word.as_bytes()[..end.index(word.len())].to_vec()),
            4 => (any::<u8>(), 0usize..300).prop_map(|(byte, length)| vec![byte; length]),
            4 => prop::collection::vec(prop::sample::select(b"\n\0 _Pdertuscfo".to_vec()), 0..200),
        ];
        prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn finds_what_a_plain_search_finds(data in words(), step in 1usize..300, phrases in 1usize..=3) {
            let phrases = &PHRASES[..phrases];
            let needles = Needles::new(phrases).unwrap();
            let pieces = if needles.sieve.is_some() { PIECES } else { PIECE_ENDS };
            prop_assert_eq!(found(&needles, &data, step), plain(phrases, &pieces, &data, step));
            let needles = Needles::with(phrases, None).unwrap();
            prop_assert_eq!(found(&needles, &data, step), plain(phrases, &PIECE_ENDS, &data, step));
        }
    }
}
