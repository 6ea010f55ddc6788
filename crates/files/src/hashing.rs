//! Size and SHA-256 of a file, to compare it with what was signed.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};
use svdr_protocol::digest::Digest;

use super::read_in_chunks;

/// Bytes read at once.
const READ_LEN: usize = 256 << 10;

/// Reads `source` to its end, and returns its size in bytes and its digest. `advance` gets the length of each piece.
///
/// # Errors
/// If it cannot be read.
pub fn size_and_digest(source: impl Read, mut advance: impl FnMut(u64)) -> io::Result<(u64, Digest)> {
    let mut hash = Sha256::new();
    let size = read_in_chunks(
        source,
        &mut vec![0; READ_LEN],
        |_, error| error,
        |chunk| {
            hash.update(chunk);
            advance(chunk.len() as u64);
            Ok(())
        },
    )?;
    Ok((size, Digest::from_bytes(hash.finalize().into())))
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
