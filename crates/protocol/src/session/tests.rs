#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::fixture::{Net, abandonment, agreement, at, attestation, part, release};
use crate::statement::{
    Abort, Confirmation, Donation, Milestone, Obstacle, ObstacleKind, Proposal, Rejection,
};
use crate::time::Tick;

/// A session in which much has been said, some of it twice and some of it contradictory.
fn eventful(net: &Net) -> Vec<Arc<Verified>> {
    let (mut session, first) = net.agreed();
    net.attest(0, &mut session, 1);
    let taken_back = net.attest(1, &mut session, 1).digest();
    net.say(1, &mut session, release(1, taken_back));
    let obstacle = |kind, seconds| {
        Body::Obstacle(Obstacle { round: 1, kind, recovery_timestamp: at(seconds), text: String::new() })
    };
    net.say(2, &mut session, obstacle(ObstacleKind::Pruned, 6300));
    net.say(3, &mut session, obstacle(ObstacleKind::Behind, 9000));
    net.say(3, &mut session, abandonment(1));
    net.say(3, &mut session, Body::Rejection(Rejection { round: 1, proposal: first, reason: String::new() }));
    let second = net.propose(&mut session);
    for member in 0..4 {
        net.agree(member, &mut session, &second);
    }
    for member in 0..3 {
        net.attest(member, &mut session, 2);
    }
    for (member, url) in [(0, None), (0, Some("https://sv-0.example.com:7444".to_owned())), (3, None)] {
        let donation = Donation {
            round: 2,
            proposal: second,
            recovery_timestamp: at(2700),
            migration_id: 6,
            party: "DSO::1220ab".to_owned(),
            snapshot: part(""),
            parts: Vec::new(),
            url,
        };
        net.say(member, &mut session, Body::Donation(donation));
    }
    for (member, seconds) in [(0, 9000), (1, 9000), (0, 9060)] {
        let Body::Evidence(evidence) = net.evidence(member, &[seconds]) else { panic!("no evidence") };
        let confirmation = Confirmation { round: 2, proposal: second, evidence };
        net.say(member, &mut session, Body::Confirmation(confirmation));
    }
    net.say(2, &mut session, Body::Sequencing(net.sequencing(2, 60, Some(50))));
    for seed in [201, 202, 201] {
        net.say(1, &mut session, appointment(&coordinator(seed)));
    }
    // An equivocation of each kind that a session can hold.
    net.say(3, &mut session, agreement(2, Digest::of(b"another")));
    net.say(3, &mut session, Body::Attestation(attestation(1, first, at(6300))));
    let mut evidence = session.evidence()[&net.name(1)].statement().clone();
    evidence.body = net.evidence(1, &[0]);
    session.insert(net.verified(&evidence, 1)).unwrap();
    for name in ["CometBFT stopped", "dump copied", "CometBFT stopped"] {
        let note = format!("{}", session.len());
        net.say(0, &mut session, Body::Milestone(Milestone { name: name.to_owned(), note }));
    }
    net.say(1, &mut session, Body::Abort(Abort { reason: "too late".to_owned() }));
    session.statements().cloned().collect()
}

/// Everything that a session says about itself.
fn everything(session: &Session) -> String {
    let rounds = (0..4).map(|round| {
        let proposals: Vec<_> = session.proposals(round).map(|one| one.digest()).collect();
        let said: Vec<_> = proposals
            .iter()
            .map(|proposal| {
                let names = |of: BTreeMap<&MemberName, &Arc<Verified>>| {
                    of.into_iter().map(|(name, one)| (name.clone(), one.digest())).collect::<Vec<_>>()
                };
                (
                    names(session.agreements(round, proposal)),
                    names(session.attestations(round, proposal)),
                    names(session.rejections(round, proposal)),
                    format!("{:?}", session.donations(round, proposal)),
                )
            })
            .collect();
        let abandoned: Vec<_> =
            session.abandonments(round).into_iter().map(|(name, one)| (name.clone(), one.digest())).collect();
        let obstacles: Vec<_> = session.obstacles(round).collect();
        let certified = session.agreement_certificate(round);
        format!("{proposals:?} {said:?} {abandoned:?} {obstacles:?} {certified:?}")
    });
    let rounds: Vec<String> = rounds.collect();
    let evidence: Vec<_> = session.evidence().into_values().map(|one| one.digest()).collect();
    format!(
        "{:?} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {rounds:?} {evidence:?}",
        session.phase(),
        session.latest_round(),
        session.settled(),
        session.completion_certificate(),
        session.equivocations(),
        session.bounds(),
        session.milestones(),
        session.readiness(),
        session.aborts().collect::<Vec<_>>(),
        session.confirmations(),
        session.restoration(),
        session.appointments(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_order_any_repetition_any_split_is_the_same_state(
        order in Just(()).prop_perturb(|(), mut rng| rng.next_u64()),
        repeated in any::<u64>(),
        split in any::<u64>(),
    ) {
        let net = Net::new(4);
        let statements = eventful(&net);
        let expected = everything(&Session::fold(Arc::clone(&net.roster), statements.clone()).unwrap());
        let mut shuffled: Vec<_> = statements
            .iter()
            .enumerate()
            .flat_map(|(at, one)| vec![one.clone(); 1 + usize::from(repeated >> (at % 64) & 1 == 1)])
            .collect();
        shuffled.sort_by_key(|one| Digest::of(&[one.digest().as_bytes().as_slice(), &order.to_be_bytes()].concat()));
        let folded = Session::fold(Arc::clone(&net.roster), shuffled.clone()).unwrap();
        prop_assert_eq!(&everything(&folded), &expected);
        // Two coordinators that each have a part of it, put together.
        let opened = statements.iter().find(|one| matches!(one.body(), Body::Open(_))).unwrap();
        let part = |side: u64| {
            let mine = shuffled.iter().enumerate().filter(move |(at, _)| split >> (at % 64) & 1 == side);
            let mut session = Session::open(Arc::clone(opened), Arc::clone(&net.roster)).unwrap();
            for (_, one) in mine {
                session.insert(Arc::clone(one)).unwrap();
            }
            session
        };
        let (mut one, other) = (part(0), part(1));
        for statement in other.statements() {
            one.insert(Arc::clone(statement)).unwrap();
        }
        prop_assert_eq!(&everything(&one), &expected);
    }
}

#[test]
fn the_eventful_session_is_full_of_events() {
    let net = Net::new(4);
    let session = Session::fold(Arc::clone(&net.roster), eventful(&net)).unwrap();
    assert_eq!(session.phase(), Phase::Completed(2));
    assert_eq!(session.equivocations().len(), 4);
    assert_eq!(session.aborts().count(), 1);
    let bounds =
        Bounds { not_before: at(6300).checked_add(std::time::Duration::from_micros(1)), not_after: None };
    assert_eq!(session.bounds().not_before, bounds.not_before);
    assert!(!session.bounds().are_empty());
    assert_eq!(session.milestones().len(), 2);
    let completed = session.completion_certificate().unwrap().agreement().proposal().digest();
    let donations = session.donations(2, &completed);
    assert_eq!(donations.len(), 1, "an equivocator's does not count");
    assert!(donations[&net.name(0)].1.url.is_some(), "the latest counts");
    let restoration = session.restoration().unwrap();
    assert_eq!(restoration.confirmed[&net.name(0)], Some(Tick(at(9060))));
    assert_eq!((restoration.confirmed.len(), restoration.matching.len()), (2, 0));
    assert!(session.abandonments(1).contains_key(&net.name(1)), "a release abandons too");
}

#[test]
fn a_session_goes_through_its_phases() {
    let net = Net::new(4);
    let mut session = net.gathered();
    assert_eq!(session.phase(), Phase::Gathering);
    let first = net.propose(&mut session);
    assert_eq!(session.phase(), Phase::Proposed(1));
    for member in 0..3 {
        net.agree(member, &mut session, &first);
    }
    assert_eq!(session.phase(), Phase::Agreed(1));
    net.attest(0, &mut session, 1);
    assert_eq!(session.phase(), Phase::Recovering(1));
    let mut proposed = session.clone();
    net.propose(&mut proposed);
    assert_eq!(proposed.phase(), Phase::Proposed(2));
    let abort = Body::Abort(Abort { reason: "no".to_owned() });
    let mut aborted = session.clone();
    net.say(1, &mut aborted, abort.clone());
    assert_eq!(aborted.phase(), Phase::Aborted);
    net.attest(1, &mut session, 1);
    net.attest(2, &mut session, 1);
    assert_eq!(session.phase(), Phase::Completed(1));
    net.say(1, &mut session, abort);
    assert_eq!(session.phase(), Phase::Completed(1), "a completion wins over an abort");
    net.propose(&mut session);
    assert_eq!(session.phase(), Phase::Completed(1));
}

#[test]
fn a_completion_wins_over_an_abort_that_came_first() {
    let net = Net::new(4);
    let (mut session, _) = net.agreed();
    let mut unaware = session.clone();
    net.say(1, &mut session, Body::Abort(Abort { reason: "no".to_owned() }));
    for member in 0..3 {
        let attested = net.attest(member, &mut unaware, 1);
        session.insert(attested).unwrap();
    }
    assert_eq!(session.phase(), Phase::Completed(1));
}

#[test]
fn a_round_counts_once_all_before_it_are_proposed() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let mut ahead = session.next_proposal(&session.parameters()).unwrap();
    ahead.round = 3;
    net.say(0, &mut session, Body::Proposal(ahead));
    assert_eq!((session.phase(), session.latest_round()), (Phase::Gathering, 0));
    net.propose(&mut session);
    assert_eq!(session.latest_round(), 1);
    net.propose(&mut session);
    assert_eq!(session.latest_round(), 3);
}

#[test]
fn an_attestation_counts_for_what_was_agreed_by_who_agreed() {
    let net = Net::new(4);
    let (mut session, proposal) = net.agreed();
    let mut say = |member, body| net.say(member, &mut session, Body::Attestation(body)).digest();
    say(0, attestation(1, proposal, at(0)));
    say(1, crate::statement::Attestation { migration_id: 7, ..attestation(1, proposal, at(6300)) });
    say(2, attestation(1, Digest::of(b"another"), at(6300)));
    say(3, attestation(1, proposal, at(6300)));
    assert!(session.attestations(1, &proposal).is_empty());
}

#[test]
fn what_belongs_elsewhere_is_not_accepted() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let before = session.len();
    let elsewhere = net.gathered();
    let foreign = Arc::clone(elsewhere.evidence()[&net.name(0)]);
    assert!(matches!(session.insert(foreign), Err(NotAccepted::OtherSession { .. })));
    let mut statement = net.statement(0, Some(session.id()), abandonment(1));
    statement.header.drill = true;
    let drill = net.verified(&statement, 0);
    assert!(matches!(session.insert(drill), Err(NotAccepted::Drill { drill: true, .. })));
    let outside = net.verified(&net.statement(0, None, net.evidence(0, &[0])), 0);
    assert!(matches!(session.insert(outside), Err(NotAccepted::OtherSession { found: None, .. })));
    let larger = Net::new(5);
    let other_roster = larger.sign(0, session.id(), abandonment(1));
    assert!(matches!(session.insert(other_roster), Err(NotAccepted::OtherRoster { .. })));
    assert_eq!(session.len(), before);
    let known = Arc::clone(session.opened());
    assert_eq!(session.insert(known), Ok(false));
    let unopened = Session::fold(Arc::clone(&net.roster), []).map(|session| session.len());
    assert_eq!(unopened, Err(NotAccepted::NotOpened));
}

#[test]
fn newer_evidence_replaces_older_and_no_proposal_made_before() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let proposal = net.propose(&mut session);
    let newer = net.say(3, &mut session, net.evidence(3, &[0])).digest();
    assert_eq!(session.evidence()[&net.name(3)].digest(), newer);
    net.agree(0, &mut session, &proposal);
    assert_ne!(session.next_proposal(&session.parameters()).unwrap().candidate.left_behind.len(), 0);
}

fn coordinator(seed: u8) -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[seed; 32])
}

fn appointment(key: &ed25519_dalek::SigningKey) -> Body {
    Body::Appointment(crate::statement::Appointment { coordinator: key.verifying_key().into() })
}

/// What a coordinator computes in a session in which everybody has reported.
fn proposed(session: &Session, appointment: Option<&Verified>) -> Proposal {
    let appointment = appointment.map(|one| Box::new(one.envelope().clone()));
    Proposal { appointment, ..session.next_proposal(&session.parameters()).unwrap() }
}

/// A session whose opening lists a coordinator.
fn with_coordinator(net: &Net, listed: &ed25519_dalek::SigningKey) -> Session {
    net.gather(net.open_with(BTreeSet::new(), false, vec![listed.verifying_key().into()]))
}

#[test]
fn only_a_listed_or_appointed_coordinator_proposes() {
    let net = Net::new(4);
    let [listed, appointed, stranger] = [200, 201, 202].map(coordinator);
    let session = with_coordinator(&net, &listed);
    let appoint = net.sign(1, session.id(), appointment(&appointed));
    session.accepts(&net.by_coordinator(&listed, &session, proposed(&session, None))).unwrap();
    for key in [&appointed, &stranger] {
        let refused = session.accepts(&net.by_coordinator(key, &session, proposed(&session, None)));
        let key = key.verifying_key().into();
        assert!(matches!(refused, Err(NotAccepted::UnknownCoordinator { key: found, .. }) if found == key));
    }
    // The proposal carries its appointment, so that nobody must have received that before.
    let proposal = net.by_coordinator(&appointed, &session, proposed(&session, Some(&appoint)));
    session.accepts(&proposal).unwrap();
    // An opening without a list is an earlier version's.
    let unlisted = net.gathered();
    unlisted.accepts(&net.by_coordinator(&stranger, &unlisted, proposed(&unlisted, None))).unwrap();
}

#[test]
fn an_appointment_lets_its_key_propose_in_its_session_and_nothing_else() {
    let net = Net::new(4);
    let [listed, appointed, stranger] = [200, 201, 202].map(coordinator);
    let session = with_coordinator(&net, &listed);
    let other = with_coordinator(&net, &listed);
    let here = net.sign(0, session.id(), appointment(&appointed));
    let elsewhere = net.sign(0, other.id(), appointment(&appointed));
    let mut drill = net.statement(0, Some(session.id()), appointment(&appointed));
    drill.header.drill = true;
    let drill = net.verified(&drill, 0);
    let milestone =
        net.sign(0, session.id(), Body::Milestone(Milestone { name: "a".to_owned(), note: String::new() }));
    for (key, carried) in
        [(&stranger, &here), (&appointed, &elsewhere), (&appointed, &drill), (&appointed, &milestone)]
    {
        let mut statement =
            net.statement(0, Some(session.id()), Body::Proposal(proposed(&session, Some(carried))));
        statement.header.signer = "coordinator".parse().unwrap();
        let read = Verified::read(statement.sign(key).unwrap(), &net.roster);
        assert!(matches!(read, Err(crate::statement::StatementError::Appointment { .. })), "{read:?}");
    }
    // Members that are no conveners appoint nobody.
    let mut by_member = net.statement(3, Some(session.id()), appointment(&appointed));
    by_member.header.signer = net.name(3);
    let unentitled = by_member.sign(&crate::fixture::key(3)).unwrap();
    let mut statement = net.statement(
        0,
        Some(session.id()),
        Body::Proposal(Proposal { appointment: Some(Box::new(unentitled)), ..proposed(&session, None) }),
    );
    statement.header.signer = "coordinator".parse().unwrap();
    let read = Verified::read(statement.sign(&appointed).unwrap(), &net.roster);
    assert!(matches!(read, Err(crate::statement::StatementError::Appointment { .. })), "{read:?}");
}

#[test]
fn a_mandate_is_the_place_in_the_list_or_the_appointment() {
    let net = Net::new(4);
    let [first, second, appointed] = [200, 201, 202].map(coordinator);
    let key = |key: &ed25519_dalek::SigningKey| PublicKey::from(key.verifying_key());
    let mut session = net.open_with(BTreeSet::new(), false, vec![key(&first), key(&second)]);
    assert_eq!(session.mandate(&key(&second)), Some(Mandate::Listed(1)));
    assert_eq!(session.mandate(&key(&appointed)), None);
    let appoint = net.say(1, &mut session, appointment(&appointed));
    assert_eq!(session.mandate(&key(&appointed)), Some(Mandate::Appointed(&appoint)));
    assert_eq!(net.open().mandate(&key(&appointed)), Some(Mandate::Anybody));
}

#[test]
fn a_certificate_of_a_strangers_proposal_is_refused() {
    let net = Net::new(4);
    let [listed, stranger] = [200, 201].map(coordinator);
    for (key, is_valid) in [(&listed, true), (&stranger, false)] {
        let session = with_coordinator(&net, &listed);
        let proposal = net.by_coordinator(key, &session, proposed(&session, None));
        let agreements = (0..3).map(|member| net.sign(member, session.id(), agreement(1, proposal.digest())));
        let statements = [Arc::clone(session.opened()), Arc::clone(&proposal)].into_iter().chain(agreements);
        let checked = crate::certificate::AgreementCertificate::check(&net.roster, statements);
        assert_eq!(checked.is_ok(), is_valid, "{checked:?}");
    }
}

#[test]
fn what_a_convener_decides_no_coordinator_proposes() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let proposal = session.next_proposal(&session.parameters()).unwrap();
    let with = |change: &dyn Fn(&mut Proposal)| {
        let mut changed = proposal.clone();
        change(&mut changed);
        changed
    };
    let wrong = [
        with(&|proposal| proposal.round = 2),
        with(&|proposal| proposal.parameters.margin = Duration::ZERO),
        with(&|proposal| proposal.parameters.threshold = 4),
        with(&|proposal| proposal.parameters.not_after = Some(at(3600))),
        with(&|proposal| proposal.parameters.excluded = [net.name(3)].into()),
        with(&|proposal| proposal.parameters.vouched = [net.name(3)].into()),
        with(&|proposal| proposal.evidence = proposal.evidence.iter().take(2).copied().collect()),
    ];
    let before = session.len();
    for proposal in wrong {
        let by_coordinator = net.by_coordinator(&coordinator(200), &session, proposal.clone());
        let error = session.insert(by_coordinator).unwrap_err();
        assert!(matches!(error, NotAccepted::ConvenersToPropose { .. }), "{error}");
        session.accepts(&net.sign(0, session.id(), Body::Proposal(proposal))).unwrap();
    }
    assert_eq!((session.len(), session.latest_round()), (before, 0));
    let by_coordinator = net.by_coordinator(&coordinator(200), &session, proposal);
    assert_eq!(session.insert(by_coordinator), Ok(true));
    assert_eq!(session.latest_round(), 1);
}

#[test]
fn a_proposal_is_not_computed_twice_from_the_same() {
    let net = Net::new(4);
    let mut session = net.gathered();
    let digest = net.propose(&mut session);
    let Body::Proposal(proposal) = session.statement(&digest).unwrap().body().clone() else { panic!() };
    let first = session.recompute(&proposal).unwrap();
    assert_eq!(session.recompute(&proposal).unwrap(), first);
    // Other parameters are other results, and what is contradicted later does not count, whatever is known.
    let mut other = proposal.clone();
    other.parameters.margin = Duration::ZERO;
    assert!(matches!(session.recompute(&other), Err(Unconfirmed::Differs(_))));
    let sequence = session.evidence()[&net.name(3)].header().sequence;
    let mut again = net.statement(3, Some(session.id()), net.evidence(3, &[0]));
    again.header.sequence = sequence;
    session.insert(net.verified(&again, 3)).unwrap();
    assert!(matches!(session.recompute(&proposal), Err(Unconfirmed::Contradicted { .. })));
}

#[test]
fn of_a_roll_forwards_evidence_the_highest_number_counts_unless_it_is_contradicted() {
    let net = Net::new(4);
    let mut session = net.open();
    let say = |session: &mut Session, last| {
        net.say(1, session, Body::Sequencing(net.sequencing(1, last, Some(0)))).digest()
    };
    let older = say(&mut session, 60);
    let newer = say(&mut session, 90);
    let counts = |session: &Session| session.sequencing().get(&net.name(1)).map(|one| one.digest());
    assert_eq!(counts(&session), Some(newer));
    assert!(session.evidence().is_empty());
    let mut twice = session.statement(&newer).unwrap().statement().clone();
    twice.body = Body::Sequencing(net.sequencing(1, 91, None));
    session.insert(net.verified(&twice, 1)).unwrap();
    assert_eq!(counts(&session), None);
    assert_eq!(session.equivocations().len(), 1);
    assert_ne!(older, newer);
}
