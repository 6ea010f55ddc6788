#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::fixture::{Net, abandonment, agreement, coordinator_key, key};
use crate::session::{NotAccepted, NotAdmitted, NotProposable, Phase, Session};

/// A statement as a newer version signs it: the header of that statement, and a field that nobody knows.
fn newer(kind: &str, header: &Header, by: &SigningKey) -> Envelope {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Newer {
        #[prost(message, optional, tag = "1")]
        header: Option<v1::Header>,
        #[prost(string, tag = "4")]
        field: String,
    }
    let message =
        Newer { header: Some(header.to_message()), field: "what only a newer version knows".to_owned() };
    Envelope::sign(format!("{TYPE_PREFIX}{kind}{TYPE_SUFFIX}"), message.encode_to_vec(), by)
}

fn header(net: &Net, member: usize, session: &Session) -> Header {
    let mut header = net.statement(member, Some(session.id()), abandonment(1)).header;
    header.drill = session.drill();
    header
}

/// The header of a coordinator.
fn of_coordinator(net: &Net, session: &Session) -> Header {
    Header { signer: "coordinator".parse().unwrap(), ..header(net, 0, session) }
}

fn listing(net: &Net) -> Session {
    net.open_with(BTreeSet::new(), false, vec![coordinator_key().verifying_key().into()])
}

/// An opening with a plan that only a newer version knows.
fn planned(net: &Net) -> Session {
    let session = listing(net);
    let open = Open { plan: PlanKind::Unknown(7), ..session.opening().clone() };
    let opened = net.verified(&net.statement(0, None, Body::Open(open)), 0);
    Session::open(opened, Arc::clone(&net.roster)).unwrap()
}

fn unknown(envelope: Envelope, net: &Net) -> Arc<Unknown> {
    match AnyStatement::read(envelope, &net.roster) {
        Ok(AnyStatement::Unknown(unknown)) => unknown,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_kind_is_kept_and_counts_for_nothing() {
    let net = Net::new(4);
    let mut session = net.gather(listing(&net));
    let before = (session.len(), session.phase());
    let by_member = unknown(newer("astrology", &header(&net, 3, &session), &key(3)), &net);
    let by_coordinator = unknown(newer("anchor", &of_coordinator(&net, &session), &coordinator_key()), &net);
    assert_eq!((by_member.kind(), by_member.by_member()), ("astrology", true));
    assert!(!by_coordinator.by_member());
    for one in [by_member, by_coordinator] {
        assert!(session.add(&AnyStatement::Unknown(Arc::clone(&one))).unwrap());
        assert!(!session.add(&AnyStatement::Unknown(one)).unwrap());
    }
    assert_eq!((session.len(), session.phase()), before);
    assert_eq!(session.unknown(), 2);
}

#[test]
fn an_unknown_kind_under_a_key_that_the_opening_does_not_list_is_refused() {
    let net = Net::new(4);
    for (session, key) in
        [(listing(&net), SigningKey::from_bytes(&[99; 32])), (net.open(), coordinator_key())]
    {
        let one =
            AnyStatement::read(newer("anchor", &of_coordinator(&net, &session), &key), &net.roster).unwrap();
        let refused = session.admits(&one);
        assert!(
            matches!(refused, Err(NotAdmitted::NotAccepted(NotAccepted::Outsider { .. }))),
            "{refused:?}"
        );
    }
    // Of the kinds that this version knows, a coordinator signs proposals alone.
    let session = listing(&net);
    let milestone = newer("milestone", &of_coordinator(&net, &session), &coordinator_key());
    assert!(matches!(AnyStatement::read(milestone, &net.roster), Err(StatementError::Stranger { .. })));
}

#[test]
fn an_unknown_kind_says_who_speaks_and_where() {
    let net = Net::new(4);
    let session = listing(&net);
    let good = header(&net, 2, &session);
    let read = |header: &Header| AnyStatement::read(newer("astrology", header, &key(2)), &net.roster);
    let in_anothers_name = read(&Header { signer: net.name(1), ..good.clone() });
    assert!(matches!(in_anothers_name, Err(StatementError::OtherSigner { .. })), "{in_anothers_name:?}");
    let other_roster = read(&Header { roster: Digest::of(b"another"), ..good.clone() });
    assert!(matches!(other_roster, Err(StatementError::OtherRoster { .. })), "{other_roster:?}");
    let headless = Envelope::sign(format!("{TYPE_PREFIX}astrology{TYPE_SUFFIX}"), Vec::new(), &key(2));
    let headless = AnyStatement::read(headless, &net.roster);
    assert!(matches!(headless, Err(StatementError::Field { field: "header", .. })), "{headless:?}");
    let elsewhere = read(&Header { session: Some(net.open().id()), ..good.clone() }).unwrap();
    let refused = session.admits(&elsewhere);
    assert!(
        matches!(refused, Err(NotAdmitted::NotAccepted(NotAccepted::OtherSession { .. }))),
        "{refused:?}"
    );
    let drill = read(&Header { drill: true, ..good }).unwrap();
    let refused = session.admits(&drill);
    assert!(matches!(refused, Err(NotAdmitted::NotAccepted(NotAccepted::Drill { .. }))), "{refused:?}");
}

#[test]
fn an_unknown_plan_or_value_of_a_known_kind_is_kept() {
    let net = Net::new(4);
    let session = listing(&net);
    // Its plan is an arm that this version does not know.
    let by_convener = newer("proposal", &header(&net, 0, &session), &key(0));
    let by_coordinator = newer("proposal", &of_coordinator(&net, &session), &coordinator_key());
    let obstacle = v1::Obstacle {
        header: Some(header(&net, 3, &session).to_message()),
        round: 1,
        kind: 9,
        recovery_timestamp: 0,
        text: String::new(),
    };
    let kind = format!("{TYPE_PREFIX}obstacle{TYPE_SUFFIX}");
    let obstacle = Envelope::sign(kind, obstacle.encode_to_vec(), &key(3));
    for envelope in [by_convener, by_coordinator, obstacle] {
        let one = unknown(envelope, &net);
        assert!(one.malformed().is_none());
        session.admits(&AnyStatement::Unknown(one)).unwrap();
    }
    let by_member = newer("proposal", &header(&net, 3, &session), &key(3));
    assert!(matches!(AnyStatement::read(by_member, &net.roster), Err(StatementError::NotAConvener { .. })));
    let by_stranger = newer("proposal", &of_coordinator(&net, &session), &SigningKey::from_bytes(&[99; 32]));
    let by_stranger = AnyStatement::read(by_stranger, &net.roster).unwrap();
    assert!(matches!(
        session.admits(&by_stranger),
        Err(NotAdmitted::NotAccepted(NotAccepted::Outsider { .. }))
    ));
}

#[test]
fn a_malformed_statement_is_kept_only_where_the_plan_is_unknown() {
    let net = Net::new(4);
    // An attestation of another plan has no dump.
    let attested = |session: &Session| {
        let one = unknown(newer("attestation", &header(&net, 2, session), &key(2)), &net);
        assert!(one.malformed().is_some());
        AnyStatement::Unknown(one)
    };
    let session = listing(&net);
    assert!(matches!(session.admits(&attested(&session)), Err(NotAdmitted::Malformed(_))));
    let planned = planned(&net);
    planned.admits(&attested(&planned)).unwrap();
}

#[test]
fn nothing_but_an_abort_counts_in_a_session_with_an_unknown_plan() {
    let net = Net::new(4);
    let mut session = planned(&net);
    assert!(session.unknown_plan().is_some_and(|unknown| unknown.plan == 7 && unknown.software == "test 1"));
    for member in 0..4 {
        net.say(member, &mut session, net.evidence(member, &[0]));
        net.say(member, &mut session, agreement(1, Digest::of(b"a proposal")));
        net.say(member, &mut session, agreement(1, Digest::of(b"another")));
    }
    assert_eq!(session.phase(), Phase::Gathering);
    assert!(session.evidence().is_empty() && session.equivocations().is_empty());
    let refused = session.next_proposal(&session.parameters());
    assert!(matches!(refused, Err(NotProposable::UnknownPlan(_))), "{refused:?}");
    net.say(1, &mut session, Body::Abort(Abort { reason: "over".to_owned() }));
    assert_eq!(session.phase(), Phase::Aborted);
}
