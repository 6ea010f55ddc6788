//! A log that is read from its start to its end, unpacked.

use std::io::{self, Read};

use super::fault::Fault;
use super::gzip::Gzip;
use super::packed::Packed;
use super::zstandard::Zstd;

/// Bytes that identify the format.
const MAGIC_BYTES: usize = 6;

/// Bytes in order, unpacked.
pub(crate) struct Stream {
    format: Format,
    packed: Packed,
    /// A fault after the bytes that have been returned.
    fault: Option<Fault>,
}

enum Format {
    Plain,
    Gzip(Gzip),
    /// Boxed: its tables are large.
    Zstd(Box<Zstd>),
    /// A format that is not read here: its name, and what to do.
    Foreign(&'static str, &'static str),
}

impl Stream {
    /// Opens anything that can be read once.
    ///
    /// # Errors
    /// If the first bytes cannot be read.
    pub(crate) fn new(reader: Box<dyn Read + Send>) -> io::Result<Stream> {
        let mut packed = Packed::new(reader);
        let format = match packed.peek(MAGIC_BYTES)? {
            [0x1f, 0x8b, ..] => Format::Gzip(Gzip::default()),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Format::Zstd(Box::new(Zstd::new()))
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
                Format::Foreign("compressed with xz", "Decompress it with `xz -d`")
            }
            [b'B', b'Z', b'h', ..] => {
                Format::Foreign("compressed with bzip2", "Decompress it with `bzip2 -d`")
            }
            [b'P', b'K', 3, 4, ..] => Format::Foreign("a ZIP archive", "Unpack it with `unzip`"),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                Format::Foreign("text in UTF-16", "Convert it with `iconv -f UTF-16 -t UTF-8`")
            }
            _ => Format::Plain,
        };
        Ok(Stream { format, packed, fault: None })
    }

    /// Whether the log is text as it is on the disk.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.format, Format::Plain)
    }

    /// Fills `buffer` from its start as far as there are bytes, and returns how far. Zero is the end.
    ///
    /// # Errors
    /// At a fault, after everything readable before it has been returned.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let mut filled = 0;
        while filled < buffer.len() {
            // In range: the condition of the loop.
            match self.read_some(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(fault) => {
                    self.fault = Some(fault.clone());
                    return if filled > 0 { Ok(filled) } else { Err(fault) };
                }
            }
        }
        Ok(filled)
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        match &mut self.format {
            Format::Plain => {
                let bytes = self.packed.fill()?;
                let count = bytes.len().min(buffer.len());
                // In range: at most the length of either.
                buffer[..count].copy_from_slice(&bytes[..count]);
                self.packed.consume(count);
                Ok(count)
            }
            Format::Gzip(gzip) => gzip.read(&mut self.packed, buffer),
            Format::Zstd(zstd) => zstd.read(&mut self.packed, buffer),
            Format::Foreign(name, help) => {
                Err(Fault { offset: 0, reason: format!("the file is {name}"), help })
            }
        }
    }

    /// Returns how many bytes of the log, packed, have been taken.
    pub(crate) fn offset(&self) -> u64 {
        self.packed.offset()
    }
}
