//! What an operator decides without any coordinator: signed once, flushed, and never against the rules.

#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::sync::Arc;

use svdr_cli::screens::fixture::{Meeting, key, name};
use svdr_client::{Coordinator, Coordinators};
use svdr_protocol::statement::{Milestone, Statement};
use svdr_protocol::vote::VoteRefusal;
use tempfile::TempDir;

use super::*;
use crate::config::AgentConfig;
use crate::store::{Signer, Store};

/// The member at 1, whose store mirrors the meeting, and whose only coordinator is not there.
fn online(folder: &TempDir, meeting: &Meeting) -> Online {
    let store = Store::open(folder.path()).unwrap();
    let envelopes: Vec<&Envelope> = meeting.said.iter().map(|one| one.envelope()).collect();
    store.lock().unwrap().mirror(meeting.session.id(), &envelopes).unwrap();
    // Bound and closed again: nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let coordinator = Coordinator { url: format!("https://{closed}"), key: key(3).verifying_key().into() };
    Online {
        config: AgentConfig::default(),
        roster: Arc::clone(&meeting.roster),
        signer: Signer {
            member: name(1),
            key: key(1),
            roster: meeting.roster.fingerprint(),
            software: "test".to_owned(),
        },
        coordinators: Coordinators::new(vec![coordinator], &key(1)).unwrap(),
        store,
    }
}

fn proposed() -> (Meeting, Digest) {
    let mut meeting = Meeting::open(false);
    for by in [0, 2, 3] {
        meeting.report(by, &["22:55:00", "23:25:00"]);
    }
    meeting.report(1, &["22:55:00", "23:25:00"]);
    let proposal = meeting.propose(None);
    (meeting, proposal)
}

/// Carries out a wish that needs no asking.
fn carry_out(
    online: &Online,
    meeting: &Meeting,
    rule: &dyn Fn(&Voter<'_>) -> Decision<Body>,
) -> Result<(), Failure> {
    let prefix = meeting.session.id().to_string();
    svdr_cli::runtime::block_on(async {
        let seen = online.session(Some(&prefix[..8])).await?;
        let wish = Wish {
            decide: rule,
            words: &|_, _, body| body.to_string(),
            questions: vec!["Sign?".to_owned()],
            beforehand: Beforehand::Yes,
        };
        decide(online, seen, &wish, Output::Json).await
    })
}

/// Why nothing was signed.
fn why<T>(decided: &Result<T, Failure>) -> Option<&DecideError> {
    decided.as_ref().err().and_then(|failure| failure.error().downcast_ref())
}

/// The kinds of what the member has signed.
fn signed(online: &Online, meeting: &Meeting) -> Vec<&'static str> {
    let signed = online.store.signed(meeting.session.id()).unwrap();
    signed.iter().map(|one| Statement::read(one, &meeting.roster).unwrap().body.kind()).collect()
}

#[test]
fn a_decision_is_signed_once_and_kept_without_any_coordinator() {
    let (folder, (meeting, proposal)) = (TempDir::new().unwrap(), proposed());
    let online = online(&folder, &meeting);
    let agree = |voter: &Voter<'_>| any(voter.agree(&proposal), Body::Agreement);
    carry_out(&online, &meeting, &agree).unwrap();
    let first = online.store.signed(meeting.session.id()).unwrap();
    carry_out(&online, &meeting, &agree).unwrap();
    assert_eq!(online.store.signed(meeting.session.id()).unwrap(), first);
    assert_eq!(signed(&online, &meeting), ["agreement"]);
}

#[test]
fn what_the_rules_refuse_is_not_signed() {
    let (folder, (meeting, proposal)) = (TempDir::new().unwrap(), proposed());
    let online = online(&folder, &meeting);
    carry_out(&online, &meeting, &|voter| any(voter.agree(&proposal), Body::Agreement)).unwrap();
    let rejected = carry_out(&online, &meeting, &|voter| any(voter.reject(&proposal, "no"), Body::Rejection));
    assert!(matches!(why(&rejected), Some(DecideError::Refused(VoteRefusal::AgreedAlready { round: 1 }))));
    let released = carry_out(&online, &meeting, &|voter| any(voter.release(1, "no"), Body::Release));
    assert_eq!(released.unwrap_err().exit(), Exit::Refused);
    let unknown = Digest::of(b"no proposal");
    let early = carry_out(&online, &meeting, &|voter| any(voter.agree(&unknown), Body::Agreement));
    assert!(matches!(why(&early), Some(DecideError::Wait(Wait::Proposal { .. }))));
    assert_eq!(signed(&online, &meeting), ["agreement"]);
}

#[test]
fn what_was_not_shown_is_not_signed() {
    let (folder, (meeting, _)) = (TempDir::new().unwrap(), proposed());
    let online = online(&folder, &meeting);
    let asked = Cell::new(0);
    let changing = |_: &Voter<'_>| {
        asked.set(asked.get() + 1);
        Decision::Sign(Body::Milestone(Milestone {
            name: format!("step {}", asked.get()),
            note: String::new(),
        }))
    };
    assert!(matches!(why(&carry_out(&online, &meeting, &changing)), Some(DecideError::Changed)));
    assert_eq!(asked.get(), 2);
    assert!(signed(&online, &meeting).is_empty());
}

#[test]
fn a_reason_is_one_line_that_others_can_read() {
    assert_eq!(reason(" pruned\nsince ").ok().as_deref(), Some("pruned since"));
    assert!(matches!(why(&reason("")), Some(DecideError::Reason)));
    assert!(matches!(why(&reason(" \n\t")), Some(DecideError::Reason)));
    assert!(matches!(why(&reason(&"x".repeat(MAX_REASON_LEN + 1))), Some(DecideError::Reason)));
    assert!(reason(&"x".repeat(MAX_REASON_LEN)).is_ok());
}
