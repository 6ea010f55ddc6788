//! Statements that do not belong where they are shown, each with a receipt that is in order.

use svdr_protocol::statement::{Abort, Body, SessionId};
use svdr_tests::network::{milestone, opening};

use super::stage::{Stage, altered};

#[test]
fn statements_that_do_not_hold_are_left_out_and_the_session_goes_on() {
    let stage = Stage::new();
    let network = &stage.agents.network;
    let agent = stage.run();
    let elsewhere = SessionId::from_bytes([9; 16]);
    let genuine = stage.mark(3, "synchronizer-stopped");
    // Another one: a transcript that shows one statement twice contradicts itself, which ends the run.
    let other = stage.mark(3, "backed-up");
    let payload = other.verify().unwrap().payload().to_vec();
    let in_anothers_name =
        svdr_protocol::dsse::Envelope::sign(other.payload_type().to_owned(), payload, network.key(4));
    let by_no_convener = stage.sign(3, Body::Abort(Abort { reason: "all is well".to_owned() }));
    let wrong = [
        (altered(&genuine), "the statement was altered, or another key signed it"),
        (stage.by_stranger(&genuine), "is not the key of a member of the roster"),
        (in_anothers_name, "says"),
        (by_no_convener, "is not a convener in the roster"),
        (
            network.sign(3, Some(elsewhere), 1, milestone("there")).unwrap(),
            "belongs to session 09090909090909090909090909090909",
        ),
        (
            network.sign_drill(3, Some(stage.session), 1, milestone("rehearsed")).unwrap(),
            "is a drill, but the session is not a drill",
        ),
        (network.sign(1, None, 7, opening(9)).unwrap(), "belongs to session"),
        (network.sign(3, None, 8, network.evidence(3)).unwrap(), "belongs to no session"),
    ];
    for (statement, words) in &wrong {
        stage.liar.show(stage.session, statement);
        assert!(agent.logs(words), "{words}: {}", agent.log());
    }
    // Each of them has been told of, none counts, and nothing has stopped.
    let told = agent.log().matches("left out").count();
    assert_eq!(told, wrong.len(), "{}", agent.log());
    stage.gather();
    stage.liar.show(stage.session, &stage.by_nobody(stage.proposal()));
    stage.submitted("agreement");
    assert_eq!(stage.signed(), ["evidence", "agreement"]);
}

#[test]
fn a_drill_that_is_listed_as_a_session_is_not_joined() {
    let stage = Stage::new();
    let drill = stage.agents.network.sign_drill(1, None, 2, opening(2)).unwrap();
    let session = SessionId::of_open(&drill.digest());
    stage.liar.list(session, false);
    stage.liar.show(session, &drill);
    let log = stage.refused();
    assert!(log.contains("is a drill, but this agent was started for a real session"), "{log}");
    assert!(stage.signed().is_empty());
}

#[test]
fn a_session_that_is_listed_as_a_drill_is_not_joined() {
    let stage = Stage::new();
    let real = stage.agents.network.sign(1, None, 2, opening(2)).unwrap();
    let session = SessionId::of_open(&real.digest());
    stage.liar.list(session, true);
    stage.liar.show(session, &real);
    let log = super::stage::ended(stage.agents.run(super::stage::REAL, &["--drill"], &[]).unwrap());
    assert!(log.contains("is no drill, but this agent was started for drills"), "{log}");
    assert!(stage.signed().is_empty());
}
