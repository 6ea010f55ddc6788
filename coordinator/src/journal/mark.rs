//! The mark: how many records have been acknowledged, in a file of its own.
//!
//! A store drops an incomplete end after a crash. It cannot know whether the records that it dropped had been
//! acknowledged. The mark shows that, because it is written after the store's flush and before the acknowledgement. It
//! has two slots that are written in turn, so that one is always complete.
//!
//! Two losses cannot be detected here: the end of the store together with the newest slot, and a whole folder that was
//! restored from a copy. The receipts that members keep prove both.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use svdr_files::crash::around_flush;
use svdr_protocol::digest::Digest;

/// Records, head, checksum over both.
const SLOT_LEN: usize = 8 + 32 + 32;
/// Where the second slot begins: another sector and another page, so that one write cannot tear both.
const SECOND_SLOT: u64 = 4096;

/// What has been acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) records: u64,
    pub(super) head: Digest,
}

/// The file of the mark.
#[derive(Debug)]
pub(super) struct MarkFile {
    file: File,
    second: bool,
}

impl MarkFile {
    /// Opens the file, made if need be; the newest mark in it, if there is a whole one.
    pub(super) fn open(path: &Path) -> io::Result<(MarkFile, Option<Mark>)> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let slots = [read(&file, 0)?, read(&file, SECOND_SLOT)?];
        let newest = slots.into_iter().flatten().max_by_key(|mark| mark.records);
        // The next mark must not go over the newest.
        let second = newest.is_some() && newest == slots[0];
        Ok((MarkFile { file, second }, newest))
    }

    /// Writes `mark` into the older slot; on return it is on disk.
    pub(super) fn write(&mut self, mark: &Mark) -> io::Result<()> {
        let offset = if self.second { SECOND_SLOT } else { 0 };
        self.file.write_all_at(&encode(mark), offset)?;
        around_flush(|| self.file.sync_data())?;
        self.second = !self.second;
        Ok(())
    }
}

fn encode(mark: &Mark) -> Vec<u8> {
    let mut slot = [mark.records.to_be_bytes().as_slice(), mark.head.as_bytes()].concat();
    let checksum = Sha256::digest(&slot);
    slot.extend_from_slice(&checksum);
    slot
}

/// Reads the mark in the slot at `offset`; `None` if the slot is empty or incomplete.
fn read(file: &File, offset: u64) -> io::Result<Option<Mark>> {
    let mut slot = [0; SLOT_LEN];
    match file.read_exact_at(&mut slot, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let (records, rest) = slot.split_at(8);
    let (head, _checksum) = rest.split_at(32);
    let mark = match (records.try_into(), Digest::from_slice(head)) {
        (Ok(records), Ok(head)) => Mark { records: u64::from_be_bytes(records), head },
        // The slot was cut into pieces of these very lengths.
        _ => return Ok(None),
    };
    Ok((encode(&mark) == slot).then_some(mark))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mark(records: u64) -> Mark {
        Mark { records, head: Digest::of(&records.to_be_bytes()) }
    }

    #[test]
    fn the_newest_mark_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark");
        for records in [0, 1, 7, 8, 1000] {
            let (mut file, _) = MarkFile::open(&path).unwrap();
            file.write(&mark(records)).unwrap();
            assert_eq!(MarkFile::open(&path).unwrap().1, Some(mark(records)));
        }
    }

    #[test]
    fn a_torn_write_leaves_the_mark_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark");
        let (mut file, none) = MarkFile::open(&path).unwrap();
        assert_eq!(none, None);
        for records in 1..6 {
            file.write(&mark(records)).unwrap();
        }
        // The last of five went into the first slot.
        for cut in 0..SLOT_LEN {
            let torn = OpenOptions::new().write(true).open(&path).unwrap();
            torn.write_all_at(&encode(&mark(6))[..cut], 0).unwrap();
            let (_, found) = MarkFile::open(&path).unwrap();
            let expected = if cut == 0 { mark(5) } else { mark(4) };
            // Marks of five and six differ from their eighth byte on.
            assert_eq!(found, Some(if cut < 8 { mark(5) } else { expected }), "cut at {cut}");
        }
    }
}
