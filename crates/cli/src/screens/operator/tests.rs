//! Each screen as the operator of Digital-Asset-2 reads it.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use crate::screens::facts::SessionFacts;
use crate::screens::fixture::{Meeting, at, name};
use crate::screens::heading::Style;
use svdr_protocol::digest::Digest;
use svdr_protocol::milestone::Step;
use svdr_protocol::plan::dump::Parameters;
use svdr_protocol::statement::{Body, Donation, Milestone, ObstacleKind, Proposal};
use svdr_protocol::vote::{Decision, Record, Voter};

use super::next::{Next, next};
use super::review::Review;
use super::{review, signing};

const PLAIN: Style = Style { colours: false, width: 110 };

/// What the operator of the member at `me` does next.
fn next_of(meeting: &Meeting, me: usize) -> Next {
    let (me, record) = (name(me), Record::new());
    next(&meeting.session, &me, &Voter::new(&me, &record, &meeting.session, &[]))
}

fn status(meeting: &Meeting, me: usize) -> String {
    super::status(&SessionFacts::of(&meeting.session), &name(me), &next_of(meeting, me), PLAIN)
}

fn reviewed(meeting: &Meeting, digest: Digest, me: usize) -> String {
    let verified = Arc::clone(meeting.session.statement(&digest).unwrap());
    let Body::Proposal(proposal) = verified.body() else { panic!("no proposal") };
    review::review(&Review::of(&meeting.session, digest, proposal, &name(me)), &name(me), PLAIN)
}

/// Round 1 is agreed by the first three.
fn agreed(drill: bool) -> (Meeting, Digest) {
    let mut meeting = Meeting::open(drill);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..3).for_each(|by| drop(meeting.agree(by, proposal)));
    (meeting, proposal)
}

#[test]
fn status_of_a_proposal() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    meeting.propose(None);
    svdr_snapshot::assert_snapshot!("status_proposed", status(&meeting, 1));
}

#[test]
fn what_comes_next_in_each_phase() {
    let mut text = String::new();
    let mut note = |when: &str, meeting: &Meeting, me: usize| {
        let Next { what, commands } = next_of(meeting, me);
        text += &format!("{when}\n  {what}\n");
        text.extend(commands.iter().map(|command| format!("    {command}\n")));
    };
    let mut meeting = Meeting::open(false);
    note("gathering, nothing reported", &meeting, 1);
    meeting.report_all();
    note("gathering, reported", &meeting, 1);
    let proposal = meeting.propose(None);
    note("proposed", &meeting, 1);
    meeting.reject(1, proposal, "no");
    note("rejected by oneself", &meeting, 1);
    meeting.agree(1, proposal);
    note("agreed by oneself", &meeting, 1);
    meeting.agree(0, proposal);
    meeting.agree(2, proposal);
    note("agreed by enough, dump to be made", &meeting, 1);
    note("agreed by enough, but not by oneself", &meeting, 3);
    meeting.obstacle(1, proposal, ObstacleKind::Pruned, "pruned");
    note("one's own SV app is pruned", &meeting, 1);
    meeting.attest(0, proposal, "acs");
    note("attested", &meeting, 0);
    meeting.attest(1, proposal, "acs");
    meeting.attest(2, proposal, "acs");
    note("completed, with a dump", &meeting, 1);
    note("completed, left behind", &meeting, 3);
    let done = |step: Step| Body::Milestone(Milestone { name: step.name().to_owned(), note: String::new() });
    meeting.say(1, done(Step::Delivered));
    note("delivered", &meeting, 1);
    meeting.say(1, done(Step::Restored));
    note("restored", &meeting, 1);
    meeting.confirm(1, proposal, &[(0, &["23:58:00"], &[]), (2, &["23:58:00"], &[])]);
    note("confirmed by oneself", &meeting, 1);
    meeting.confirm(0, proposal, &[(1, &["23:58:00"], &[]), (2, &["23:58:00"], &[])]);
    meeting.confirm(2, proposal, &[(1, &["23:58:00"], &[]), (0, &["23:58:00"], &[])]);
    note("verified", &meeting, 1);
    let (mut drill, proposal) = agreed(true);
    (0..3).for_each(|by| drop(drill.attest(by, proposal, "acs")));
    note("completed drill", &drill, 1);
    svdr_snapshot::assert_snapshot!("next_steps", text);
}

#[test]
fn a_member_that_attested_waits_for_abandonments_of_the_lower_round() {
    let (mut meeting, first) = agreed(false);
    meeting.attest(1, first, "acs");
    meeting.obstacle(0, first, ObstacleKind::Behind, "not caught up");
    let bounds = meeting.session.bounds();
    let parameters = Parameters { not_after: bounds.not_after, ..meeting.session.parameters() };
    meeting.propose(Some(&parameters));
    svdr_snapshot::assert_snapshot!("waits_for_abandonments", status(&meeting, 1));
}

#[test]
fn review_of_a_confirmed_proposal() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let parameters = Parameters { not_after: Some(at("23:10:00")), ..meeting.session.parameters() };
    let proposal = meeting.propose(Some(&parameters));
    meeting.report(2, &["22:55:00", "23:25:00", "23:26:00"]);
    svdr_snapshot::assert_snapshot!("review_confirmed", reviewed(&meeting, proposal, 1));
}

#[test]
fn review_by_the_member_that_is_left_behind_of_an_unbracketed_proposal() {
    let mut meeting = Meeting::open(true);
    (0..3).for_each(|by| meeting.report(by, &["23:25:00"]));
    let proposal = meeting.propose(None);
    svdr_snapshot::assert_snapshot!("review_unbracketed", reviewed(&meeting, proposal, 3));
}

#[test]
fn review_of_a_proposal_that_does_not_follow() {
    let mut meeting = Meeting::open(false);
    meeting.report_all();
    let own = meeting.session.parameters();
    let honest = meeting.session.next_proposal(&own).unwrap();
    let mut candidate = honest.candidate.clone();
    candidate.covered.insert(name(3));
    candidate.left_behind.clear();
    let forged = meeting.say(0, Body::Proposal(Proposal { candidate, ..honest })).digest();
    svdr_snapshot::assert_snapshot!("review_wrong", reviewed(&meeting, forged, 1));
}

#[test]
fn the_words_before_each_signature() {
    let mut texts = Vec::new();
    let (me, record) = (name(1), Record::new());
    let mut meeting = Meeting::open(true);
    meeting.report_all();
    let proposal = meeting.propose(None);
    let session = meeting.session.clone();
    let voter = Voter::new(&me, &record, &session, &[]);
    let Decision::Sign(agreement) = voter.agree(&proposal) else { panic!("not agreed") };
    texts.push(signing::agreement(&session, &me, &agreement));
    let Decision::Sign(rejection) = voter.reject(&proposal, "our participant was restored") else { panic!() };
    texts.push(signing::rejection(&session, &me, &rejection));
    let Decision::Sign(abandonment) = voter.abandon(1, "pruned") else { panic!() };
    texts.push(signing::abandonment(&session, &me, &abandonment));
    let (mut meeting, proposal) = agreed(false);
    meeting.attest(0, proposal, "acs");
    meeting.attest(1, proposal, "acs");
    let session = meeting.session.clone();
    let voter = Voter::new(&me, &record, &session, &[]);
    let Decision::Sign(release) = voter.release(1, "SV-Nodeops is dead") else { panic!() };
    texts.push(signing::release(&session, &me, &release));
    texts.push(signing::release_questions(1, &me).join("\n"));
    let milestone = Milestone { name: "deployed".to_owned(), note: "helm revision 41".to_owned() };
    texts.push(signing::milestone(&session, &me, &milestone));
    svdr_snapshot::assert_snapshot!("before_signatures", texts.join("\n\n----\n\n"));
}

#[test]
fn a_second_agreement_says_what_it_abandons_and_moves_on_from() {
    let (mut meeting, first) = agreed(false);
    meeting.attest(1, first, "acs");
    [0, 2].into_iter().for_each(|by| meeting.abandon(by, 1, "pruned"));
    let second = meeting.propose(None);
    let record = Record::new();
    let mut text = String::new();
    for me in [0, 1] {
        let me = name(me);
        let voter = Voter::new(&me, &record, &meeting.session, &[]);
        let Decision::Sign(agreement) = voter.agree(&second) else { panic!("{:?}", voter.agree(&second)) };
        text += &signing::agreement(&meeting.session, &me, &agreement);
        text += "\n\n----\n\n";
    }
    svdr_snapshot::assert_snapshot!("second_agreement", text);
}

#[test]
fn a_member_without_a_dump_is_led_to_a_donor() {
    let mut text = String::new();
    let mut note = |when: &str, meeting: &Meeting, me: usize| {
        let Next { what, commands } = next_of(meeting, me);
        text += &format!("{when}\n  {what}\n");
        text.extend(commands.iter().map(|command| format!("    {command}\n")));
    };
    let (mut meeting, proposal) = agreed(false);
    meeting.agree(3, proposal);
    meeting.obstacle(2, proposal, ObstacleKind::Pruned, "pruned");
    note("pruned, nobody donates", &meeting, 2);
    meeting.donate(0, proposal, "dso", Some("https://sv-1.example.com:7444"));
    note("pruned, somebody donates", &meeting, 2);
    (0..2).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    let donated = meeting.donate(1, proposal, "dso", None);
    meeting.attest_received(3, &donated, "dso");
    note("completed, pruned, two donate", &meeting, 2);
    svdr_snapshot::assert_snapshot!("left_behind_review", text);
    svdr_snapshot::assert_snapshot!("left_behind_status", status(&meeting, 3));
}

#[test]
fn a_received_dump_that_is_not_what_was_donated_stands_on_the_screen() {
    let (mut meeting, proposal) = agreed(false);
    meeting.agree(3, proposal);
    let donated = meeting.donate(0, proposal, "dso", None);
    (0..2).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    meeting.attest_received(3, &donated, "another");
    svdr_snapshot::assert_snapshot!("received_differs", status(&meeting, 1));
}

#[test]
fn the_words_before_a_donation_and_a_receipt() {
    let (mut meeting, proposal) = agreed(false);
    let donated = meeting.donate(0, proposal, "dso", Some("https://sv-1.example.com:7444"));
    let Body::Donation(donation) = donated.body() else { panic!("no donation") };
    let session = &meeting.session;
    let mut texts = vec![signing::donation(session, &name(0), donation)];
    texts.push(signing::donation(session, &name(0), &Donation { url: None, ..donation.clone() }));
    let of = (&name(0), &donated.digest(), donation);
    texts.push(signing::receiving(session, &name(1), of, None));
    let (me, record) = (name(3), Record::new());
    let Decision::Sign(agreement) = Voter::new(&me, &record, session, &[]).agree(&proposal) else { panic!() };
    texts.push(signing::receiving(session, &me, of, Some(&agreement)));
    svdr_snapshot::assert_snapshot!("before_donations", texts.join("\n\n----\n\n"));
}
