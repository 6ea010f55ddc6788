//! Strict base64 (RFC 4648 §4) in pieces: the alphabet, the padding, the length, and no stray bits.
//!
//! Payloads are gigabytes, so the alphabet is checked in blocks without a branch or a table, which the compiler
//! turns into vector instructions; only the block that holds something else is looked at byte by byte. A text
//! that passes is the only one that encodes its bytes: two members whose payloads are equal have equal texts.

use std::fmt;

/// Characters that encode three bytes.
const QUANTUM: u64 = 4;
/// Bytes checked at once: enough for the widest vectors, unrolled.
const BLOCK: usize = 128;

/// Why a text is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base64Defect {
    /// A character outside `A`–`Z`, `a`–`z`, `0`–`9`, `+`, `/` and the padding.
    Alphabet,
    /// Something follows the padding, or there is more of it than two characters.
    AfterPadding,
    /// The number of characters is not a multiple of four.
    Length,
    /// The last character before the padding carries bits that encode nothing.
    StrayBits,
}

impl fmt::Display for Base64Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Base64Defect::Alphabet => "a character outside the base64 alphabet",
            Base64Defect::AfterPadding => "characters after the padding",
            Base64Defect::Length => "an end in the middle of a group of four characters",
            Base64Defect::StrayBits => "a last character with bits that encode nothing",
        })
    }
}

const fn in_alphabet(byte: u8) -> bool {
    // `/` and the digits are neighbours in ASCII. Bitwise or, so that the compiler need not branch.
    (byte | 0x20).wrapping_sub(b'a') < 26 || byte.wrapping_sub(b'/') < 11 || byte == b'+'
}

/// How many bytes at the start of `bytes` belong to the alphabet (padding does not).
pub(super) fn alphabet_prefix(bytes: &[u8]) -> usize {
    let blocks = bytes.chunks_exact(BLOCK);
    let whole =
        blocks.take_while(|block| block.iter().fold(true, |all, &byte| all & in_alphabet(byte))).count()
            * BLOCK;
    // `whole` counts blocks of `bytes`.
    let rest = &bytes[whole..];
    whole + rest.iter().take_while(|&&byte| in_alphabet(byte)).count()
}

/// The six bits that a character of the alphabet encodes.
const fn sextet(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    }
}

/// A base64 text on its way, piece by piece.
#[derive(Clone, Debug)]
pub(super) struct Base64Check {
    /// Characters so far, padding included.
    len: u64,
    padding: u8,
    last: u8,
}

impl Base64Check {
    pub(super) const fn new() -> Base64Check {
        Base64Check { len: 0, padding: 0, last: b'A' }
    }

    /// Takes a piece that is known to consist of the alphabet.
    pub(super) fn push_alphabet(&mut self, run: &[u8]) -> Result<(), (usize, Base64Defect)> {
        let Some(&last) = run.last() else { return Ok(()) };
        if self.padding > 0 {
            return Err((0, Base64Defect::AfterPadding));
        }
        self.last = last;
        self.len += run.len() as u64;
        Ok(())
    }

    /// Takes the next piece; where it is at fault, says at which of its bytes and why.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), (usize, Base64Defect)> {
        let run = if self.padding == 0 { alphabet_prefix(piece) } else { 0 };
        let (alphabet, rest) = piece.split_at(run);
        self.push_alphabet(alphabet)?;
        for (at, &byte) in rest.iter().enumerate() {
            match byte {
                b'=' if self.padding < 2 => self.padding += 1,
                b'=' => return Err((run + at, Base64Defect::AfterPadding)),
                _ if in_alphabet(byte) => return Err((run + at, Base64Defect::AfterPadding)),
                _ => return Err((run + at, Base64Defect::Alphabet)),
            }
        }
        self.len += rest.len() as u64;
        Ok(())
    }

    /// The text ends here: the number of bytes it encodes.
    pub(super) fn finish(&self) -> Result<u64, Base64Defect> {
        if !self.len.is_multiple_of(QUANTUM) {
            return Err(Base64Defect::Length);
        }
        let stray = match self.padding {
            0 => 0,
            1 => sextet(self.last) & 0b11,
            _ => sextet(self.last) & 0b1111,
        };
        if stray != 0 {
            return Err(Base64Defect::StrayBits);
        }
        // Where there is padding the text has a whole quantum, so this cannot go below zero.
        Ok(self.len / QUANTUM * 3 - u64::from(self.padding))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn check(text: &[u8], cut: usize) -> Option<u64> {
        let mut check = Base64Check::new();
        let (first, second) = text.split_at(cut.min(text.len()));
        check.push(first).ok()?;
        check.push(second).ok()?;
        check.finish().ok()
    }

    #[test]
    fn names_the_defect_and_its_place() {
        for (text, expected) in [
            ("AB-D", Err((2, Base64Defect::Alphabet))),
            ("ABC\n", Err((3, Base64Defect::Alphabet))),
            ("AB==AAAA", Err((4, Base64Defect::AfterPadding))),
            ("A===", Err((3, Base64Defect::AfterPadding))),
            ("AB=-", Err((3, Base64Defect::Alphabet))),
        ] {
            assert_eq!(Base64Check::new().push(text.as_bytes()), expected, "{text}");
        }
        for (text, expected) in [
            ("", Ok(0)),
            ("AAA=", Ok(2)),
            ("AA==", Ok(1)),
            ("AAB=", Err(Base64Defect::StrayBits)),
            ("AB==", Err(Base64Defect::StrayBits)),
            ("AAAAA", Err(Base64Defect::Length)),
            ("AAA", Err(Base64Defect::Length)),
            ("=", Err(Base64Defect::Length)),
            ("==", Err(Base64Defect::Length)),
        ] {
            let mut check = Base64Check::new();
            check.push(text.as_bytes()).unwrap();
            assert_eq!(check.finish(), expected, "{text}");
        }
    }

    #[test]
    fn a_foreign_byte_is_found_wherever_it_stands() {
        for at in 0..3 * BLOCK + 5 {
            for foreign in
                [b'=', b'"', b'\\', b'-', b'_', b'.', b':', b'@', b'[', b'`', b'{', 0, 0x80, 0xff, b'*', b',']
            {
                let mut text = vec![b'A'; 3 * BLOCK + 5];
                text[at] = foreign;
                assert_eq!(alphabet_prefix(&text), at);
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_strict_decoder(
            text in prop_oneof!["[A-Za-z0-9+/=]{0,12}", "[A-Za-z0-9+/]{0,300}={0,2}", "\\PC{0,8}"],
            cut in 0usize..300,
        ) {
            let decoded = STANDARD.decode(&text).ok().map(|bytes| bytes.len() as u64);
            prop_assert_eq!(check(text.as_bytes(), cut), decoded);
        }

        #[test]
        fn accepts_what_the_encoder_writes(bytes in prop::collection::vec(any::<u8>(), 0..600), cut in 0usize..900) {
            prop_assert_eq!(check(STANDARD.encode(&bytes).as_bytes(), cut), Some(bytes.len() as u64));
        }
    }
}
