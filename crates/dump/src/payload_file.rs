//! Reads a separate payload file to its end: is it whole, and what is the payload in it?

use std::fs::File;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256};
use svdr_protocol::digest::Digest;

use super::chunks::{ChunkCheck, ChunkDefect};

/// Bytes read at once.
const BUFFER_LEN: usize = 1 << 20;

/// Why a payload file could not be read as one.
#[derive(Debug, thiserror::Error)]
pub enum PayloadFileError {
    /// It could not be read.
    #[error("it could not be read after {offset} bytes. Check the file and its disk, and try again")]
    Read {
        /// Bytes read before.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// Its copy could not be written.
    #[error("its copy could not be written after {offset} bytes. Make room on the disk, or write elsewhere")]
    Write {
        /// Bytes written before.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// It is not whole.
    #[error(
        "{0}. It was not written to its end, or not copied: look at the SV app's log and at the room on the disks, and \
         have it written again"
    )]
    Chunks(ChunkDefect),
}

/// Reads a payload file to its end, in constant memory, and gives the size and the SHA-256 of its chunks' contents:
/// the same as those of the payload where it stands in a document, decoded. `copy` is given every byte of the file.
///
/// # Errors
/// [`PayloadFileError`].
pub fn read_payload_file(
    mut source: impl Read,
    mut copy: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(u64, Digest), PayloadFileError> {
    let (mut chunks, mut hash) = (ChunkCheck::new(), Sha256::new());
    let (mut buffer, mut offset) = (vec![0; BUFFER_LEN], 0);
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(PayloadFileError::Read { offset, source }),
        };
        chunks.push(read, |content| hash.update(content)).map_err(PayloadFileError::Chunks)?;
        copy(read).map_err(|source| PayloadFileError::Write { offset, source })?;
        offset += read.len() as u64;
    }
    let size = chunks.finish().map_err(PayloadFileError::Chunks)?;
    Ok((size, Digest::from_bytes(hash.finalize().into())))
}

/// Reads as [`read_payload_file`] while copying: where the file system can share the blocks of two files, `out` is
/// made to share those of `source` and is then read itself; where not, `write` is given every byte, and has to write
/// it to the same file. `out` has to be empty, and readable.
///
/// # Errors
/// As [`read_payload_file`].
pub fn copy_payload_file(
    source: &File,
    out: &File,
    mut write: impl FnMut(&[u8], Shared) -> io::Result<()>,
) -> Result<(u64, Digest), PayloadFileError> {
    let is_shared = rustix::fs::ioctl_ficlone(out, source).is_ok();
    let shared = if is_shared { Shared::Yes } else { Shared::No };
    read_payload_file(if is_shared { out } else { source }, |bytes| write(bytes, shared))
}

/// Whether a copy has its bytes already, because it shares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    /// It has them; there is nothing to write.
    Yes,
    /// They have to be written.
    No,
}
