//! What earlier releases wrote is read, and what later ones will write changes no answer.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use proptest::prelude::*;
use prost::Message as _;
use serde_json::Value;
use svdr_cli::screens::facts::SessionFacts;
use svdr_protocol::roster::Roster;
use svdr_protocol::transcript::{self, Report};
use svdr_tests::binaries;

use super::*;

/// The drills of which the folder of a release has the transcripts.
const DRILLS: [&str; 2] = ["pruned", "chaos"];

fn folder(drill: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("releases/dump").join(drill)
}

/// Copies a folder, for the owner alone, as the programs make it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, Permissions::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
            std::fs::set_permissions(&target, Permissions::from_mode(0o600)).unwrap();
        }
    }
}

struct Recorded {
    roster: Arc<Roster>,
    key: SigningKey,
    lines: Vec<String>,
}

fn recorded(drill: &str) -> Recorded {
    let read = |name: &str| std::fs::read_to_string(folder(drill).join(name)).unwrap();
    let copied = tempfile::tempdir().unwrap();
    let key = copied.path().join("signing.key");
    svdr_files::write_private(&key, read("signing.key").as_bytes(), svdr_files::Replace::Never).unwrap();
    Recorded {
        roster: Arc::new(Roster::parse(&read("roster.toml")).unwrap()),
        key: svdr_cli::signing_key::read(&key).unwrap(),
        lines: read("transcript.jsonl").lines().map(str::to_owned).collect(),
    }
}

fn verify(recorded: &Recorded, lines: &[String]) -> Report {
    let lines = lines.iter().enumerate().map(|(at, line)| (at + 1, line.as_bytes()));
    transcript::verify(lines, &recorded.roster)
}

/// All that programs say about a transcript, but how many statements of newer versions it has.
fn answers(report: &Report) -> Vec<String> {
    let mut answers = vec![
        report.holds().to_string(),
        format!("{:?}", report.equivocations),
        format!("{:?}", report.forks),
        format!("{:?}", report.chains),
    ];
    for one in &report.sessions {
        let mut facts = serde_json::to_value(SessionFacts::of(&one.session)).unwrap();
        facts["unknown_statements"] = Value::Null;
        answers.push(facts.to_string());
        answers.push(format!("{:?} {:?} {:?}", one.phase, one.proposals, one.completed));
    }
    answers
}

/// A statement as a newer version could sign it: of another kind, or of a known kind that says something new.
fn newer(recorded: &Recorded, session: SessionId, drill: bool, choice: u8, content: &[u8]) -> Envelope {
    let header = v1::Header {
        session: session.as_bytes().to_vec(),
        roster: recorded.roster.fingerprint().as_bytes().to_vec(),
        drill,
        signer: "Example-SV-1".to_owned(),
        sequence: 1000 + u64::from(choice),
        software: "svdr 99".to_owned(),
    };
    let proposal = v1::Proposal { header: Some(header.clone()), round: 1, ..Default::default() };
    let obstacle = v1::Obstacle { header: Some(header.clone()), round: 1, kind: 3, ..Default::default() };
    // A field that nobody knows: number 90, of bytes.
    let mut new = vec![0xd2, 0x05, u8::try_from(content.len()).unwrap()];
    new.extend(content);
    let (kind, mut payload) = match choice % 4 {
        0 => ("proposal", proposal.encode_to_vec()),
        1 => ("obstacle", obstacle.encode_to_vec()),
        2 => ("prophecy", v1::Abort { header: Some(header), reason: String::new() }.encode_to_vec()),
        _ => ("astrology", v1::Abort { header: Some(header), reason: String::new() }.encode_to_vec()),
    };
    payload.extend(new);
    Envelope::sign(format!("application/vnd.svdr.v1.{kind}+protobuf"), payload, &recorded.key)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn statements_of_newer_versions_change_no_answer_but_their_count(
        drill in prop::sample::select(DRILLS.to_vec()),
        added in prop::collection::vec((any::<u8>(), any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..20)), 1..12),
    ) {
        let recorded = recorded(drill);
        let before = verify(&recorded, &recorded.lines);
        prop_assert!(before.holds());
        let session = &before.sessions[0].session;
        let mut lines = recorded.lines.clone();
        let mut digests = std::collections::BTreeSet::new();
        for (choice, place, content) in added {
            let envelope = newer(&recorded, session.id(), session.drill(), choice, &content);
            digests.insert(envelope.digest());
            lines.insert(place.index(lines.len() + 1), envelope.to_json());
        }
        let after = verify(&recorded, &lines);
        prop_assert_eq!(answers(&before), answers(&after));
        prop_assert_eq!(after.sessions[0].session.unknown(), digests.len());
    }
}

/// The journal, the state folder and the transcript that the programs of a release wrote.
#[tokio::test(flavor = "multi_thread")]
async fn the_programs_read_what_an_earlier_release_wrote() {
    let work = tempfile::tempdir().unwrap();
    let recorded = recorded("pruned");
    for name in ["data", "state"] {
        copy(&folder("pruned").join(name), &work.path().join(name));
    }
    for name in ["roster.toml", "transcript.jsonl"] {
        std::fs::copy(folder("pruned").join(name), work.path().join(name)).unwrap();
    }
    let secret = std::fs::read(folder("pruned").join("signing.key")).unwrap();
    svdr_files::write_private(work.path().join("signing.key"), &secret, svdr_files::Replace::Never).unwrap();
    svdr_cli::signing_key::create(&work.path().join("coordinator.key")).unwrap();
    let session = verify(&recorded, &recorded.lines).sessions[0].session.id();

    // The journal.
    let coordinator = Coordinator::start(work.path(), &[]).unwrap();
    assert_eq!(coordinator.started.journal.statements as usize, recorded.lines.len() / 2);
    let mut client = connect(&coordinator, &recorded.key).await;
    let get = v1::GetSessionRequest { session: session.to_string() };
    let found = client.get_session(get).await.unwrap().into_inner();
    assert_eq!(found.summary.unwrap().state(), v1::SessionState::Verified);
    let key = &coordinator.started.public_key;
    let config = format!(
        "roster = \"roster.toml\"\n[signing]\nkey = \"signing.key\"\n[output]\ndir = \".\"\nstate = \"state\"\n\
         [[coordinator]]\nurl = \"https://127.0.0.1:1\"\nkey = \"{key}\"\n"
    );
    std::fs::write(work.path().join("agent.toml"), config).unwrap();
    coordinator.kill().unwrap();

    // The state folder, without any coordinator, and the transcript.
    let id = session.to_string();
    let commands: [&[&str]; 2] =
        [&["status", &id], &["verify", "--roster", "roster.toml", "transcript.jsonl"]];
    for arguments in commands {
        let output = Command::new(binaries::agent())
            .args(arguments)
            .args(["--output", "json"])
            .current_dir(work.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let phase = document["phase"].as_str().or(document["sessions"][0]["phase"].as_str());
        assert_eq!(phase, Some("verified"), "{document}");
    }
}
