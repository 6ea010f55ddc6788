//! What has arrived of a snapshot: a partial file, and the digest of what is in it so far.
//!
//! Its name carries the digest of the snapshot that it is to become, so that what has arrived of one is never continued
//! with another. What an earlier process left is hashed again before it is continued; should it not be what it was (a
//! loss of power), the digest of the whole tells, and the transfer begins again from the first byte, once.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use svdr_cli::files::{FileError, PartialFile};
use svdr_cli::progress::Progress;
use svdr_protocol::digest::Digest;
use svdr_protocol::statement::SessionId;

use super::limits::{CHUNKS_IN_FLIGHT, READ_LEN};
use super::{Lie, TransferError};

/// Hexadecimal digits of the snapshot's digest in the file's name.
const DIGITS: usize = 12;

/// The partial file's name in the folder of dumps: `.snapshot-SESSION-DIGEST.partial`.
pub fn name(session: SessionId, snapshot: &Digest) -> String {
    let (session, digest) = (session.to_string(), hex::encode(snapshot.as_bytes()));
    let short = |text: &str, len| text.get(..len).unwrap_or(text).to_owned();
    format!(".snapshot-{}-{}.partial", short(&session, 8), short(&digest, DIGITS))
}

/// Removes what has arrived of other snapshots of a session, once none is needed any more. One that another process is at
/// work on stays, and so does what cannot be removed: it holds no secrets, and somebody is told.
pub fn remove_others(folder: &Path, session: SessionId) {
    let prefix = name(session, &Digest::of(&[])).chars().take(".snapshot-".len() + 9).collect::<String>();
    let entries = std::fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
    let is_one = |name: &str| name.starts_with(&prefix) && name.ends_with(".partial");
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_one)) {
        let removed = PartialFile::open(entry.path()).and_then(PartialFile::remove);
        if let Err(error) = removed {
            tracing::warn!("{}", crate::fetch::in_one_line(&error));
        }
    }
}

/// A snapshot that is arriving.
#[derive(Debug)]
pub struct Partial {
    file: PartialFile,
    /// What the file's bytes hash to; shared with the thread that hashes while it runs.
    hash: Sha256,
    size: u64,
    sha256: Digest,
    /// Whether some of the bytes are from an earlier process.
    is_continued: bool,
}

/// The thread that hashes what the caller writes.
struct Hasher {
    chunks: SyncSender<Bytes>,
    thread: JoinHandle<Sha256>,
}

impl Partial {
    /// Takes up a partial file of a snapshot with that size and digest, and hashes what is in it. One that is longer than
    /// the snapshot is begun anew.
    ///
    /// # Errors
    /// Where it cannot be read or emptied.
    pub fn take_up(mut file: PartialFile, (size, sha256): (u64, Digest)) -> Result<Partial, TransferError> {
        if file.len() > size {
            tracing::warn!("{} is longer than the snapshot; beginning again", file.path().display());
            file.restart()?;
        }
        let mut hash = Sha256::new();
        if !file.is_empty() {
            let progress = Progress::bytes("hashing what is there", Some(file.len()));
            let failed = |source| TransferError::Read { path: file.path().to_owned(), source };
            let (mut reader, mut buffer) = (file.reader()?, vec![0; READ_LEN]);
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(read) => {
                        hash.update(buffer.get(..read).unwrap_or_default());
                        progress.advance(read as u64);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(failed(error)),
                }
            }
            tracing::info!("going on at byte {} of {size}", file.len());
        }
        let is_continued = !file.is_empty();
        Ok(Partial { file, hash, size, sha256, is_continued })
    }

    /// Bytes that have arrived.
    pub const fn len(&self) -> u64 {
        self.file.len()
    }

    /// Whether none have.
    pub const fn is_empty(&self) -> bool {
        self.file.is_empty()
    }

    /// Bytes that there will be.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The file.
    pub const fn file(&self) -> &PartialFile {
        &self.file
    }

    /// Adds what comes, until the other end of `chunks` is gone. Blocks. Where that ends with an error of the disk, the
    /// digest of what is in the file is not known any more, so that nothing comes back.
    pub(super) fn take(
        mut self,
        mut chunks: tokio::sync::mpsc::Receiver<Bytes>,
    ) -> Result<Partial, TransferError> {
        let hasher = Hasher::start(self.hash)?;
        while let Some(chunk) = chunks.blocking_recv() {
            self.file.append(&chunk)?;
            if hasher.chunks.send(chunk).is_err() {
                break;
            }
        }
        self.hash = hasher.finish()?;
        Ok(self)
    }

    /// Whether all of it is here and is what was signed; flushes it then. Where it is not, and some of it is from an
    /// earlier process, it begins again, which is no lie.
    pub(super) fn complete(mut self) -> Result<(Partial, Result<bool, Lie>), TransferError> {
        if self.len() < self.size {
            return Ok((self, Ok(false)));
        }
        let found = Digest::from_bytes(self.hash.clone().finalize().into());
        if found == self.sha256 {
            self.file.flush()?;
            return Ok((self, Ok(true)));
        }
        if !self.is_continued {
            let lie = Lie::Digest { expected: self.sha256, found };
            return Ok((self, Err(lie)));
        }
        tracing::warn!(
            "what an earlier run left in {} is not what was signed; beginning again",
            self.file.path().display()
        );
        self.file.restart()?;
        (self.hash, self.is_continued) = (Sha256::new(), false);
        Ok((self, Ok(false)))
    }

    /// Removes the file.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn remove(self) -> Result<(), FileError> {
        self.file.remove()
    }
}

impl Hasher {
    fn start(so_far: Sha256) -> Result<Hasher, TransferError> {
        let (chunks, incoming) = sync_channel(CHUNKS_IN_FLIGHT);
        let thread = thread::Builder::new()
            .name("hash".to_owned())
            .spawn(move || hash(&incoming, so_far))
            .map_err(|_error| TransferError::Thread { what: "hashes the snapshot" })?;
        Ok(Hasher { chunks, thread })
    }

    fn finish(self) -> Result<Sha256, TransferError> {
        drop(self.chunks);
        self.thread.join().map_err(|_panic| TransferError::Thread { what: "hashes the snapshot" })
    }
}

fn hash(incoming: &Receiver<Bytes>, mut hash: Sha256) -> Sha256 {
    while let Ok(chunk) = incoming.recv() {
        hash.update(&chunk);
    }
    hash
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use proptest::prelude::*;
    use tokio::sync::mpsc;

    use super::*;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
    }

    fn take_up(path: &Path, whole: &[u8]) -> Partial {
        let signed = (whole.len() as u64, Digest::of(whole));
        Partial::take_up(PartialFile::open(path).unwrap(), signed).unwrap()
    }

    /// One connection: these chunks arrive, and then it breaks.
    fn connection(partial: Partial, chunks: &[&[u8]]) -> Partial {
        let (sender, incoming) = mpsc::channel(chunks.len().max(1));
        for chunk in chunks {
            sender.try_send(Bytes::copy_from_slice(chunk)).unwrap();
        }
        drop(sender);
        partial.take(incoming).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Any sequence of cuts, and of processes that were killed, gives the same file.
        #[test]
        fn however_it_is_cut_the_whole_is_the_same(
            len in 0usize..3000,
            cuts in prop::collection::vec((1usize..900, 1usize..400, any::<bool>()), 0..12),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let (path, whole) = (folder.path().join("a.partial"), bytes(len));
            let mut partial = take_up(&path, &whole);
            // The last connection brings the rest.
            for (bytes, chunk, is_killed) in cuts.into_iter().chain([(len.max(1), 333, false)]) {
                let at = usize::try_from(partial.len()).unwrap();
                let end = (at + bytes).min(len);
                let chunks: Vec<&[u8]> = whole[at..end].chunks(chunk).collect();
                partial = connection(partial, &chunks);
                if is_killed {
                    drop(partial);
                    partial = take_up(&path, &whole);
                }
            }
            let (partial, complete) = partial.complete().unwrap();
            prop_assert_eq!(complete, Ok(true));
            prop_assert_eq!(fs::read(partial.file().path()).unwrap(), whole);
        }
    }

    #[test]
    fn other_bytes_are_a_lie_unless_an_earlier_process_left_some_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let (path, whole, other) = (folder.path().join("a.partial"), bytes(1000), vec![1; 1000]);
        let (_, lie) = connection(take_up(&path, &whole), &[&other]).complete().unwrap();
        assert!(matches!(lie, Err(Lie::Digest { .. })));
        fs::write(&path, &other[..500]).unwrap();
        let (partial, begun) = connection(take_up(&path, &whole), &[&whole[500..]]).complete().unwrap();
        assert_eq!((begun, partial.len()), (Ok(false), 0));
        let (_, complete) = connection(partial, &[&whole]).complete().unwrap();
        assert_eq!(complete, Ok(true));
    }

    #[test]
    fn what_arrived_of_other_snapshots_of_the_session_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let [session, other]: [SessionId; 2] = ["ab", "cd"].map(|one| one.repeat(16).parse().unwrap());
        let path = |session, of: &[u8]| folder.path().join(name(session, &Digest::of(of)));
        let at_work = PartialFile::open(path(session, b"at work")).unwrap();
        for path in [path(session, b"one"), path(other, b"one"), folder.path().join("dump.partial")] {
            fs::write(path, "some").unwrap();
        }
        remove_others(folder.path(), session);
        assert!(!path(session, b"one").exists());
        assert!(path(other, b"one").exists() && at_work.path().exists());
        assert!(folder.path().join("dump.partial").exists());
    }

    #[test]
    fn a_file_that_is_too_long_is_begun_anew_and_one_that_is_short_is_not_complete() {
        let folder = tempfile::tempdir().unwrap();
        let (path, whole) = (folder.path().join("a.partial"), bytes(100));
        fs::write(&path, bytes(101)).unwrap();
        assert!(take_up(&path, &whole).is_empty());
        let (partial, complete) = connection(take_up(&path, &whole), &[&whole[..99]]).complete().unwrap();
        assert_eq!((complete, partial.len()), (Ok(false), 99));
    }
}
