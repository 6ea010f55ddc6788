#![allow(clippy::unwrap_used)]

use std::error::Error as _;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn roster() -> Digest {
    Digest::of(b"roster")
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_776_805_200_000_000).unwrap()
}

fn is_locked(error: &JournalError) -> bool {
    error.source().is_some_and(|cause| cause.to_string().contains("acquire lock"))
}

/// Opens the journal; if one was open in this process a moment ago, once sled's threads have let it go.
fn reopen(folder: &TempDir, roster: &Digest) -> Result<SledJournal, JournalError> {
    loop {
        match SledJournal::open(folder.path(), roster, now()) {
            Err(error) if is_locked(&error) => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

fn open(folder: &TempDir) -> SledJournal {
    reopen(folder, &roster()).unwrap()
}

fn replay(journal: &mut SledJournal) -> Result<(Vec<Vec<u8>>, Replayed), JournalError> {
    let mut records = Vec::new();
    let replayed = journal.replay(&mut |record| records.push(record))?;
    Ok((records, replayed))
}

fn filled(folder: &TempDir, records: u64) -> SledJournal {
    let mut journal = open(folder);
    let records: Vec<Vec<u8>> = (0..records).map(|n| format!("record {n}").into_bytes()).collect();
    journal.append(&records).unwrap();
    journal
}

fn replay_error(journal: &mut SledJournal) -> String {
    replay(journal).unwrap_err().to_string()
}

#[test]
fn what_was_appended_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let large = vec![7; 3 * CHUNK_LEN - FRAME_LEN];
    let records = vec![b"one".to_vec(), Vec::new(), large, vec![8; CHUNK_LEN * 40 + 1]];
    let mut journal = open(&folder);
    journal.append(&records[..1]).unwrap();
    journal.append(&records[1..]).unwrap();
    drop(journal);
    let (found, replayed) = replay(&mut open(&folder)).unwrap();
    assert_eq!(found, records);
    assert_eq!((replayed.records, replayed.unacknowledged, replayed.torn), (4, 0, false));
}

#[test]
fn no_page_grows_into_a_file_that_is_never_synchronized() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(&folder);
    for _ in 0..40 {
        journal.append(&[vec![7; CHUNK_LEN - FRAME_LEN]]).unwrap();
    }
    journal.append(&[vec![9; 4 << 20]]).unwrap();
    let blobs = folder.path().join("journal/blobs").read_dir().unwrap().count();
    assert_eq!(blobs, 0);
}

#[test]
fn a_journal_of_another_roster_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(&folder, 1));
    let error = reopen(&folder, &Digest::of(b"another")).err().unwrap();
    assert!(matches!(error, JournalError::OtherRoster { .. }), "{error}");
}

#[test]
fn two_coordinators_cannot_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(&folder);
    let error = SledJournal::open(folder.path(), &roster(), now()).err().unwrap();
    assert!(matches!(error, JournalError::Store { .. }), "{error}");
}

#[test]
fn a_lost_end_that_was_acknowledged_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = filled(&folder, 5);
    journal.records.remove(key(4, 0)).unwrap();
    assert!(replay_error(&mut journal).contains("expected 5 acknowledged records, found 4"));
}

#[test]
fn an_end_that_nobody_was_told_of_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = filled(&folder, 5);
    let (_, before) = replay(&mut journal).unwrap();
    let head = next_head(&before.head, 5, b"six");
    journal.records.insert(key(5, 0), frame(&head, b"six")).unwrap();
    let (records, replayed) = replay(&mut journal).unwrap();
    assert_eq!(records.last().unwrap(), b"six");
    assert_eq!((replayed.records, replayed.unacknowledged, replayed.head), (6, 1, head));
    journal.append(&[b"seven".to_vec()]).unwrap();
    assert_eq!(replay(&mut journal).unwrap().1.records, 7);
}

#[test]
fn a_torn_record_that_nobody_was_told_of_is_removed_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = filled(&folder, 5);
    journal.records.insert(key(5, 0), &frame(&roster(), &[1; CHUNK_LEN])[..CHUNK_LEN]).unwrap();
    assert!(replay(&mut journal).unwrap().1.torn);
    assert!(!replay(&mut journal).unwrap().1.torn);
    journal.append(&[b"after".to_vec()]).unwrap();
    drop(journal);
    assert_eq!(replay(&mut open(&folder)).unwrap().0.last().unwrap(), b"after");
}

#[test]
fn an_altered_a_missing_and_a_moved_record_are_each_reported_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = filled(&folder, 5);
    let second = journal.records.get(key(2, 0)).unwrap().unwrap();
    let mut altered = second.to_vec();
    *altered.last_mut().unwrap() ^= 1;
    journal.records.insert(key(2, 0), altered).unwrap();
    assert!(replay_error(&mut journal).contains("record 2: the record does not follow"));
    journal.records.insert(key(2, 0), journal.records.get(key(3, 0)).unwrap().unwrap()).unwrap();
    assert!(replay_error(&mut journal).contains("record 2: the record does not follow"));
    journal.records.remove(key(2, 0)).unwrap();
    assert!(replay_error(&mut journal).contains("record 2: a part of the record is missing"));
    journal.records.insert(key(2, 0), second).unwrap();
    assert_eq!(replay(&mut journal).unwrap().1.records, 5);
}

#[test]
fn a_history_written_anew_does_not_pass_for_the_acknowledged_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = filled(&folder, 2);
    let mut head = journal.first_head;
    for position in 0..2 {
        head = next_head(&head, position, b"another");
        journal.records.insert(key(position, 0), frame(&head, b"another")).unwrap();
    }
    assert!(replay_error(&mut journal).contains("record 1: another record was acknowledged in its place"));
}

#[test]
fn records_without_a_mark_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(&folder, 2));
    std::fs::remove_file(folder.path().join("acknowledged")).unwrap();
    let error = reopen(&folder, &roster()).err().unwrap();
    assert!(matches!(error, JournalError::NoMark { .. }), "{error}");
}

#[test]
fn pages_cut_or_overwritten_are_never_taken_for_a_shorter_journal() {
    for damage in [Damage::Cut, Damage::Zeroes] {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = open(&folder);
        for n in 0..200u64 {
            journal.append(&[n.to_be_bytes().repeat(500)]).unwrap();
        }
        drop(journal);
        let path = folder.path().join("journal").join(PAGES);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let len = file.metadata().unwrap().len();
        match damage {
            Damage::Cut => file.set_len(len / 2).unwrap(),
            Damage::Zeroes => file.write_all_at(&vec![0; 64 << 10], len / 2).unwrap(),
        }
        let outcome = reopen(&folder, &roster()).and_then(|mut journal| replay(&mut journal));
        // Either the damage is reported, or it hit nothing that is in use.
        assert!(outcome.as_ref().map_or(true, |(records, _)| records.len() == 200), "{damage:?}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Cut,
    Zeroes,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_batches_give_the_same_records_and_the_same_head(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40_000), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut at_once = open(&folders[0]);
        at_once.append(&records).unwrap();
        let mut in_two = open(&folders[1]);
        let (first, second) = records.split_at(cut.index(records.len()));
        in_two.append(first).unwrap();
        in_two.append(second).unwrap();
        let one = replay(&mut at_once).unwrap();
        prop_assert_eq!(&one.0, &records);
        prop_assert_eq!(one, replay(&mut in_two).unwrap());
    }
}

#[test]
fn a_journal_keeps_its_identity_and_each_has_another() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [first, other] = folders.each_ref().map(|folder| filled(folder, 1).id().unwrap());
    assert_eq!(open(&folders[0]).id(), Some(first));
    assert_eq!(first.made(), now());
    assert_ne!(first, other);
}

#[test]
fn a_journal_of_an_earlier_version_has_no_identity() {
    let folder = tempfile::tempdir().unwrap();
    let journal = filled(&folder, 1);
    let about = journal.store.open_tree("about").unwrap();
    about.remove(ID_KEY).unwrap();
    journal.store.flush().unwrap();
    drop((about, journal));
    let mut journal = open(&folder);
    assert_eq!(journal.id(), None);
    assert_eq!(replay(&mut journal).unwrap().1.records, 1);
    let about = journal.store.open_tree("about").unwrap();
    about.insert(ID_KEY, b"short").unwrap();
    drop((about, journal));
    let refused = reopen(&folder, &roster()).err().unwrap();
    assert!(matches!(refused, JournalError::Identity { len: 5, .. }), "{refused}");
}

#[test]
fn nobody_else_reads_the_journal_whatever_the_folder_and_the_modes_were() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    drop(filled(&folder, 3));
    // As an earlier version left them, under a careless umask.
    let store = folder.path().join("journal");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let paths = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().path());
    let before: Vec<PathBuf> = paths.chain([store.clone()]).collect();
    for path in &before {
        fs::set_permissions(path, Permissions::from_mode(mode(path) | 0o066)).unwrap();
    }
    assert_eq!(replay(&mut open(&folder)).unwrap().0.len(), 3);
    // Files that sled has replaced meanwhile follow the umask of the process, which `serve` sets.
    for path in before.iter().filter(|path| path.exists() && !path.to_string_lossy().contains("snap")) {
        assert_eq!(mode(path) & OTHERS, 0, "{}: {:o}", path.display(), mode(path));
    }
}
