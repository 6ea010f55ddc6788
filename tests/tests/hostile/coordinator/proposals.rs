//! Proposals that do not follow from the evidence, or are not the coordinator's to make.

use std::time::Duration;

use svdr_protocol::digest::Digest;
use svdr_protocol::statement::{Body, Plan, Proposal};
use svdr_protocol::time::{Tick, Timestamp};

use super::stage::Stage;

type Change = fn(&mut Proposal);

fn later(at: Timestamp) -> Timestamp {
    at.checked_add(Duration::from_secs(60)).unwrap()
}

/// What is changed in a proposal that follows, and what the agent says to it.
const LIES: [(Change, &str); 9] = [
    (
        |proposal| {
            let Plan::Dump { recovery_timestamp, .. } = &mut proposal.plan;
            *recovery_timestamp = later(*recovery_timestamp);
            proposal.candidate.tick = Tick(later(proposal.candidate.tick.0));
        },
        "the proposal's recovery timestamp is",
    ),
    (
        |proposal| {
            let Plan::Dump { migration_id, .. } = &mut proposal.plan;
            *migration_id += 1;
        },
        "the proposal's migration id is 7, but 6 follows from its evidence",
    ),
    (|proposal| proposal.candidate.tick = Tick(later(proposal.candidate.tick.0)), "the proposal's tick is"),
    (
        |proposal| {
            let left = proposal.candidate.covered.pop_last().unwrap();
            proposal.candidate.left_behind.insert(left);
        },
        "the proposal's coverage is",
    ),
    (|proposal| proposal.candidate.history_lost_seconds -= 1, "the proposal's history lost in seconds is"),
    (|proposal| proposal.candidate.bracketed ^= true, "the proposal's bracketing is"),
    (|proposal| proposal.rule = 2, "computed by version 2 of the rule"),
    (
        |proposal| {
            proposal.evidence.pop_last();
            proposal.evidence.insert(Digest::of(b"nobody's"));
        },
        "1 of the evidences that the proposal was computed from have not arrived",
    ),
    (
        |proposal| {
            proposal.evidence.pop_last();
        },
        "the proposal's coverage is",
    ),
];

/// What only a convener may decide, and what the agent says to it.
const NOT_THE_COORDINATORS: [(Change, &str); 6] = [
    (|proposal| proposal.round = 2, "only a convener may give up a round and propose the next"),
    (|proposal| proposal.parameters.margin = Duration::ZERO, "only a convener may choose margin"),
    (|proposal| proposal.parameters.threshold = 4, "only a convener may choose margin, threshold"),
    (
        |proposal| proposal.parameters.not_after = Some(proposal.plan.recovery_timestamp()),
        "only a convener may choose margin, threshold, bounds",
    ),
    (
        |proposal| {
            let excluded = proposal.candidate.covered.first().cloned();
            proposal.parameters.excluded = excluded.into_iter().collect();
        },
        "only a convener may choose margin, threshold, bounds and members",
    ),
    (
        |proposal| {
            proposal.evidence.pop_last();
            proposal.evidence.pop_last();
        },
        "only a convener may propose before as many members as the threshold have reported",
    ),
];

#[test]
fn only_the_proposal_that_follows_is_agreed_to() {
    let stage = Stage::new();
    let agent = stage.run();
    stage.gather();
    let honest = stage.proposal();
    let with = |change: Change| {
        let mut changed = honest.clone();
        change(&mut changed);
        changed
    };
    for (change, words) in NOT_THE_COORDINATORS {
        stage.liar.show(stage.session, &stage.by_nobody(with(change)));
        assert!(agent.logs(words), "{words}: {}", agent.log());
    }
    // Whether nobody signed it or a convener: what does not follow is not agreed to.
    for (change, words) in LIES {
        stage.liar.show(stage.session, &stage.by_nobody(with(change)));
        assert!(agent.logs(words), "{words}: {}", agent.log());
        stage.say(1, Body::Proposal(with(change)));
    }
    let without_margin = with(|proposal| proposal.parameters.margin = Duration::ZERO);
    stage.say(1, Body::Proposal(without_margin));
    stage.liar.show(stage.session, &stage.sign(3, Body::Proposal(honest.clone())));
    assert!(agent.logs("is not a convener in the roster"), "{}", agent.log());
    stage.seen(&agent);
    assert_eq!(stage.signed(), ["evidence"], "{}", agent.log());

    let right = stage.by_nobody(honest.clone());
    stage.liar.show(stage.session, &right);
    let Body::Agreement(agreement) = stage.submitted("agreement").body().clone() else { unreachable!() };
    assert_eq!(agreement.proposal, right.digest());
    // Another one that follows just as well comes too late in this round.
    stage.say(1, Body::Proposal(honest));
    stage.seen(&agent);
    assert_eq!(stage.signed(), ["evidence", "agreement"]);
}

#[test]
fn an_operator_is_told_not_to_agree_and_cannot() {
    let stage = Stage::new();
    let agent = stage.run();
    stage.gather();
    let mut proposal = stage.proposal();
    proposal.candidate.history_lost_seconds -= 1;
    stage.liar.show(stage.session, &stage.by_nobody(proposal));
    stage.seen(&agent);
    agent.kill().unwrap();
    let session = stage.session.to_string();
    let command = |args: &[&str]| {
        let output = stage.agents.command(super::stage::REAL, args).unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, review) = command(&["review", &session]);
    assert_eq!(code, Some(3), "{review}");
    assert!(review.contains("NOT CONFIRMED. Do not agree") && review.contains("DIFFERS"), "{review}");
    let (code, status) = command(&["status", &session]);
    assert_eq!(code, Some(0), "{status}");
    assert!(status.contains("do NOT agree"), "{status}");
    let (code, agreed) = command(&["agree", &session, "--yes"]);
    assert_eq!(code, Some(3), "{agreed}");
    assert!(agreed.contains("nothing is signed"), "{agreed}");
    assert_eq!(stage.signed(), ["evidence"]);
}
