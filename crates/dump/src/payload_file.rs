//! Reads a separate payload file to its end: is it complete, and what is the payload in it?

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use sha2::{Digest as _, Sha256};
use svdr_files::read_in_chunks;
use svdr_protocol::digest::Digest;

use super::chunks::{ChunkCheck, ChunkDefect};

/// Bytes read at once.
const BUFFER_LEN: usize = 1 << 20;

/// Why a payload file could not be read as one.
#[derive(Debug, thiserror::Error)]
pub enum PayloadFileError {
    /// It could not be read.
    #[error("the file could not be read after {offset} bytes\nhelp: check the file and its disk, then retry")]
    Read {
        /// Bytes read before.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// Its copy could not be written.
    #[error(
        "the copy could not be written after {offset} bytes\nhelp: make room on the disk, or write elsewhere"
    )]
    Write {
        /// Bytes written before.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// It is truncated, or is not a payload file.
    #[error("{0}\nhelp: check the SV app's log and the room on the disks, then have the app export again")]
    Chunks(ChunkDefect),
}

/// Reads a payload file to its end, in constant memory, and gives the size and the SHA-256 of its chunks' contents:
/// the same as those of the payload in a document, decoded. `copy` is given every byte of the file.
///
/// # Errors
/// [`PayloadFileError`].
pub fn read_payload_file(
    source: impl Read,
    mut copy: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(u64, Digest), PayloadFileError> {
    let (mut chunks, mut hash, mut offset) = (ChunkCheck::new(), Sha256::new(), 0);
    let failed = |offset, source| PayloadFileError::Read { offset, source };
    read_in_chunks(source, &mut vec![0; BUFFER_LEN], failed, |read| {
        chunks.push(read, |content| hash.update(content)).map_err(PayloadFileError::Chunks)?;
        copy(read).map_err(|source| PayloadFileError::Write { offset, source })?;
        offset += read.len() as u64;
        Ok(())
    })?;
    let size = chunks.finish().map_err(PayloadFileError::Chunks)?;
    Ok((size, Digest::from_bytes(hash.finalize().into())))
}

/// Copies a payload file to `out`, which is empty, as [`read_payload_file`] reads it. Where the file system can share
/// the blocks of two files, `out` shares those of `source`, and it is the copy that is read. `advance` is given the
/// length of each piece, and may end it with an error.
///
/// # Errors
/// As [`read_payload_file`].
pub fn copy_payload_file(
    source: &File,
    out: &mut (impl Write + AsFd),
    mut advance: impl FnMut(u64) -> io::Result<()>,
) -> Result<(u64, Digest), PayloadFileError> {
    if rustix::fs::ioctl_ficlone(&*out, source).is_ok() {
        let copy = out.as_fd().try_clone_to_owned();
        let copy = copy.map_err(|source| PayloadFileError::Read { offset: 0, source })?;
        return read_payload_file(File::from(copy), |bytes| advance(bytes.len() as u64));
    }
    read_payload_file(source, |bytes| {
        advance(bytes.len() as u64)?;
        out.write_all(bytes)
    })
}
