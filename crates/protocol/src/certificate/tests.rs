#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixture::{Net, agreement, at, attestation};
use crate::session::Session;

fn completed(net: &Net) -> (Session, Vec<Arc<Verified>>) {
    let (mut session, _) = net.agreed();
    for member in 0..net.roster.threshold() {
        net.attest(member, &mut session, 1);
    }
    let statements = session.completion_certificate().unwrap().statements().cloned().collect();
    (session, statements)
}

#[test]
fn a_certificate_is_checked_again_from_its_statements() {
    let net = Net::new(4);
    let (session, statements) = completed(&net);
    let again = CompletionCertificate::check(&net.roster, statements.clone()).unwrap();
    assert_eq!(Some(again.clone()), session.completion_certificate());
    assert_eq!(again.statements().cloned().collect::<Vec<_>>(), statements);
    assert_eq!(again.attestations().len(), 3);
    assert!(!again.agreement().drill());
}

#[test]
fn too_few_are_no_certificate_whichever_is_missing() {
    let net = Net::new(4);
    let (_, statements) = completed(&net);
    for missing in 0..statements.len() {
        let mut some = statements.clone();
        let gone = some.remove(missing);
        let error = CompletionCertificate::check(&net.roster, some).unwrap_err();
        let expected = match gone.body() {
            Body::Open(_) => CertificateError::NotOne { kind: "open", found: 0 },
            Body::Proposal(_) => CertificateError::NotOne { kind: "proposal", found: 0 },
            body => CertificateError::TooFew { kind: body.kind(), found: 2, needed: 3 },
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn a_member_counts_once() {
    let net = Net::new(4);
    let (session, mut statements) = completed(&net);
    let proposal = session.proposals(1).next().unwrap().digest();
    statements.push(net.sign(0, session.id(), agreement(1, proposal)));
    assert_eq!(
        CompletionCertificate::check(&net.roster, statements),
        Err(CertificateError::Repeated { kind: "agreement", signer: net.name(0) })
    );
}

#[test]
fn foreign_statements_are_refused_not_skipped() {
    let net = Net::new(4);
    let (session, statements) = completed(&net);
    let proposal = session.proposals(1).next().unwrap().digest();
    let other = net.open().id();
    let with = |one: Arc<Verified>| {
        let all = statements.iter().cloned().chain([one]);
        CompletionCertificate::check(&net.roster, all).unwrap_err()
    };
    let foreign = |error: CertificateError| matches!(error, CertificateError::Foreign { .. });
    assert!(foreign(with(net.sign(3, other, agreement(1, proposal)))));
    assert!(foreign(with(net.sign(3, session.id(), agreement(2, proposal)))));
    assert!(foreign(with(net.sign(3, session.id(), agreement(1, Digest::of(b"another"))))));
    assert!(foreign(with(net.sign(3, session.id(), Body::Attestation(attestation(1, proposal, at(0)))))));
    assert!(foreign(with(net.sign(3, session.id(), crate::fixture::abandonment(1)))));
    let unagreed = net.sign(3, session.id(), Body::Attestation(attestation(1, proposal, at(6300))));
    assert_eq!(with(unagreed), CertificateError::NotAgreed { signer: net.name(3) });
    let mut drill = net.statement(3, Some(session.id()), agreement(1, proposal));
    drill.header.drill = true;
    assert!(foreign(with(net.verified(&drill, 3))));
    let larger = Net::new(5);
    assert!(matches!(
        CompletionCertificate::check(&larger.roster, statements),
        Err(CertificateError::OtherRoster { .. })
    ));
}
