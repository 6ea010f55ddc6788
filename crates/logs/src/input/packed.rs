//! The bytes of a log as they are on the disk, buffered, with their place.

use std::io::{self, Read};

use super::fault::{CHECK_THE_DISK, Fault};

/// Bytes of packed input that are read at once.
const INPUT_BYTES: usize = 256 * 1024;

/// Packed bytes.
pub(super) struct Packed {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// The first byte of the buffer that has not been taken; at most `end`.
    at: usize,
    /// The end of what has been read; at most the buffer's length.
    end: usize,
    /// Bytes before the buffer.
    before: u64,
}

impl Packed {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Packed {
        Packed { reader, buffer: vec![0; INPUT_BYTES], at: 0, end: 0, before: 0 }
    }

    /// Returns the first `count` bytes without taking them; fewer if there are not so many. Only for the start.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        // A pipe may give its first bytes one at a time.
        while self.end < count.min(INPUT_BYTES) {
            // In range: `end` is at most the buffer's length.
            match read_some(&mut self.reader, &mut self.buffer[self.end..])? {
                0 => break,
                more => self.end += more,
            }
        }
        // In range: `at` <= `end` <= the buffer's length.
        Ok(&self.buffer[self.at..self.end])
    }

    /// Returns what is buffered, after reading more if nothing is; empty at the end.
    pub(super) fn fill(&mut self) -> Result<&[u8], Fault> {
        if self.at == self.end {
            self.before += self.end as u64;
            (self.at, self.end) = (0, 0);
            self.end = read_some(&mut self.reader, &mut self.buffer).map_err(|error| Fault {
                offset: self.before,
                reason: format!("the system cannot read the log: {error}"),
                help: CHECK_THE_DISK,
            })?;
        }
        // In range: `at` <= `end` <= the buffer's length.
        Ok(&self.buffer[self.at..self.end])
    }

    /// Takes `count` bytes of what [`Packed::fill`] returned.
    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.at, "more was taken than there is");
        self.at = (self.at + count).min(self.end);
    }

    /// Returns how many bytes have been taken.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.at as u64
    }
}

/// Reads once, and again if a signal interrupted it.
fn read_some(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
