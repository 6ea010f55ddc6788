//! The signed statements among the fixtures of the command-line cases: each is, byte for byte, what its signer
//! signs today. With `SVDR_REGENERATE=1` they are written anew instead.
//!
//! They tell one story at ticks five minutes apart, from 21:30 to 23:25: all four agree, Zürich-4 is stuck from
//! 23:00 on, and Digital-Asset-2 and SV 3 do not agree at 23:15.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::evidence::{Evidence, LogSpan, Observations};
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{Body, Header, Statement};
use svdr_protocol::time::{Tick, Timestamp};

/// The members of the fixtures' roster; the key of each has its place, from one, as every byte of its seed.
const MEMBERS: [&str; 4] = ["Digital-Asset-1", "Digital-Asset-2", "SV 3", "Zürich-4"];
const MISMATCH: &str = "2026-04-21T23:15:00Z";
const STUCK_AFTER: &str = "2026-04-21T22:55:00Z";
const FIRST: &str = "2026-04-21T21:30:00Z";
const INTERVAL_MICROS: i64 = 5 * 60 * 1_000_000;
const TICKS: i64 = 24;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cmd")
}

fn roster() -> Roster {
    Roster::parse(&fs::read_to_string(folder().join("propose.in/roster.toml")).unwrap()).unwrap()
}

fn key(place: usize) -> SigningKey {
    SigningKey::from_bytes(&[u8::try_from(place).unwrap() + 1; 32])
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// What the logs of the member at `own` say, or of them only the first `ticks`.
fn evidence(own: usize, ticks: i64) -> Evidence {
    let roster = roster();
    let all = (0..ticks)
        .map(|nth| Tick(Timestamp::from_micros(at(FIRST).micros() + nth * INTERVAL_MICROS).unwrap()));
    let about = |other: usize| {
        let stuck = [own, other].contains(&3);
        let seen = all.clone().filter(|tick| !stuck || tick.0 <= at(STUCK_AFTER));
        let differs = |tick: &Tick| tick.0 == at(MISMATCH) && own.min(other) == 1 && own.max(other) == 2;
        let (mismatches, matches) = seen.partition::<Vec<Tick>, _>(differs);
        Observations { matches: matches.into_iter().collect(), mismatches: mismatches.into_iter().collect() }
    };
    let others = (0..MEMBERS.len()).filter(|other| *other != own);
    let member = MEMBERS[own].parse().unwrap();
    Evidence {
        participant: roster.member(&member).unwrap().participant.clone(),
        member,
        synchronizers: [roster.synchronizer().short()].into(),
        log_span: Some(LogSpan { first: at(FIRST), last: at("2026-04-21T23:31:12.004Z") }),
        about: others
            .map(|other| (MEMBERS[other].parse().unwrap(), about(other)))
            .collect::<BTreeMap<_, _>>(),
        unattributed_mismatches: 0,
    }
}

/// `evidence`, signed with `key` in the name of the member whose evidence it is.
fn signed_with(key: &SigningKey, evidence: Evidence, sequence: u64, drill: bool) -> String {
    let header = Header {
        session: None,
        roster: roster().fingerprint(),
        drill,
        signer: evidence.member.clone(),
        sequence,
        software: "svdr-agent 0.1.0".to_owned(),
    };
    Statement { header, body: Body::Evidence(evidence) }.sign(key).unwrap().to_json() + "\n"
}

/// What the member at `own` signs, of its first `ticks`, as its statement number `sequence`.
fn signed(own: usize, ticks: i64, sequence: u64) -> String {
    signed_with(&key(own), evidence(own, ticks), sequence, false)
}

/// `statement` with the signatures of `other`.
fn with_signatures_of(statement: &str, other: &str) -> String {
    let [mut statement, mut other]: [serde_json::Value; 2] =
        [statement, other].map(|text| serde_json::from_str(text).unwrap());
    statement["signatures"] = other["signatures"].take();
    statement.to_string() + "\n"
}

#[test]
fn committed_statements_are_what_their_signers_sign() {
    let document = serde_json::to_string_pretty(&EvidenceDocument::new(&evidence(0, TICKS), &roster()));
    let whole = |own| signed(own, TICKS, 7);
    let drill = signed_with(&key(3), evidence(3, TICKS), 7, true);
    let fixtures = [
        ("propose.in/digital-asset-1.json", document.unwrap() + "\n"),
        ("propose.in/digital-asset-2.json", whole(1)),
        ("propose.in/sv-3.json", whole(2)),
        ("propose.in/zuerich-4.json", whole(3)),
        ("propose.in/zuerich-4-later.json", signed(3, 6, 8)),
        ("propose.in/zuerich-4-other.json", signed(3, 6, 7)),
        ("propose.in/zuerich-4-drill.json", drill.clone()),
        ("verify.in/evidence.json", whole(1) + &whole(2)),
        ("verify.in/drill.json", drill),
        ("verify.in/altered.json", with_signatures_of(&whole(1), &signed(1, 6, 7))),
        ("verify.in/stranger.json", signed_with(&key(8), evidence(2, TICKS), 7, false)),
        ("verify.in/other-name.json", signed_with(&key(1), evidence(2, TICKS), 7, false)),
        ("verify.in/equivocation.json", whole(3) + &signed(3, 6, 7)),
    ];
    for (name, content) in fixtures {
        let path = folder().join(name);
        if std::env::var_os("SVDR_REGENERATE").is_some() {
            fs::write(path, content).unwrap();
        } else {
            assert!(
                fs::read_to_string(path).unwrap() == content,
                "tests/cmd/{name} is not what its signer signs; run SVDR_REGENERATE=1 cargo test -p svdr-tests \
                 --test signed_fixtures, and see in the difference whether that is meant"
            );
        }
    }
}
