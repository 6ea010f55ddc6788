//! The literals that are searched for.

use aho_corasick::packed;

/// The mark of every piece of a split line except the last, without its start, which is part of every line.
const PIECE_ENDS: [&str; 2] = ["ut P", "rr P"];

/// The same text in UTF-16, of either byte order: what a shell appends to a log in UTF-8 is not seen otherwise. The
/// zeros between the characters are the same in both.
const UTF16: [&str; 2] =
    ["c\0o\0r\0r\0e\0c\0t\0 \0f\0o\0r\0 \0s\0e\0n\0d\0e\0r", "_\0M\0I\0S\0M\0A\0T\0C\0H"];
/// What separates the numbers of an array of bytes.
const BYTE_SEPARATORS: [&str; 2] = [",", ", "];

/// The literals that are searched for, as they are in most logs, and as they are in logs with arrays of bytes.
pub(crate) struct NeedleSets {
    text: Needles,
    bytes: Needles,
}

impl NeedleSets {
    /// Searches for `phrases`.
    ///
    /// # Errors
    /// If there are too many of them, or they are too long to be compiled.
    pub(crate) fn new(phrases: &[&str]) -> Result<NeedleSets, aho_corasick::BuildError> {
        let in_bytes = |separator: &str, phrase: &str| {
            phrase.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(separator)
        };
        let arrays = BYTE_SEPARATORS.iter().flat_map(|it| phrases.iter().map(|phrase| in_bytes(it, phrase)));
        let all: Vec<String> = phrases.iter().map(|phrase| (*phrase).to_owned()).chain(arrays).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        Ok(NeedleSets { text: Needles::new(phrases)?, bytes: Needles::new(&all)? })
    }

    /// Returns those for a log, which may have `byte_arrays`.
    pub(crate) fn of(&self, byte_arrays: bool) -> &Needles {
        if byte_arrays { &self.bytes } else { &self.text }
    }
}

/// The literals that are searched for, compiled.
pub(crate) struct Needles {
    /// The messages' phrases, the marks of split lines, and the phrases in UTF-16.
    all: Searcher,
    /// The phrases alone.
    phrases: Searcher,
    /// How many phrases there are; they precede the marks.
    phrase_count: usize,
    longest: usize,
}

/// A search in SIMD if the machine has it.
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

    /// Returns the first literal in `data`: its start, and its place among the searcher's literals.
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
    /// If there are too many of them, or they are too long to be compiled.
    pub(crate) fn new(phrases: &[&str]) -> Result<Needles, aho_corasick::BuildError> {
        let all: Vec<&str> = phrases.iter().chain(&PIECE_ENDS).chain(&UTF16).copied().collect();
        Ok(Needles {
            all: Searcher::new(&all)?,
            phrases: Searcher::new(phrases)?,
            phrase_count: phrases.len(),
            longest: all.iter().map(|literal| literal.len()).max().unwrap_or(0),
        })
    }

    /// Whether `text` contains a phrase.
    pub(crate) fn occur_in(&self, text: &[u8]) -> bool {
        self.phrases.find(text).is_some()
    }

    /// Bytes that two parts of one line must share so that a literal across their border is found.
    pub(crate) fn overlap(&self) -> usize {
        self.longest.saturating_sub(1)
    }

    /// Returns the first literal in `data` that starts at or after `from`.
    pub(super) fn next_hit(&self, data: &[u8], from: usize) -> Option<Hit> {
        let (at, literal) = self.all.find(data.get(from..)?)?;
        let kind = match literal.checked_sub(self.phrase_count) {
            None => Kind::Phrase,
            Some(mark) if mark < PIECE_ENDS.len() => Kind::Piece,
            Some(_) => Kind::Utf16,
        };
        Some(Hit { at: from + at, kind })
    }
}

/// A literal that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// The place of its first byte.
    pub(super) at: usize,
    pub(super) kind: Kind,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Phrase,
    /// The mark of a piece of a split line.
    Piece,
    /// A phrase in UTF-16.
    Utf16,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PHRASES: [&str; 3] = ["correct for sender", "_MISMATCH", "Checking commitment"];

    /// All hits in `data` of a search that continues `step` bytes after each.
    fn found(needles: &Needles, data: &[u8], step: usize) -> Vec<Hit> {
        let mut from = 0;
        std::iter::from_fn(|| {
            let hit = needles.next_hit(data, from)?;
            from = hit.at + step;
            Some(hit)
        })
        .collect()
    }

    /// The same, searched for byte by byte.
    fn plain(phrases: &[&str], data: &[u8], step: usize) -> Vec<Hit> {
        let starts = |at: usize, literals: &[&str]| {
            literals.iter().any(|literal| data[at..].starts_with(literal.as_bytes()))
        };
        let mut from = 0;
        let mut found = Vec::new();
        for at in 0..data.len() {
            let kinds = [(phrases, Kind::Phrase), (&PIECE_ENDS, Kind::Piece), (&UTF16, Kind::Utf16)];
            let kind = kinds.iter().find(|(literals, _)| starts(at, literals)).map(|(_, kind)| *kind);
            if let Some(kind) = kind.filter(|_| at >= from) {
                found.push(Hit { at, kind });
                from = at + step;
            }
        }
        found
    }

    fn words() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            3 => prop::sample::select(PHRASES.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
            1 => prop::sample::select(UTF16.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
            3 => prop::sample::select(PIECE_ENDS.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
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
            prop_assert_eq!(found(&needles, &data, step), plain(phrases, &data, step));
        }
    }
}
