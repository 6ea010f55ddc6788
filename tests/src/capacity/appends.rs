//! Bare appends to sled, one flush each: what the journal would take without shared flushes.

use std::fs::File;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::network::Failure;

/// How long appends are counted.
const COUNTED: Duration = Duration::from_secs(2);
/// Those that go before: the store has a file then.
const WARM_UP: u64 = 50;

/// How far an append has got when the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// As far as sled's flush brings it. On Linux that is `sync_file_range`, which starts the disk's writing and waits
    /// for it, but tells neither the disk to empty its cache nor the file system to keep the file's length: what was
    /// flushed may be gone after a loss of power.
    AsSledFlushes,
    /// To where a loss of power does not take it: the pages' file is synchronized as well, as the coordinator does.
    Disk,
}

/// An empty store in a temporary folder.
pub(super) struct Append {
    _folder: TempDir,
    store: sled::Db,
    pages: File,
    reach: Reach,
    next: u64,
}

impl Append {
    /// With the settings of the coordinator's journal.
    pub(super) fn new(reach: Reach) -> Result<Append, Failure> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("appends");
        let config = sled::Config::new().path(&path).segment_size(4 << 20).cache_capacity(16 << 20);
        let store = config.flush_every_ms(None).open()?;
        let pages = File::open(path.join("db"))?;
        Ok(Append { _folder: folder, store, pages, reach, next: 0 })
    }

    /// Appends a second of that record.
    pub(super) fn rate(&mut self, record: &[u8]) -> Result<f64, Failure> {
        while self.next < WARM_UP {
            self.append(record)?;
        }
        let (started, first) = (Instant::now(), self.next);
        while started.elapsed() < COUNTED {
            self.append(record)?;
        }
        Ok((self.next - first) as f64 / started.elapsed().as_secs_f64())
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.store.insert(self.next.to_be_bytes(), record)?;
        self.store.flush()?;
        if self.reach == Reach::Disk {
            self.pages.sync_data()?;
        }
        self.next += 1;
        Ok(())
    }
}
