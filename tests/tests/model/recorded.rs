//! Recorded sessions of real processes are runs of the model: each vote, in the order of the coordinator's transcript,
//! is one that the rules let its signer sign after what came before, and what must always hold does after each.
//!
//! The recordings are transcripts of drills. `SVDR_REGENERATE=1 cargo test -p svdr-tests --test model recorded` runs
//! those drills, which takes the real programs, and writes the transcripts anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use clap::Parser as _;
use stateright::{Expectation, Model as _};
use svdr_protocol::roster::Roster;
use svdr_protocol::session::Phase;
use svdr_protocol::statement::{Body, Verified};
use svdr_protocol::transcript::{self, Content, Report};
use svdr_tests::drill::{self, Options};

use super::network::{Network, is_vote};
use super::recovery::{Recovery, Sign};

/// Each recording with the options of its drill.
const RECORDINGS: [(&str, &[&str]); 3] = [
    ("chaos", &["--chaos", "7"]),
    ("pruned", &["--pruned", "--lagging"]),
    ("vouched", &["--vouch", "--mismatch=standing"]),
];

/// Why a transcript is no run of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NotARun {
    /// The rules do not let the signer sign this after what came before.
    NotAllowed { place: usize, signer: String, kind: &'static str },
    /// After this statement something does not hold that must always hold.
    Broken { place: usize, property: &'static str },
}

fn path(name: &str, ending: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model/recordings").join(format!("{name}.{ending}"))
}

fn record(name: &str, args: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("drill");
    let small = ["--log-megabytes", "1", "--snapshot-megabytes", "1", "--lines", "--keep"];
    let options = Options::try_parse_from([&["drill"], args, &small, &[kept.to_str().unwrap()]].concat());
    drill::run(&options.unwrap()).unwrap();
    for (file, ending) in [("roster.toml", "roster.toml"), ("transcript.jsonl", "jsonl")] {
        fs::create_dir_all(path(name, ending).parent().unwrap()).unwrap();
        fs::copy(kept.join(file), path(name, ending)).unwrap();
    }
}

/// A recording, after all of them have been made anew where that is wanted.
fn recording(name: &str) -> (Arc<Roster>, String) {
    static ANEW: Once = Once::new();
    if std::env::var_os("SVDR_REGENERATE").is_some() {
        ANEW.call_once(|| RECORDINGS.iter().for_each(|(name, args)| record(name, args)));
    }
    let read = |ending| {
        let path = path(name, ending);
        fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; SVDR_REGENERATE=1 records it anew", path.display()))
    };
    (Arc::new(Roster::parse(&read("roster.toml")).unwrap()), read("jsonl"))
}

fn verified(roster: &Arc<Roster>, text: &str) -> Report {
    transcript::verify(text.lines().enumerate().map(|(at, line)| (at + 1, line.as_bytes())), roster)
}

/// The statements that hold, in their order.
fn statements(report: &Report) -> Vec<Arc<Verified>> {
    let statement = |content: &Content| match content {
        Content::Statement(one) => Some(Arc::clone(one)),
        _ => None,
    };
    report.lines.iter().filter_map(|line| statement(&line.content)).collect()
}

/// Replays the votes among `statements` in the model.
fn replay(roster: &Arc<Roster>, statements: &[Arc<Verified>]) -> Result<usize, NotARun> {
    let network = Network::recorded(Arc::clone(roster), statements);
    let members = network.members();
    let model = Recovery::new(network).abandoning(members);
    let mut state = model.init_states().remove(0);
    let mut steps = 0;
    for (place, one) in statements.iter().enumerate().filter(|(_, one)| is_vote(one.body())) {
        let member = (0..members).find(|member| model.network.name(*member) == *one.signer()).unwrap();
        let sign = Sign { member, statement: model.network.remember(Arc::clone(one)) };
        let mut allowed = Vec::new();
        model.honest(member, &state, &mut allowed);
        let (signer, kind) = (one.signer().to_string(), one.body().kind());
        state = allowed
            .contains(&sign)
            .then(|| model.next_state(&state, sign).unwrap())
            .ok_or(NotARun::NotAllowed { place, signer, kind })?;
        for property in model.properties() {
            let must_hold = matches!(property.expectation, Expectation::Always);
            if must_hold && !(property.condition)(&model, &state) {
                return Err(NotARun::Broken { place, property: property.name });
            }
        }
        steps += 1;
    }
    let mut sometimes = model.properties().into_iter().filter(|one| one.name == "a completion");
    assert!(sometimes.all(|one| (one.condition)(&model, &state)), "the recording is not complete");
    Ok(steps)
}

fn place(statements: &[Arc<Verified>], nth: usize, kind: &str) -> usize {
    let places = statements.iter().enumerate().filter(|(_, one)| one.body().kind() == kind);
    places.map(|(place, _)| place).nth(nth).unwrap()
}

#[test]
fn recorded_drills_are_runs_of_the_model() {
    for (name, _) in RECORDINGS {
        let (roster, text) = recording(name);
        let report = verified(&roster, &text);
        assert!(report.holds(), "{name}: {report:?}");
        let phase = report.sessions[0].phase;
        // The drill of the pruned took more than one round.
        assert!(
            matches!(phase, Phase::Completed(round) if (round > 1) == (name == "pruned")),
            "{name}: {phase}"
        );
        let steps = replay(&roster, &statements(&report));
        // At least an agreement and an attestation of each of the threshold.
        assert!(steps.as_ref().is_ok_and(|steps| *steps >= 2 * roster.threshold()), "{name}: {steps:?}");
    }
}

#[test]
fn an_attestation_before_its_certificate_is_no_step_of_the_model() {
    for (name, _) in RECORDINGS {
        let (roster, text) = recording(name);
        let mut statements = statements(&verified(&roster, &text));
        let first = place(&statements, 0, "attestation");
        let attestation = statements.remove(first);
        let signer = attestation.signer().to_string();
        // Behind its signer's own agreement, which is among the first ones.
        let early = place(&statements, roster.threshold() - 1, "agreement");
        statements.insert(early, attestation);
        let refused = NotARun::NotAllowed { place: early, signer, kind: "attestation" };
        assert_eq!(replay(&roster, &statements), Err(refused), "{name}");
    }
}

#[test]
fn moving_on_without_the_others_promises_is_no_step_of_the_model() {
    let (roster, text) = recording("pruned");
    let all = statements(&verified(&roster, &text));
    let moved_on =
        |one: &Arc<Verified>| matches!(one.body(), Body::Agreement(said) if !said.attested.is_empty());
    let proven = all.iter().find(|one| moved_on(one)).expect("one that had attested moves on");
    let Body::Agreement(agreement) = proven.body() else { unreachable!("an agreement") };
    let (signer, kind) = (proven.signer().to_string(), "agreement");
    for proof in agreement.attested.values().flatten() {
        let without: Vec<_> = all.iter().filter(|one| one.digest() != proof.digest()).cloned().collect();
        let place = without.iter().position(|one| one.digest() == proven.digest()).unwrap();
        let refused = NotARun::NotAllowed { place, signer: signer.clone(), kind };
        assert_eq!(replay(&roster, &without), Err(refused));
    }
}

#[test]
fn an_altered_recording_does_not_hold() {
    for (name, _) in RECORDINGS {
        let (roster, text) = recording(name);
        let lines: Vec<&str> = text.lines().collect();
        for altered in (0..lines.len()).step_by(3) {
            let mut other = lines.clone();
            // A letter of the payload is another one.
            let (head, tail) = other[altered].split_once("\"payload\":\"").unwrap();
            let flipped = if tail.as_bytes()[8] == b'A' { "B" } else { "A" };
            let line = format!("{head}\"payload\":\"{}{flipped}{}", &tail[..8], &tail[9..]);
            other[altered] = &line;
            assert!(!verified(&roster, &other.join("\n")).holds(), "{name}, line {}", altered + 1);
        }
        // A line that is missing leaves a gap in the coordinator's chain.
        let mut shorter = lines.clone();
        shorter.remove(lines.len() / 2);
        assert!(!verified(&roster, &shorter.join("\n")).holds(), "{name}");
    }
}
