#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::evidence::Ticks;
use crate::fixture::{Net, at};
use crate::session::Phase;
use crate::statement::Confirmation;

/// A completed session of four, whose evidence ends at second 7200.
fn completed(net: &Net) -> (Session, Digest) {
    let (mut session, proposal) = net.agreed();
    for member in 0..net.roster.threshold() {
        net.attest(member, &mut session, 1);
    }
    (session, proposal)
}

fn ticks(seconds: &[i64]) -> Ticks {
    seconds.iter().map(|seconds| Tick(at(*seconds))).collect()
}

/// What `member` says about each other one: matches, and mismatches.
fn confirmation(net: &Net, member: usize, proposal: Digest, about: &[(usize, &[i64], &[i64])]) -> Body {
    let Body::Evidence(mut evidence) = net.evidence(member, &[]) else { panic!("no evidence") };
    let about = about.iter().map(|(other, matches, mismatches)| {
        (net.name(*other), Observations { matches: ticks(matches), mismatches: ticks(mismatches) })
    });
    evidence.about = about.collect();
    Body::Confirmation(Confirmation { round: 1, proposal, evidence })
}

/// All of `members` match all others of them at `seconds`.
fn all_match(net: &Net, session: &mut Session, proposal: Digest, members: &[usize], seconds: &[i64]) {
    for member in members {
        let others: Vec<(usize, &[i64], &[i64])> =
            members.iter().filter(|other| *other != member).map(|other| (*other, seconds, &[][..])).collect();
        let body = confirmation(net, *member, proposal, &others);
        net.say(*member, session, body);
    }
}

fn pair(net: &Net, a: usize, b: usize) -> (MemberName, MemberName) {
    (net.name(a), net.name(b))
}

#[test]
fn nothing_is_restored_before_a_round_is_completed() {
    let net = Net::new(4);
    let (mut session, proposal) = net.agreed();
    all_match(&net, &mut session, proposal, &[0, 1, 2], &[9000]);
    assert_eq!(session.restoration(), None);
}

#[test]
fn the_threshold_that_matches_afterwards_verifies_the_session() {
    let net = Net::new(4);
    let (mut session, proposal) = completed(&net);
    all_match(&net, &mut session, proposal, &[0, 1], &[9000]);
    assert_eq!(session.phase(), Phase::Completed(1), "two of the three that it takes");
    all_match(&net, &mut session, proposal, &[0, 1, 2], &[9000]);
    assert_eq!(session.phase(), Phase::Verified(1));
    let restoration = session.restoration().unwrap();
    assert_eq!(restoration.together, [0, 1, 2].map(|member| net.name(member)).into());
    assert_eq!(restoration.after, Tick(at(7200)));
    assert_eq!(restoration.matching.get(&pair(&net, 0, 2)), Some(&Tick(at(9000))));
    assert_eq!(restoration.matching.len(), 3);
}

#[test]
fn what_the_old_synchronizer_confirmed_does_not_count() {
    let net = Net::new(4);
    let (mut session, proposal) = completed(&net);
    all_match(&net, &mut session, proposal, &[0, 1, 2, 3], &[3600, 7200]);
    let restoration = session.restoration().unwrap();
    assert_eq!((restoration.matching.len(), restoration.mismatching.len()), (0, 0));
    assert_eq!(session.phase(), Phase::Completed(1));
}

#[test]
fn another_rounds_confirmation_does_not_count() {
    let net = Net::new(4);
    let (mut session, _) = completed(&net);
    all_match(&net, &mut session, Digest::of(b"another proposal"), &[0, 1, 2, 3], &[9000]);
    assert!(session.restoration().unwrap().confirmed.is_empty());
    assert_eq!(session.phase(), Phase::Completed(1));
}

#[test]
fn one_side_alone_is_no_match() {
    let net = Net::new(4);
    let (mut session, proposal) = completed(&net);
    let body = confirmation(&net, 0, proposal, &[(1, &[9000], &[])]);
    net.say(0, &mut session, body);
    let body = confirmation(&net, 1, proposal, &[(0, &[9060], &[])]);
    net.say(1, &mut session, body);
    let restoration = session.restoration().unwrap();
    assert_eq!((restoration.matching.len(), restoration.mismatching.len()), (0, 0));
    assert_eq!(restoration.confirmed.get(&net.name(1)), Some(&Some(Tick(at(9060)))));
}

#[test]
fn a_mismatch_stands_until_both_match_again() {
    let net = Net::new(4);
    let (mut session, proposal) = completed(&net);
    let body = confirmation(&net, 0, proposal, &[(1, &[9000, 9120], &[9060])]);
    net.say(0, &mut session, body);
    let body = confirmation(&net, 1, proposal, &[(0, &[9000], &[])]);
    net.say(1, &mut session, body);
    let restoration = session.restoration().unwrap();
    let mismatch = OpenMismatch { tick: Tick(at(9060)), by: [net.name(0)].into() };
    assert_eq!(restoration.mismatching.get(&pair(&net, 0, 1)), Some(&mismatch));
    let body = confirmation(&net, 1, proposal, &[(0, &[9000, 9120], &[])]);
    net.say(1, &mut session, body);
    let restoration = session.restoration().unwrap();
    assert_eq!(restoration.matching.get(&pair(&net, 0, 1)), Some(&Tick(at(9120))));
    assert!(restoration.mismatching.is_empty());
}

#[test]
fn a_mismatch_at_the_same_tick_counts() {
    let net = Net::new(4);
    let (mut session, proposal) = completed(&net);
    let body = confirmation(&net, 0, proposal, &[(1, &[9000], &[])]);
    net.say(0, &mut session, body);
    let body = confirmation(&net, 1, proposal, &[(0, &[9000], &[9000])]);
    net.say(1, &mut session, body);
    let restoration = session.restoration().unwrap();
    assert_eq!(restoration.mismatching.get(&pair(&net, 0, 1)).unwrap().by, [net.name(1)].into());
    assert!(restoration.matching.is_empty());
}

#[test]
fn evidence_of_the_future_takes_its_own_member_out_and_nobody_else() {
    let net = Net::new(4);
    let mut session = net.open();
    for (member, seconds) in [(0, 7200), (1, 7200), (2, 7200), (3, 90_000_000)] {
        let body = net.evidence(member, &[0, 3600, 7200, seconds]);
        net.say(member, &mut session, body);
    }
    let proposal = net.propose(&mut session);
    for member in 0..3 {
        net.agree(member, &mut session, &proposal);
    }
    for member in 0..3 {
        net.attest(member, &mut session, 1);
    }
    all_match(&net, &mut session, proposal, &[0, 1, 2, 3], &[9000]);
    let restoration = session.restoration().unwrap();
    assert_eq!(restoration.after, Tick(at(7200)));
    assert_eq!(restoration.together, [0, 1, 2].map(|member| net.name(member)).into());
    assert_eq!(restoration.confirmed[&net.name(3)], None);
    assert_eq!(session.phase(), Phase::Verified(1));
}

#[test]
fn what_one_members_evidence_still_had_of_the_old_does_not_count_for_its_pairs() {
    let net = Net::new(4);
    let mut session = net.open();
    for (member, seconds) in [(0, 9000), (1, 7200), (2, 7200), (3, 7200)] {
        let body = net.evidence(member, &[0, 3600, 7200, seconds]);
        net.say(member, &mut session, body);
    }
    let proposal = net.propose(&mut session);
    for member in 0..3 {
        net.agree(member, &mut session, &proposal);
    }
    for member in 0..3 {
        net.attest(member, &mut session, 1);
    }
    all_match(&net, &mut session, proposal, &[0, 1, 2], &[9000]);
    let restoration = session.restoration().unwrap();
    assert_eq!(restoration.matching.keys().collect::<Vec<_>>(), [&pair(&net, 1, 2)]);
}

#[test]
fn only_what_is_said_after_the_old_synchronizer_is_confirmed() {
    let net = Net::new(4);
    let evidence = |seconds: &[i64]| match net.evidence(0, seconds) {
        Body::Evidence(evidence) => evidence,
        _ => panic!("no evidence"),
    };
    let (session, _) = net.agreed();
    let refused = session.confirmation(evidence(&[9000])).unwrap_err();
    assert!(matches!(refused, NotConfirmable::NotCompleted { .. }), "{refused}");
    let (session, proposal) = completed(&net);
    let refused = session.confirmation(evidence(&[3600, 7200])).unwrap_err();
    assert_eq!(refused, NotConfirmable::Nothing { after: Tick(at(7200)), newest: Some(Tick(at(7200))) });
    let refused = session.confirmation(evidence(&[])).unwrap_err();
    assert_eq!(refused, NotConfirmable::Nothing { after: Tick(at(7200)), newest: None });
    let confirmed = session.confirmation(evidence(&[3600, 7200, 9000])).unwrap();
    assert_eq!((confirmed.round, confirmed.proposal), (1, proposal));
    for about in confirmed.evidence.about.values() {
        assert_eq!(about.matches, ticks(&[9000]));
    }
}

#[test]
fn the_latest_confirmation_of_a_member_counts() {
    let net = Net::new(4);
    let (mut session, proposal) = completed(&net);
    all_match(&net, &mut session, proposal, &[0, 1, 2], &[9000]);
    let body = confirmation(&net, 2, proposal, &[(0, &[9000], &[9060]), (1, &[9000], &[9060])]);
    net.say(2, &mut session, body);
    assert_eq!(session.phase(), Phase::Completed(1), "the network came apart again");
}

proptest! {
    /// Against the definition, tick by tick.
    #[test]
    fn two_members_stand_as_the_definition_says(
        said in prop::collection::vec((0i64..12, 0i64..12, 0i64..12, 0i64..12), 0..6),
        after in 0i64..6,
    ) {
        let net = Net::new(2);
        let of = |which: usize| {
            let ticks: Vec<i64> =
                said.iter().map(|one| [one.0, one.1, one.2, one.3][which] * 60).collect();
            ticks
        };
        let evidence = |member: usize, matches: &[i64], mismatches: &[i64]| {
            let body = confirmation(&net, member, Digest::of(b"any"), &[(1 - member, matches, mismatches)]);
            let Body::Confirmation(confirmation) = body else { panic!("no confirmation") };
            confirmation.evidence
        };
        let (m0, x0, m1, x1) = (of(0), of(1), of(2), of(3));
        let (one, other) = (evidence(0, &m0, &x0), evidence(1, &m1, &x1));
        let later = |from: i64| (from..12 * 60).filter(move |second| second % 60 == 0);
        let mismatch = later(after * 60 + 1).filter(|at| x0.contains(at) || x1.contains(at)).max();
        let mutual = later(after * 60 + 1)
            .filter(|at| m0.contains(at) && m1.contains(at) && mismatch.is_none_or(|bad| bad < *at))
            .max();
        match standing(&one, &other, Tick(at(after * 60))) {
            Standing::Matching(tick) => prop_assert_eq!(Some(tick), mutual.map(|second| Tick(at(second)))),
            Standing::Mismatching(found) => {
                prop_assert_eq!(mutual, None);
                prop_assert_eq!(Some(found.tick), mismatch.map(|second| Tick(at(second))));
            }
            Standing::Unknown => prop_assert_eq!((mutual, mismatch), (None, None)),
        }
    }
}
