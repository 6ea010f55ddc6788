#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::fixture::{Net, abandonment, agreement, at, attestation, key, part, release};
use crate::sequencing::Announcement;
use crate::text::shortened;

/// A key of nobody in the roster.
fn outside(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// One of every kind, full of everything that a kind can carry, each by a member that may sign it.
fn every_kind(net: &Net) -> Vec<(usize, Statement)> {
    let mut session = net.gathered();
    let digest = net.propose(&mut session);
    let Some(Body::Proposal(mut proposal)) = session.statement(&digest).map(|one| one.body().clone()) else {
        panic!("no proposal")
    };
    proposal.parameters.not_before = Some(at(-5));
    proposal.parameters.excluded = [net.name(3)].into();
    proposal.parameters.vouched = [net.name(2)].into();
    proposal.candidate.left_behind = [net.name(3)].into();
    let proof = [2, 3].map(|member| net.sign(member, session.id(), abandonment(1)).envelope().clone());
    let moving_on = Agreement {
        round: 2,
        proposal: digest,
        attested: [(session.round_of(1), proof.to_vec())].into(),
        elsewhere: [(SessionId::from_bytes([9; 16]), 3)].into(),
    };
    let mut attested = attestation(1, digest, at(6300));
    attested.parts.push(part("dar:1220ab"));
    let in_a_file = Part { file: Some("acs_snapshot.bin".to_owned()), ..part("acs_snapshot") };
    let received = Received { from: net.name(0), donation: Digest::of(b"a donation") };
    let from_a_donor = Attestation { parts: vec![in_a_file], received: Some(received), ..attested.clone() };
    let donation = Donation {
        round: 1,
        proposal: digest,
        recovery_timestamp: at(6300),
        migration_id: 6,
        party: "DSO::1220ab".to_owned(),
        snapshot: part(""),
        parts: vec![part("genesis_state")],
        url: Some("https://sv-1.example.com:7444".to_owned()),
    };
    let Body::Evidence(evidence) = net.evidence(2, &[9000]) else { panic!("no evidence") };
    let confirmation = Confirmation { round: 1, proposal: digest, evidence };
    let mut sequencing = net.sequencing(1, 60, Some(50));
    sequencing.announcement = Some(Announcement {
        successor: "global::abc::35-2".parse().unwrap(),
        effective: at(40),
        upgrade_time: at(90),
    });
    let text = |text: &str| text.to_owned();
    let check = |name, passed| Check { name: text(name), passed, text: text("as it should be") };
    let obstacle = Obstacle {
        round: 1,
        kind: ObstacleKind::Behind,
        recovery_timestamp: at(6300),
        text: text("the participant has not caught up"),
    };
    let bodies = [
        (
            0,
            Body::Open(Open {
                predecessors: [session.id()].into(),
                coordinators: [200, 199].map(outside).map(|key| key.verifying_key().into()).to_vec(),
                plan: PlanKind::Unknown(7),
                ..session.opening().clone()
            }),
        ),
        (1, net.evidence(1, &[0, 60, 180])),
        (1, Body::Sequencing(sequencing)),
        (0, Body::Proposal(proposal)),
        (2, agreement(1, digest)),
        (0, Body::Agreement(moving_on)),
        (3, Body::Rejection(Rejection { round: 1, proposal: digest, reason: text("too early") })),
        (1, Body::Attestation(attested)),
        (3, Body::Attestation(from_a_donor)),
        (2, Body::Obstacle(obstacle)),
        (2, abandonment(1)),
        (1, release(1, digest)),
        (3, Body::Milestone(Milestone { name: text("CometBFT stopped"), note: text("all replicas") })),
        (3, Body::Readiness(Readiness { checks: vec![check("roster", true), check("disk", false)] })),
        (
            0,
            Body::Appointment(Appointment {
                coordinator: crate::fixture::coordinator_key().verifying_key().into(),
            }),
        ),
        (1, Body::Abort(Abort { reason: text("false alarm") })),
        (0, Body::Donation(donation)),
        (2, Body::Confirmation(confirmation)),
    ];
    let in_session = |body: &Body| (!matches!(body, Body::Open(_))).then_some(session.id());
    bodies.into_iter().map(|(by, body)| (by, net.statement(by, in_session(&body), body))).collect()
}

#[test]
fn every_kind_is_read_as_it_was_signed() {
    let net = Net::new(4);
    let mut kinds: Vec<&str> = Vec::new();
    for (by, statement) in every_kind(&net) {
        let verified = net.verified(&statement, by);
        assert_eq!(*verified.statement(), statement);
        assert!(verified.by_member());
        assert_eq!(verified.signer(), &net.name(by));
        assert!(verified.session().is_some());
        kinds.push(statement.body.kind());
    }
    kinds.dedup();
    assert_eq!(kinds.len(), 16);
}

#[test]
fn every_kind_says_what_it_says_in_a_line() {
    let net = Net::new(4);
    let says: Vec<String> =
        every_kind(&net).into_iter().map(|(_, one)| format!("{}: {}", one.body.kind(), one.body)).collect();
    let says = says.join("\n");
    let hidden = |text: &str| {
        let digits = |word: &str| word.len() >= 32 && word.chars().all(|c| c.is_ascii_hexdigit());
        let words = text.split_inclusive([' ', ':', ',', '\n']);
        let hide = |word: &str| {
            let bare = word.trim_end_matches([' ', ':', ',', '\n']);
            if digits(bare) { word.replace(bare, "HEX") } else { word.to_owned() }
        };
        words.map(hide).collect::<String>()
    };
    svdr_snapshot::assert_snapshot!("kinds", hidden(&says));
}

#[test]
fn every_kind_cut_at_every_byte_is_refused_or_says_less() {
    let net = Net::new(4);
    for (by, statement) in every_kind(&net) {
        let payload = statement.body.encode(statement.header.to_message());
        let payload_type = format!("{TYPE_PREFIX}{}{TYPE_SUFFIX}", statement.body.kind());
        for cut in 0..payload.len() {
            let envelope = Envelope::sign(payload_type.clone(), payload[..cut].to_vec(), &key(by));
            let read = Statement::read(&envelope, &net.roster);
            assert_ne!(read.ok().as_ref(), Some(&statement), "{payload_type} cut at {cut}");
        }
    }
}

#[test]
fn a_kind_is_not_read_as_another() {
    let net = Net::new(4);
    let all = every_kind(&net);
    for (by, statement) in &all {
        let payload = statement.body.encode(statement.header.to_message());
        for (_, other) in &all {
            let payload_type = format!("{TYPE_PREFIX}{}{TYPE_SUFFIX}", other.body.kind());
            let envelope = Envelope::sign(payload_type, payload.clone(), &key(*by));
            if let Ok(read) = Statement::read(&envelope, &net.roster) {
                assert_eq!(read.body.kind(), other.body.kind());
            }
        }
    }
}

#[test]
fn conveners_alone_open_propose_and_abort() {
    let net = Net::new(4);
    for (_, mut statement) in every_kind(&net) {
        statement.header.signer = net.name(3);
        let envelope = statement.sign(&key(3));
        let read = envelope.and_then(|envelope| Statement::read(&envelope, &net.roster));
        let refused = matches!(read, Err(StatementError::NotAConvener { .. }));
        assert_eq!(refused, ["open", "appointment", "proposal", "abort"].contains(&statement.body.kind()));
    }
}

#[test]
fn a_coordinator_proposes_under_a_name_of_its_own_and_signs_nothing_else() {
    let net = Net::new(4);
    let outside = crate::fixture::coordinator_key();
    for (_, mut statement) in every_kind(&net) {
        statement.header.signer = "coordinator".parse().unwrap();
        let Ok(envelope) = statement.sign(&outside) else { continue };
        match Verified::read(envelope, &net.roster) {
            Ok(verified) => {
                assert_eq!(statement.body.kind(), "proposal");
                assert!(!verified.by_member());
            }
            Err(error) => assert!(matches!(error, StatementError::Stranger { .. }), "{error}"),
        }
        statement.header.signer = net.name(0);
        if statement.body.kind() == "proposal" {
            let read = Verified::read(statement.sign(&outside).unwrap(), &net.roster);
            assert!(matches!(read, Err(StatementError::NotTheMember { .. })));
        }
    }
}

#[test]
fn coordinators_keys_are_their_own_and_listed_once() {
    let net = Net::new(4);
    let session = net.open();
    let listed = PublicKey::from(outside(200).verifying_key());
    let members = PublicKey::from(key(3).verifying_key());
    let open = |coordinators: Vec<PublicKey>| {
        let body = Body::Open(Open { coordinators, ..session.opening().clone() });
        let envelope = net.statement(0, None, body).sign(&key(0))?;
        Statement::read(&envelope, &net.roster)
    };
    let many = (0..=MAX_COORDINATORS).map(|at| outside(100 + at as u8).verifying_key().into());
    assert!(open(vec![listed]).is_ok());
    assert!(matches!(open(vec![listed, listed]), Err(StatementError::Field { field: "coordinators", .. })));
    assert!(matches!(open(many.collect()), Err(StatementError::Field { field: "coordinators", .. })));
    assert!(matches!(open(vec![listed, members]), Err(StatementError::MembersKey { .. })));
    let appoint = Body::Appointment(Appointment { coordinator: members });
    let appoint = net.statement(0, Some(session.id()), appoint).sign(&key(0)).unwrap();
    let error = Statement::read(&appoint, &net.roster).unwrap_err();
    assert!(error.to_string().contains("SV-3 signs with that key"), "{error}");
}

#[test]
fn a_session_is_named_by_what_opened_it_and_by_nothing_else() {
    let net = Net::new(4);
    let session = net.open();
    assert_eq!(session.id(), SessionId::of_open(&session.opened().digest()));
    let mut named = session.opened().statement().clone();
    named.header.session = Some(session.id());
    assert!(matches!(named.sign(&key(0)), Err(StatementError::Session { named: true, .. })));
    let unnamed = net.statement(1, None, abandonment(1));
    assert!(matches!(unnamed.sign(&key(1)), Err(StatementError::Session { named: false, .. })));
}

#[test]
fn what_nobody_would_read_is_not_signed() {
    let net = Net::new(4);
    let session = net.open();
    let refused = |body| match net.statement(1, Some(session.id()), body).sign(&key(1)) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("signed"),
    };
    let abandon = |round, reason: &str| Body::Abandonment(Abandonment { round, reason: reason.to_owned() });
    let check = || Check { name: "roster".to_owned(), passed: true, text: String::new() };
    let mut parts = attestation(1, Digest::of(b"p"), at(0));
    parts.parts = vec![part("dar:1220ab"); MAX_PARTS + 1];
    let elsewhere = (0..=MAX_ELSEWHERE).map(|at| (SessionId::from_bytes([at as u8; 16]), 1)).collect();
    let many = Agreement { round: 1, proposal: Digest::of(b"p"), attested: BTreeMap::new(), elsewhere };
    svdr_snapshot::assert_snapshot!(
        "hidden_text",
        [
            refused(abandon(0, "")),
            refused(abandon(MAX_ROUND + 1, "")),
            refused(abandon(1, &"x".repeat(MAX_REASON_LEN + 1))),
            refused(abandon(1, "a\u{1b}[2Jb")),
            refused(abandon(1, "a\u{200b}b")),
            refused(Body::Milestone(Milestone { name: "\u{202e}x".to_owned(), note: String::new() })),
            refused(Body::Readiness(Readiness { checks: (0..=MAX_CHECKS).map(|_| check()).collect() })),
            refused(Body::Milestone(Milestone { name: " ".to_owned(), note: String::new() })),
            refused(Body::Attestation(parts)),
            refused(Body::Agreement(many)),
        ]
        .join("\n")
    );
}

#[test]
fn numbers_are_those_that_can_be_counted_to() {
    let net = Net::new(4);
    let session = net.open();
    let numbered = |sequence| {
        let mut statement = net.statement(1, Some(session.id()), abandonment(1));
        statement.header.sequence = sequence;
        statement
            .sign(&key(1))
            .map(|envelope| Verified::read(envelope, &net.roster).unwrap().header().sequence)
    };
    for sequence in [1, 2, 1_776_000_000_000_000, MAX_SEQUENCE] {
        assert_eq!(numbered(sequence).unwrap(), sequence);
    }
    for sequence in [0, MAX_SEQUENCE + 1, u64::MAX] {
        let error = numbered(sequence).unwrap_err().to_string();
        assert!(error.contains("header.sequence") && error.contains(&sequence.to_string()), "{error}");
        // Somebody else's program signs what it likes.
        let mut header = net.statement(1, Some(session.id()), abandonment(1)).header.to_message();
        header.sequence = sequence;
        let payload =
            v1::Abandonment { header: Some(header), round: 1, reason: String::new() }.encode_to_vec();
        let envelope = Envelope::sign(format!("{TYPE_PREFIX}abandonment{TYPE_SUFFIX}"), payload, &key(1));
        assert!(matches!(Verified::read(envelope, &net.roster), Err(StatementError::Field { .. })));
    }
}

#[test]
fn a_foreign_text_is_made_to_fit() {
    assert_eq!(shortened(" pruned\r\nbeyond\t", 100), "pruned  beyond");
    assert_eq!(shortened("äöü", 5), "ä…");
    assert_eq!(shortened("abc", 3), "abc");
}

proptest! {
    #[test]
    fn any_bytes_of_any_kind_are_read_or_refused(
        payload in prop::collection::vec(any::<u8>(), 0..300),
        kind in prop::sample::select(vec![
            "open", "evidence", "proposal", "agreement", "rejection", "attestation", "obstacle", "abandonment",
            "release", "milestone", "readiness", "abort", "appointment",
        ]),
    ) {
        let net = Net::new(2);
        let envelope = Envelope::sign(format!("{TYPE_PREFIX}{kind}{TYPE_SUFFIX}"), payload, &key(0));
        let _ = Statement::read(&envelope, &net.roster);
    }

    #[test]
    fn a_shortened_text_fits(text in "\\PC*", limit in 3usize..50) {
        let short = shortened(&text, limit);
        prop_assert!(short.len() <= limit);
        prop_assert_eq!(crate::text::hidden_in(&short), None);
    }
}

/// The donation and the received attestation of [`every_kind`], changed, are refused with these words.
#[test]
fn what_cannot_be_donated_or_received_is_refused_by_field() {
    let net = Net::new(4);
    let all = every_kind(&net);
    let donation = |change: &dyn Fn(&mut Donation)| {
        let (by, mut statement) = all.iter().find(|(_, one)| one.body.kind() == "donation").cloned().unwrap();
        let Body::Donation(donation) = &mut statement.body else { panic!("no donation") };
        change(donation);
        statement.sign(&key(by)).unwrap_err().to_string()
    };
    let attestation = |change: &dyn Fn(&mut Attestation)| {
        let is_received =
            |one: &Statement| matches!(&one.body, Body::Attestation(one) if one.received.is_some());
        let (by, mut statement) = all.iter().find(|(_, one)| is_received(one)).cloned().unwrap();
        let Body::Attestation(attestation) = &mut statement.body else { panic!("no attestation") };
        change(attestation);
        let envelope = statement.sign(&key(by)).map_err(|error| error.to_string());
        envelope
            .and_then(|one| Statement::read(&one, &net.roster).map_err(|error| error.to_string()))
            .unwrap_err()
    };
    let received = |from: &str| {
        let received = Received { from: from.parse().unwrap(), donation: Digest::of(b"a donation") };
        attestation(&|one| one.received = Some(received.clone()))
    };
    let texts = [
        donation(&|one| one.party = "DSO".to_owned()),
        donation(&|one| one.party = "::1220ab".to_owned()),
        donation(&|one| one.url = Some("http://sv-1.example.com".to_owned())),
        donation(&|one| one.url = Some(format!("https://{}", "a".repeat(MAX_URL_LEN)))),
        donation(&|one| one.snapshot.file = Some("../snapshot".to_owned())),
        donation(&|one| one.round = 0),
        received("SV-3"),
        received("SV-9"),
        attestation(&|one| one.parts[0].file = Some("/etc/passwd".to_owned())),
    ];
    svdr_snapshot::assert_snapshot!("donations", texts.join("\n"));
}

#[test]
fn evidence_of_a_roll_forward_that_contradicts_itself_is_not_signed() {
    let net = Net::new(4);
    let refused = |seen: Sequencing| match net.statement(1, None, Body::Sequencing(seen)).sign(&key(1)) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("signed"),
    };
    let seen = net.sequencing(1, 60, Some(61));
    assert!(refused(seen).starts_with("the evidence of SV-1 is invalid: topology_sequenced"));
    let long = Sequencing { warnings: vec!["x".repeat(2000)], ..net.sequencing(1, 60, None) };
    assert!(refused(long).contains("2000 bytes"));
    let hidden = Sequencing { sequencer: Some("SEQ\u{202e}".to_owned()), ..net.sequencing(1, 60, None) };
    assert!(refused(hidden).contains("the character \\u{202e}"));
}
