//! Answers that have no end, or are too long.

use svdr_tests::coordinator::Coordinator;
use svdr_tests::liar::OnRead;

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
        assert!(log.contains("invalid statements of one session, expected at most 100"), "{log}");
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
    assert!(said.contains("invalid statements of one session"), "{said}");

    // With another coordinator in the configuration, that one is asked.
    let honest = Coordinator::start(stage.agents.network.path(), &[]).unwrap();
    let both = [stage.liar.configured(), (honest.url(), honest.started.public_key.clone())];
    stage.agents.configure_one(1, "automatic", &both[1..]).unwrap();
    let session = stage.agents.open(&[]).unwrap();
    stage.agents.configure_one(REAL, "automatic", &both).unwrap();
    let output = stage.agents.command(REAL, &["status", "--output", "json"]).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["session"], session.to_string());
    assert!(said.contains("invalid statements of one session"), "{said}");
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
