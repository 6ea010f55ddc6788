//! Passes over what cannot hold a literal, and counts the line breaks on the way.
//!
//! What is asked of a byte costs little while the next ones are still on their way from memory. So a block's line breaks
//! are counted, and three bytes of every literal are looked for at their distances, in one pass; only where all three
//! stand a search begins. The distances are the same for all literals, so that a block is loaded three times, however
//! many literals there are, and they are chosen so that the bytes are rare in logs.
//!
//! A sieve errs on one side only: it keeps every block that a literal stands in, wherever blocks begin.

use std::array;

use fearless_simd::{Level, dispatch, prelude::*};

/// Bytes of a block: few, so that little is searched in vain.
const BLOCK: usize = 128;
/// What a literal's bytes are apart at most.
const REACH: usize = 16;
/// A block and what belongs to the literals whose first byte is in it.
const WINDOW: usize = BLOCK + REACH;
/// Narrower vectors take longer for this than a search for all literals everywhere.
const MIN_VECTOR_BYTES: usize = 32;
/// What logs mostly consist of, the most frequent first.
const FREQUENT: &[u8] = b" e0t1ai2nos3rcl:4-d5.6789mupgh\"f,vb=_/y";

/// The bytes of a literal that are looked for.
type Sign = [u8; 3];

/// Tells blocks that can hold a literal from those that cannot.
pub(super) struct Sieve {
    level: Level,
    /// How far the second and the third byte of a sign are behind the first.
    distances: [usize; 2],
    signs: Vec<Sign>,
    /// How far in front of a sign its literal begins at most.
    lead: usize,
}

/// A place where literals may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Where the first of them may begin.
    pub(super) from: usize,
    /// In front of where the last of them begins; what is behind has not been looked at.
    pub(super) to: usize,
}

impl Sieve {
    /// Looks for the literals of every group, for those of one at once: by the bytes that they share. None where that
    /// would not be faster than to search for them everywhere, and where there are too many, or too short ones.
    pub(super) fn new(groups: &[&[&str]]) -> Option<Sieve> {
        let level = Level::new();
        if dispatch!(level, simd => vector_bytes(simd)) < MIN_VECTOR_BYTES {
            return None;
        }
        Sieve::with(level, groups)
    }

    /// As [`new`](Self::new), on vectors of any width.
    fn with(level: Level, groups: &[&[&str]]) -> Option<Sieve> {
        let shared: Vec<Vec<Option<Byte>>> = groups.iter().map(|group| shared(group)).collect();
        let distances = (1..REACH).flat_map(|first| (first + 1..REACH).map(move |second| [first, second]));
        let (_, distances, signs) = distances
            .filter_map(|distances| {
                let signs: Option<Vec<_>> = shared.iter().map(|bytes| rarest(bytes, distances)).collect();
                let signs = signs?;
                Some((signs.iter().map(|(frequency, ..)| frequency).sum::<usize>(), distances, signs))
            })
            .min_by_key(|(frequency, ..)| *frequency)?;
        let lead = signs.iter().map(|(_, lead, _)| *lead).max()?;
        let signs: Vec<Sign> = signs.into_iter().map(|(.., sign)| sign).collect();
        (2..=4).contains(&signs.len()).then_some(Sieve { level, distances, signs, lead })
    }

    /// The next place in `data` that is kept, from `at` on, which is moved behind the blocks that were looked at; their
    /// line breaks are added to `breaks`.
    pub(super) fn next(&self, data: &[u8], at: &mut usize, breaks: &mut u64) -> Option<Kept> {
        let rest = data.get(*at..)?;
        let (passed, kept) = match *self.signs.as_slice() {
            [a, b] => self.pass(&[a, b], rest, breaks),
            [a, b, c] => self.pass(&[a, b, c], rest, breaks),
            [a, b, c, d] => self.pass(&[a, b, c, d], rest, breaks),
            _ => (rest.len(), false),
        };
        let from = (*at + passed).saturating_sub(BLOCK + self.lead);
        *at += passed;
        kept.then_some(Kept { from, to: *at })
    }

    fn pass<const SIGNS: usize>(
        &self,
        signs: &[Sign; SIGNS],
        data: &[u8],
        breaks: &mut u64,
    ) -> (usize, bool) {
        dispatch!(self.level, simd => pass(simd, self.distances, signs, data, breaks))
    }
}

fn vector_bytes<S: Simd>(_: S) -> usize {
    S::u8s::LEN
}

/// A byte of a literal, and how frequent it may be in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Byte {
    value: u8,
    frequency: usize,
}

impl Byte {
    fn new(value: u8) -> Byte {
        let place = FREQUENT.iter().rev().position(|it| *it == value);
        Byte { value, frequency: place.map_or(1, |place| place + 2) }
    }
}

/// By place, the bytes that all of `literals` have there.
fn shared(literals: &[&str]) -> Vec<Option<Byte>> {
    let length = literals.iter().map(|literal| literal.len()).min().unwrap_or(0);
    let byte = |at: usize| {
        let mut bytes = literals.iter().filter_map(|literal| literal.as_bytes().get(at).copied());
        bytes.next().filter(|first| bytes.all(|byte| byte == *first)).map(Byte::new)
    };
    (0..length).map(byte).collect()
}

/// The rarest sign in `bytes` at these distances: how frequent it may be, its place, and itself.
fn rarest(bytes: &[Option<Byte>], distances: [usize; 2]) -> Option<(usize, usize, Sign)> {
    let sign = |place: usize| {
        let [second, third] = distances.map(|distance| bytes.get(place + distance).copied().flatten());
        let sign = [bytes.get(place).copied().flatten()?, second?, third?];
        Some((sign.map(|byte| byte.frequency).iter().product(), place, sign.map(|byte| byte.value)))
    };
    (0..bytes.len()).filter_map(sign).min_by_key(|(frequency, ..)| *frequency)
}

/// Passes over blocks of `data` up to one that is kept, adding their line breaks to `breaks`. Gives the bytes passed
/// over, that block included, and whether there is one.
#[inline(always)]
fn pass<S: Simd, const SIGNS: usize>(
    simd: S,
    distances: [usize; 2],
    signs: &[Sign; SIGNS],
    data: &[u8],
    breaks: &mut u64,
) -> (usize, bool) {
    let signs: [[S::u8s; 3]; SIGNS] =
        array::from_fn(|nth| array::from_fn(|byte| S::u8s::splat(simd, signs[nth][byte])));
    let (mut rest, mut count) = (data, 0);
    let mut kept = false;
    // What is looked at here stays where it is; that is why the last windows, which are copies, have a loop of their own.
    while let Some(window) = rest.first_chunk().filter(|_| !kept) {
        kept = look(simd, distances, &signs, window, &mut count);
        rest = rest.get(BLOCK..).unwrap_or_default();
    }
    while !kept && !rest.is_empty() {
        kept = look(simd, distances, &signs, &filled_up(rest), &mut count);
        rest = rest.get(BLOCK..).unwrap_or_default();
    }
    *breaks += count;
    (data.len() - rest.len(), kept)
}

/// Counts the line breaks of the block at the start of `window`, and says whether one of `signs` begins in it.
#[inline(always)]
fn look<S: Simd, const SIGNS: usize>(
    simd: S,
    [second, third]: [usize; 2],
    signs: &[[S::u8s; 3]; SIGNS],
    window: &[u8; WINDOW],
    breaks: &mut u64,
) -> bool {
    let column = |distance: usize| window.get(distance..distance + BLOCK).unwrap_or_default();
    let vectors = |distance: usize| column(distance).chunks_exact(S::u8s::LEN);
    let line_break = S::u8s::splat(simd, b'\n');
    // Zero where each byte is the sign's.
    let mut least = S::u8s::splat(simd, u8::MAX);
    for ((first, second), third) in vectors(0).zip(vectors(second)).zip(vectors(third)) {
        let first = S::u8s::from_slice(simd, first);
        let (second, third) = (S::u8s::from_slice(simd, second), S::u8s::from_slice(simd, third));
        *breaks += u64::from(first.simd_eq(line_break).to_bitmask().count_ones());
        for [one, two, three] in signs {
            least = least.min((first ^ *one) | (second ^ *two) | (third ^ *three));
        }
    }
    least.simd_eq(S::u8s::splat(simd, 0)).any_true()
}

/// The last bytes of what is sieved as a window. Behind them are NULs, which are no line breaks.
#[inline(never)]
fn filled_up(rest: &[u8]) -> [u8; WINDOW] {
    let mut window = [0; WINDOW];
    window.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    window
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// All that is kept of `data`, and its line breaks.
    fn sieved(sieve: &Sieve, data: &[u8]) -> (Vec<Kept>, u64) {
        let (mut at, mut breaks) = (0, 0);
        let kept = std::iter::from_fn(|| sieve.next(data, &mut at, &mut breaks)).collect();
        assert_eq!(at, data.len());
        (kept, breaks)
    }

    #[test]
    fn keeps_a_literal_at_every_place() {
        let literals = ["correct for sender", "_MISMATCH", "stderr P"];
        let groups: [&[&str]; 3] = [&literals[..1], &literals[1..2], &["stdout P", "stderr P"]];
        let sieve = Sieve::with(Level::new(), &groups).unwrap();
        for literal in literals {
            for place in 0..2 * WINDOW {
                for behind in [0, 1, REACH - 1, REACH, BLOCK, WINDOW] {
                    let data = ["\n".repeat(place), literal.to_owned(), "\n".repeat(behind)].concat();
                    let (kept, breaks) = sieved(&sieve, data.as_bytes());
                    assert_eq!(breaks, (place + behind) as u64);
                    assert!(
                        kept.iter().any(|kept| (kept.from..kept.to).contains(&place)),
                        "{literal} at {place}, {behind} bytes behind it: {kept:?}"
                    );
                    assert!(kept.len() <= 2);
                }
            }
        }
    }

    #[test]
    fn keeps_little_else() {
        let groups: [&[&str]; 3] = [&["correct for sender"], &["_MISMATCH"], &["stdout P", "stderr P"]];
        let sieve = Sieve::with(Level::new(), &groups).unwrap();
        let line = "2026-04-21T23:25:07.123456789Z stdout F 2026-04-21 23:25:07,123 [canton-env-ec-36] INFO  \
            c.d.c.p.p.AcsCommitmentProcessor:participant=p/psid=global-domain::1220be58c29e::34-0 \
            tid:3f2a9c1d8a7b6c5d4e3f2a1b0c9d8e7f - Persisted ACS_COMMITMENT checkpoints for Party::1220 from sender\n";
        assert_eq!(sieved(&sieve, line.repeat(1000).as_bytes()), (vec![], 1000));
        assert_eq!(sieved(&sieve, b""), (vec![], 0));
    }

    #[test]
    fn what_it_cannot_look_for() {
        let with = |groups: &[&[&str]]| Sieve::with(Level::new(), groups);
        assert!(with(&[]).is_none());
        assert!(with(&[&["abc"]]).is_none(), "one is found faster by a search");
        assert!(with(&[&["ab"], &["abc"]]).is_none(), "too short");
        assert!(with(&[&["abc", "xyz"], &["abc"]]).is_none(), "nothing in common");
        assert!(with(&[&["abc"][..]; 5]).is_none(), "too many");
    }

    #[test]
    fn signs_are_rare_bytes() {
        let bytes = shared(&["std_x_ P", "std_yz PP"]);
        assert_eq!(bytes.iter().flatten().map(|byte| byte.value).collect::<Vec<u8>>(), b"std_ P");
        let (_, place, sign) = rarest(&bytes, [1, 5]).unwrap();
        assert_eq!((place, &sign), (2, b"d_P"));
        assert!(rarest(&bytes, [1, 9]).is_none());
        assert!(rarest(&shared(&[]), [1, 2]).is_none());
    }
}
