//! A coordinator that is not what it should be, as the agents see it.

mod answers;
mod certificates;
mod handing_over;
mod history;
mod proposals;
mod reading;
mod receipts;
mod stage;
mod statements;
mod streams;

use svdr_client::{Coordinator as Address, Coordinators};
use svdr_protocol::dsse::Envelope;
use svdr_protocol::statement::{Body, SessionId};
use svdr_tests::agents::Agents;
use svdr_tests::coordinator::Coordinator;
use svdr_tests::network::milestone;
use svdr_tests::town::Town;

/// Submits statements with the key of a member, from 1.
fn submit(town: &Town, member: usize, statements: &[Envelope]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let address = Address { url: town.relay.url(), key: town.coordinator_key() };
        let coordinators = Coordinators::new(vec![address], town.agents.network.key(member)).unwrap();
        let mut connection = coordinators.connect(0).await.unwrap();
        for statement in statements {
            connection.submit(statement).await.unwrap();
        }
    });
}

/// The statement that opened a session, as an honest coordinator has it.
fn opening_at(agents: &Agents, coordinator: &Coordinator, session: SessionId) -> Envelope {
    let address = Address { url: coordinator.url(), key: coordinator.started.public_key.parse().unwrap() };
    let coordinators = Coordinators::new(vec![address], agents.network.key(1)).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut connection = coordinators.connect(0).await.unwrap();
        connection.transcript(session, 0).await.unwrap().entries.remove(0).statement
    })
}

/// A session in which member 2 has reported, at a coordinator whose journal is set back to the opening then, and which
/// takes something else after it.
fn rewritten(mut town: Town) -> (Town, SessionId) {
    let session = town.agents.open(&[]).unwrap();
    town.put_away_journal("opened");
    town.start_on_journal(Some("opened")).unwrap();
    let agent = town.run(2);
    assert!(agent.logs("signed evidence"), "{}", agent.log());
    // The receipt for its evidence is on disk once the coordinator has told it of it.
    assert!(town.receipts(2, session, 2), "no receipts");
    agent.kill().unwrap();
    town.put_away_journal("reported");
    town.start_on_journal(Some("opened")).unwrap();
    let other = town.agents.network.sign(4, Some(session), 1, milestone("lunch")).unwrap();
    submit(&town, 4, &[other]);
    (town, session)
}

#[test]
fn a_coordinator_that_tells_another_history_is_refused_and_its_receipts_are_kept() {
    let (town, session) = rewritten(Town::new(4));
    let again = town.agents.run(2, &["--session", &session.to_string()], &[]).unwrap();
    assert!(again.logs("no longer trusted"), "{}", again.log());
    assert!(again.log().contains("two receipts for position 1"), "{}", again.log());
    assert_eq!(proofs(&town, session), 1);
}

fn proofs(town: &Town, session: SessionId) -> usize {
    let folder = town.agents.state(2).join(session.to_string());
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("proof-")).count()
}

#[test]
fn where_no_other_coordinator_is_configured_the_run_ends_as_refused() {
    let (town, session) = rewritten(Town::alone(4));
    let ended = town.agents.run(2, &["--session", &session.to_string()], &[]).unwrap().finish().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", ended.log);
}

#[test]
fn a_coordinator_that_goes_on_with_an_older_journal_is_refused_and_its_receipts_are_kept() {
    let mut town = Town::alone(4);
    let session = town.agents.open(&[]).unwrap();
    let agent = town.run(2);
    assert!(town.receipts(2, session, 2), "{}", agent.log());
    town.put_away_journal("older");
    town.start_on_journal(None).unwrap();
    // In the new journal too, it has all that the agent has.
    assert!(town.receipts(2, session, 4), "{}", agent.log());
    assert!(agent.logs("NEW JOURNAL"), "{}", agent.log());
    town.put_away_journal("newer");
    town.start_on_journal(Some("older")).unwrap();
    let other = town.agents.network.sign(4, Some(session), 1, milestone("lunch")).unwrap();
    submit(&town, 4, &[other]);
    let ended = agent.finish().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", ended.log);
    assert!(ended.log.contains("runs two histories under one key"), "{}", ended.log);
    assert_eq!(proofs(&town, session), 1);
}

#[test]
fn a_server_with_another_key_is_not_talked_to() {
    let mut town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    town.impersonate();
    let agent = town.agents.run(1, &["--session", &session.to_string()], &[]).unwrap();
    assert!(agent.logs("is not the coordinator that the configuration names"), "{}", agent.log());
    assert!(!agent.log().contains("signed"));
}

#[test]
fn proposals_that_do_not_follow_from_the_evidence_are_not_agreed_to() {
    let town = Town::alone(4);
    let session = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=3).map(|member| town.run(member)).collect();
    for agent in &agents {
        assert!(agent.logs("signed evidence"), "{}", agent.log());
    }
    // The convener itself signs a proposal that loses a second more of history than it says.
    assert!(town.receipts(1, session, 4), "the evidence of three is not there");
    let seen = town.transcript(session);
    let folded = &seen.sessions[0].session;
    let mut proposal = folded.next_proposal(&folded.parameters()).unwrap();
    proposal.candidate.history_lost_seconds += 1;
    let forged = town.agents.network.sign(1, Some(session), 90, Body::Proposal(proposal)).unwrap();
    submit(&town, 1, &[forged]);
    for agent in &agents {
        assert!(agent.logs("history lost"), "{}", agent.log());
        assert!(!agent.log().contains("signed agreement"), "{}", agent.log());
    }
}
