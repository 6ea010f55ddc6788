//! Bytes with their place, buffered, of which the first can be looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::Fault;
use super::source::Bytes;

/// Bytes that are read at once.
const INPUT_BYTES: usize = 256 * 1024;

/// Buffered bytes.
pub(super) struct Packed {
    bytes: Box<dyn Bytes>,
    buffer: Vec<u8>,
    /// The first byte of the buffer that has not been taken; at most `end`.
    at: usize,
    /// The end of what has been read; at most the buffer's length.
    end: usize,
    /// Bytes before the buffer.
    before: u64,
    /// A fault that was met while looking at the first bytes.
    fault: Option<Fault>,
    /// Where how many bytes have been taken is noted for others.
    taken: Option<Arc<AtomicU64>>,
}

impl Packed {
    pub(super) fn new(bytes: Box<dyn Bytes>, taken: Option<Arc<AtomicU64>>) -> Packed {
        Packed { bytes, buffer: vec![0; INPUT_BYTES], at: 0, end: 0, before: 0, fault: None, taken }
    }

    /// Returns the first `count` bytes without taking them; fewer if there are not so many. Only for the start.
    pub(super) fn peek(&mut self, count: usize) -> &[u8] {
        // A pipe may give its first bytes one at a time.
        while self.end < count.min(INPUT_BYTES) && self.fault.is_none() {
            // In range: `end` is at most the buffer's length.
            match self.bytes.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(more) => self.end += more,
                Err(fault) => self.fault = Some(fault),
            }
        }
        // In range: `at` <= `end` <= the buffer's length.
        &self.buffer[self.at..self.end]
    }

    /// Returns what is buffered, after reading more if nothing is; empty at the end.
    pub(super) fn fill(&mut self) -> Result<&[u8], Fault> {
        if self.at == self.end {
            if let Some(fault) = &self.fault {
                return Err(fault.clone());
            }
            self.before += self.end as u64;
            (self.at, self.end) = (0, 0);
            self.end = self.bytes.read(&mut self.buffer)?;
        }
        // In range: `at` <= `end` <= the buffer's length.
        Ok(&self.buffer[self.at..self.end])
    }

    /// Takes `count` bytes of what [`Packed::fill`] returned.
    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.at, "more was taken than there is");
        self.at = (self.at + count).min(self.end);
        self.note();
    }

    /// Returns how many bytes have been taken.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    fn note(&self) {
        if let Some(taken) = &self.taken {
            taken.store(self.offset(), Ordering::Relaxed);
        }
    }
}

impl Bytes for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        if self.at == self.end && self.fault.is_none() && !buffer.is_empty() {
            // Nothing is buffered, so nothing needs to be copied.
            let count = self.bytes.read(buffer)?;
            self.before += count as u64;
            self.note();
            return Ok(count);
        }
        let bytes = self.fill()?;
        let count = bytes.len().min(buffer.len());
        // In range: at most the length of either.
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}
