#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixture::{Net, at, attestation, part};
use crate::statement::Received;
use crate::vote::{Decision, Record, VoteRefusal, Voter};

/// A donation of the agreed plan, with one part.
fn donation(session: &Session, proposal: Digest) -> Donation {
    let certificate = session.agreement_certificate(1).unwrap();
    let plan = certificate.plan();
    Donation {
        round: 1,
        proposal,
        recovery_timestamp: plan.recovery_timestamp(),
        migration_id: plan.migration_id(),
        party: "DSO::1220ab".to_owned(),
        snapshot: part("snapshot"),
        parts: vec![part("acs_snapshot")],
        url: None,
    }
}

/// The first member donates what it is given, and the second attests a dump received from `from` with these parts.
fn received(change: impl Fn(Donation) -> Donation, from: usize, parts: &[&str]) -> Option<Misfit> {
    let net = Net::new(4);
    let (mut session, proposal) = net.agreed();
    let donated = change(donation(&session, proposal));
    let said = net.say(0, &mut session, Body::Donation(donated));
    let plan_time = session.agreement_certificate(1).unwrap().plan().recovery_timestamp();
    let mut attested = attestation(1, proposal, plan_time);
    attested.parts = parts.iter().map(|name| part(name)).collect();
    attested.received = Some(Received { from: net.name(from), donation: said.digest() });
    net.say(1, &mut session, Body::Attestation(attested));
    let [one] = session.received().try_into().unwrap();
    assert_eq!(one.member, &net.name(1));
    one.misfit
}

#[test]
fn a_received_dump_has_the_parts_that_were_donated() {
    assert_eq!(received(|donation| donation, 0, &["acs_snapshot"]), None);
    let other = received(|donation| donation, 0, &["acs_snapshot", "genesis_state"]);
    assert_eq!(other, Some(Misfit::Parts { parts: ["genesis_state".to_owned()].into() }));
    let none = received(|donation| donation, 0, &[]);
    assert_eq!(none, Some(Misfit::Parts { parts: ["acs_snapshot".to_owned()].into() }));
}

#[test]
fn it_names_a_donation_by_that_member_of_that_round_and_time() {
    let by_another = received(|donation| donation, 2, &["acs_snapshot"]);
    assert!(matches!(by_another, Some(Misfit::OtherDonor { .. })));
    let round = received(|donation| Donation { round: 2, ..donation }, 0, &["acs_snapshot"]);
    assert_eq!(round, Some(Misfit::OtherRound));
    let time = received(|donation| Donation { recovery_timestamp: at(1), ..donation }, 0, &["acs_snapshot"]);
    assert_eq!(time, Some(Misfit::OtherTime));
}

#[test]
fn what_is_not_there_is_not_compared_and_what_is_no_donation_does_not_fit() {
    let net = Net::new(4);
    let (mut session, proposal) = net.agreed();
    let plan_time = session.agreement_certificate(1).unwrap().plan().recovery_timestamp();
    let mut attested = attestation(1, proposal, plan_time);
    attested.received = Some(Received { from: net.name(0), donation: Digest::of(b"elsewhere") });
    net.say(1, &mut session, Body::Attestation(attested.clone()));
    let [unknown] = session.received().try_into().unwrap();
    assert_eq!((unknown.donation, unknown.misfit), (None, None));
    attested.received = Some(Received { from: net.name(0), donation: proposal });
    net.say(2, &mut session, Body::Attestation(attested));
    let misfits: Vec<_> = session.received().into_iter().filter_map(|one| one.misfit).collect();
    assert_eq!(misfits, [Misfit::NoDonation { kind: "proposal" }]);
}

#[test]
fn only_a_covered_member_that_has_agreed_donates_what_was_agreed() {
    let net = Net::new(4);
    let (mut session, proposal) = net.agreed();
    let decide = |session: &Session, member: usize, donation: &Donation| {
        let (me, record) = (net.name(member), Record::new());
        Voter::new(&me, &record, session, &[]).donate(donation)
    };
    let right = donation(&session, proposal);
    assert_eq!(decide(&session, 0, &right), Decision::Sign(right.clone()));
    assert_eq!(decide(&session, 3, &right), Decision::Refuse(VoteRefusal::NotAgreed { round: 1 }));
    let other = Donation { recovery_timestamp: at(1), ..right.clone() };
    assert!(matches!(decide(&session, 0, &other), Decision::Refuse(VoteRefusal::OtherDump { .. })));
    let other = Donation { proposal: Digest::of(b"another"), ..right.clone() };
    assert!(matches!(decide(&session, 0, &other), Decision::Refuse(VoteRefusal::OtherProposal { .. })));
    let said = net.say(0, &mut session, Body::Donation(right.clone()));
    assert_eq!(decide(&session, 0, &right), Decision::Signed(said.digest()), "the same once only");
    let moved = Donation { url: Some("https://elsewhere".to_owned()), ..right };
    assert_eq!(decide(&session, 0, &moved), Decision::Sign(moved.clone()), "another URL is another donation");
}
