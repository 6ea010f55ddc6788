#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use svdr_protocol::statement::{Milestone, Open, PlanKind};

use super::*;

fn head(network: &str) -> String {
    format!("network = \"{network}\"\nsynchronizer = \"global-domain::1220{}\"\n", "be58c29e".repeat(8))
}

struct World {
    folder: tempfile::TempDir,
    roster: Arc<Roster>,
    signers: Vec<Signer>,
}

fn world() -> World {
    let keys: Vec<SigningKey> = (1..=4).map(|seed| SigningKey::from_bytes(&[seed; 32])).collect();
    let mut toml = head("Test");
    for (at, key) in keys.iter().enumerate() {
        let public = PublicKey::from(key.verifying_key());
        toml += &format!("[[member]]\nname = \"SV-{at}\"\nparticipant = \"PAR::SV-{at}::1220{at:064}\"\n");
        toml += &format!("key = \"{public}\"\nconvener = true\n");
    }
    let roster = Arc::new(Roster::parse(&toml).unwrap());
    let signer = |(at, key)| Signer {
        member: format!("SV-{at}").parse().unwrap(),
        key,
        roster: roster.fingerprint(),
        software: "test".to_owned(),
    };
    let signers = keys.into_iter().enumerate().map(signer).collect();
    World { folder: tempfile::tempdir().unwrap(), signers, roster: Arc::clone(&roster) }
}

impl World {
    fn store(&self) -> Store {
        Store::open(&self.folder.path().join("state")).unwrap()
    }

    fn session(&self) -> Session {
        let open = Open {
            reason: "test".to_owned(),
            margin: Duration::from_secs(900),
            migration_id: 6,
            predecessors: BTreeSet::new(),
            nonce: [7; 16],
            coordinators: Vec::new(),
            plan: PlanKind::Dump,
        };
        let header = Header {
            session: None,
            roster: self.roster.fingerprint(),
            drill: false,
            signer: self.signers[0].member.clone(),
            sequence: 1,
            software: "test".to_owned(),
        };
        let envelope = Statement { header, body: Body::Open(open) }.sign(&self.signers[0].key).unwrap();
        let opened = Verified::read(envelope, &self.roster).unwrap();
        Session::open(Arc::new(opened), Arc::clone(&self.roster)).unwrap()
    }
}

fn milestone(name: &str) -> Body {
    Body::Milestone(Milestone { name: name.to_owned(), note: String::new() })
}

#[test]
fn what_is_signed_is_read_again_as_the_same_bytes_in_its_order() {
    let world = world();
    let (store, session) = (world.store(), world.session());
    let sign = |name: &str| store.lock().unwrap().sign(&world.signers[1], &session, milestone(name)).unwrap();
    let signed = [sign("a"), sign("b"), sign("c")];
    let again = world.store();
    assert_eq!(again.signed(session.id()).unwrap(), signed);
    assert_eq!(again.sessions().unwrap(), [session.id()]);
    let names: Vec<String> = names_in(&store.session_folder(session.id())).unwrap();
    assert!(names.contains(&"000002-milestone.json".to_owned()), "{names:?}");
    let numbers: Vec<u64> = signed
        .iter()
        .map(|one| Verified::read(one.clone(), &world.roster).unwrap().header().sequence)
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn numbers_go_on_after_what_others_hold_of_this_member() {
    let world = world();
    let session = world.session();
    // The convener opened the session under the number 1, and its store is empty.
    let signed = world.store().lock().unwrap().sign(&world.signers[0], &session, milestone("a")).unwrap();
    assert_eq!(Verified::read(signed, &world.roster).unwrap().header().sequence, 2);
}

#[test]
fn a_statement_from_elsewhere_is_taken_up_once_and_never_replaces_another() {
    let world = world();
    let (store, session) = (world.store(), world.session());
    let elsewhere = Store::open(&world.folder.path().join("elsewhere")).unwrap();
    let signer = &world.signers[1];
    let here = store.lock().unwrap().sign(signer, &session, milestone("here")).unwrap();
    let there = elsewhere.lock().unwrap().sign(signer, &session, milestone("there")).unwrap();
    let there = Verified::read(there, &world.roster).unwrap();
    assert_eq!(store.lock().unwrap().adopt(session.id(), &there).unwrap(), Adopted::New);
    assert_eq!(store.lock().unwrap().adopt(session.id(), &there).unwrap(), Adopted::Known);
    let kept = store.signed(session.id()).unwrap();
    assert!(kept.len() == 2 && kept.contains(&here) && kept.contains(there.envelope()));
}

#[test]
fn a_corrupt_vote_is_an_error_that_names_the_file() {
    let world = world();
    let (store, session) = (world.store(), world.session());
    store.lock().unwrap().sign(&world.signers[1], &session, milestone("a")).unwrap();
    let path = store.session_folder(session.id()).join("000001-milestone.json");
    let whole = fs::read(&path).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"", b"{}"] {
        fs::write(&path, damaged).unwrap();
        let error = store.record(&world.roster).unwrap_err();
        assert!(error.to_string().contains("000001-milestone.json"), "{error}");
        assert_eq!(svdr_protocol::failure::CommandError::exit(&error), svdr_protocol::failure::Exit::Refused);
    }
    // A vote whose bytes are whole, but altered.
    let altered = String::from_utf8(whole).unwrap().replacen("\"sig\":\"", "\"sig\":\"AAAA", 1);
    fs::write(&path, altered).unwrap();
    assert!(store.record(&world.roster).is_err());
}

#[test]
fn a_torn_last_line_is_cut_off_and_damage_elsewhere_is_said() {
    let world = world();
    let (store, session) = (world.store(), world.session());
    let other = Store::open(&world.folder.path().join("other")).unwrap();
    let sign = |name: &str| other.lock().unwrap().sign(&world.signers[2], &session, milestone(name)).unwrap();
    let [a, b, c] = [sign("a"), sign("b"), sign("c")];
    store.lock().unwrap().mirror(session.id(), &[&a, &b]).unwrap();
    let path = store.session_folder(session.id()).join(MIRROR);
    let bytes = fs::read(&path).unwrap();
    let first = a.to_json().len() + 1;
    for cut in first..bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        assert_eq!(store.mirrored(session.id()).unwrap(), std::slice::from_ref(&a), "cut at {cut}");
    }
    store.lock().unwrap().mirror(session.id(), &[&c]).unwrap();
    assert_eq!(store.mirrored(session.id()).unwrap(), [a, c]);
    fs::write(&path, b"no envelope\n").unwrap();
    assert!(matches!(store.mirrored(session.id()), Err(StoreError::Line { line: 1, .. })));
}

#[test]
fn votes_of_another_roster_bind_there_alone() {
    let world = world();
    let (store, session) = (world.store(), world.session());
    store.lock().unwrap().sign(&world.signers[1], &session, milestone("a")).unwrap();
    let other = Roster::parse(&other_roster(&world)).unwrap();
    assert_ne!(other.fingerprint(), world.roster.fingerprint());
    assert!(store.record(&other).is_ok());
}

fn other_roster(world: &World) -> String {
    let members = world.roster.members().iter().map(|member| {
        format!(
            "[[member]]\nname = \"{}\"\nparticipant = \"{}\"\nkey = \"{}\"\nconvener = true\n",
            member.name, member.participant, member.key
        )
    });
    head("Other") + &members.collect::<String>()
}

#[test]
fn two_processes_never_sign_with_one_number() {
    let world = world();
    let (store, session) = (world.store(), world.session());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (store, session, signer) = (&store, &session, &world.signers[1]);
            scope.spawn(move || {
                for _ in 0..5 {
                    store.lock().unwrap().sign(signer, session, milestone("a")).unwrap();
                }
            });
        }
    });
    let numbers = numbered_files(&store.session_folder(session.id())).unwrap();
    assert_eq!(numbers.keys().copied().collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    assert!(numbers.values().all(|names| names.len() == 1));
}

#[test]
fn there_is_one_run_at_a_time() {
    let world = world();
    let claim = world.store().claim_run().unwrap();
    assert!(matches!(world.store().claim_run(), Err(StoreError::Running { .. })));
    drop(claim);
    world.store().claim_run().unwrap();
}
