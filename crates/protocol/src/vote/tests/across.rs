//! What reaches across rounds and sessions: proofs, predecessors, drills.

use super::*;

#[test]
fn an_attestation_binds_in_other_sessions_of_the_network() {
    let net = Net::new(4);
    let (mut first, _) = net.agreed();
    let attested = net.attest(0, &mut first, 1);
    let mut second = net.gathered();
    let proposal = net.propose(&mut second);
    let me = net.name(0);
    let mut record = Record::new();
    record.sign(attested);
    // Without the other session, from the record alone.
    assert!(matches!(
        voter(&me, &record, &second, &[]).agree(&proposal),
        Decision::Wait(Wait::Abandonments { needed: 2, .. })
    ));
    net.say(2, &mut first, abandonment(1));
    net.say(3, &mut first, abandonment(1));
    let Decision::Sign(agreement) = voter(&me, &Record::new(), &second, &[&first]).agree(&proposal) else {
        panic!("still locked")
    };
    assert_eq!(agreement.elsewhere, BTreeMap::from([(first.id(), 1)]));
    net.say(0, &mut second, Body::Agreement(agreement));
}

#[test]
fn agreeing_in_another_session_abandons_the_first() {
    let net = Net::new(4);
    let (first, _) = net.agreed();
    let mut second = net.gathered();
    let proposal = net.propose(&mut second);
    let me = net.name(1);
    let record = Record::new();
    let Decision::Sign(agreement) = voter(&me, &record, &second, &[&first]).agree(&proposal) else {
        panic!("refused")
    };
    let by = net.say(1, &mut second, Body::Agreement(agreement)).digest();
    let round = first.round_of(1);
    assert_eq!(
        voter(&me, &record, &first, &[&second]).dump(1),
        Decision::Refuse(VoteRefusal::Abandoned { round, by })
    );
}

#[test]
fn agreements_in_another_session_prove_that_an_attested_round_is_left() {
    let net = Net::new(4);
    let (mut first, _) = net.agreed();
    net.attest(0, &mut first, 1);
    let mut second = net.gathered();
    let proposal = net.propose(&mut second);
    let record = Record::new();
    for member in [1, 2] {
        let me = net.name(member);
        assert!(matches!(
            voter(&net.name(0), &record, &second, &[&first]).agree(&proposal),
            Decision::Wait(Wait::Abandonments { needed: 2, .. })
        ));
        let Decision::Sign(agreement) = voter(&me, &record, &second, &[&first]).agree(&proposal) else {
            panic!("refused")
        };
        net.say(member, &mut second, Body::Agreement(agreement));
    }
    let me = net.name(0);
    let Decision::Sign(agreement) = voter(&me, &record, &second, &[&first]).agree(&proposal) else {
        panic!("still locked")
    };
    // Everybody accepts it with the proof that it carries.
    net.say(0, &mut second, Body::Agreement(agreement));
    assert_eq!(second.agreement_certificate(1).unwrap().agreements().len(), 3);
}

#[test]
fn a_completed_session_is_followed_only_by_one_that_names_it() {
    let net = Net::new(4);
    let (mut first, _) = net.agreed();
    for member in 0..3 {
        net.attest(member, &mut first, 1);
    }
    let completed = first.round_of(1);
    let me = net.name(0);
    let record = Record::new();
    let mut stranger = net.gathered();
    let proposal = net.propose(&mut stranger);
    assert_eq!(
        voter(&me, &record, &stranger, &[&first]).agree(&proposal),
        Decision::Refuse(VoteRefusal::CompletedElsewhere { completed })
    );
    let mut heir = net.gather(net.open_after([first.id()].into(), false));
    let proposal = net.propose(&mut heir);
    let Decision::Sign(agreement) = voter(&me, &record, &heir, &[&first]).agree(&proposal) else {
        panic!("refused")
    };
    assert_eq!(agreement.attested, BTreeMap::from([(completed, Vec::new())]));
    net.say(0, &mut heir, Body::Agreement(agreement.clone()));
    assert_eq!(heir.agreements(1, &proposal).len(), 1);
    // The same words in a session that does not follow count for nothing.
    let Some(Body::Proposal(body)) = stranger.proposals(1).next().map(|one| one.body().clone()) else {
        panic!("no proposal")
    };
    let proposal = net.say(1, &mut stranger, Body::Proposal(body)).digest();
    net.say(0, &mut stranger, Body::Agreement(Agreement { proposal, ..agreement }));
    assert!(stranger.agreements(1, &proposal).is_empty());
}

#[test]
fn a_drill_binds_in_itself_alone() {
    let net = Net::new(4);
    let mut drill = net.gather(net.open_after(BTreeSet::new(), true));
    let proposal = net.propose(&mut drill);
    for member in 0..3 {
        net.agree(member, &mut drill, &proposal);
    }
    for member in 0..3 {
        net.attest(member, &mut drill, 1);
    }
    let mut real = net.gathered();
    let proposal = net.propose(&mut real);
    let mut record = Record::new();
    record.complete(&drill.completion_certificate().unwrap());
    let me = net.name(0);
    let Decision::Sign(agreement) = voter(&me, &record, &real, &[&drill]).agree(&proposal) else {
        panic!("a drill bound a real session")
    };
    assert!(agreement.attested.is_empty() && agreement.elsewhere.is_empty());
    assert!(matches!(voter(&me, &record, &drill, &[&real]).abandon(1, "no"), Decision::Refuse(_)));
}

#[test]
fn what_others_hold_of_it_binds_as_its_own_record_does() {
    let net = Net::new(4);
    let (session, proposal) = net.agreed();
    // The agent's disk was set back: its record is empty, and the others still have its agreement.
    assert!(matches!(decide!(net, 0, session, |voter| voter.agree(&proposal)), Decision::Signed(_)));
    assert_eq!(Record::new().next_sequence(&session, &net.name(0)), {
        let own = session.statements().filter(|one| *one.signer() == net.name(0));
        own.map(|one| one.header().sequence).max().unwrap() + 1
    });
}

#[test]
fn an_agreement_that_carries_a_proof_owes_an_abandonment() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    net.attest(0, &mut session, 1);
    net.say(2, &mut session, abandonment(1));
    net.say(3, &mut session, abandonment(1));
    let second = net.propose(&mut session);
    net.agree(0, &mut session, &second);
    let third = net.propose(&mut session);
    let signed = net.agree(0, &mut session, &third);
    let Body::Agreement(agreement) = signed.body() else { panic!("no agreement") };
    assert!(agreement.abandons(session.id(), session.round_of(2)));
    // It abandons the second round, and says so again in a way that others can carry as proof.
    assert!(!session.abandonments(2).contains_key(&net.name(0)));
    assert_eq!(decide!(net, 0, session, |voter| voter.owed()), [2]);
    let Decision::Sign(body) = decide!(net, 0, session, |voter| voter.abandon(2, "agreed to round 3")) else {
        panic!("not signed")
    };
    net.say(0, &mut session, Body::Abandonment(body));
    assert!(decide!(net, 0, session, |voter| voter.owed()).is_empty());
    assert!(session.abandonments(2).contains_key(&net.name(0)));
}

#[test]
fn a_made_up_proof_is_refused_when_it_is_read() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    net.attest(0, &mut session, 1);
    let second = net.propose(&mut session);
    let one = session.round_of(1);
    let abandoned = |member| net.sign(member, session.id(), abandonment(1)).envelope().clone();
    let refused = |round, proof: Vec<Envelope>| {
        let body = Agreement {
            round: 2,
            proposal: second,
            attested: [(round, proof)].into(),
            elsewhere: BTreeMap::new(),
        };
        let statement = net.statement(0, Some(session.id()), Body::Agreement(body));
        let envelope = statement.sign(&crate::fixture::key(0)).unwrap();
        match Verified::read(envelope, &net.roster) {
            Err(StatementError::Proof { source, .. }) => source.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let stranger = {
        let statement = net.statement(3, Some(session.id()), abandonment(1));
        statement.sign(&crate::fixture::key(77)).unwrap()
    };
    let other_round = net.sign(3, session.id(), abandonment(2)).envelope().clone();
    let carries_proof = {
        let body = Agreement {
            round: 2,
            proposal: second,
            attested: [(session.round_of(5), vec![abandoned(2)])].into(),
            elsewhere: BTreeMap::new(),
        };
        net.statement(3, Some(session.id()), Body::Agreement(body)).sign(&crate::fixture::key(3)).unwrap()
    };
    let proofs = [
        refused(one, vec![]),
        refused(one, vec![abandoned(2)]),
        refused(one, vec![abandoned(2), abandoned(2)]),
        refused(one, vec![abandoned(2), other_round]),
        refused(one, vec![abandoned(2), stranger]),
        refused(one, vec![abandoned(2), carries_proof]),
    ];
    svdr_snapshot::assert_snapshot!("proofs", proofs.join("\n"));
}
