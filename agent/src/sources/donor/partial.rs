//! What has arrived of a snapshot: a partial file.
//!
//! Its name carries the digest of the snapshot that it is to become, so that what has arrived of one is never continued
//! with another. Nothing is checked here but its length: the whole is looked through before anything is made of it
//! ([`inspect`](super::inspect)), and should what an earlier process left not be what it was (a loss of power), the
//! transfer begins again from the first byte.

use std::path::Path;

use svdr_files::{FileError, PartialFile};
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::in_one_line;
use svdr_protocol::statement::SessionId;

/// Hexadecimal digits of the snapshot's digest in the file's name.
const DIGITS: usize = 12;

/// The partial file's name in the folder of dumps: `.snapshot-SESSION-DIGEST.partial`.
pub fn name(session: SessionId, snapshot: &Digest) -> String {
    let (session, digest) = (session.to_string(), hex::encode(snapshot.as_bytes()));
    let short = |text: &str, len| text.get(..len).unwrap_or(text).to_owned();
    format!(".snapshot-{}-{}.partial", short(&session, 8), short(&digest, DIGITS))
}

/// Removes what has arrived of other snapshots of a session, once no other is needed. A file that another process writes
/// stays, and so does one that cannot be removed: it contains no secrets, and the log says so.
pub fn remove_others(folder: &Path, session: SessionId) {
    let prefix = name(session, &Digest::of(&[])).chars().take(".snapshot-".len() + 9).collect::<String>();
    let entries = std::fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
    let is_one = |name: &str| name.starts_with(&prefix) && name.ends_with(".partial");
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_one)) {
        let removed = PartialFile::open(entry.path()).and_then(PartialFile::remove);
        if let Err(error) = removed {
            tracing::warn!("{}", in_one_line(&error));
        }
    }
}

/// A snapshot that is arriving.
#[derive(Debug)]
pub struct Partial {
    file: PartialFile,
    size: u64,
    /// Whether some of the bytes are from an earlier process.
    is_continued: bool,
}

impl Partial {
    /// Takes up a partial file of a snapshot with that many bytes. One that is longer is begun anew.
    ///
    /// # Errors
    /// Where it cannot be emptied, or the disk has no room for the rest.
    pub fn take_up(mut file: PartialFile, size: u64) -> Result<Partial, FileError> {
        if file.len() > size {
            tracing::warn!("{} is longer than the snapshot; beginning again", file.path().display());
            file.restart()?;
        }
        file.reserve(size)?;
        let is_continued = !file.is_empty();
        if is_continued {
            tracing::info!("continuing at byte {} of {size}", file.len());
        }
        Ok(Partial { file, size, is_continued })
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

    /// Whether some of it is from an earlier process, and may not be what that process wrote.
    pub const fn is_continued(&self) -> bool {
        self.is_continued
    }

    /// Adds what has arrived.
    pub(super) fn append(&mut self, chunk: &[u8]) -> Result<(), FileError> {
        self.file.append(chunk)
    }

    /// Removes the file.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn remove(self) -> Result<(), FileError> {
        self.file.remove()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
    }

    fn take_up(path: &Path, size: usize) -> Partial {
        Partial::take_up(PartialFile::open(path).unwrap(), size as u64).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Any sequence of chunks, and of processes that were killed, gives the same file.
        #[test]
        fn however_it_is_cut_the_whole_is_the_same(
            len in 0usize..3000,
            cuts in prop::collection::vec((1usize..900, any::<bool>()), 0..12),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let (path, whole) = (folder.path().join("a.partial"), bytes(len));
            let mut partial = take_up(&path, len);
            // The last one brings the rest.
            for (bytes, is_killed) in cuts.into_iter().chain([(len.max(1), false)]) {
                let at = usize::try_from(partial.len()).unwrap();
                partial.append(&whole[at..(at + bytes).min(len)]).unwrap();
                if is_killed {
                    drop(partial);
                    partial = take_up(&path, len);
                    prop_assert_eq!(partial.is_continued(), len > 0);
                }
            }
            prop_assert_eq!(partial.len(), partial.size());
            prop_assert_eq!(fs::read(partial.file().path()).unwrap(), whole);
        }
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
    fn a_file_that_is_too_long_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.partial");
        fs::write(&path, bytes(101)).unwrap();
        let partial = take_up(&path, 101);
        assert!(partial.is_continued() && partial.len() == 101);
        drop(partial);
        let partial = take_up(&path, 100);
        assert!(partial.is_empty() && !partial.is_continued());
    }
}
