#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;
use crate::fixture::{Net, abandonment, agreement, at, attestation, dump};
use crate::statement::{Abort, Obstacle, ObstacleKind, StatementError};

fn voter<'a>(
    me: &'a MemberName,
    record: &'a Record,
    session: &'a Session,
    others: &'a [&'a Session],
) -> Voter<'a> {
    Voter::new(me, record, session, others)
}

macro_rules! decide {
    ($net:expr, $member:expr, $session:expr, |$voter:ident| $decision:expr) => {{
        let me = $net.name($member);
        let record = Record::new();
        let $voter = voter(&me, &record, &$session, &[]);
        $decision
    }};
}

mod across;

#[test]
fn a_whole_round_ends_in_a_completion() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    for member in 0..3 {
        assert_eq!(session.settled(), None);
        net.attest(member, &mut session, 1);
    }
    let certificate = session.completion_certificate().unwrap();
    assert_eq!(certificate.recovery_timestamp(), at(7200 - 900));
    // Who has not attested yet still may, once it has agreed: the dump is the one that counts.
    assert_eq!(
        decide!(net, 3, session, |voter| voter.dump(1)),
        Decision::Refuse(VoteRefusal::NotAgreed { round: 1 })
    );
}

#[test]
fn one_agreement_a_round_and_the_same_one_is_sent_again() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let first = net.propose(&mut session);
    let signed = net.agree(0, &mut session, &first);
    assert_eq!(decide!(net, 0, session, |voter| voter.agree(&first)), Decision::Signed(signed.digest()));
    let mut other = session.next_proposal(&session.parameters()).unwrap();
    other.round = 1;
    let other = net.say(1, &mut session, Body::Proposal(other)).digest();
    assert_eq!(
        decide!(net, 0, session, |voter| voter.agree(&other)),
        Decision::Refuse(VoteRefusal::AgreedHigher { round: 1, agreed: 1 })
    );
    assert!(matches!(decide!(net, 1, session, |voter| voter.agree(&other)), Decision::Sign(_)));
}

#[test]
fn only_what_the_own_recomputation_confirms() {
    let net = Net::new(4);
    let session = net.gathered();
    let good = session.next_proposal(&session.parameters()).unwrap();
    let decide_on = |change: &dyn Fn(&mut Proposal)| {
        let mut session = session.clone();
        let mut proposal = good.clone();
        change(&mut proposal);
        let digest = net.say(0, &mut session, Body::Proposal(proposal)).digest();
        decide!(net, 2, session, |voter| voter.agree(&digest))
    };
    assert!(matches!(decide_on(&|_| {}), Decision::Sign(_)));
    let unconfirmed = |change: &dyn Fn(&mut Proposal)| match decide_on(change) {
        Decision::Refuse(VoteRefusal::Unconfirmed(why)) => why.to_string(),
        other => panic!("{other:?}"),
    };
    let later = |proposal: &mut Proposal| {
        proposal.plan = Plan::Dump { recovery_timestamp: at(7200), migration_id: 6 };
    };
    let reasons = [
        unconfirmed(&later),
        unconfirmed(&|proposal| {
            proposal.plan = Plan::Dump { recovery_timestamp: at(6300), migration_id: 7 };
        }),
        unconfirmed(&|proposal| proposal.candidate.covered = [net.name(0), net.name(1), net.name(2)].into()),
        unconfirmed(&|proposal| proposal.candidate.left_behind = [net.name(3)].into()),
        unconfirmed(&|proposal| proposal.candidate.history_lost_seconds = 0),
        unconfirmed(&|proposal| proposal.candidate.bracketed = !proposal.candidate.bracketed),
        unconfirmed(&|proposal| proposal.candidate.tick = crate::time::Tick(at(3600))),
        unconfirmed(&|proposal| proposal.rule = 2),
        unconfirmed(&|proposal| proposal.evidence.clear()),
        unconfirmed(&|proposal| proposal.parameters.threshold = 1),
        unconfirmed(&|proposal| {
            proposal.evidence.insert(session.opened().digest());
        }),
    ];
    svdr_snapshot::assert_snapshot!(
        "recomputation",
        reasons.join("\n").replace(&session.opened().digest().to_string(), "sha256:OPEN")
    );
    let digest = Digest::of(b"withheld");
    assert_eq!(
        decide_on(&|proposal| {
            proposal.evidence.insert(digest);
        }),
        Decision::Wait(Wait::Evidence { missing: [digest].into() })
    );
}

#[test]
fn evidence_signed_twice_supports_nothing() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let proposal = net.propose(&mut session);
    let known = Arc::clone(session.evidence()[&net.name(3)]);
    let mut statement = known.statement().clone();
    statement.body = net.evidence(3, &[0]);
    session.insert(net.verified(&statement, 3)).unwrap();
    let Decision::Refuse(VoteRefusal::Unconfirmed(why)) =
        decide!(net, 0, session, |voter| voter.agree(&proposal))
    else {
        panic!("agreed")
    };
    assert_eq!(*why, Unconfirmed::Contradicted { member: net.name(3) });
    assert!(!session.evidence().contains_key(&net.name(3)));
}

#[test]
fn only_in_the_latest_round_and_never_in_one_below_its_own() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let [first, second] = [net.propose(&mut session), net.propose(&mut session)];
    assert_eq!(
        decide!(net, 0, session, |voter| voter.agree(&first)),
        Decision::Refuse(VoteRefusal::Superseded { round: 1, latest: 2 })
    );
    net.agree(0, &mut session, &second);
    assert_eq!(
        decide!(net, 0, session, |voter| voter.agree(&first)),
        Decision::Refuse(VoteRefusal::AgreedHigher { round: 1, agreed: 2 })
    );
    let mut third = session.next_proposal(&session.parameters()).unwrap();
    third.round = 4;
    let third = net.say(0, &mut session, Body::Proposal(third)).digest();
    assert_eq!(
        decide!(net, 1, session, |voter| voter.agree(&third)),
        Decision::Wait(Wait::LowerRound { round: 4, latest: 2 })
    );
    let unknown = Digest::of(b"unknown");
    assert_eq!(
        decide!(net, 1, session, |voter| voter.agree(&unknown)),
        Decision::Wait(Wait::Proposal { proposal: unknown })
    );
}

#[test]
fn agreeing_abandons_what_is_not_attested() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    let second = net.propose(&mut session);
    let by = net.agree(0, &mut session, &second).digest();
    let of = session.round_of(1);
    assert_eq!(
        decide!(net, 0, session, |voter| voter.dump(1)),
        Decision::Refuse(VoteRefusal::Abandoned { round: of, by })
    );
    // The others agreed to the first round alone, and carry it on although a second one is proposed.
    assert!(matches!(decide!(net, 1, session, |voter| voter.dump(1)), Decision::Sign(_)));
}

#[test]
fn attesting_takes_the_certificate_the_own_agreement_and_the_right_dump() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let proposal = net.propose(&mut session);
    net.agree(0, &mut session, &proposal);
    net.agree(1, &mut session, &proposal);
    let Decision::Wait(wait) = decide!(net, 0, session, |voter| voter.dump(1)) else { panic!("no wait") };
    assert_eq!(
        wait,
        Wait::Agreements {
            round: 1,
            by: [net.name(0), net.name(1)].into(),
            needed: 3,
            open: [net.name(2), net.name(3)].into()
        }
    );
    assert_eq!(wait.to_string(), "2 of 3 members have agreed to round 1: waiting for 1 more of SV-2, SV-3");
    assert_eq!(
        decide!(net, 2, session, |voter| voter.dump(1)),
        Decision::Refuse(VoteRefusal::NotAgreed { round: 1 })
    );
    net.agree(2, &mut session, &proposal);
    let decision = decide!(net, 0, session, |voter| voter.attest(1, &dump(at(0))));
    let Decision::Refuse(VoteRefusal::OtherDump { agreed, made, .. }) = decision else {
        panic!("{decision:?}")
    };
    assert_eq!((agreed, made), ((at(6300), 6), (at(0), 6)));
    let wrong = Dump { migration_id: 5, ..dump(at(6300)) };
    assert!(matches!(
        decide!(net, 0, session, |voter| voter.attest(1, &wrong)),
        Decision::Refuse(VoteRefusal::OtherDump { .. })
    ));
    let signed = net.attest(0, &mut session, 1);
    assert_eq!(
        decide!(net, 0, session, |voter| voter.attest(1, &dump(at(6300)))),
        Decision::Signed(signed.digest())
    );
}

#[test]
fn an_abandoned_round_is_never_attested_and_an_attested_one_never_abandoned() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    let Decision::Sign(body) = decide!(net, 0, session, |voter| voter.abandon(1, "pruned")) else {
        panic!("not signed")
    };
    let by = net.say(0, &mut session, Body::Abandonment(body)).digest();
    let round = session.round_of(1);
    assert_eq!(
        decide!(net, 0, session, |voter| voter.dump(1)),
        Decision::Refuse(VoteRefusal::Abandoned { round, by })
    );
    assert_eq!(decide!(net, 0, session, |voter| voter.abandon(1, "again")), Decision::Signed(by));
    net.attest(1, &mut session, 1);
    assert_eq!(
        decide!(net, 1, session, |voter| voter.abandon(1, "no")),
        Decision::Refuse(VoteRefusal::Attested { round, released: false })
    );
    assert_eq!(
        decide!(net, 2, session, |voter| voter.abandon(2, "no")),
        Decision::Refuse(VoteRefusal::NoSuchRound { round: 2, latest: 1 })
    );
}

#[test]
fn who_attested_moves_on_only_with_proof() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    net.attest(0, &mut session, 1);
    let second = net.propose(&mut session);
    let locked = |session: &Session| decide!(net, 0, session, |voter| voter.agree(&second));
    net.agree(1, &mut session, &second);
    let Decision::Wait(wait) = locked(&session) else { panic!("not locked") };
    assert_eq!(
        wait,
        Wait::Abandonments {
            round: session.round_of(1),
            by: [net.name(1)].into(),
            needed: 2,
            open: [net.name(2), net.name(3)].into()
        }
    );
    net.say(3, &mut session, abandonment(1));
    let Decision::Sign(agreement) = locked(&session) else { panic!("still locked") };
    assert_eq!(agreement.attested[&session.round_of(1)].len(), 2);
    net.say(0, &mut session, Body::Agreement(agreement));
    assert!(session.equivocations().is_empty());
    // Its own attestation stands; the round that it moved on from can no longer complete.
    assert_eq!(session.attestations(1, &session.proposals(1).next().unwrap().digest()).len(), 1);
}

#[test]
fn a_locked_round_is_opened_by_a_release() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    net.attest(0, &mut session, 1);
    net.attest(1, &mut session, 1);
    // One is pruned, one is dead.
    let obstacle = Obstacle {
        round: 1,
        kind: ObstacleKind::Pruned,
        recovery_timestamp: at(6300),
        text: "pruned".to_owned(),
    };
    net.say(2, &mut session, Body::Obstacle(obstacle));
    net.say(2, &mut session, abandonment(1));
    let second = net.propose(&mut session);
    for member in [0, 1] {
        assert!(matches!(
            decide!(net, member, session, |voter| voter.agree(&second)),
            Decision::Wait(Wait::Abandonments { .. })
        ));
    }
    let Decision::Sign(body) = decide!(net, 0, session, |voter| voter.release(1, "one is dead")) else {
        panic!("not released")
    };
    net.say(0, &mut session, Body::Release(body));
    for member in [0, 1, 2] {
        net.agree(member, &mut session, &second);
    }
    assert!(matches!(decide!(net, 0, session, |voter| voter.dump(1)), Decision::Signed(_)));
    for member in [0, 1, 2] {
        net.attest(member, &mut session, 2);
    }
    assert_eq!(session.completion_certificate().unwrap().round().round, 2);
    assert!(session.equivocations().is_empty());
}

#[test]
fn a_release_takes_an_attestation_and_no_completed_round() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    assert_eq!(
        decide!(net, 0, session, |voter| voter.release(1, "no")),
        Decision::Refuse(VoteRefusal::NotAttested { round: 1 })
    );
    for member in 0..3 {
        net.attest(member, &mut session, 1);
    }
    let completed = session.round_of(1);
    assert_eq!(
        decide!(net, 0, session, |voter| voter.release(1, "no")),
        Decision::Refuse(VoteRefusal::Completed { completed })
    );
}

#[test]
fn nothing_moves_after_a_completion_even_if_a_release_undoes_it_in_the_fold() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    let mut last = None;
    for member in 0..3 {
        last = Some(net.attest(member, &mut session, 1));
    }
    let mut record = Record::new();
    record.complete(&session.completion_certificate().unwrap());
    let second = net.propose(&mut session);
    let me = net.name(0);
    let completed = session.round_of(1);
    let refused = Decision::Refuse(VoteRefusal::Completed { completed });
    assert_eq!(voter(&me, &record, &session, &[]).agree(&second), refused);
    assert!(matches!(voter(&me, &record, &session, &[]).abandon(2, "no"), Decision::Refuse(_)));
    net.say(2, &mut session, crate::fixture::release(1, last.unwrap().digest()));
    assert_eq!(session.completion_certificate(), None);
    assert_eq!(voter(&me, &record, &session, &[]).agree(&second), refused);
}

#[test]
fn who_comes_late_agrees_to_what_is_completed_and_to_nothing_else() {
    let net = Net::new(4);
    let (mut session, first) = net.agreed();
    for member in 0..3 {
        net.attest(member, &mut session, 1);
    }
    let second = net.propose(&mut session);
    let completed = session.round_of(1);
    assert!(matches!(decide!(net, 3, session, |voter| voter.agree(&first)), Decision::Sign(_)));
    assert_eq!(
        decide!(net, 3, session, |voter| voter.agree(&second)),
        Decision::Refuse(VoteRefusal::Completed { completed })
    );
}

#[test]
fn an_equivocator_cannot_move_others_off_a_settled_round() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    for member in 0..3 {
        net.attest(member, &mut session, 1);
    }
    net.say(2, &mut session, abandonment(1));
    assert_eq!(session.completion_certificate(), None);
    assert_eq!(session.settled(), Some(1));
    let second = net.propose(&mut session);
    let completed = session.round_of(1);
    assert_eq!(
        decide!(net, 0, session, |voter| voter.agree(&second)),
        Decision::Refuse(VoteRefusal::Completed { completed })
    );
    // The way out is the fourth member's attestation, or a release.
    assert!(matches!(decide!(net, 0, session, |voter| voter.release(1, "stuck")), Decision::Sign(_)));
}

#[test]
fn an_abort_stops_everything_but_what_lets_go() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    net.attest(0, &mut session, 1);
    net.say(1, &mut session, Body::Abort(Abort { reason: "false alarm".to_owned() }));
    assert_eq!(decide!(net, 1, session, |voter| voter.dump(1)), Decision::Refuse(VoteRefusal::Aborted));
    let second = net.propose(&mut session);
    assert_eq!(
        decide!(net, 1, session, |voter| voter.agree(&second)),
        Decision::Refuse(VoteRefusal::Aborted)
    );
    assert!(matches!(decide!(net, 1, session, |voter| voter.abandon(1, "over")), Decision::Sign(_)));
    assert!(matches!(decide!(net, 0, session, |voter| voter.release(1, "over")), Decision::Sign(_)));
}

#[test]
fn rejecting_is_saying_and_agreeing_later_is_allowed() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let proposal = net.propose(&mut session);
    let Decision::Sign(body) = decide!(net, 2, session, |voter| voter.reject(&proposal, "too early")) else {
        panic!("not signed")
    };
    let signed = net.say(2, &mut session, Body::Rejection(body)).digest();
    assert_eq!(decide!(net, 2, session, |voter| voter.reject(&proposal, "x")), Decision::Signed(signed));
    net.agree(2, &mut session, &proposal);
    assert_eq!(
        decide!(net, 2, session, |voter| voter.reject(&proposal, "x")),
        Decision::Refuse(VoteRefusal::AgreedAlready { round: 1 })
    );
    assert!(session.equivocations().is_empty());
}

#[test]
fn agreements_to_two_proposals_certify_neither() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let first = net.propose(&mut session);
    let mut other = session.next_proposal(&session.parameters()).unwrap();
    other.round = 1;
    let second = net.say(1, &mut session, Body::Proposal(other)).digest();
    for (member, proposal) in [(0, first), (1, first), (2, second), (3, first), (3, second)] {
        net.say(member, &mut session, agreement(1, proposal));
    }
    assert_eq!(session.agreement_certificate(1), None);
    assert_eq!(session.equivocations().len(), 1);
    net.say(0, &mut session, Body::Attestation(attestation(1, first, at(6300))));
    assert!(session.attestations(1, &first).is_empty());
}
