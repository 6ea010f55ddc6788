#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use svdr_cli::screens::fixture::{Meeting, name};
use svdr_protocol::plan::dump::Parameters;
use svdr_protocol::statement::{Abort, ObstacleKind, Rejection};
use svdr_protocol::vote::Record;

use super::*;

/// A policy under which member `me` looks at the meeting.
#[derive(Clone, Copy)]
struct Policy {
    approval: Approval,
    migration_id: u64,
    has_logs: bool,
    grace_is_over: bool,
}

const AUTOMATIC: Policy =
    Policy { approval: Approval::Automatic, migration_id: 6, has_logs: true, grace_is_over: true };
const OPERATOR: Policy = Policy { approval: Approval::Operator, ..AUTOMATIC };

fn steps_of(meeting: &Meeting, me: usize, policy: Policy) -> Vec<Action> {
    let (me, record) = (name(me), Record::new());
    let Policy { approval, migration_id, has_logs, grace_is_over } = policy;
    let voter = Voter::new(&me, &record, &meeting.session, &[]);
    Situation { me: &me, session: &meeting.session, voter, approval, grace_is_over, migration_id, has_logs }
        .steps()
}

/// What is done, without what is only told.
fn done(meeting: &Meeting, me: usize, policy: Policy) -> Vec<Action> {
    let steps = steps_of(meeting, me, policy).into_iter();
    steps.filter(|step| !matches!(step, Action::Tell(_))).collect()
}

fn wanted(meeting: &Meeting, proposal: Digest) -> WantedDump {
    let verified = Arc::clone(meeting.session.statement(&proposal).unwrap());
    let Body::Proposal(content) = verified.body() else { panic!("no proposal") };
    WantedDump {
        round: content.round,
        proposal,
        recovery_timestamp: content.plan.recovery_timestamp(),
        migration_id: content.plan.migration_id(),
    }
}

#[test]
fn evidence_is_reported_once_and_only_where_there_are_logs() {
    let mut meeting = Meeting::open(false);
    assert_eq!(done(&meeting, 1, AUTOMATIC), [Action::Report]);
    assert_eq!(done(&meeting, 1, Policy { has_logs: false, ..AUTOMATIC }), []);
    meeting.report(1, &["23:24:00"]);
    assert_eq!(done(&meeting, 1, AUTOMATIC), []);
}

#[test]
fn a_confirmed_proposal_is_agreed_to_or_asked_about_as_configured() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    assert_eq!(done(&meeting, 1, AUTOMATIC), [Action::Agree { proposal }]);
    let ask = |reason| [Action::Ask { round: 1, proposal, reason }];
    assert_eq!(done(&meeting, 1, OPERATOR), ask(AskReason::Configured));
    // The fourth is left behind by it; nobody signs that for its operator.
    assert_eq!(done(&meeting, 3, AUTOMATIC), ask(AskReason::LeftBehind));
    let other = Policy { migration_id: 7, ..AUTOMATIC };
    let reason = AskReason::OtherMigrationId { proposed: 6, configured: 7 };
    assert_eq!(done(&meeting, 1, other), ask(reason));
}

#[test]
fn automatic_approval_waits_for_those_that_have_not_reported() {
    let early = Policy { grace_is_over: false, ..AUTOMATIC };
    let mut meeting = Meeting::open(false);
    (0..3).for_each(|member| meeting.report(member, &["23:24:00"]));
    let proposal = meeting.propose(None);
    let steps = steps_of(&meeting, 1, early);
    assert!(matches!(steps.as_slice(), [Action::Tell(text)] if text.contains(name(3).as_str())), "{steps:?}");
    assert_eq!(done(&meeting, 1, AUTOMATIC), [Action::Agree { proposal }]);
    // A person decides without it, and when everybody has reported there is nobody to wait for.
    let operator = Policy { grace_is_over: false, ..OPERATOR };
    assert_eq!(
        done(&meeting, 1, operator),
        [Action::Ask { round: 1, proposal, reason: AskReason::Configured }]
    );
    meeting.report(3, &["23:24:00"]);
    assert_eq!(done(&meeting, 1, early), [Action::Agree { proposal }]);
}

#[test]
fn what_does_not_follow_from_the_evidence_is_told_and_never_signed() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let own = meeting.session.parameters();
    let mut proposal = meeting.session.next_proposal(&own).unwrap();
    proposal.candidate.history_lost_seconds += 1;
    meeting.say(0, Body::Proposal(proposal));
    for policy in [AUTOMATIC, OPERATOR] {
        let steps = steps_of(&meeting, 1, policy);
        assert!(
            matches!(steps.as_slice(), [Action::Warn(text)] if text.contains("history lost")),
            "{steps:?}"
        );
    }
    // One beside it that follows is agreed to, whichever is looked at first.
    let mut sound = meeting.session.next_proposal(&own).unwrap();
    sound.round = 1;
    let proposal = meeting.say(0, Body::Proposal(sound)).digest();
    let steps = steps_of(&meeting, 1, AUTOMATIC);
    assert!(steps.contains(&Action::Agree { proposal }), "{steps:?}");
    assert!(steps.iter().all(|step| matches!(step, Action::Warn(_) | Action::Agree { .. })), "{steps:?}");
}

#[test]
fn who_has_rejected_or_abandoned_is_not_asked_again() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    meeting.reject(1, proposal, "the backup is older");
    assert_eq!(done(&meeting, 1, AUTOMATIC), []);
    meeting.abandon(2, 1, "the disk is broken");
    assert_eq!(done(&meeting, 2, AUTOMATIC), []);
    // Another proposal of the round is another question.
    let parameters = Parameters {
        not_after: Some("2026-04-21T23:09:30Z".parse().unwrap()),
        ..meeting.session.parameters()
    };
    let mut second = meeting.session.next_proposal(&parameters).unwrap();
    second.round = 1;
    let second = meeting.say(0, Body::Proposal(second)).digest();
    assert_eq!(done(&meeting, 1, AUTOMATIC), [Action::Agree { proposal: second }]);
}

#[test]
fn the_dump_waits_for_the_certificate_and_ends_with_the_attestation() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    meeting.agree(1, proposal);
    meeting.agree(2, proposal);
    assert_eq!(done(&meeting, 1, AUTOMATIC), []);
    let told = steps_of(&meeting, 1, AUTOMATIC);
    assert!(matches!(told.as_slice(), [Action::Tell(text)] if text.contains("Digital-Asset-1")), "{told:?}");
    meeting.agree(0, proposal);
    assert_eq!(done(&meeting, 1, AUTOMATIC), [Action::Dump(wanted(&meeting, proposal))]);
    meeting.attest(1, proposal, "acs");
    assert_eq!(done(&meeting, 1, AUTOMATIC), []);
}

#[test]
fn a_superseded_round_is_not_worked_on() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let first = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, first)));
    meeting.obstacle(0, first, ObstacleKind::Behind, "not caught up");
    assert_eq!(done(&meeting, 1, AUTOMATIC), [Action::Dump(wanted(&meeting, first))]);
    let bounds = meeting.session.bounds();
    let parameters = Parameters { not_after: bounds.not_after, ..meeting.session.parameters() };
    let second = meeting.propose(Some(&parameters));
    assert_eq!(done(&meeting, 1, AUTOMATIC), [Action::Agree { proposal: second }]);
}

#[test]
fn a_completed_session_is_finished_by_everybody_who_agreed() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..4).for_each(|by| drop(meeting.agree(by, proposal)));
    let attested = (0..3).map(|by| meeting.attest(by, proposal, "acs").digest()).collect::<Vec<_>>();
    let end = End::Attested { round: 1, attestation: attested[1] };
    assert_eq!(done(&meeting, 1, AUTOMATIC), [Action::KeepCertificate, Action::End(end)]);
    let dump = Action::Dump(wanted(&meeting, proposal));
    assert_eq!(done(&meeting, 3, AUTOMATIC), [Action::KeepCertificate, dump]);
}

#[test]
fn who_is_left_behind_has_nothing_to_do_in_a_completed_session() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    (0..3).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    let end = Action::End(End::CompletedWithout { round: 1 });
    assert_eq!(done(&meeting, 3, AUTOMATIC), [Action::KeepCertificate, end]);
}

#[test]
fn who_comes_late_to_a_completed_session_follows_unless_it_refused() {
    let mut meeting = Meeting::open(false);
    (0..4).for_each(|by| meeting.report(by, &["22:55:00", "23:24:00", "23:25:00"]));
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    (0..3).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    assert_eq!(done(&meeting, 3, AUTOMATIC), [Action::KeepCertificate, Action::Agree { proposal }]);
    let ask = Action::Ask { round: 1, proposal, reason: AskReason::Configured };
    assert_eq!(done(&meeting, 3, OPERATOR), [Action::KeepCertificate, ask]);
    let rejection = Rejection { round: 1, proposal, reason: "not with this margin".to_owned() };
    meeting.say(3, Body::Rejection(rejection));
    let end = Action::End(End::CompletedWithout { round: 1 });
    assert_eq!(done(&meeting, 3, AUTOMATIC), [Action::KeepCertificate, end]);
}

#[test]
fn who_follows_dumps_and_attests_like_the_others() {
    let mut meeting = Meeting::open(false);
    (0..4).for_each(|by| meeting.report(by, &["22:55:00", "23:24:00", "23:25:00"]));
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    (0..3).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    meeting.agree(3, proposal);
    let dump = Action::Dump(wanted(&meeting, proposal));
    assert_eq!(done(&meeting, 3, AUTOMATIC), [Action::KeepCertificate, dump]);
}

#[test]
fn an_abort_ends_it_unless_it_is_completed() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    meeting.say(0, Body::Abort(Abort { reason: "wrong network".to_owned() }));
    assert_eq!(done(&meeting, 1, AUTOMATIC), [Action::End(End::Aborted)]);
    (0..3).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    assert!(done(&meeting, 1, AUTOMATIC).contains(&Action::KeepCertificate));
}
