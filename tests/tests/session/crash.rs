//! Agents that are stopped just before and just after each flush of their store, and started again.
//!
//! `SVDR_CRASH_AT` stops the process as `kill -9` does (see `svdr_files::crash`). Every member of a session
//! crashes at another point; the points go on until no agent reaches its own any more, so that every flush of a
//! whole session is covered, however many there are.

use std::fs;
use std::path::PathBuf;

use svdr_tests::town::{Town, assert_sound};

/// More flushes than any session of four has; an agent that never ends would go on for ever.
const MOST_FLUSHES: u32 = 60;
/// Fewer than an agent has from joining to its attestation: opening, evidence, agreement, record, attestation,
/// certificate, each with something received between.
const LEAST_FLUSHES: u32 = 6;

#[test]
fn an_agent_stopped_around_any_flush_loses_doubles_and_changes_no_vote() {
    let mut flush = 1;
    loop {
        let points = [
            format!("before:{flush}"),
            format!("after:{flush}"),
            format!("before:{}", flush + 1),
            format!("after:{}", flush + 1),
        ];
        let crashed = crash_at(&points);
        if crashed == 0 {
            break;
        }
        flush += 2;
        assert!(flush < MOST_FLUSHES, "there is no end to the flushes");
    }
    assert!(flush > LEAST_FLUSHES, "only {flush} flushes were seen: the points are not where they should be");
}

/// Runs a session in which each member's agent is to crash at its point, and then goes on. Returns how many did.
fn crash_at(points: &[String]) -> usize {
    let town = Town::new(points.len());
    let session = town.agents.open(&[]).unwrap();
    let run = |member: usize, point: &String| {
        town.agents.run(member, &[], &[("SVDR_CRASH_AT", point.as_str())]).unwrap()
    };
    let agents: Vec<_> = (1..).zip(points).map(|(member, point)| run(member, point)).collect();
    let mut crashed = 0;
    let mut open = Vec::new();
    // In whatever order they crash: each is started again at once, since the others wait for it.
    std::thread::scope(|scope| {
        let ends: Vec<_> = agents
            .into_iter()
            .enumerate()
            .map(|(place, agent)| {
                let town = &town;
                scope.spawn(move || {
                    let first = agent.finish().unwrap();
                    if first.status.success() {
                        return (false, first);
                    }
                    assert_eq!(first.status.code(), None, "no crash, but a failure: {}", first.log);
                    (true, town.run(place + 1).finish().unwrap())
                })
            })
            .collect();
        for end in ends {
            let (did_crash, finished) = end.join().unwrap();
            crashed += usize::from(did_crash);
            open.push(finished);
        }
    });
    for finished in &open {
        assert!(finished.status.success(), "{points:?}: {}", finished.log);
    }
    assert_sound(&town, session);
    crashed
}

/// The case `state-file-zeroed`: a host's crash left the file of the signed evidence empty, cut, or full of zeros.
#[test]
fn a_corrupt_vote_is_refused_and_a_lost_one_comes_back_from_the_coordinator() {
    let town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let agent = town.run(1);
    assert!(agent.logs("signed evidence"), "{}", agent.log());
    while town.transcript(session).sessions[0].session.evidence().is_empty() {
        std::thread::yield_now();
    }
    agent.kill().unwrap();
    let file = evidence_file(&town.agents.state(1));
    let whole = fs::read(&file).unwrap();
    let half = whole.get(..whole.len() / 2).unwrap();
    for corrupt in [&[], half, &vec![0; whole.len()]] {
        fs::write(&file, corrupt).unwrap();
        let finished = town.run(1).finish().unwrap();
        assert_eq!(finished.status.code(), Some(3), "{}", finished.log);
        for said in ["-evidence.json", "move the file to", "a coordinator gives the statement back"] {
            assert!(finished.log.contains(said), "{said}: {}", finished.log);
        }
    }
    fs::remove_file(&file).unwrap();
    let agent = town.run(1);
    assert!(agent.logs("binds this member from now on"), "{}", agent.log());
    agent.kill().unwrap();
    let again: Vec<u8> = fs::read(evidence_file(&town.agents.state(1))).unwrap();
    assert_eq!(again, whole, "the same statement, and no other");
}

/// The one file of signed evidence below a state folder.
fn evidence_file(state: &std::path::Path) -> PathBuf {
    let entries = |folder: &std::path::Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sessions = entries(state).filter(|path| path.is_dir());
    let mut files: Vec<PathBuf> =
        sessions.flat_map(|session| entries(&session).collect::<Vec<_>>()).collect();
    files.retain(|file| file.to_string_lossy().ends_with("-evidence.json"));
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}
