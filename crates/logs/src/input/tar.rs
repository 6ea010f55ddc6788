//! Archives of `tar`, read from their start to their end.
//!
//! Headers and contents are padded to blocks of 512 bytes. A name that does not fit into its header is in an entry of its
//! own before it, in GNU's form (`L`) or in that of POSIX (`x`).

use std::sync::{Arc, Mutex, PoisonError};

use super::fault::{Fault, USE_ANOTHER_COPY};
use super::packed::Packed;
use super::source::Bytes;

/// Bytes of a block.
pub(super) const BLOCK_BYTES: usize = 512;
/// The longest name that is read, in bytes: the longest path of Linux.
const MAX_NAME_BYTES: u64 = 4096;
/// Names and attributes of an entry that are read, in bytes.
const MAX_ATTRIBUTES_BYTES: u64 = 64 * 1024;

/// An archive.
pub(super) struct Tar {
    packed: Packed,
    /// Bytes of the entry that have not been read.
    left: u64,
    /// Bytes behind the entry that fill its last block.
    padding: u64,
}

/// One file of an archive.
pub(super) struct Entry(pub(super) Arc<Mutex<Tar>>);

impl Tar {
    /// Whether a log that begins with `head` is an archive: the sum of the first block's bytes is in it.
    pub(super) fn detect(head: &[u8]) -> bool {
        head.get(..BLOCK_BYTES).is_some_and(|block| {
            let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
            // A block is longer than this.
            let field = &block[148..156];
            let of_field: u64 = field.iter().map(|byte| u64::from(*byte)).sum();
            // The sum is of a header in which its own field is spaces.
            octal(field).is_some_and(|it| it == sum - of_field + 8 * u64::from(b' '))
                && block.first() != Some(&0)
        })
    }

    pub(super) fn new(packed: Packed) -> Tar {
        Tar { packed, left: 0, padding: 0 }
    }

    /// Skips what is left of an entry, and returns the name of the next file that is not empty. None at the end.
    ///
    /// # Errors
    /// If the archive is truncated or corrupt.
    pub(super) fn next(&mut self) -> Result<Option<String>, Fault> {
        let mut long_name = None;
        loop {
            self.skip(self.left + self.padding)?;
            (self.left, self.padding) = (0, 0);
            let block = self.take(BLOCK_BYTES as u64)?;
            // Two blocks of zeros end an archive. Some tools write none.
            if block.len() < BLOCK_BYTES && block.iter().all(|byte| *byte == 0)
                || block.iter().all(|byte| *byte == 0)
            {
                return Ok(None);
            }
            if block.len() < BLOCK_BYTES {
                return Err(self.fault("the archive is truncated"));
            }
            if !Tar::detect(&block) {
                return Err(self.fault("the archive is corrupt"));
            }
            // The block is whole, and no field is beyond its end.
            let field = |from: usize, to: usize| &block[from..to];
            let size = number(field(124, 136)).ok_or_else(|| self.fault("the archive is corrupt"))?;
            self.left = size;
            self.padding = (BLOCK_BYTES as u64 - size % BLOCK_BYTES as u64) % BLOCK_BYTES as u64;
            match block.get(156) {
                Some(b'L') if size <= MAX_NAME_BYTES => {
                    long_name = Some(text(&self.take_entry()?));
                }
                Some(b'x') if size <= MAX_ATTRIBUTES_BYTES => {
                    long_name = path_attribute(&self.take_entry()?).or(long_name);
                }
                Some(b'0' | 0 | b'7') if size > 0 => {
                    let name = long_name.take().unwrap_or_else(|| {
                        let (name, prefix) = (text(field(0, 100)), text(field(345, 500)));
                        let has_prefix = field(257, 262) == b"ustar" && !prefix.is_empty();
                        if has_prefix { format!("{prefix}/{name}") } else { name }
                    });
                    // Hidden files are none that an operator packed: macOS adds one for each file.
                    if !name.rsplit('/').next().is_some_and(|last| last.starts_with('.')) {
                        return Ok(Some(name));
                    }
                }
                // A folder, a link, or attributes of all that follows.
                _ => long_name = None,
            }
        }
    }

    fn take_entry(&mut self) -> Result<Vec<u8>, Fault> {
        let content = self.take(self.left)?;
        self.left -= content.len() as u64;
        Ok(content)
    }

    /// Takes `count` bytes; fewer if the archive ends before.
    fn take(&mut self, count: u64) -> Result<Vec<u8>, Fault> {
        let mut taken = Vec::new();
        while (taken.len() as u64) < count {
            let bytes = self.packed.fill()?;
            if bytes.is_empty() {
                break;
            }
            let more = usize::try_from(count - taken.len() as u64).unwrap_or(usize::MAX).min(bytes.len());
            // In range: at most the length.
            taken.extend_from_slice(&bytes[..more]);
            self.packed.consume(more);
        }
        Ok(taken)
    }

    fn skip(&mut self, count: u64) -> Result<(), Fault> {
        let mut left = count;
        while left > 0 {
            let bytes = self.packed.fill()?;
            if bytes.is_empty() {
                return Err(self.fault("the archive is truncated"));
            }
            let more = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            self.packed.consume(more);
            left -= more as u64;
        }
        Ok(())
    }

    fn fault(&self, reason: &str) -> Fault {
        Fault { offset: self.packed.offset(), reason: reason.to_owned(), help: USE_ANOTHER_COPY }
    }
}

impl Bytes for Entry {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        // Between any two statements the archive is consistent, so a thread that panicked left nothing half done.
        let mut tar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = usize::try_from(tar.left).unwrap_or(usize::MAX).min(buffer.len());
        if count == 0 {
            return Ok(0);
        }
        // In range: at most the buffer's length.
        let count = tar.packed.read(&mut buffer[..count])?;
        if count == 0 {
            return Err(tar.fault("the archive is truncated"));
        }
        tar.left -= count as u64;
        Ok(count)
    }
}

/// Parses an octal number that spaces or zeros surround.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

/// Parses a size: octal, or of 95 bits if the first is set.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, rest @ ..] => {
            rest.iter().try_fold(0u64, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)))
        }
        field => octal(field),
    }
}

/// Returns the text before the first NUL byte.
fn text(field: &[u8]) -> String {
    let end = memchr::memchr(0, field).unwrap_or(field.len());
    // In range: the place of a byte, or the length.
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// Returns the path among attributes of the form `LENGTH KEY=VALUE\n`.
fn path_attribute(attributes: &[u8]) -> Option<String> {
    let mut rest = attributes;
    while let Some(space) = memchr::memchr(b' ', rest) {
        let length: usize = std::str::from_utf8(rest.get(..space)?).ok()?.parse().ok()?;
        let attribute = rest.get(space + 1..length)?;
        if let Some(path) = attribute.strip_prefix(b"path=") {
            return Some(text(path.strip_suffix(b"\n").unwrap_or(path)));
        }
        rest = rest.get(length..)?;
    }
    None
}
