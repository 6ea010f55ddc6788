//! Lets text through whose lines are short, and stops at the first that is not.
//!
//! The crate `age` collects a line of ASCII armor in memory before it looks at it, however long it is.

use std::io::{self, Read};

/// See the module.
#[derive(Debug)]
pub(super) struct ShortLines<R> {
    inner: R,
    /// Bytes of the current line so far.
    len: usize,
    max: usize,
}

/// A line is too long for what it should be.
#[derive(Debug, thiserror::Error)]
#[error("a line is longer than {0} bytes")]
struct TooLong(usize);

impl<R> ShortLines<R> {
    /// Lets lines of up to `max` bytes through, their end included.
    pub(super) const fn new(inner: R, max: usize) -> ShortLines<R> {
        ShortLines { inner, len: 0, max }
    }
}

impl<R: Read> Read for ShortLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        for &byte in &buffer[..read] {
            self.len += 1;
            if self.len > self.max {
                return Err(io::Error::new(io::ErrorKind::InvalidData, TooLong(self.max)));
            }
            if byte == b'\n' {
                self.len = 0;
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<String> {
        let mut through = String::new();
        ShortLines::new(text.as_bytes(), 4).read_to_string(&mut through).map(|_| through)
    }

    #[test]
    fn only_short_lines_come_through() {
        for text in ["", "abc\nabc\n\nabcd", "abcd", "\n\n\n\n\n\n"] {
            assert_eq!(read(text).unwrap(), text);
        }
        for text in ["abcd\n", "abc\nabcde", "\nabcdefghi"] {
            assert_eq!(read(text).unwrap_err().to_string(), "a line is longer than 4 bytes");
        }
    }
}
