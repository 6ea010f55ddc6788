//! The convener's commands at a coordinator that lies: they read as the agents do. What both make of a transcript that
//! contradicts itself is in `history.rs`.

use svdr_proto::v1;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::statement::{Abort, Body};
use svdr_tests::completed::Completed;
use svdr_tests::liar::{Liar, OnRead, OnSubmit};
use svdr_tests::network::milestone;

use super::stage::{Stage, altered};

#[test]
fn proposals_without_end_are_not_kept() {
    let stage = Stage::new();
    for member in [1, 3, 4] {
        stage.say(member, stage.agents.network.evidence(member));
    }
    stage.flood();
    stage.liar.on_transcript(OnRead::Flood);
    stage.liar.on_watch(OnRead::Flood);
    // Twice the 64 that each of four members may hand on; a hundred more are named, and then it is enough.
    stage.reading_is_refused("101 invalid statements of one session, expected at most 100");
    let (_, printed) = stage.convene(&["show", &stage.session.to_string()]);
    assert!(printed.contains("the session already has 512 proposals that no member signed"), "{printed}");
}

#[test]
fn invalid_statements_without_end_are_not_kept() {
    let stage = Stage::new();
    stage.liar.on_transcript(OnRead::Junk);
    stage.liar.on_watch(OnRead::Junk);
    stage.reading_is_refused("101 invalid statements of one session, expected at most 100");
}

#[test]
fn a_message_that_is_too_long_is_refused() {
    let stage = Stage::new();
    stage.liar.on_transcript(OnRead::Huge);
    stage.liar.on_watch(OnRead::Huge);
    stage.reading_is_refused("sent a message of more than");
}

#[test]
fn a_few_invalid_statements_are_left_out_and_handed_on() {
    let stage = Stage::new();
    let network = &stage.agents.network;
    let genuine = stage.mark(3, "synchronizer-stopped");
    let invalid = [
        altered(&genuine),
        stage.by_stranger(&stage.mark(4, "lunch")),
        stage.sign(3, Body::Abort(Abort { reason: "all is well".to_owned() })),
        network.sign_drill(3, Some(stage.session), 1, milestone("rehearsed")).unwrap(),
    ];
    for one in &invalid {
        stage.liar.show(stage.session, one);
    }
    stage.liar.show(stage.session, &genuine);
    let session = stage.session.to_string();
    let (code, printed) = stage.convene(&["show", &session]);
    assert_eq!(code, Some(0), "{printed}");
    for one in &invalid {
        assert!(printed.contains(&format!("statement {} is left out", one.digest())), "{printed}");
    }
    // Nobody has ended the session.
    let document = stage.agents.convene(&["show", &session]).unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["phase"], "gathering", "{document}");
    // The receipts prove what the coordinator acknowledged, so that all of it is written.
    let out = stage.agents.network.path().join("out.jsonl");
    let (code, printed) = stage.convene(&["export", &session, "--out", out.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{printed}");
    let written = std::fs::read_to_string(out).unwrap();
    assert_eq!(written.lines().count(), 2 * stage.liar.shown(stage.session).len());
}

#[test]
fn what_a_coordinator_lists_cannot_drive_the_terminal() {
    let stage = Stage::new();
    stage.liar.list_as(v1::SessionSummary {
        session: "\u{1b}[2Jno id".to_owned(),
        opened_by: "\u{1b}]0;owned\u{7}".to_owned(),
        reason: "fine\u{202e}\u{200b}\n\rSV-1 has agreed".to_owned(),
        ..v1::SessionSummary::default()
    });
    let (code, printed) = stage.convene(&["list"]);
    assert_eq!(code, Some(0), "{printed}");
    let dangerous = |one: char| (one.is_control() && one != '\n') || "\u{202e}\u{200b}".contains(one);
    assert!(!printed.contains(dangerous), "{printed:?}");
    assert!(!printed.lines().any(|line| line.starts_with("SV-1 has agreed")), "{printed}");
}

#[test]
fn only_a_certificate_of_the_session_is_written() {
    let stage = Stage::new();
    let network = &stage.agents.network;
    let completed = Completed::attested(network, false, 3).unwrap();
    let certificate: Vec<Envelope> =
        completed.certificate().unwrap().statements().map(|one| one.envelope().clone()).collect();
    let session = completed.id().to_string();
    let out = network.path().join("certificate.jsonl");
    let fetched = |session: &str, statements: &[Envelope]| {
        stage.liar.certify(statements.to_vec());
        stage.convene(&["certificate", session, "--force", "--out", out.to_str().unwrap()])
    };
    let (last, others) = certificate.split_last().unwrap();
    let forged = [others, &[stage.by_stranger(last)]].concat();
    let repeated = [others, &[others[others.len() - 1].clone()]].concat();
    let elsewhere = stage.session.to_string();
    for (session, statements, words) in [
        (&session, Vec::new(), "sent no completion certificate of session"),
        (&session, others.to_vec(), "sent no completion certificate of session"),
        (&session, repeated, "sent no completion certificate of session"),
        (&session, forged, "of the certificate that"),
        (&elsewhere, certificate.clone(), "sent the certificate of session"),
    ] {
        let (code, printed) = fetched(session, &statements);
        assert_eq!(code, Some(3), "{words}: {printed}");
        assert!(printed.contains(words), "{words}: {printed}");
        assert!(!out.exists());
    }
    let (code, printed) = fetched(&session, &certificate);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(std::fs::read_to_string(out).unwrap().lines().count(), certificate.len());
}

#[test]
fn a_receipt_that_is_not_for_the_statement_is_refused() {
    let lies = [
        (OnSubmit::OtherKey, "sent an invalid receipt"),
        (OnSubmit::Damaged, "sent an invalid receipt"),
        (OnSubmit::OtherStatement, "with the receipt for sha256:"),
        (OnSubmit::OtherSession, "was acknowledged as one of session 07070707070707070707070707070707"),
    ];
    for (lie, words) in lies {
        let stage = Stage::new();
        stage.liar.on_submit(lie);
        let session = stage.session.to_string();
        for args in [["open", "--reason", "a"].as_slice(), &["abort", &session, "--reason", "a"]] {
            let (code, printed) = stage.convene(args);
            assert_eq!(code, Some(3), "{lie:?}: {printed}");
            assert!(printed.contains(words), "{lie:?}: {printed}");
        }
    }
}

#[test]
fn a_watch_is_resumed_at_another_coordinator_and_shows_nothing_twice() {
    let stage = Stage::new();
    let network = &stage.agents.network;
    svdr_cli::signing_key::create(&network.path().join("second.key")).unwrap();
    let second = Liar::start(network.path(), "second.key", &network.roster).unwrap();
    stage.agents.configure_one(1, "automatic", &[stage.liar.configured(), second.configured()]).unwrap();
    let marks = [stage.mark(3, "synchronizer-stopped"), stage.mark(4, "lunch")];
    let end = stage.sign(1, Body::Abort(Abort { reason: "found".to_owned() }));
    stage.liar.show(stage.session, &marks[0]);
    for statement in [&stage.opening, &marks[1], &marks[0], &end] {
        second.show(stage.session, statement);
    }
    stage.liar.on_watch(OnRead::End);
    let watching = stage.start_convening(&["watch", &stage.session.to_string()]);
    // It comes again, for what is behind the two that it has.
    assert!(stage.liar.wait_for_watch(2));
    drop(stage.liar);
    let finished = watching.finish().unwrap();
    assert!(finished.status.success(), "{}", finished.log);
    assert_eq!(finished.stdout.lines().count(), 4, "{}", finished.stdout);
    assert!(finished.log.contains("ended the stream"), "{}", finished.log);
}
