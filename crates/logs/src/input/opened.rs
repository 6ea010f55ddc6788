//! A log, opened.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::stream::Stream;

/// A log, opened.
pub(crate) enum Input {
    /// A file of plain text, readable at any place.
    Plain {
        file: File,
        /// The size when it was opened. What is written later belongs to a later reading.
        size: u64,
    },
    /// Anything that is read from the start to the end.
    Stream(Box<Stream>),
}

impl Input {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn open(path: &Path) -> io::Result<Input> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let stream = Stream::new(Box::new(file.try_clone()?));
        if metadata.is_file() && stream.is_plain() {
            return Ok(Input::Plain { file, size: metadata.len() });
        }
        Ok(Input::Stream(Box::new(stream)))
    }
}

/// Reads from `offset` until `buffer` is full or the file ends, and returns how far the buffer is filled.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        // In range: the condition of the loop.
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
