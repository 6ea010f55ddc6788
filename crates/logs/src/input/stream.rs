//! A log that is read from its start to its end: unpacked and decoded, file by file if it is an archive.
//!
//! What the bytes are is detected at every level, so that a packed log in a packed archive is read too.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::Fault;
use super::gzip::Gzip;
use super::packed::Packed;
use super::source::{Bytes, Disk, Unreadable};
use super::tar::{BLOCK_BYTES, Entry, Tar};
use super::utf16::{Order, Utf16};
use super::zstandard::Zstd;
use crate::limits::{MAX_ARCHIVE_ENTRIES, MAX_PACKED_LEVELS};

/// A log, unpacked.
pub(crate) struct Stream {
    /// What is being read, the innermost last.
    levels: Vec<Level>,
    /// Whether the log is text as it is on the disk.
    is_plain: bool,
    /// Bytes of the log, as it is on the disk, that have been taken.
    taken: Arc<AtomicU64>,
    /// Files that were begun.
    entries: usize,
}

enum Level {
    Text {
        bytes: Box<dyn Bytes>,
        /// A fault after the bytes that have been returned.
        fault: Option<Fault>,
    },
    Archive {
        tar: Arc<Mutex<Tar>>,
        /// The path of the archive inside of others, with a slash at its end.
        path: String,
        /// Levels of packing around its files.
        depth: usize,
    },
}

/// What a log gives next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// So many bytes were written into the buffer.
    Bytes(usize),
    /// The log is an archive, and the file of this path begins.
    Entry(String),
    End,
}

impl Stream {
    /// Opens anything that can be read once.
    pub(crate) fn new(reader: Box<dyn Read + Send>) -> Stream {
        let taken = Arc::new(AtomicU64::new(0));
        let packed = Packed::new(Box::new(Disk::new(reader)), Some(Arc::clone(&taken)));
        let (level, depth) = open(packed, String::new(), 0);
        let is_plain = depth == 0 && matches!(level, Level::Text { .. });
        Stream { levels: vec![level], is_plain, taken, entries: 0 }
    }

    /// Whether the log is text as it is on the disk.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Fills `buffer` from its start as far as there are bytes of one file.
    ///
    /// # Errors
    /// At a fault, after everything readable before it has been returned. What follows in an archive can still be read:
    /// see [`Stream::continues`].
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Piece, Fault> {
        loop {
            match self.levels.last_mut() {
                None => return Ok(Piece::End),
                Some(Level::Text { bytes, fault }) => match fill(bytes.as_mut(), fault, buffer) {
                    Ok(0) => drop(self.levels.pop()),
                    Ok(count) => return Ok(Piece::Bytes(count)),
                    Err(fault) => {
                        self.levels.pop();
                        return Err(fault);
                    }
                },
                Some(Level::Archive { tar, path, depth }) => {
                    let next = tar.lock().unwrap_or_else(PoisonError::into_inner).next();
                    match next {
                        Ok(None) => drop(self.levels.pop()),
                        Ok(Some(name)) if self.entries < MAX_ARCHIVE_ENTRIES => {
                            self.entries += 1;
                            let path = format!("{path}{name}");
                            let packed = Packed::new(Box::new(Entry(Arc::clone(tar))), None);
                            let (level, _) = open(packed, format!("{path}/"), *depth + 1);
                            self.levels.push(level);
                            return Ok(Piece::Entry(path));
                        }
                        Ok(Some(_)) => {
                            self.levels.clear();
                            return Err(Fault {
                                offset: self.offset(),
                                reason: format!("the archive contains more than {MAX_ARCHIVE_ENTRIES} files"),
                                help: "Pack only the participant's logs, or unpack it and read the folder",
                            });
                        }
                        Err(fault) => {
                            self.levels.pop();
                            return Err(fault);
                        }
                    }
                }
            }
        }
    }

    /// Whether there is more to read after a fault.
    pub(crate) fn continues(&self) -> bool {
        !self.levels.is_empty()
    }

    /// Returns how many bytes of the log, packed, have been taken.
    pub(crate) fn offset(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Fills `buffer` as far as there are bytes. A fault behind them is kept for the next call.
fn fill(bytes: &mut dyn Bytes, fault: &mut Option<Fault>, buffer: &mut [u8]) -> Result<usize, Fault> {
    if let Some(fault) = fault.take() {
        return Err(fault);
    }
    let mut filled = 0;
    while filled < buffer.len() {
        // In range: the condition of the loop.
        match bytes.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(met) if filled > 0 => {
                *fault = Some(met);
                break;
            }
            Err(met) => return Err(met),
        }
    }
    Ok(filled)
}

/// Detects what `packed` is, and unpacks it. Returns what is inside, and how many levels deep. `path` is that of files
/// inside, if it is an archive.
fn open(mut packed: Packed, path: String, depth: usize) -> (Level, usize) {
    let head = packed.peek(BLOCK_BYTES);
    let foreign = |name: &str, help| {
        let fault = Fault { offset: 0, reason: format!("the file is {name}"), help };
        (text(Box::new(Unreadable(fault))), depth + 1)
    };
    let format = match head {
        [0x1f, 0x8b, ..] => Format::Gzip(Gzip::default()),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Format::Zstd(Box::new(Zstd::new()))
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            return foreign("compressed with xz", "Decompress it with `xz -d`");
        }
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => {
            return foreign("compressed with bzip2", "Decompress it with `bzip2 -d`");
        }
        [4, 0x22, 0x4d, 0x18, ..] => return foreign("compressed with lz4", "Decompress it with `lz4 -d`"),
        [0x1f, 0x9d, ..] => return foreign("compressed with compress", "Decompress it with `uncompress`"),
        [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..] => return foreign("a ZIP archive", "Unpack it with `unzip`"),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => return foreign("a 7z archive", "Unpack it with `7z x`"),
        [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => return foreign("a RAR archive", "Unpack it with `unrar x`"),
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            return foreign("text in UTF-32", "Convert it with `iconv -f UTF-32 -t UTF-8`");
        }
        head if Tar::detect(head) => {
            let tar = Arc::new(Mutex::new(Tar::new(packed)));
            return (Level::Archive { tar, path, depth: depth + 1 }, depth + 1);
        }
        head => match Order::detect(head) {
            Some(order) => return (text(Box::new(Utf16::new(packed, order))), depth + 1),
            None => return (text(Box::new(packed)), depth),
        },
    };
    if depth >= MAX_PACKED_LEVELS {
        return foreign("packed too many times", "Unpack it, and read what is inside");
    }
    let unpacked = Unpacked { packed, format };
    open(Packed::new(Box::new(unpacked), None), path, depth + 1)
}

fn text(bytes: Box<dyn Bytes>) -> Level {
    Level::Text { bytes, fault: None }
}

enum Format {
    Gzip(Gzip),
    /// Boxed: its tables are large.
    Zstd(Box<Zstd>),
}

/// Packed bytes, unpacked.
struct Unpacked {
    packed: Packed,
    format: Format,
}

impl Bytes for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        match &mut self.format {
            Format::Gzip(gzip) => gzip.read(&mut self.packed, buffer),
            Format::Zstd(zstd) => zstd.read(&mut self.packed, buffer),
        }
    }
}
