//! Answers that have no end, are too long, or never come.

use svdr_tests::agents::Agents;
use svdr_tests::coordinator::Coordinator;
use svdr_tests::liar::{Liar, OnRead, OnSubmit};

use super::stage::{REAL, Stage, ended};

#[test]
fn statements_without_end_that_do_not_hold_end_the_run() {
    for watched in [false, true] {
        let stage = Stage::new();
        if watched {
            // Its evidence is there already, so that all that it hears of is junk.
            let agent = stage.run();
            stage.submitted("evidence");
            agent.kill().unwrap();
            stage.liar.on_watch(OnRead::Junk);
        } else {
            stage.liar.on_transcript(OnRead::Junk);
        }
        let log = ended(stage.run());
        assert!(
            log.contains("statements that do not hold, as the log says of each; do not rely on it"),
            "{log}"
        );
        // Not as many lines as there were statements.
        assert!(log.matches("is left out").count() <= 100, "{}", log.len());
    }
}

#[test]
fn an_operators_command_does_not_read_without_end() {
    let stage = Stage::new();
    stage.liar.on_transcript(OnRead::Junk);
    let output = stage.agents.command(REAL, &["status"]).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("statements that do not hold"), "{said}");
}

#[test]
fn a_message_that_is_too_long_ends_the_run() {
    for (transcript, watch) in [(OnRead::Huge, OnRead::Show), (OnRead::Show, OnRead::Huge)] {
        let stage = Stage::new();
        stage.liar.on_transcript(transcript);
        stage.liar.on_watch(watch);
        let log = ended(stage.run());
        assert!(log.contains("sent a message of more than"), "{log}");
    }
}

/// Each agent has a coordinator that lets it wait in another way, and an honest one beside it.
#[test]
fn who_never_answers_is_left_for_another_coordinator() {
    let agents = Agents::new(5, |_, options| options).unwrap();
    let second = svdr_cli::identity::create(&agents.network.path().join("liar.key")).unwrap();
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
    let running: Vec<_> = (1..=5).map(|member| agents.run(member, &[], &[]).unwrap()).collect();
    for (agent, liar) in running.into_iter().zip(&liars) {
        assert!(agent.logs(&format!("{} has been silent for", liar.configured().0)), "{}", agent.log());
        let finished = agent.finish().unwrap();
        assert!(finished.status.success(), "{}", finished.log);
    }
}
