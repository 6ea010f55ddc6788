#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;
use crate::digest::Digest;
use crate::fixture::{Net, abandonment, agreement, at, attestation, release};
use crate::statement::Agreement;

fn found(one: &Verified, other: &Verified) -> Option<Contradiction> {
    let [forth, back] = [contradiction(one, other), contradiction(other, one)];
    assert_eq!(forth, back, "the order of the two does not matter");
    forth
}

#[test]
fn each_form_is_found_and_its_neighbours_are_not() {
    let net = Net::new(4);
    let session = net.open();
    let (id, [p, q]) = (session.id(), [Digest::of(b"p"), Digest::of(b"q")]);
    let round = |round| RoundOf { session: id, round };
    let sign = |body| net.sign(2, id, body);
    let attest =
        |round, proposal, seconds| sign(Body::Attestation(attestation(round, proposal, at(seconds))));

    assert_eq!(
        found(&sign(agreement(1, p)), &sign(agreement(1, q))),
        Some(Contradiction::TwoProposals { round: round(1) })
    );
    assert_eq!(found(&sign(agreement(1, p)), &sign(agreement(1, p))), None, "the same, said again");
    assert_eq!(found(&sign(agreement(1, p)), &sign(agreement(2, q))), None);

    let evidence = net.statement(2, Some(id), net.evidence(2, &[0]));
    let mut other = evidence.clone();
    other.body = net.evidence(2, &[0, 60]);
    let sequence = evidence.header.sequence;
    let [evidence, mut later] = [evidence, other.clone()];
    let expected = Contradiction::TwoEvidences { session: Some(id), sequence };
    assert_eq!(found(&net.verified(&evidence, 2), &net.verified(&other, 2)), Some(expected));
    later.header.sequence += 1;
    assert_eq!(found(&net.verified(&evidence, 2), &net.verified(&later, 2)), None);

    let alone = Contradiction::AttestedAndAbandoned { round: round(1), by: None };
    assert_eq!(found(&attest(1, p, 0), &sign(abandonment(1))), Some(alone));
    assert_eq!(found(&attest(1, p, 0), &sign(abandonment(2))), None);
    let implied = Contradiction::AttestedAndAbandoned { round: round(1), by: Some(round(2)) };
    assert_eq!(found(&attest(1, p, 0), &sign(agreement(2, q))), Some(implied));
    assert_eq!(found(&attest(2, p, 0), &sign(agreement(1, q))), None);
    assert_eq!(found(&attest(2, p, 0), &sign(agreement(2, p))), None);
    assert_eq!(found(&attest(1, p, 0), &sign(release(1, p))), None, "a release is no equivocation");

    let two = Some(Contradiction::TwoAttestations { round: round(1) });
    assert_eq!(found(&attest(1, p, 0), &attest(1, q, 0)), two);
    assert_eq!(found(&attest(1, p, 0), &attest(1, p, 60)), two);
    assert_eq!(found(&attest(1, p, 0), &attest(1, p, 0)), None, "the same, said again");
    let mut dump = attestation(1, p, at(0));
    dump.dump.digest = q;
    assert_eq!(found(&attest(1, p, 0), &sign(Body::Attestation(dump))), two);
}

#[test]
fn who_attested_moves_on_with_proof_and_contradicts_nothing() {
    let net = Net::new(4);
    let session = net.open();
    let id = session.id();
    let attested = net.sign(0, id, Body::Attestation(attestation(1, Digest::of(b"p"), at(0))));
    let proof = [2, 3].map(|member| net.sign(member, id, abandonment(1)).envelope().clone());
    let agreement = Agreement {
        round: 2,
        proposal: Digest::of(b"q"),
        attested: [(RoundOf { session: id, round: 1 }, proof.to_vec())].into(),
        elsewhere: BTreeMap::new(),
    };
    assert_eq!(found(&attested, &net.sign(0, id, Body::Agreement(agreement))), None);
}

#[test]
fn agreements_in_two_sessions_follow_each_other() {
    let net = Net::new(4);
    let [one, two] = [net.open().id(), net.open().id()];
    let p = Digest::of(b"p");
    let [first, second] = [RoundOf { session: one, round: 1 }, RoundOf { session: two, round: 1 }];
    let after = |elsewhere: &[(SessionId, u32)]| {
        Body::Agreement(Agreement {
            round: 1,
            proposal: p,
            attested: BTreeMap::new(),
            elsewhere: elsewhere.iter().copied().collect(),
        })
    };
    let apart = found(&net.sign(0, one, after(&[])), &net.sign(0, two, after(&[])));
    let expected = Contradiction::TwoSessions { first: first.min(second), second: first.max(second) };
    assert_eq!(apart, Some(expected));
    assert_eq!(found(&net.sign(0, one, after(&[])), &net.sign(0, two, after(&[(one, 1)]))), None);
    let attested = net.sign(0, one, Body::Attestation(attestation(1, p, at(0))));
    assert_eq!(
        found(&attested, &net.sign(0, two, after(&[(one, 1)]))),
        Some(Contradiction::AttestedAndAbandoned { round: first, by: Some(second) })
    );
    let drill = |session, body| {
        let mut statement = net.statement(0, Some(session), body);
        statement.header.drill = true;
        net.verified(&statement, 0)
    };
    assert_eq!(
        found(&drill(one, after(&[])), &drill(two, after(&[]))),
        None,
        "a drill binds in itself alone"
    );
}

#[test]
fn two_members_never_contradict_each_other() {
    let net = Net::new(4);
    let id = net.open().id();
    let [p, q] = [Digest::of(b"p"), Digest::of(b"q")];
    assert_eq!(found(&net.sign(0, id, agreement(1, p)), &net.sign(1, id, agreement(1, q))), None);
}

#[test]
fn the_proof_kept_does_not_depend_on_the_order() {
    let net = Net::new(4);
    let id = net.open().id();
    let all: Vec<_> = (0..4u8).map(|at| net.sign(0, id, agreement(1, Digest::of(&[at])))).collect();
    let forth = find(&all);
    let back = find(all.iter().rev());
    assert_eq!(forth.len(), 1);
    assert_eq!(forth, back);
    assert!(forth[0].first.digest() < forth[0].second.digest());
}
