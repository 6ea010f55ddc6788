//! Reading to the end, chunk by chunk.

use std::io::{self, Read};

/// Reads `source` to its end into `buffer`, and gives each chunk to `take`. Reads that a signal has interrupted are
/// repeated. Returns the number of bytes.
///
/// # Errors
/// That of `take`, or what `failed` makes of a failure to read and of the number of bytes before it.
pub fn read_in_chunks<E>(
    mut source: impl Read,
    buffer: &mut [u8],
    failed: impl FnOnce(u64, io::Error) -> E,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<u64, E> {
    let mut offset = 0;
    loop {
        match source.read(buffer) {
            Ok(0) => return Ok(offset),
            Ok(read) => {
                // A reader never reports more than the buffer that it was given.
                take(&buffer[..read])?;
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(offset, error)),
        }
    }
}
