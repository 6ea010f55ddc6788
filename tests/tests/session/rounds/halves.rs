//! Two coordinators, each of which half of the members can reach, and one agent that reaches now this one, now that.

use std::fs;
use std::sync::Arc;

use svdr_client::{Coordinator as Address, Coordinators};
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::{SessionId, Verified};
use svdr_tests::agents::Agents;
use svdr_tests::coordinator::Coordinator;
use svdr_tests::relay::Relay;

use super::{digests, done, held, wait};

/// The session as a coordinator has it; none where it does not know it.
fn folded(agents: &Agents, at: &Coordinator, session: SessionId) -> Option<Session> {
    let address = Address { url: at.url(), key: at.started.public_key.parse().unwrap() };
    let coordinators = Coordinators::new(vec![address], agents.network.key(1)).unwrap();
    let page = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut connection = coordinators.connect(0).await.unwrap();
        connection.transcript(session, 0).await.unwrap()
    });
    let roster = Arc::new(agents.network.roster.clone());
    let statements: Vec<_> = page
        .entries
        .into_iter()
        .map(|entry| Arc::new(Verified::read(entry.statement, &roster).unwrap()))
        .collect();
    if statements.is_empty() { None } else { Some(Session::fold(roster, statements).unwrap()) }
}

#[test]
fn halves_of_a_network_come_to_one_result_through_whoever_reaches_both() {
    let agents = Agents::new(4, |_, options| options).unwrap();
    let folder = agents.network.path().join("east");
    fs::create_dir(&folder).unwrap();
    svdr_cli::signing_key::create(&folder.join("coordinator.key")).unwrap();
    fs::copy(agents.network.path().join("roster.toml"), folder.join("roster.toml")).unwrap();
    let west = Coordinator::start(agents.network.path(), &[]).unwrap();
    let east = Coordinator::start(&folder, &[]).unwrap();
    let (to_west, to_east) = (Relay::start().unwrap(), Relay::start().unwrap());
    to_west.lead_to(Some(west.started.address));
    for (member, at) in [(1, &west), (3, &east), (4, &east)] {
        agents.configure_one(member, "automatic", &[(at.url(), at.started.public_key.clone())]).unwrap();
    }
    let both =
        [(to_west.url(), west.started.public_key.clone()), (to_east.url(), east.started.public_key.clone())];
    agents.configure_one(2, "automatic", &both).unwrap();

    // The opening lists both coordinators, as the convener's configuration does.
    agents.configure_one(1, "automatic", &both).unwrap();
    let session = agents.open(&[]).unwrap();
    agents.configure_one(1, "automatic", &both[..1]).unwrap();
    let id = session.to_string();
    let here = ["--session", id.as_str()];
    let mut running: Vec<_> = (1..=4)
        .map(|member| {
            let follow: &[&str] = if member == 2 { &["--follow"] } else { &[] };
            agents.run(member, &[&here[..], follow].concat(), &[]).unwrap()
        })
        .collect();
    for agent in &running[..2] {
        assert!(agent.logs("signed evidence"), "{}", agent.log());
    }
    for agent in &running[2..] {
        assert!(agent.logs(&format!("no coordinator asked so far knows session {id}")), "{}", agent.log());
    }
    wait("the west has no evidence", || folded(&agents, &west, session).unwrap().evidence().len() == 2);
    assert_eq!(folded(&agents, &west, session).unwrap().phase(), Phase::Gathering);

    // Now only the east: opening and evidence come with the second member.
    to_west.lead_to(None);
    to_east.lead_to(Some(east.started.address));
    let at_east = running.split_off(2);
    for agent in at_east {
        assert_eq!(done(agent)["attested"], true);
    }
    assert!(running[1].logs("round 1 is completed"), "{}", running[1].log());
    assert_eq!(folded(&agents, &west, session).unwrap().phase(), Phase::Gathering);

    // And back: the first member, that was cut off all the time, learns how it ended.
    to_east.lead_to(None);
    to_west.lead_to(Some(west.started.address));
    let following = running.pop().unwrap();
    let document = done(running.pop().unwrap());
    assert_eq!(document["round"], 1);
    let has = |at: &Coordinator| digests(&folded(&agents, at, session).unwrap());
    wait("the west has not all that the east has", || has(&west).is_superset(&has(&east)));
    // What the first member has signed since is taken to the east.
    let in_west = has(&west);
    wait("the second member has not all that the west has", || {
        held(&agents, 2, session).is_superset(&in_west)
    });
    to_west.lead_to(None);
    to_east.lead_to(Some(east.started.address));
    wait("the two do not have the same", || has(&west) == has(&east));
    for at in [&west, &east] {
        let folded = folded(&agents, at, session).unwrap();
        assert_eq!(folded.phase(), Phase::Completed(1));
        assert!(folded.equivocations().is_empty());
        let completed = folded.completion_certificate().unwrap();
        assert_eq!(document["recovery_timestamp"], completed.recovery_timestamp().to_string());
    }
    following.signal("-TERM").unwrap();
    assert_eq!(following.finish().unwrap().status.code(), Some(1));
}
