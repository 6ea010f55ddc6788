//! Size and SHA-256 of a file, to compare it with what was signed.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};
use svdr_protocol::digest::Digest;

/// Bytes read at once.
const READ_LEN: usize = 256 << 10;

/// Reads `source` to its end, and returns its size in bytes and its digest. `advance` gets the length of each piece.
///
/// # Errors
/// If it cannot be read.
pub fn size_and_digest(mut source: impl Read, mut advance: impl FnMut(u64)) -> io::Result<(u64, Digest)> {
    let (mut size, mut hash, mut buffer) = (0, Sha256::new(), vec![0; READ_LEN]);
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok((size, Digest::from_bytes(hash.finalize().into()))),
            Ok(read) => {
                // A reader never reports more than the buffer that it was given.
                hash.update(&buffer[..read]);
                size += read as u64;
                advance(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn however_long_it_is() {
        for len in [0, 1, READ_LEN, READ_LEN + 1, 3 * READ_LEN] {
            let (bytes, mut advanced) = (vec![7; len], 0);
            let found = size_and_digest(&bytes[..], |more| advanced += more).unwrap();
            assert_eq!(found, (len as u64, Digest::of(&bytes)));
            assert_eq!(advanced, len as u64);
        }
    }
}
