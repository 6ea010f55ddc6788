//! The roster and the certificates among the fixtures of the command-line cases: each is, byte for byte, what its
//! signers sign today. With `SVDR_REGENERATE=1` they are written anew instead.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use svdr_cli::screens::fixture::{Meeting, roster_text};
use svdr_protocol::statement::Verified;

/// A session that everybody has agreed in, and so many have attested.
fn meeting(drill: bool, attested: usize) -> Meeting {
    let mut meeting = Meeting::open(drill);
    meeting.report_all();
    let proposal = meeting.propose(None);
    (0..4).for_each(|by| drop(meeting.agree(by, proposal)));
    (0..attested).for_each(|by| drop(meeting.attest(by, proposal, "acs")));
    meeting
}

fn lines<'a>(statements: impl IntoIterator<Item = &'a Arc<Verified>>) -> String {
    statements.into_iter().map(|one| one.envelope().to_json() + "\n").collect()
}

/// The certificate with the signatures of its last two statements exchanged.
fn forged(certificate: &str) -> String {
    let mut statements: Vec<serde_json::Value> =
        certificate.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = statements.len() - 1;
    let [other, own] = [last - 1, last].map(|at| statements[at]["signatures"].clone());
    statements[last - 1]["signatures"] = own;
    statements[last]["signatures"] = other;
    statements.iter().map(|one| one.to_string() + "\n").collect()
}

#[test]
fn committed_certificates_are_what_their_signers_sign() {
    let (real, drill) = (meeting(false, 3), meeting(true, 3));
    let certificate = lines(real.session.completion_certificate().unwrap().statements());
    let fixtures = [
        ("roster.toml", roster_text()),
        ("other-roster.toml", roster_text().replace("DevNet", "TestNet")),
        ("forged.jsonl", forged(&certificate)),
        ("certificate.jsonl", certificate),
        ("drill.jsonl", lines(drill.session.completion_certificate().unwrap().statements())),
        ("agreement.jsonl", lines(meeting(false, 0).session.agreement_certificate(1).unwrap().statements())),
        ("unfinished.jsonl", lines(&meeting(false, 2).said)),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cmd/validator.in");
    for (name, content) in fixtures {
        let path = folder.join(name);
        if std::env::var_os("SVDR_REGENERATE").is_some() {
            fs::write(path, content).unwrap();
        } else {
            assert!(
                fs::read_to_string(path).unwrap() == content,
                "tests/cmd/validator.in/{name} is not what its signers sign; run SVDR_REGENERATE=1 cargo test -p \
                 svdr-tests --test validator_fixtures, and see in the difference whether that is meant"
            );
        }
    }
}
