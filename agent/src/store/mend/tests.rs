//! A state folder with any one file corrupt heals or is refused. It never forgets a promise, and never blames anybody.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::SigningKey;
use svdr_cli::screens::fixture::{Meeting, at, name};
use svdr_client::{Coordinator, ReceivedEntry};
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError as _, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::receipt::Chain;
use svdr_protocol::statement::{Body, Milestone};

use super::super::{DonationRecord, Signer};
use super::*;
use crate::replica::{Ledger, Replica};

/// Bits that are flipped in each file, at even distances.
const FLIPS: usize = 24;

/// The state folder of member 1 after a completed session, and what its coordinator has.
struct World {
    _root: tempfile::TempDir,
    store: Store,
    meeting: Meeting,
    coordinator: Coordinator,
    entries: Vec<ReceivedEntry>,
    /// The content of every file, by its path.
    files: BTreeMap<PathBuf, Vec<u8>>,
}

fn world() -> World {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&root.path().join("state")).unwrap();
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..4).for_each(|by| drop(meeting.agree(by, proposal)));
    (0..4).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    let id = meeting.session.id();
    let key = SigningKey::from_bytes(&[200; 32]);
    let coordinator = Coordinator {
        url: "https://board.example:7443".to_owned(),
        key: PublicKey::from(key.verifying_key()),
    };
    let mut chain = Chain::new(id);
    let entries: Vec<ReceivedEntry> = (0..)
        .zip(&meeting.said)
        .map(|(position, statement)| ReceivedEntry {
            position,
            statement: statement.envelope().clone(),
            receipt: VerifiedReceipt::read(chain.append(statement.digest()).sign(&key), None).unwrap(),
        })
        .collect();
    let mut world = World { _root: root, store, meeting, coordinator, entries, files: BTreeMap::new() };
    world.catch_up(true);
    let locked = world.store.lock().unwrap();
    let certificate = world.meeting.session.completion_certificate().unwrap();
    locked.keep_certificate(&certificate).unwrap();
    locked.keep_dump(id, &dump(proposal)).unwrap();
    locked.keep_donation(id, &donation(proposal)).unwrap();
    drop(locked);
    let folder = world.store.session_folder(id);
    world.files = names_in(&folder)
        .unwrap()
        .into_iter()
        .map(|name| (folder.join(&name), fs::read(folder.join(name)).unwrap()))
        .collect();
    world
}

fn dump(proposal: Digest) -> DumpRecord {
    DumpRecord {
        round: 1,
        proposal,
        path: PathBuf::from("/var/lib/svdr/dump.json"),
        recovery_timestamp: at("23:10:00"),
        migration_id: 6,
        size: 123,
        sha256: Digest::of(b"dump"),
        parts: Vec::new(),
        started: at("23:40:00"),
        finished: at("23:50:00"),
        received: None,
    }
}

fn donation(proposal: Digest) -> DonationRecord {
    DonationRecord {
        round: 1,
        proposal,
        path: PathBuf::from("/var/lib/svdr/snapshot.json"),
        party: "DSO::1220".to_owned(),
        recovery_timestamp: at("23:10:00"),
        migration_id: 6,
        size: 123,
        sha256: Digest::of(b"snapshot"),
        parts: Vec::new(),
    }
}

impl World {
    fn id(&self) -> SessionId {
        self.meeting.session.id()
    }

    /// What a start does: the session of the disk and, with `online`, of a coordinator.
    fn catch_up(&self, online: bool) -> Replica {
        let entries = if online { &self.entries[..] } else { &[] };
        let received: Vec<Envelope> = entries.iter().map(|entry| entry.statement.clone()).collect();
        let roster = &self.meeting.roster;
        let mut ledger = Ledger::open(&self.store, roster, self.id(), &self.coordinator).unwrap();
        ledger.follow(&self.store, entries).unwrap();
        Replica::open(&self.store, roster, &name(1), self.id(), &received).unwrap().unwrap()
    }

    fn signed(&self) -> BTreeSet<Digest> {
        self.store.signed(self.id()).unwrap().iter().map(Envelope::digest).collect()
    }

    /// Puts everything back as it was.
    fn reset(&self) {
        let folder = self.store.session_folder(self.id());
        for name in names_in(&folder).unwrap() {
            fs::remove_file(folder.join(name)).unwrap();
        }
        for (path, content) in &self.files {
            fs::write(path, content).unwrap();
        }
    }

    /// What must hold after a start.
    fn assert_sound(&self, what: &str) {
        assert_eq!(
            self.store.record(&self.meeting.roster).map(drop).map_err(|one| one.to_string()),
            Ok(()),
            "{what}"
        );
        let own = self.meeting.said.iter().filter(|one| one.by_member() && *one.signer() == name(1));
        assert_eq!(self.signed(), own.map(|one| one.digest()).collect(), "{what}");
        let certificates = self.store.certificates(self.id(), &self.meeting.roster).unwrap();
        assert_eq!(certificates.len(), 1, "{what}");
    }
}

/// A file's content with something wrong; nothing where the file is gone.
fn damages(content: &[u8]) -> Vec<(String, Option<Vec<u8>>)> {
    let len = content.len();
    let mut all = vec![("deleted".to_owned(), None), ("emptied".to_owned(), Some(Vec::new()))];
    all.push(("zeroed".to_owned(), Some(vec![0; len])));
    for part in 1..4 {
        all.push((format!("cut at {part}/4"), Some(content[..len * part / 4].to_vec())));
        let mut zeroed = content.to_vec();
        zeroed[len * part / 4 - 8..][..16].fill(0);
        all.push((format!("zeroed from {part}/4"), Some(zeroed)));
    }
    all.push(("cut by one line end".to_owned(), Some(content[..len - 1].to_vec())));
    for flip in 0..FLIPS {
        let mut flipped = content.to_vec();
        let (at, bit) = ((len - 1) * flip / (FLIPS - 1), flip * 3 % 8);
        flipped[at] ^= 1 << bit;
        all.push((format!("bit {bit} of byte {at} flipped"), Some(flipped)));
    }
    all
}

fn is_own(path: &Path) -> bool {
    path.file_name().unwrap().to_str().unwrap().starts_with('0')
}

#[test]
fn whatever_file_is_corrupt_it_heals_or_is_refused_by_name() {
    let world = world();
    let (mut healed, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for (path, content) in &world.files {
        for (what, damaged) in damages(content) {
            let what = format!("{}: {what}", path.display());
            world.reset();
            match damaged {
                Some(damaged) => fs::write(path, damaged).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
            match world.store.mend(&world.meeting.roster) {
                Ok(()) => {
                    healed.insert(path.clone());
                }
                Err(error) => {
                    assert!(is_own(path), "{what}: {error}");
                    assert_eq!(error.exit(), Exit::Refused, "{what}");
                    let text = error.to_string();
                    let moved_to = aside(path).display().to_string();
                    assert!(
                        text.contains(&path.display().to_string()) && text.contains(&moved_to),
                        "{what}: {text}"
                    );
                    refused.insert(path.clone());
                    // What the help says.
                    fs::rename(path, aside(path)).unwrap();
                    world.store.mend(&world.meeting.roster).unwrap();
                    let missing = world.store.record(&world.meeting.roster).map(drop);
                    let is_evidence = path.to_str().unwrap().contains("evidence");
                    assert_eq!(missing.is_ok(), is_evidence, "{what}: {missing:?}");
                }
            }
            world.catch_up(true);
            if !path.to_str().unwrap().contains("completed") || path.exists() {
                world.assert_sound(&what);
            }
            // Healed once, there is nothing more to be said.
            world.store.mend(&world.meeting.roster).unwrap();
        }
    }
    let (own, others): (BTreeSet<_>, BTreeSet<_>) =
        world.files.keys().cloned().partition(|path| is_own(path));
    assert_eq!((own.len(), refused), (3, own));
    assert!(healed.is_superset(&others), "{healed:?}");
}

#[test]
fn a_corrupt_certificate_is_had_back_from_the_disk_and_binds_until_then() {
    let world = world();
    let path = world.files.keys().find(|path| path.to_str().unwrap().contains("completed")).unwrap();
    for (what, damaged) in damages(&world.files[path]) {
        let Some(damaged) = damaged else { continue };
        world.reset();
        fs::write(path, damaged).unwrap();
        world.store.mend(&world.meeting.roster).unwrap();
        match world.store.record(&world.meeting.roster) {
            // The line end alone tells that a certificate is whole.
            Ok(_) => panic!("{what}"),
            Err(error) => assert!(error.to_string().contains(&path.display().to_string()), "{what}: {error}"),
        }
        world.catch_up(false);
        world.assert_sound(&what);
    }
}

#[test]
fn the_number_of_a_statement_that_was_moved_away_is_never_used_again() {
    let world = world();
    let folder = world.store.session_folder(world.id());
    let last = world.files.keys().rfind(|path| is_own(path)).unwrap();
    fs::rename(last, aside(last)).unwrap();
    fs::remove_file(folder.join(MIRROR)).unwrap();
    let signer = Signer {
        member: name(1),
        key: svdr_cli::screens::fixture::key(1),
        roster: world.meeting.roster.fingerprint(),
        software: "test".to_owned(),
    };
    // A view in which nobody has the lost statement.
    let opened = std::sync::Arc::clone(&world.meeting.said[0]);
    let session = svdr_protocol::session::Session::open(opened, world.meeting.roster.clone()).unwrap();
    let body = Body::Milestone(Milestone { name: "a".to_owned(), note: String::new() });
    world.store.lock().unwrap().sign(&signer, &session, body).unwrap();
    let numbers: Vec<u64> = numbered_files(&folder).unwrap().into_keys().collect();
    let lost = moved_away(&folder).unwrap()[0].0;
    assert!(!numbers.contains(&lost) && numbers.last() > Some(&lost), "{numbers:?} {lost}");
}

#[test]
fn a_record_of_an_earlier_version_has_no_check_and_is_read() {
    let world = world();
    let path = world.files.keys().find(|path| path.to_str().unwrap().contains("dump-1")).unwrap();
    let known = world.store.dump(world.id(), 1).unwrap().unwrap();
    fs::write(path, serde_json::to_vec_pretty(&known).unwrap()).unwrap();
    world.store.mend(&world.meeting.roster).unwrap();
    assert_eq!(world.store.dump(world.id(), 1).unwrap(), Some(known));
}
