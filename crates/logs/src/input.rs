//! Opens logs, and tells from their first bytes how they are packed; their names say nothing.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::limits::MAX_ZSTD_WINDOW_LOG;

mod gzip;
mod paths;
mod zstandard;

pub use paths::{PathError, SourcePath, expand};

/// Bytes of packed input that are read at once.
const INPUT_BYTES: usize = 256 * 1024;
/// Bytes that tell how a log is packed.
const MAGIC_BYTES: usize = 6;

/// A log, opened.
pub enum Input {
    /// A file of plain text, readable at any place.
    Plain {
        /// The file.
        file: File,
        /// Its size when it was opened: what is written later belongs to a later scan.
        size: u64,
    },
    /// Anything that is read from the start to the end.
    Stream(Box<Stream>),
}

/// Bytes in order, unpacked.
pub struct Stream {
    unpack: Unpack,
    source: Source,
}

enum Unpack {
    Nothing,
    Gzip(gzip::Gzip),
    Zstd(zstandard::Zstd),
}

/// Where something is wrong with a log, and what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {reason}")]
pub struct Damage {
    /// Bytes of the log, as it lies on the disk, in front of the place.
    pub offset: u64,
    /// What is wrong.
    pub reason: String,
}

/// Packed bytes, buffered, with their place.
struct Source {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// Bytes in front of the buffer.
    before: u64,
}

impl Source {
    fn new(reader: Box<dyn Read + Send>) -> Source {
        Source { reader, buffer: vec![0; INPUT_BYTES], at: 0, end: 0, before: 0 }
    }

    /// What is buffered, after reading more where nothing is; empty at the end.
    fn fill(&mut self) -> Result<&[u8], Damage> {
        if self.at == self.end {
            self.before += self.end as u64;
            (self.at, self.end) = (0, 0);
            self.end = read_some(&mut self.reader, &mut self.buffer).map_err(|error| Damage {
                offset: self.before,
                reason: format!("it cannot be read: {error}"),
            })?;
        }
        Ok(self.buffer.get(self.at..self.end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.end);
    }

    /// Bytes taken so far.
    fn offset(&self) -> u64 {
        self.before + self.at as u64
    }
}

/// Reads once, again where a signal came between.
fn read_some(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

impl Input {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn open(path: &Path) -> io::Result<Input> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut stream = Stream::new(Box::new(file.try_clone()?))?;
        if metadata.is_file() && matches!(stream.unpack, Unpack::Nothing) {
            let foreign = foreign_form(stream.source.fill().unwrap_or_default());
            if foreign.is_none() {
                return Ok(Input::Plain { file, size: metadata.len() });
            }
        }
        Ok(Input::Stream(Box::new(stream)))
    }

    /// Standard input, or anything else that can be read once.
    ///
    /// # Errors
    /// Where its first bytes cannot be read.
    pub fn once(reader: Box<dyn Read + Send>) -> io::Result<Input> {
        Stream::new(reader).map(|stream| Input::Stream(Box::new(stream)))
    }
}

/// What `head` begins, where it is something that is not read here: a name for it.
fn foreign_form(head: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 5] = [
        (b"\xfd7zXZ\0", "compressed with xz; unpack it with `xz -d`"),
        (b"BZh", "compressed with bzip2; unpack it with `bzip2 -d`"),
        (b"PK\x03\x04", "a ZIP archive; unpack it with `unzip`"),
        (b"\xff\xfe", "text in UTF-16; convert it with `iconv -f UTF-16 -t UTF-8`"),
        (b"\xfe\xff", "text in UTF-16; convert it with `iconv -f UTF-16 -t UTF-8`"),
    ];
    known.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| name)
}

impl Stream {
    fn new(mut reader: Box<dyn Read + Send>) -> io::Result<Stream> {
        let mut source = Source::new(Box::new(io::empty()));
        // A pipe may give its first bytes one at a time.
        while source.end < MAGIC_BYTES {
            let room = source.buffer.get_mut(source.end..).unwrap_or_default();
            match read_some(&mut reader, room)? {
                0 => break,
                count => source.end += count,
            }
        }
        source.reader = reader;
        let unpack = match source.fill().unwrap_or_default() {
            [0x1f, 0x8b, ..] => Unpack::Gzip(gzip::Gzip::default()),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Unpack::Zstd(zstandard::Zstd::new(MAX_ZSTD_WINDOW_LOG)?)
            }
            _ => Unpack::Nothing,
        };
        Ok(Stream { unpack, source })
    }

    /// Fills `buffer` from its start as far as there are bytes, and says how far. Zero is the end.
    ///
    /// # Errors
    /// Where the log is damaged. What was readable in front of that has been given before.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Damage> {
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = buffer.get_mut(filled..).unwrap_or_default();
            let count = match &mut self.unpack {
                Unpack::Nothing => self.source.copy(rest),
                Unpack::Gzip(gzip) => gzip.read(&mut self.source, rest),
                Unpack::Zstd(zstd) => zstd.read(&mut self.source, rest),
            };
            match count {
                Ok(0) => break,
                Ok(count) => filled += count,
                // It will be said again at the next call, when there is nothing in front of it.
                Err(_) if filled > 0 => break,
                Err(damage) => return Err(damage),
            }
        }
        Ok(filled)
    }

    /// Bytes of the log taken so far, packed.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }
}

impl Source {
    fn copy(&mut self, buffer: &mut [u8]) -> Result<usize, Damage> {
        let offset = self.offset();
        let bytes = self.fill()?;
        if let Some(form) = foreign_form(bytes).filter(|_| offset == 0) {
            return Err(Damage { offset, reason: format!("it is {form} first") });
        }
        let count = bytes.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(count);
        Ok(count)
    }
}
