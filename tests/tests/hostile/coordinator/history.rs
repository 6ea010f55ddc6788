//! Transcripts that are not what the coordinator accepted, in the order in which it accepted it: neither the agent nor the
//! convener's commands make anything of them.

use svdr_proto::v1;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::Chain;
use svdr_protocol::statement::SessionId;

use super::stage::{Stage, altered, ended, with_statement};

/// Runs an agent to whom a transcript is shown; what it says when it ends. The convener's commands must say the same.
fn told(
    words: &str,
    transcript: impl Fn(&Stage, &[v1::TranscriptEntry; 3]) -> Vec<v1::TranscriptEntry>,
) -> (Stage, String) {
    let stage = Stage::new();
    let opening = stage.liar.shown(stage.session).remove(0);
    let [first, second] = [3, 4].map(|member| {
        let mark = stage.mark(member, "synchronizer-stopped");
        stage.liar.acknowledge(stage.session, &mark)
    });
    stage.liar.rewrite(stage.session, transcript(&stage, &[opening, first, second]));
    let log = stage.refused();
    assert!(log.contains(words), "{log}");
    assert!(stage.signed().is_empty(), "{:?}", stage.signed());
    assert_eq!(stage.proofs(), 1);
    stage.reading_is_refused(words);
    (stage, log)
}

#[test]
fn a_transcript_with_a_gap_is_refused() {
    let (_, log) = told("does not continue what the coordinator sent before", |_, [opening, _, second]| {
        vec![opening.clone(), second.clone()]
    });
    assert!(log.contains("position 2") && log.contains("expected position 1"), "{log}");
}

#[test]
fn entries_in_another_order_are_refused() {
    told("does not continue what the coordinator sent before", |_, [opening, first, second]| {
        vec![opening.clone(), second.clone(), first.clone()]
    });
}

#[test]
fn an_entry_that_is_played_again_is_refused() {
    told("does not continue what the coordinator sent before", |_, [opening, first, _]| {
        vec![opening.clone(), first.clone(), first.clone()]
    });
}

#[test]
fn a_statement_beside_the_receipt_of_another_is_refused() {
    let words = "the coordinator forwarded a statement that it never accepted";
    let (_, log) = told(words, |stage, [opening, first, _]| {
        let other = altered(&stage.mark(3, "synchronizer-stopped"));
        vec![opening.clone(), with_statement(first, &other)]
    });
    assert!(log.contains("transcript position 1 shows statement"), "{log}");
}

#[test]
fn a_transcript_that_begins_with_something_else_is_refused() {
    told("which does not open the session", |stage, _| {
        let mark = stage.mark(3, "synchronizer-stopped");
        let receipt = Chain::new(stage.session).append(mark.digest());
        vec![v1::TranscriptEntry {
            position: 0,
            statement: Some(mark.to_message()),
            receipt: Some(receipt.sign(&stage.coordinator_key()).to_message()),
        }]
    });
}

#[test]
fn a_statement_that_is_shown_at_two_positions_is_refused() {
    let (_, log) = told("and again at position 2", |stage, [opening, first, _]| {
        let again = Envelope::from_message(first.statement.clone().unwrap()).unwrap();
        let mut chain = Chain::new(stage.session);
        let mut entry = |statement: &Envelope| {
            let receipt = chain.append(statement.digest());
            v1::TranscriptEntry {
                position: receipt.position,
                statement: Some(statement.to_message()),
                receipt: Some(receipt.sign(&stage.coordinator_key()).to_message()),
            }
        };
        let opened = entry(&Envelope::from_message(opening.statement.clone().unwrap()).unwrap());
        vec![opened, entry(&again), entry(&again)]
    });
    assert!(log.contains("at position 1, and again"), "{log}");
}

#[test]
fn an_entry_that_is_played_again_to_who_watches_is_refused() {
    let stage = Stage::new();
    let agent = stage.run();
    stage.submitted("evidence");
    let again = stage.liar.shown(stage.session)[0].clone();
    stage.liar.show_entry(stage.session, again);
    let log = ended(agent);
    assert!(log.contains("does not continue what the coordinator sent before"), "{log}");
    assert_eq!(stage.signed(), ["evidence"]);
}

#[test]
fn the_transcript_of_another_session_is_refused() {
    let stage = Stage::new();
    let other = stage.agents.network.sign(1, None, 1, svdr_tests::network::opening(2)).unwrap();
    let elsewhere = SessionId::of_open(&other.digest());
    stage.liar.show(elsewhere, &other);
    stage.liar.rewrite(stage.session, stage.liar.shown(elsewhere));
    let log = stage.refused();
    assert!(log.contains("which does not open the session"), "{log}");
    assert!(stage.signed().is_empty());
    stage.reading_is_refused("which does not open the session");
}
