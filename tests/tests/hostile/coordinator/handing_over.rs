//! An agent that hands all that it holds to a coordinator that has nothing, on one stream, and what that one makes of
//! the stream.

use svdr_protocol::dsse::Envelope;
use svdr_tests::liar::{Liar, OnStream, OnSubmit};

use super::stage::{Stage, ended};

/// A stage on which the agent has seen the session of another coordinator: its opening, what three members said, and
/// its own evidence. Gives those too.
fn moved() -> (Stage, Vec<Envelope>) {
    let mut stage = Stage::new();
    let mut held = vec![stage.opening.clone()];
    for member in [1, 3, 4] {
        let mark = stage.mark(member, "seen-there");
        stage.liar.show(stage.session, &mark);
        held.push(mark);
    }
    let agent = stage.run();
    held.push(stage.submitted("evidence").envelope().clone());
    stage.seen(&agent);
    agent.kill().unwrap();
    let network = &stage.agents.network;
    svdr_cli::signing_key::create(&network.path().join("second.key")).unwrap();
    stage.liar = Liar::start(network.path(), "second.key", &network.roster).unwrap();
    stage.agents.configure("automatic", &[stage.liar.configured()]).unwrap();
    (stage, held)
}

/// Waits until the liar has been given each of those.
fn given(stage: &Stage, held: &[Envelope]) {
    for one in held {
        let digest = one.digest();
        assert!(stage.liar.wait_for_count(1, |other| other.digest() == digest), "{one:?}");
    }
}

#[test]
fn all_that_an_agent_holds_goes_to_a_coordinator_that_has_nothing() {
    // On a stream; one by one where it knows of no streams; on one stream after the other where each ends early.
    for on_stream in [OnStream::Answer, OnStream::Unknown, OnStream::Stop] {
        let (stage, held) = moved();
        stage.liar.on_stream(on_stream);
        let agent = stage.run_in_session();
        given(&stage, &held);
        agent.kill().unwrap();
        assert_eq!(stage.signed(), ["evidence"], "{on_stream:?}");
    }
}

#[test]
fn a_receipt_on_a_stream_that_does_not_hold_ends_the_run() {
    let lies = [
        (OnSubmit::OtherKey, "the receipt is signed by ed25519:", false),
        (OnSubmit::Damaged, "sent an invalid receipt", false),
        (OnSubmit::OtherStatement, "with the receipt for sha256:", false),
        (OnSubmit::OtherSession, "was acknowledged as one of session 07070707070707070707070707070707", true),
    ];
    for (lie, words, leaves_proof) in lies {
        let (stage, _) = moved();
        let before = stage.proofs();
        stage.liar.on_submit(lie);
        let log = ended(stage.run_in_session());
        assert!(log.contains(words), "{lie:?}: {log}");
        assert_eq!(stage.proofs() - before, usize::from(leaves_proof), "{lie:?}");
    }
}

#[test]
fn one_answer_for_many_statements_ends_the_run() {
    let (stage, _) = moved();
    stage.liar.on_stream(OnStream::Repeat);
    let log = ended(stage.run_in_session());
    assert!(log.contains("with the receipt for sha256:"), "{log}");
}

#[test]
fn an_answer_that_says_nothing_is_said_and_tried_again() {
    let (stage, held) = moved();
    stage.liar.on_stream(OnStream::Nothing);
    let agent = stage.run_in_session();
    assert!(agent.logs("sent an answer without a receipt"), "{}", agent.log());
    stage.liar.on_stream(OnStream::Answer);
    given(&stage, &held);
}
