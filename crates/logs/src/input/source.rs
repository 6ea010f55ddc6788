//! Bytes that arrive in order: from the disk, or from what unpacks or decodes other such bytes.

use std::io::Read;

use super::fault::{CHECK_THE_DISK, Fault};

/// Bytes in order.
pub(super) trait Bytes: Send {
    /// Reads into `buffer`, and returns how far. Zero is the end, if the buffer is not empty.
    ///
    /// # Errors
    /// At a fault, after everything readable before it has been returned.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault>;
}

/// Bytes of a file or pipe.
pub(super) struct Disk {
    reader: Box<dyn Read + Send>,
    offset: u64,
}

impl Disk {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Disk {
        Disk { reader, offset: 0 }
    }
}

impl Bytes for Disk {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            match self.reader.read(buffer) {
                Ok(count) => {
                    self.offset += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(Fault {
                        offset: self.offset,
                        reason: format!("the system cannot read the log: {error}"),
                        help: CHECK_THE_DISK,
                    });
                }
            }
        }
    }
}

/// Bytes that cannot be read at all.
pub(super) struct Unreadable(pub(super) Fault);

impl Bytes for Unreadable {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, Fault> {
        Err(self.0.clone())
    }
}
