//! Every error of the core that reaches an operator, in one place, to be read as an operator would: does it say
//! what is wrong, and what to do?

use std::error::Error;

use crate::certificate::CertificateError;
use crate::digest::Digest;
use crate::dsse::EnvelopeError;
use crate::evidence::{EvidenceError, TickRunError};
use crate::failure::Told;
use crate::keys::{PublicKey, PublicKeyError};
use crate::names::{MemberName, NameError, ParticipantId, SynchronizerId};
use crate::roster::{MistakeKind, RosterError, RosterMistake};
use crate::statement::{RoundOf, SessionId};
use crate::time::{Tick, Timestamp, TimestampError};
use crate::vote::{VoteRefusal, Wait};

/// As the programs print them.
fn list<'a>(errors: impl IntoIterator<Item = &'a dyn Error>) -> String {
    let lines = errors.into_iter().map(|error| {
        let Told { error, because, help } = Told::of(error);
        let because = because.iter().map(|cause| format!("\n  because: {cause}"));
        let help = help.iter().map(|help| format!("\nhelp: {help}"));
        format!("error: {error}{}{}", because.collect::<String>(), help.collect::<String>())
    });
    lines.collect::<Vec<_>>().join("\n\n")
}

fn member(name: &str) -> MemberName {
    name.parse().unwrap()
}

#[test]
fn texts_that_are_not_what_they_should_be() {
    let found = || "x".to_owned();
    let errors: [&dyn Error; 10] = [
        &"now".parse::<Timestamp>().unwrap_err(),
        &"2026-02-30T00:00:00Z".parse::<Timestamp>().unwrap_err(),
        &TimestampError::TooFine { text: "2026-04-21T23:10:00.0000001Z".to_owned() },
        &"".parse::<MemberName>().unwrap_err(),
        &"SV::x::1220".parse::<ParticipantId>().unwrap_err(),
        &"PAR::x::1220e5a29d39...".parse::<ParticipantId>().unwrap_err(),
        &"global".parse::<SynchronizerId>().unwrap_err(),
        &"sha256:00".parse::<Digest>().unwrap_err(),
        &"AAAA".parse::<PublicKey>().unwrap_err(),
        &PublicKeyError::NotAKey { found: found() },
    ];
    svdr_snapshot::assert_snapshot!("texts", list(errors));
}

#[test]
fn envelopes() {
    let base64 = |text| base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap_err();
    let errors: [&dyn Error; 7] = [
        &EnvelopeError::TooLong { found: 9_000_000, limit: 5_000_000 },
        &EnvelopeError::Json(serde_json::from_str::<u8>("{").unwrap_err()),
        &EnvelopeError::Base64 { field: "payload", source: base64("a*") },
        &EnvelopeError::SignatureCount { found: 2 },
        &EnvelopeError::SignatureLength { found: 63 },
        &EnvelopeError::KeyId(PublicKeyError::Malformed { found: "me".to_owned() }),
        &EnvelopeError::Signature {
            signer: "ed25519:AAAA".to_owned(),
            source: ed25519_dalek::SignatureError::new(),
        },
    ];
    svdr_snapshot::assert_snapshot!("envelopes", list(errors));
}

#[test]
fn evidence() {
    let (a, b) = (|| member("SV-1"), || member("SV-2"));
    let participant = |name: &str| format!("PAR::{name}::abc").parse::<ParticipantId>().unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let errors: [&dyn Error; 14] = [
        &EvidenceError::NotAMember { member: a() },
        &EvidenceError::OtherParticipant { member: a(), expected: participant("a"), found: participant("b") },
        &EvidenceError::OtherSynchronizer {
            member: a(),
            expected: "global-domain::1220be58c29e".to_owned(),
            found: "other::1220be58c29e".to_owned(),
        },
        &EvidenceError::UnknownCounterparty { member: a(), counterparty: b() },
        &EvidenceError::AboutItself { member: a() },
        &EvidenceError::TwiceAbout { member: a(), counterparty: b() },
        &EvidenceError::TooManyTicks { member: a() },
        &EvidenceError::TooManySynchronizers { member: a(), found: 17 },
        &EvidenceError::BackwardSpan {
            member: a(),
            first: at("2026-04-21T23:10:00Z"),
            last: at("2026-04-21T22:10:00Z"),
        },
        &TickRunError::Empty,
        &TickRunError::Step { count: 2, step: 0 },
        &TickRunError::OutOfRange,
        &TickRunError::Order { at: Tick(at("2026-04-21T23:10:00Z")) },
        &TickRunError::TooMany { limit: 1_000_000 },
    ];
    svdr_snapshot::assert_snapshot!("evidence", list(errors));
}

#[test]
fn rosters() {
    let kinds = [
        MistakeKind::TooLong { found: 5 << 20 },
        MistakeKind::Syntax { message: "unclosed array table, expected `]`".to_owned() },
        MistakeKind::UnknownField {
            field: "quorum".to_owned(),
            place: "the roster",
            known: "network, threshold".to_owned(),
        },
        MistakeKind::Missing { place: "[[member]]".to_owned(), field: "name", example: "name = \"…\"" },
        MistakeKind::Type { field: "threshold", expected: "a whole number", found: "string" },
        MistakeKind::Name(NameError::Name { found: " A".to_owned() }),
        MistakeKind::Key(PublicKeyError::Malformed { found: "x".to_owned() }),
        MistakeKind::Network { found: "\n".to_owned() },
        MistakeKind::MemberCount { found: 1 },
        MistakeKind::ObserverCount { found: 5000 },
        MistakeKind::Duplicate { what: "name", value: "SV-1".to_owned(), first: 4 },
        MistakeKind::Indistinguishable { first: 4, shown: "PAR::x::1220e5a29d39...".to_owned() },
        MistakeKind::Threshold { found: 2, members: 4, least: 3 },
        MistakeKind::NoConvener,
    ];
    let mistakes: Vec<RosterMistake> =
        kinds.into_iter().zip(1..).map(|(kind, line)| RosterMistake { line, kind }).collect();
    svdr_snapshot::assert_snapshot!("rosters", list([&RosterError { mistakes } as &dyn Error]));
}

fn round(round: u32) -> RoundOf {
    RoundOf { session: SessionId::from_bytes([0xab; 16]), round }
}

#[test]
fn certificates() {
    let signer = || member("SV-1");
    let digest = |text: &str| Digest::of(text.as_bytes());
    let errors: [&dyn Error; 7] = [
        &CertificateError::NotOne { kind: "proposal", found: 2 },
        &CertificateError::OtherRoster { expected: digest("ours"), found: digest("theirs") },
        &CertificateError::NoPredecessor { signer: signer(), round: round(1) },
        &CertificateError::Foreign {
            kind: "attestation",
            signer: signer(),
            digest: digest("statement"),
            proposal: digest("proposal"),
        },
        &CertificateError::Repeated { kind: "attestation", signer: signer() },
        &CertificateError::NotAgreed { signer: signer() },
        &CertificateError::TooFew { kind: "attestation", found: 2, needed: 3 },
    ];
    svdr_snapshot::assert_snapshot!("certificates", list(errors));
}

#[test]
fn votes() {
    let names = |names: &[&str]| names.iter().map(|name| member(name)).collect();
    let digest = |text: &str| Digest::of(text.as_bytes());
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let errors: [&dyn Error; 21] = [
        &Wait::Proposal { proposal: digest("proposal") },
        &Wait::LowerRound { round: 3, latest: 1 },
        &Wait::Evidence { missing: [digest("evidence")].into() },
        &Wait::Agreements { round: 1, by: names(&["SV-1"]), needed: 3, open: names(&["SV-2", "SV-3"]) },
        &Wait::Abandonments { round: round(1), by: names(&["SV-2"]), needed: 2, open: names(&["SV-3"]) },
        &VoteRefusal::Aborted,
        &VoteRefusal::Completed { completed: round(1) },
        &VoteRefusal::CompletedElsewhere { completed: round(1) },
        &VoteRefusal::AgreedHigher { round: 1, agreed: 2 },
        &VoteRefusal::Superseded { round: 1, latest: 2 },
        &VoteRefusal::TooManyRounds,
        &VoteRefusal::OtherRoster { round: round(1) },
        &VoteRefusal::NotCovered { round: 1 },
        &VoteRefusal::Abandoned { round: round(1), by: digest("agreement") },
        &VoteRefusal::Released { round: 1 },
        &VoteRefusal::OtherProposal { round: 1, agreed: digest("one"), certified: digest("another") },
        &VoteRefusal::OtherDump {
            round: 1,
            agreed: (at("2026-04-21T23:10:00Z"), 6),
            made: (at("2026-04-21T22:10:00Z"), 6),
        },
        &VoteRefusal::Attested { round: round(1), released: false },
        &VoteRefusal::Attested { round: round(1), released: true },
        &VoteRefusal::NotAttested { round: 1 },
        &VoteRefusal::AgreedAlready { round: 1 },
    ];
    svdr_snapshot::assert_snapshot!("votes", list(errors));
}
