//! The form of a separate payload file: chunks, each with its length before it as a big-endian `int32`.
//!
//! Splice's `DomainMigrationEncoding.scala` writes it (`DataOutputStream.writeInt`, then the bytes), one chunk for
//! each message that the participant streamed. Its reader takes the end of the file, wherever it comes, for the end
//! of the payload: an ACS without its last chunk would be imported silently. So everything that is truncated is
//! refused here.
//!
//! Rules: at least one chunk; every length from 1 to [`MAX_CHUNK_LEN`]; the file ends with the last byte of a chunk.
//! A chunk of no bytes is refused although the app's reader would skip it: the participant streams none, and a
//! file whose end was lost in a crash can end in zeros, each four of which would look like one.

use super::limits::MAX_CHUNK_LEN;

/// Bytes of a length.
const LENGTH: usize = 4;

/// Why a file is not a whole sequence of chunks. Offsets are bytes from the start of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkDefect {
    /// There is nothing in it.
    #[error("the file is empty; expected at least one chunk")]
    Empty,
    /// A length is none.
    #[error("the chunk at byte {offset} has the length {found}; expected 1 to {MAX_CHUNK_LEN}")]
    Length {
        /// Where the length is.
        offset: u64,
        /// What it says.
        found: i32,
    },
    /// The file ends inside a length.
    #[error("the file ends {found} bytes into the length of the chunk at byte {offset}; expected 4 bytes")]
    TruncatedLength {
        /// Where the length begins.
        offset: u64,
        /// Bytes of it that are there.
        found: usize,
    },
    /// The file ends inside a chunk.
    #[error("the chunk at byte {offset} is truncated: expected {expected} bytes, found {found}")]
    Truncated {
        /// Where its length is.
        offset: u64,
        /// The length.
        expected: u32,
        /// Bytes of it that are there.
        found: u32,
    },
}

/// Checks a payload file that is pushed piece by piece, cut anywhere, in constant memory.
#[derive(Clone, Debug, Default)]
pub(super) struct ChunkCheck {
    /// The length being read.
    length: [u8; LENGTH],
    length_read: usize,
    /// The current chunk: its length, and what is missing of it.
    expected: u32,
    left: u32,
    /// Where the current chunk's length is.
    start: u64,
    /// Bytes of the file so far.
    offset: u64,
    /// Bytes of content so far.
    size: u64,
}

impl ChunkCheck {
    /// A file of which nothing has been read.
    pub(super) fn new() -> ChunkCheck {
        ChunkCheck::default()
    }

    /// Takes the next bytes; `content` is given those of them that are payload, in order.
    ///
    /// # Errors
    /// [`ChunkDefect::Length`]. After an error the check is over.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        mut content: impl FnMut(&[u8]),
    ) -> Result<(), ChunkDefect> {
        while !bytes.is_empty() {
            let wanted = if self.left == 0 { LENGTH - self.length_read } else { self.left as usize };
            let (now, later) = bytes.split_at(wanted.min(bytes.len()));
            bytes = later;
            if self.left == 0 {
                self.length_bytes(now)?;
            } else {
                // `now` is no longer than `left`.
                self.left -= now.len() as u32;
                self.size += now.len() as u64;
                content(now);
            }
            self.offset += now.len() as u64;
        }
        Ok(())
    }

    /// Takes bytes of a length, no more than are missing of it.
    fn length_bytes(&mut self, now: &[u8]) -> Result<(), ChunkDefect> {
        if self.length_read == 0 {
            self.start = self.offset;
        }
        for (slot, byte) in self.length.iter_mut().skip(self.length_read).zip(now) {
            *slot = *byte;
        }
        self.length_read += now.len();
        if self.length_read < LENGTH {
            return Ok(());
        }
        let found = i32::from_be_bytes(self.length);
        let length = u32::try_from(found).ok().filter(|length| (1..=MAX_CHUNK_LEN).contains(length));
        let Some(length) = length else { return Err(ChunkDefect::Length { offset: self.start, found }) };
        (self.length_read, self.expected, self.left) = (0, length, length);
        Ok(())
    }

    /// The file ends here: the bytes of its content.
    ///
    /// # Errors
    /// [`ChunkDefect`] where it ends inside a chunk, or before the first.
    pub(super) fn finish(&self) -> Result<u64, ChunkDefect> {
        match (self.left, self.length_read) {
            (0, 0) if self.offset == 0 => Err(ChunkDefect::Empty),
            (0, 0) => Ok(self.size),
            (0, found) => Err(ChunkDefect::TruncatedLength { offset: self.start, found }),
            (left, _) => Err(ChunkDefect::Truncated {
                offset: self.start,
                expected: self.expected,
                found: self.expected - left,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn written(chunks: &[Vec<u8>]) -> Vec<u8> {
        chunks.iter().flat_map(|chunk| [&(chunk.len() as u32).to_be_bytes()[..], chunk].concat()).collect()
    }

    fn read(file: &[u8], piece: usize) -> Result<Vec<u8>, ChunkDefect> {
        let (mut check, mut content) = (ChunkCheck::new(), Vec::new());
        for piece in file.chunks(piece) {
            check.push(piece, |bytes| content.extend_from_slice(bytes))?;
        }
        assert_eq!(check.finish()?, content.len() as u64);
        Ok(content)
    }

    #[test]
    fn each_defect_says_where() {
        for (file, expected) in [
            (&b""[..], ChunkDefect::Empty),
            (b"\0\0\0\x01", ChunkDefect::Truncated { offset: 0, expected: 1, found: 0 }),
            (b"\0\0\0\x01a\0\0\0\x03bc", ChunkDefect::Truncated { offset: 5, expected: 3, found: 2 }),
            (b"\0\0\0\x01a\0", ChunkDefect::TruncatedLength { offset: 5, found: 1 }),
            (b"\0\0\0\x01a\0\0\0\0", ChunkDefect::Length { offset: 5, found: 0 }),
            (b"\xff\xff\xff\xff", ChunkDefect::Length { offset: 0, found: -1 }),
            (b"\x7f\xff\xff\xf8", ChunkDefect::Length { offset: 0, found: i32::MAX - 7 }),
        ] {
            for piece in 1..=file.len().max(1) {
                assert_eq!(read(file, piece), Err(expected), "{file:x?} in pieces of {piece}");
            }
        }
        let longest = ChunkDefect::Truncated { offset: 0, expected: MAX_CHUNK_LEN, found: 0 };
        assert_eq!(read(b"\x7f\xff\xff\xf7", 4), Err(longest));
    }

    #[test]
    fn a_tail_of_zeros_is_not_taken_for_chunks() {
        let file = [written(&[b"abc".to_vec()]), vec![0; 4096]].concat();
        assert_eq!(read(&file, 100), Err(ChunkDefect::Length { offset: 7, found: 0 }));
    }

    proptest! {
        #[test]
        fn any_chunks_come_back_and_any_cut_is_refused(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..6),
            piece in 1usize..50,
        ) {
            let file = written(&chunks);
            prop_assert_eq!(read(&file, piece).unwrap(), chunks.concat());
            let ends: Vec<usize> = chunks
                .iter()
                .scan(0, |end, chunk| { *end += chunk.len() + LENGTH; Some(*end) })
                .collect();
            // At the end of a chunk a cut cannot be seen in the file itself; everywhere else it is.
            for cut in (0..file.len()).filter(|cut| !ends.contains(cut)) {
                prop_assert!(read(&file[..cut], piece).is_err(), "cut at {}", cut);
            }
        }

        #[test]
        fn where_it_is_cut_into_pieces_does_not_matter(file: Vec<u8>, piece in 1usize..20) {
            prop_assert_eq!(read(&file, piece), read(&file, file.len().max(1)));
        }
    }
}
