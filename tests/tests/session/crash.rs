//! Agents that are stopped just before and just after each flush of their store, and started again.
//!
//! `SVDR_CRASH_AT` stops the process as `kill -9` does (see `svdr_files::crash`). Every member of a session
//! crashes at another point; the points go on until no agent reaches its own any more, so that every flush of a
//! whole session is covered, however many there are.

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
