//! The journal in sled: one folder, no other service.
//!
//! 1. All waiting records go into one batch, which sled applies as a whole or not at all.
//! 2. The batch is flushed. On Linux sled's flush writes its pages out but does not make the disk keep them, so
//!    the file is synchronized again here.
//! 3. The mark is written and synchronized. Only now the records may be acknowledged.
//!
//! sled keeps a page that is longer than a quarter of a segment in a file of its own, which it never
//! synchronizes. Its pages have up to sixteen entries; records are cut into chunks so short that no page becomes
//! so long.

use std::any::Any;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use svdr_files::crash::around_flush;
use svdr_protocol::digest::Digest;
use svdr_protocol::receipt::JournalId;
use svdr_protocol::time::Timestamp;

use super::mark::{Mark, MarkFile};
use super::{Journal, JournalError, Replayed, first_head, next_head};

/// The length of sled's segments, in bytes.
const SEGMENT_LEN: usize = 4 << 20;
/// The longest value, in bytes: seventeen of them, in a page that is about to be split, stay well below a
/// quarter of a segment.
const CHUNK_LEN: usize = 32 << 10;
/// What sled may keep of its pages in memory, in bytes: the journal is only read at the start.
const CACHE_LEN: u64 = 16 << 20;

/// Read, write and enter for the owner, nothing for anybody else.
const PRIVATE_FOLDER: u32 = 0o700;
/// The permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Key of the roster's fingerprint in the tree of what the journal is.
const ROSTER_KEY: &[u8] = b"roster";
/// Key of the journal's identity there. A journal that an earlier version made has none.
const ID_KEY: &[u8] = b"id";
/// The file of sled that holds the pages.
const PAGES: &str = "db";

/// A journal in a folder.
pub struct SledJournal {
    folder: PathBuf,
    id: Option<JournalId>,
    store: sled::Db,
    records: sled::Tree,
    /// The pages' file, to synchronize it.
    pages: File,
    mark: MarkFile,
    acknowledged: Mark,
    /// What is in the journal; none before the replay.
    end: Option<Mark>,
    first_head: Digest,
}

impl SledJournal {
    /// Opens the journal in `folder`, made if need be, for the roster with that fingerprint. A journal that is made gets an
    /// identity of `now`.
    ///
    /// # Errors
    /// If it cannot be opened, or is of another roster.
    pub fn open(folder: &Path, roster: &Digest, now: Timestamp) -> Result<SledJournal, JournalError> {
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| JournalError::File { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file(folder))?;
        let store_folder = folder.join("journal");
        make_private(&store_folder).map_err(file(&store_folder))?;
        let store = guarded(folder, || {
            sled::Config::new()
                .path(&store_folder)
                .segment_size(SEGMENT_LEN)
                .cache_capacity(CACHE_LEN)
                .flush_every_ms(None)
                .open()
        })?;
        let failed = |doing| {
            let path = folder.to_owned();
            move |source| JournalError::Store { path, doing, source }
        };
        let about = store.open_tree("about").map_err(failed("opened"))?;
        let records = store.open_tree("records").map_err(failed("opened"))?;
        match about.get(ROSTER_KEY).map_err(failed("read"))? {
            Some(found) if *found == *roster.as_bytes() => {}
            Some(found) => {
                let found =
                    Digest::from_slice(&found).map_or_else(|error| error.to_string(), |d| d.to_string());
                return Err(JournalError::OtherRoster { path: folder.to_owned(), expected: *roster, found });
            }
            None => {
                // Both at once: a journal with a roster and without an identity is one of an earlier version.
                let mut batch = sled::Batch::default();
                batch.insert(ROSTER_KEY, roster.as_bytes());
                batch.insert(ID_KEY, new_id(now)?.to_bytes());
                about.apply_batch(batch).map_err(failed("written"))?;
                around_flush(|| store.flush()).map_err(failed("written"))?;
            }
        }
        let id = match about.get(ID_KEY).map_err(failed("read"))? {
            Some(id) => Some(
                JournalId::from_bytes("id", &id)
                    .map_err(|_not_one| JournalError::Identity { path: folder.to_owned(), len: id.len() })?,
            ),
            None => None,
        };
        let pages_path = store_folder.join(PAGES);
        let pages = File::open(&pages_path).map_err(file(&pages_path))?;
        let mark_path = folder.join("acknowledged");
        let (mut mark, found) = MarkFile::open(&mark_path).map_err(file(&mark_path))?;
        let first_head = first_head(roster);
        let acknowledged = match found {
            Some(found) => found,
            None if records.is_empty() => {
                let none = Mark { records: 0, head: first_head };
                mark.write(&none).map_err(file(&mark_path))?;
                around_flush(|| pages.sync_all()).map_err(file(&pages_path))?;
                for path in [&store_folder, folder] {
                    around_flush(|| File::open(path)?.sync_all()).map_err(file(path))?;
                }
                none
            }
            None => return Err(JournalError::NoMark { path: folder.to_owned(), mark: mark_path }),
        };
        let folder = folder.to_owned();
        Ok(SledJournal { folder, id, store, records, pages, mark, acknowledged, end: None, first_head })
    }

    fn failed(&self, doing: &'static str) -> impl Fn(sled::Error) -> JournalError + use<> {
        let path = self.folder.clone();
        move |source| JournalError::Store { path: path.clone(), doing, source }
    }

    /// Where the chain ends, from a replay now if there has been none.
    fn end(&mut self) -> Result<Mark, JournalError> {
        match self.end {
            Some(end) => Ok(end),
            None => {
                let Replayed { records, head, .. } = self.replay(&mut |_| {})?;
                Ok(Mark { records, head })
            }
        }
    }

    fn damaged(&self, record: u64, what: &'static str) -> JournalError {
        JournalError::Damaged { path: self.folder.clone(), record, what }
    }

    /// Reads and checks every record, up to an incomplete one at the end.
    fn read(&self, visit: &mut dyn FnMut(Vec<u8>)) -> Result<(Mark, bool), JournalError> {
        let mut end = Mark { records: 0, head: self.first_head };
        let mut parts = Chunks::default();
        for entry in &self.records {
            let (key, value) = entry.map_err(self.failed("read"))?;
            let (position, chunk) =
                split_key(&key).ok_or_else(|| self.damaged(end.records, "its key has the wrong length"))?;
            if position != end.records || chunk != parts.chunks {
                return Err(self.damaged(end.records, "a part of the record is missing"));
            }
            parts.add(&value);
            if let Some((head, record)) = parts.take_whole() {
                if head != next_head(&end.head, position, &record) {
                    return Err(
                        self.damaged(position, "the record does not follow from the records before it")
                    );
                }
                end = Mark { records: position + 1, head };
                self.check_against_mark(&end)?;
                visit(record);
            }
        }
        let torn = parts.chunks > 0;
        if torn && end.records < self.acknowledged.records {
            return Err(self.damaged(end.records, "the end of the record is missing"));
        }
        Ok((end, torn))
    }

    /// The chain must pass through what had been acknowledged.
    fn check_against_mark(&self, end: &Mark) -> Result<(), JournalError> {
        if end.records == self.acknowledged.records && *end != self.acknowledged {
            return Err(self.damaged(end.records - 1, "another record was acknowledged in its place"));
        }
        Ok(())
    }

    fn remove_torn(&self, position: u64) -> Result<(), JournalError> {
        for entry in self.records.scan_prefix(position.to_be_bytes()) {
            let (key, _) = entry.map_err(self.failed("read"))?;
            self.records.remove(key).map_err(self.failed("written"))?;
        }
        around_flush(|| self.store.flush()).map_err(self.failed("written"))?;
        Ok(())
    }
}

impl Journal for SledJournal {
    fn id(&self) -> Option<JournalId> {
        self.id
    }

    fn append(&mut self, records: &[Vec<u8>]) -> Result<(), JournalError> {
        let mut end = self.end()?;
        let mut batch = sled::Batch::default();
        for record in records {
            let head = next_head(&end.head, end.records, record);
            let framed = frame(&head, record);
            for (chunk, part) in framed.chunks(CHUNK_LEN).enumerate() {
                batch.insert(key(end.records, chunk).as_slice(), part);
            }
            end = Mark { records: end.records + 1, head };
        }
        // The steps of the module's head.
        guarded(&self.folder, || self.records.apply_batch(batch))?;
        guarded(&self.folder, || around_flush(|| self.store.flush()))?;
        let file = |source| JournalError::File { path: self.folder.clone(), source };
        around_flush(|| self.pages.sync_data()).map_err(file)?;
        self.mark.write(&end).map_err(file)?;
        (self.acknowledged, self.end) = (end, Some(end));
        Ok(())
    }

    fn replay(&mut self, visit: &mut dyn FnMut(Vec<u8>)) -> Result<Replayed, JournalError> {
        let (end, torn) = unwinding(&self.folder, || self.read(visit))??;
        let Some(unacknowledged) = end.records.checked_sub(self.acknowledged.records) else {
            let (path, acknowledged) = (self.folder.clone(), self.acknowledged.records);
            return Err(JournalError::Shortened { path, acknowledged, found: end.records });
        };
        // It was not acknowledged, and the next record must not be appended to it.
        if torn {
            self.remove_torn(end.records)?;
        }
        self.end = Some(end);
        Ok(Replayed { records: end.records, unacknowledged, torn, head: end.head })
    }
}

fn new_id(now: Timestamp) -> Result<JournalId, JournalError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(JournalError::Random)?;
    Ok(JournalId::new(now, random))
}

/// The chunks of one record, as they are read.
#[derive(Default)]
struct Chunks {
    chunks: u16,
    bytes: Vec<u8>,
}

/// Bytes before a record: its head, and its length in four bytes.
const FRAME_LEN: usize = 32 + 4;

impl Chunks {
    fn add(&mut self, value: &[u8]) {
        self.chunks += 1;
        self.bytes.extend_from_slice(value);
    }

    /// Head and record, once all of it is there.
    fn take_whole(&mut self) -> Option<(Digest, Vec<u8>)> {
        let (head, rest) = self.bytes.split_at_checked(32)?;
        let (len, record) = rest.split_first_chunk::<4>()?;
        if record.len() != u32::from_be_bytes(*len) as usize {
            return None;
        }
        let head = Digest::from_slice(head).ok()?;
        let record = record.to_vec();
        *self = Chunks::default();
        Some((head, record))
    }
}

fn frame(head: &Digest, record: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(FRAME_LEN + record.len());
    framed.extend_from_slice(head.as_bytes());
    // A record is a statement of a few MiB at most.
    framed.extend_from_slice(&(record.len() as u32).to_be_bytes());
    framed.extend_from_slice(record);
    framed
}

/// Position and chunk, both big-endian, so that the order of keys is that of the journal.
fn key(position: u64, chunk: usize) -> Vec<u8> {
    // A few MiB are a few hundred chunks.
    [position.to_be_bytes().as_slice(), (chunk as u16).to_be_bytes().as_slice()].concat()
}

fn split_key(key: &[u8]) -> Option<(u64, u16)> {
    let (position, chunk) = key.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*position), u16::from_be_bytes(chunk.try_into().ok()?)))
}

/// Makes sled's folder if need be, and takes it and what is in it from everybody but its owner. The folder around it may
/// be somebody else's, as a mounted volume is, and sled leaves the mode of its files to the umask.
fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(folder)?;
    let files = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    for path in std::iter::once(Ok(folder.to_owned())).chain(files) {
        let path = path?;
        let metadata = fs::symlink_metadata(&path)?;
        let mode = metadata.permissions().mode();
        if !metadata.is_symlink() && mode & OTHERS != 0 {
            fs::set_permissions(&path, Permissions::from_mode(mode & !OTHERS))?;
        }
    }
    Ok(())
}

/// Runs an operation of sled, and turns its errors and its panics into errors.
fn guarded<T>(folder: &Path, operation: impl FnOnce() -> sled::Result<T>) -> Result<T, JournalError> {
    unwinding(folder, operation)?.map_err(|source| JournalError::Store {
        path: folder.to_owned(),
        doing: "opened or written",
        source,
    })
}

/// In places sled asserts that it reads what it wrote, and panics on a corrupt disk.
fn unwinding<T>(folder: &Path, operation: impl FnOnce() -> T) -> Result<T, JournalError> {
    panic::catch_unwind(AssertUnwindSafe(operation)).map_err(|payload| JournalError::Unreadable {
        path: folder.to_owned(),
        message: panic_message(payload.as_ref()),
    })
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests;
