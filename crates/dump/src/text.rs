//! The plain part of JSON strings: up to the next quote, backslash or control character, in valid UTF-8.

use simdutf8::compat;

/// Bytes looked at at once.
const BLOCK: usize = 64;
/// The longest encoded character.
const MAX_ENCODED: usize = 4;

const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// How many bytes at the start of `bytes` are neither quote, backslash nor control character.
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    let blocks = bytes.chunks_exact(BLOCK);
    // Bitwise and, so that a block becomes a few vector instructions.
    let whole =
        blocks.take_while(|block| block.iter().fold(true, |all, &byte| all & is_plain(byte))).count() * BLOCK;
    // `whole` counts blocks of `bytes`.
    let rest = &bytes[whole..];
    whole + rest.iter().take_while(|&&byte| is_plain(byte)).count()
}

/// Checks UTF-8 that arrives cut anywhere, also inside a character: such a one is held back until it is whole,
/// so that what is handed on does not depend on the cuts.
#[derive(Debug)]
pub(super) struct Utf8 {
    /// The start of a character whose end has not arrived.
    cut: [u8; MAX_ENCODED],
    len: usize,
}

/// What became of a character that was cut.
#[derive(Debug)]
pub(super) enum Cut {
    /// It is still not whole.
    More,
    /// It is whole: its bytes, and how many there are.
    Whole([u8; MAX_ENCODED], usize),
    /// It is none.
    Bad,
}

impl Utf8 {
    pub(super) const fn new() -> Utf8 {
        Utf8 { cut: [0; MAX_ENCODED], len: 0 }
    }

    /// Bytes of a character that are held back.
    pub(super) const fn held(&self) -> usize {
        self.len
    }

    /// The next byte of the character that was cut.
    pub(super) fn resume(&mut self, byte: u8) -> Cut {
        // A character of four bytes is whole or wrong, so there is room for one more.
        let Some(slot) = self.cut.get_mut(self.len) else { return Cut::Bad };
        *slot = byte;
        // `slot` is the byte at `len`.
        match std::str::from_utf8(&self.cut[..=self.len]) {
            Ok(_) => {
                let len = self.len + 1;
                self.len = 0;
                Cut::Whole(self.cut, len)
            }
            Err(error) if error.error_len().is_some() => Cut::Bad,
            Err(_) => {
                self.len += 1;
                Cut::More
            }
        }
    }

    /// The length of the whole characters at the start of `bytes`, when no character is held back. What follows
    /// them is held back if it is the start of one and more may come; `false` says that it is wrong.
    pub(super) fn whole(&mut self, bytes: &[u8], more: bool) -> (usize, bool) {
        let Err(error) = compat::from_utf8(bytes) else { return (bytes.len(), true) };
        let whole = error.valid_up_to();
        // UTF-8 is valid up to a place in it.
        let rest = &bytes[whole..];
        match self.cut.get_mut(..rest.len()) {
            Some(room) if error.error_len().is_none() && more => {
                room.copy_from_slice(rest);
                self.len = rest.len();
                (whole, true)
            }
            _ => (whole, false),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    /// The bytes handed on; `None` where they are not UTF-8.
    fn read(pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let mut utf8 = Utf8::new();
        let mut read = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let (true, Some((&byte, rest))) = (utf8.held() > 0, piece.split_first()) {
                match utf8.resume(byte) {
                    Cut::More => {}
                    Cut::Whole(bytes, len) => read.extend_from_slice(&bytes[..len]),
                    Cut::Bad => return None,
                }
                piece = rest;
            }
            if utf8.held() == 0 {
                let (whole, valid) = utf8.whole(piece, true);
                read.extend_from_slice(&piece[..whole]);
                valid.then_some(())?;
            }
        }
        (utf8.held() == 0).then_some(read)
    }

    #[test]
    fn a_special_byte_is_found_wherever_it_stands() {
        for at in 0..3 * BLOCK {
            for special in [b'"', b'\\', 0, 0x1f, b'\n'] {
                let mut text = vec![b'x'; 3 * BLOCK];
                text[at] = special;
                assert_eq!(plain_prefix(&text), at);
            }
        }
        assert_eq!(plain_prefix(&[b' ', 0x7f, 0x80, 0xff]), 4);
    }

    #[test]
    fn refuses_what_only_looks_like_utf8() {
        for bad in [
            &b"\xc0\xaf"[..],
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xe2\x82",
            b"\x80",
            b"\xff",
            b"\xe0\x80\x80",
        ] {
            for cut in 0..=bad.len() {
                assert_eq!(read(&[&bad[..cut], &bad[cut..]]), None, "{bad:x?} cut at {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_library(
            bytes in prop_oneof![
                "\\PC{0,40}".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..8),
                prop::collection::vec(prop::sample::select(b"\xe2\x82\xac\xf0\x9f\x98\x80\xc3a".to_vec()), 0..12),
            ],
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let expected = std::str::from_utf8(&bytes).ok().map(|text| text.as_bytes().to_vec());
            prop_assert_eq!(read(&pieces), expected);
        }
    }
}
