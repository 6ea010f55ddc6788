//! Screens as an operator sees them, and that nothing in a statement can change what they say.

#![allow(clippy::unwrap_used)]

use svdr_protocol::digest::Digest;
use svdr_protocol::plan::dump::Parameters;
use svdr_protocol::statement::{Abort, Body, Check, Milestone, ObstacleKind, Readiness};

use super::facts::SessionFacts;
use super::facts::restored::IDENTITIES_CHECK;
use super::fixture::{Meeting, at, name};
use super::heading::{Style, heading};
use super::{short, size};

const PLAIN: Style = Style { colours: false, width: 120 };

fn screen(meeting: &Meeting) -> String {
    super::screen(&SessionFacts::of(&meeting.session), Some(&name(1)), PLAIN)
}

#[test]
fn gathering() {
    let mut meeting = Meeting::open(false);
    meeting.report(0, &["23:25:00"]);
    let check = |name: &str, passed| Check { name: name.to_owned(), passed, text: String::new() };
    let checks = vec![check("roster", true), check("token", false), check("disk", true)];
    meeting.say(2, Body::Readiness(Readiness { checks }));
    svdr_snapshot::assert_snapshot!("gathering", screen(&meeting));
}

#[test]
fn a_session_that_lists_no_coordinators_says_so() {
    let mut facts = SessionFacts::of(&Meeting::open(false).session);
    assert!(!heading(&facts, PLAIN).contains("Any key may propose"));
    facts.coordinators.clear();
    assert!(heading(&facts, PLAIN).contains("Any key may propose round 1"));
}

#[test]
fn proposed_with_a_vote_for_and_a_vote_against() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    meeting.agree(0, proposal);
    meeting.reject(2, proposal, "our participant has been restored since");
    svdr_snapshot::assert_snapshot!("proposed", screen(&meeting));
}

#[test]
fn a_proposal_that_cannot_win_any_more_waits_for_a_convener() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    meeting.reject(2, proposal, "no");
    meeting.reject(3, proposal, "left behind");
    svdr_snapshot::assert_snapshot!("proposal_lost", screen(&meeting));
}

#[test]
fn recovering_with_obstacles() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    meeting.attest(0, proposal, "acs");
    meeting.obstacle(1, proposal, ObstacleKind::Behind, "no snapshot yet for 2026-04-21T23:10:00Z");
    svdr_snapshot::assert_snapshot!("obstacles", screen(&meeting));
}

#[test]
fn obstacles_that_no_time_suits() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    meeting.obstacle(1, proposal, ObstacleKind::Pruned, "pruned beyond 2026-04-21T23:20:00Z");
    meeting.obstacle(2, proposal, ObstacleKind::Behind, "no snapshot yet");
    svdr_snapshot::assert_snapshot!("obstacles_no_time", screen(&meeting));
}

#[test]
fn a_shorter_margin_is_named_where_it_takes_one_to_suit_all() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    meeting.obstacle(1, proposal, ObstacleKind::Pruned, "pruned beyond 2026-04-21T23:10:00Z");
    let bounds = SessionFacts::of(&meeting.session).bounds.unwrap();
    assert_eq!((bounds.would_choose, bounds.shorter_margin_seconds), (Some(at("23:18:00")), Some(7 * 60)));
    let command = bounds.command.unwrap();
    assert!(command.ends_with(" --margin 7m --not-before 2026-04-21T23:10:00.000001Z"), "{command}");
    assert!(screen(&meeting).contains("with a shorter margin of 7m"), "{}", screen(&meeting));
}

#[test]
fn what_the_last_convener_chose_is_kept_but_for_the_bounds() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let own = meeting.session.parameters();
    let excluded = [name(3)].into();
    let chosen = Parameters { not_after: Some(at("23:09:30")), excluded, ..own };
    let proposal = meeting.propose(Some(&chosen));
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    meeting.obstacle(1, proposal, ObstacleKind::Pruned, "pruned beyond 2026-04-21T23:09:00Z");
    let command = SessionFacts::of(&meeting.session).bounds.unwrap().command.unwrap();
    assert!(!command.contains("--not-after") && !command.contains("--margin"), "{command}");
    assert!(command.contains(" --not-before 2026-04-21T23:09:00.000001Z --exclude "), "{command}");
}

#[test]
fn two_proposals_in_one_round() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let own = meeting.session.parameters();
    let first = meeting.session.next_proposal(&own).unwrap();
    let parameters = Parameters { not_after: Some(at("23:09:30")), ..own };
    let second = meeting.session.next_proposal(&parameters).unwrap();
    let [first, second] = [first, second].map(|proposal| meeting.say(0, Body::Proposal(proposal)).digest());
    meeting.agree(0, second);
    meeting.agree(1, second);
    meeting.agree(2, first);
    svdr_snapshot::assert_snapshot!("two_proposals", screen(&meeting));
}

#[test]
fn completed_with_milestones() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    for (by, acs) in [(0, "acs"), (1, "acs"), (2, "another acs")] {
        meeting.attest(by, proposal, acs);
    }
    let done = |name: &str, note: &str| Milestone { name: name.to_owned(), note: note.to_owned() };
    meeting.say(0, Body::Milestone(done("stopped", "")));
    meeting.say(0, Body::Milestone(done("synchronizer-deployed", "helm revision 41")));
    meeting.say(1, Body::Milestone(done("pager handed over", "")));
    let identities = Check { name: IDENTITIES_CHECK.to_owned(), passed: true, text: String::new() };
    meeting.say(3, Body::Readiness(Readiness { checks: vec![identities] }));
    svdr_snapshot::assert_snapshot!("completed", screen(&meeting));
}

#[test]
fn dumps_that_differ_where_they_must_not_are_the_first_that_is_said() {
    let mut meeting = Meeting::open(true);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    for (by, acs, genesis) in
        [(0, "acs 0", "genesis"), (1, "acs 1", "genesis"), (2, "acs 2", "another genesis")]
    {
        meeting.attest_with(by, proposal, acs, genesis);
    }
    svdr_snapshot::assert_snapshot!("dumps_differ", screen(&meeting));
}

/// Round 1 is completed by the first three.
fn completed() -> (Meeting, Digest) {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    (0..3).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    (meeting, proposal)
}

#[test]
fn restored_but_two_of_them_disagree() {
    let (mut meeting, proposal) = completed();
    meeting.confirm(0, proposal, &[(1, &["23:58:00"], &[]), (2, &["23:58:00"], &[])]);
    meeting.confirm(1, proposal, &[(0, &["23:58:00"], &[]), (2, &["23:58:00"], &["23:59:00"])]);
    meeting.confirm(2, proposal, &[(0, &["23:58:00"], &[]), (1, &["23:58:00"], &["23:59:00"])]);
    meeting.confirm(3, proposal, &[]);
    svdr_snapshot::assert_snapshot!("restored_mismatch", screen(&meeting));
}

#[test]
fn restored_and_verified_by_the_threshold() {
    let (mut meeting, proposal) = completed();
    for by in 0..3 {
        let others = (0..3).filter(|other| *other != by);
        let about: Vec<(usize, &[&str], &[&str])> =
            others.map(|other| (other, &["23:58:00"][..], &[][..])).collect();
        meeting.confirm(by, proposal, &about);
    }
    svdr_snapshot::assert_snapshot!("verified", screen(&meeting));
    let facts = SessionFacts::of(&meeting.session);
    assert_eq!(facts.phase, "verified");
    let restoration = facts.restoration.unwrap();
    assert_eq!((restoration.matching_pairs, restoration.together.len()), (3, 3));
}

#[test]
fn a_drill_with_an_equivocator_a_release_and_an_abort() {
    let mut meeting = Meeting::open(true);
    meeting.report_all();
    let first = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, first)));
    let attestation = meeting.attest(0, first, "acs").digest();
    meeting.attest(2, first, "acs");
    meeting.abandon(2, 1, "pruned since");
    meeting.release(0, 1, attestation, "SV-Nodeops is dead, agreed on the call");
    meeting.say(0, Body::Abort(Abort { reason: "wrong roster".to_owned() }));
    svdr_snapshot::assert_snapshot!("drill_aborted", screen(&meeting));
}

#[test]
fn every_screen_of_a_drill_says_so_first() {
    let meeting = Meeting::open(true);
    assert!(screen(&meeting).starts_with("DRILL: "));
    assert!(!screen(&Meeting::open(false)).contains("DRILL"));
    assert!(super::live::line(&meeting.said[0]).starts_with("DRILL "));
}

#[test]
fn colours_are_there_only_where_they_are_wanted() {
    let facts = SessionFacts::of(&Meeting::open(true).session);
    let coloured = heading(&facts, Style { colours: true, width: 120 });
    assert!(coloured.starts_with("\u{1b}[1;31mDRILL"), "{coloured:?}");
    assert!(!heading(&facts, PLAIN).contains('\u{1b}'));
}

#[test]
fn the_facts_have_stable_keys() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    meeting.attest(0, proposal, "acs");
    meeting.obstacle(1, proposal, ObstacleKind::Behind, "not caught up");
    let json = serde_json::to_string_pretty(&SessionFacts::of(&meeting.session)).unwrap();
    svdr_snapshot::assert_snapshot!("json", json);
}

#[test]
fn sizes_are_in_the_unit_that_people_compare() {
    let sizes = [0, 999, 1000, 1_999, 999_999, 1_000_000, 1_234_567_890, u64::MAX];
    assert_eq!(
        sizes.map(size),
        ["0 B", "999 B", "1.0 kB", "1.9 kB", "999.9 kB", "1.0 MB", "1.2 GB", "18446.7 PB"]
    );
    let digest = svdr_protocol::digest::Digest::of(b"");
    assert_eq!(short(&digest), "e3b0c44298fc");
}
