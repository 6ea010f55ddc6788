#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::evidence::{LogSpan, MAX_TICKS, Observations, TickRunError, Ticks};
use crate::time::{Tick, Timestamp};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn roster() -> Roster {
    let member = |seed: u8| {
        let key = crate::keys::PublicKey::from(key(seed).verifying_key());
        let fingerprint = hex::encode([seed; 32]);
        format!(
            "[[member]]\nname = \"SV-{seed}\"\nparticipant = \"PAR::sv-{seed}::1220{fingerprint}\"\nkey = \"{key}\"\nconvener = true\n"
        )
    };
    let synchronizer = format!("global-domain::1220{}", hex::encode([0xbe; 32]));
    let members: String = (1..=3).map(member).collect();
    Roster::parse(&format!("network = \"DevNet\"\nsynchronizer = \"{synchronizer}\"\n{members}")).unwrap()
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn statement(matches: &[i64], mismatches: &[i64]) -> Statement {
    let roster = roster();
    let member = &roster.members()[0];
    let ticks = |micros: &[i64]| micros.iter().map(|&micros| Tick(at(micros))).collect::<Ticks>();
    Statement {
        header: Header {
            session: Some(SessionId::from_bytes([5; 16])),
            roster: roster.fingerprint(),
            drill: true,
            signer: member.name.clone(),
            sequence: 42,
            software: "svdr-agent 0.1.0".to_owned(),
        },
        body: Body::Evidence(Evidence {
            member: member.name.clone(),
            participant: member.participant.clone(),
            synchronizers: [roster.synchronizer().short()].into(),
            log_span: Some(LogSpan { first: at(1), last: at(2) }),
            about: [(
                roster.members()[1].name.clone(),
                Observations { matches: ticks(matches), mismatches: ticks(mismatches) },
            )]
            .into(),
            unattributed_mismatches: 3,
        }),
    }
}

fn signed_as(statement: &Statement, seed: u8) -> Result<Statement, StatementError> {
    Statement::read(&statement.sign(&key(seed)).unwrap(), &roster())
}

fn evidence_mut(statement: &mut Statement) -> &mut Evidence {
    let Body::Evidence(evidence) = &mut statement.body else { panic!("no evidence") };
    evidence
}

#[test]
fn only_the_member_itself_signs_in_its_name() {
    let statement = statement(&[60, 120], &[]);
    assert_eq!(signed_as(&statement, 1).unwrap(), statement);
    assert!(matches!(signed_as(&statement, 2), Err(StatementError::OtherSigner { .. })));
    assert!(matches!(signed_as(&statement, 9), Err(StatementError::Stranger { .. })));
}

#[test]
fn a_statement_counts_only_with_its_own_roster() {
    let mut statement = statement(&[60], &[]);
    statement.header.roster = Digest::of(b"another");
    assert!(matches!(signed_as(&statement, 1), Err(StatementError::OtherRoster { .. })));
}

#[test]
fn evidence_that_contradicts_the_roster_is_refused() {
    let refused = |change: &dyn Fn(&mut Evidence)| {
        let mut statement = statement(&[60], &[]);
        change(evidence_mut(&mut statement));
        signed_as(&statement, 1).unwrap_err().to_string()
    };
    let about = |evidence: &mut Evidence, name: &str| {
        let (_, observations) = evidence.about.pop_first().unwrap();
        evidence.about.insert(name.parse().unwrap(), observations);
    };
    svdr_snapshot::assert_snapshot!(
        "evidence",
        [
            refused(&|evidence| evidence.participant = roster().members()[1].participant.clone()),
            refused(&|evidence| evidence.synchronizers = ["other::1220be58c29e".to_owned()].into()),
            refused(&|evidence| about(evidence, "SV-1")),
            refused(&|evidence| about(evidence, "SV-7")),
            refused(&|evidence| evidence.log_span = Some(LogSpan { first: at(2), last: at(1) })),
        ]
        .join("\n")
    );
}

#[test]
fn an_unknown_kind_is_told_from_a_foreign_type() {
    let read = |payload_type: &str| {
        Statement::read(&Envelope::sign(payload_type.to_owned(), Vec::new(), &key(1)), &roster()).unwrap_err()
    };
    assert!(matches!(
        read("application/vnd.svdr.v1.prophecy+protobuf"),
        StatementError::UnknownKind { kind } if kind == "prophecy"
    ));
    assert!(matches!(read("application/vnd.in-toto+json"), StatementError::ForeignType { .. }));
    assert!(matches!(
        read("application/vnd.svdr.v1.evidence+protobuf"),
        StatementError::Field { field: "header", .. }
    ));
}

#[test]
fn a_message_cut_at_any_byte_is_refused_or_smaller() {
    let whole = statement(&[60, 120, 200], &[180]);
    let bytes = whole.body.encode(whole.header.to_message());
    for cut in 0..bytes.len() {
        let payload_type = "application/vnd.svdr.v1.evidence+protobuf".to_owned();
        let envelope = Envelope::sign(payload_type, bytes[..cut].to_vec(), &key(1));
        assert_ne!(Statement::read(&envelope, &roster()).ok().as_ref(), Some(&whole), "cut at {cut}");
    }
}

#[test]
fn a_run_that_would_expand_without_end_is_refused() {
    let whole = statement(&[60], &[]);
    let Body::Evidence(evidence) = &whole.body else { panic!("no evidence") };
    let mut message = evidence.to_message(whole.header.to_message());
    message.observations[0].matches = vec![v1::TickRun { first: 0, step: 1, count: u32::MAX }];
    let payload_type = "application/vnd.svdr.v1.evidence+protobuf".to_owned();
    let envelope = Envelope::sign(payload_type, message.encode_to_vec(), &key(1));
    let error = Statement::read(&envelope, &roster()).unwrap_err();
    assert!(
        matches!(error, StatementError::Runs { source: TickRunError::TooMany { limit: MAX_TICKS }, .. }),
        "{error}"
    );
}

#[test]
fn two_days_of_minutes_about_everybody_stay_small() {
    let mut statement = statement(&[], &[]);
    // A tick missing now and then: every tenth, at another place for each counterparty.
    evidence_mut(&mut statement).about = (0..127i64)
        .map(|counterparty| {
            let minutes = (0..2880i64).filter(|minute| (minute + counterparty) % 10 != 0);
            let matches =
                minutes.map(|minute| Tick(at(1_776_000_000_000_000 + minute * 60_000_000))).collect();
            let name = format!("SV-{counterparty}").parse().unwrap();
            (name, Observations { matches, mismatches: Ticks::default() })
        })
        .collect();
    let json = statement.sign(&key(1)).unwrap().to_json();
    assert!(json.len() < 1 << 20, "{} bytes", json.len());
}

proptest! {
    #[test]
    fn what_is_signed_is_what_is_read(
        matches in prop::collection::vec(0i64..1000, 0..50),
        mismatches in prop::collection::vec(0i64..1000, 0..50),
    ) {
        let statement = statement(&matches, &mismatches);
        prop_assert_eq!(signed_as(&statement, 1).unwrap(), statement);
    }

    #[test]
    fn any_payload_is_read_or_refused(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let envelope = Envelope::sign("application/vnd.svdr.v1.evidence+protobuf".to_owned(), payload, &key(1));
        let _ = Statement::read(&envelope, &roster());
    }
}
