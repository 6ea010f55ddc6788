//! Answers that never come. Each is waited for as long as an honest coordinator may take: a minute for all of them, agents
//! and conveners' commands.

use std::process::Command;

use svdr_tests::agents::{Agent, Agents};
use svdr_tests::coordinator::Coordinator;
use svdr_tests::liar::{Liar, OnRead, OnSubmit};

/// Each agent has a coordinator that lets it wait in another way, and an honest one beside it.
#[test]
fn who_never_answers_is_left_for_another_coordinator() {
    let agents = Agents::new(5, |_, options| options).unwrap();
    let second = svdr_cli::signing_key::create(&agents.network.path().join("liar.key")).unwrap();
    let honest = Coordinator::start(agents.network.path(), &[]).unwrap();
    let at_honest = (honest.url(), honest.started.public_key.clone());
    agents.configure("automatic", std::slice::from_ref(&at_honest)).unwrap();
    let session = agents.open(&[]).unwrap();
    let mut liars = Vec::new();
    for member in 1..=5 {
        let liar = Liar::start(agents.network.path(), "liar.key", &agents.network.roster).unwrap();
        assert_eq!(liar.configured().1, second.to_string());
        liar.list(session, false);
        match member {
            1 => liar.on_transcript(OnRead::Hang),
            2 => liar.on_transcript(OnRead::Silence),
            3 => liar.on_watch(OnRead::Hang),
            4 => liar.on_watch(OnRead::Silence),
            _ => liar.on_submit(OnSubmit::Hang),
        }
        agents.configure_one(member, "automatic", &[liar.configured(), at_honest.clone()]).unwrap();
        liars.push(liar);
    }
    // The opening is what all of them show.
    let opening = super::opening_at(&agents, &honest, session);
    for liar in &liars {
        liar.show(session, &opening);
    }
    // A convener's command is not an agent that tries again: it says so, and ends.
    let id = session.to_string();
    let commands = [1, 2].map(|member| {
        let mut command = Command::new(svdr_tests::binaries::coordinator());
        command.args(["session", "--config"]).arg(agents.config(member)).args(["show", &id]);
        Agent::start(command).unwrap()
    });
    let running: Vec<_> = (1..=5).map(|member| agents.run(member, &[], &[]).unwrap()).collect();
    for (agent, liar) in running.into_iter().zip(&liars) {
        assert!(agent.logs(&format!("{} has been silent for", liar.configured().0)), "{}", agent.log());
        let finished = agent.finish().unwrap();
        assert!(finished.status.success(), "{}", finished.log);
    }
    for command in commands {
        let finished = command.finish().unwrap();
        assert_eq!(finished.status.code(), Some(1), "{}", finished.log);
        assert!(finished.log.contains("has been silent for"), "{}", finished.log);
    }
}
