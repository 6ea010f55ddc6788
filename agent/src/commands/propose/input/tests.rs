#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use ed25519_dalek::SigningKey;
use svdr_protocol::evidence::Observations;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::time::Tick;
use tempfile::TempDir;

use super::*;

fn key(member: char) -> SigningKey {
    SigningKey::from_bytes(&[member as u8; 32])
}

fn roster() -> Roster {
    let member = |name: char| {
        let key = PublicKey::from(key(name).verifying_key());
        let participant = format!("PAR::{name}::fingerprint");
        format!(
            "[[member]]\nname = \"{name}\"\nparticipant = \"{participant}\"\nkey = \"{key}\"\nconvener = true\n"
        )
    };
    let head = "network = \"TestNet\"\nsynchronizer = \"global-domain::abcdefabcdef\"\n".to_owned();
    Roster::parse(&"ABCD".chars().fold(head, |text, name| text + &member(name))).unwrap()
}

/// Evidence of one match, at the minute.
fn evidence(by: char, about: char, minute: usize) -> Evidence {
    let tick: Tick = format!("2026-04-21T23:{minute:02}:00Z").parse().unwrap();
    let observations = Observations { matches: [tick].into_iter().collect(), ..Default::default() };
    Evidence {
        member: by.to_string().parse().unwrap(),
        participant: format!("PAR::{by}::fingerprint").parse().unwrap(),
        synchronizers: BTreeSet::new(),
        log_span: None,
        about: BTreeMap::from([(about.to_string().parse().unwrap(), observations)]),
        unattributed_mismatches: 0,
    }
}

fn unsigned(evidence: &Evidence) -> String {
    serde_json::to_string_pretty(&EvidenceDocument::new(evidence, &roster())).unwrap()
}

fn header(signer: &MemberName, sequence: u64) -> Header {
    Header {
        session: None,
        roster: roster().fingerprint(),
        drill: false,
        signer: signer.clone(),
        sequence,
        software: "tests".to_owned(),
    }
}

fn signed(evidence: &Evidence, change: impl FnOnce(&mut Header)) -> String {
    let mut header = header(&evidence.member, 7);
    change(&mut header);
    let by = evidence.member.as_str().chars().next().unwrap();
    let statement = Statement { header, body: Body::Evidence(evidence.clone()) };
    statement.sign(&key(by)).unwrap().to_json()
}

/// Reads files of these contents, called `0`, `1`, ….
fn read(files: &[&str]) -> Result<Vec<(String, bool)>, String> {
    let folder = TempDir::new().unwrap();
    let paths: Vec<PathBuf> = (0..files.len()).map(|at| folder.path().join(at.to_string())).collect();
    for (path, content) in paths.iter().zip(files) {
        fs::write(path, content).unwrap();
    }
    let folder = format!("{}/", folder.path().display());
    let inputs = Inputs::<Evidence>::read(&paths, &roster())
        .map_err(|error| svdr_cli::failure::explain(&error).replace(&folder, ""))?;
    let newest = |input: &MemberInput<Evidence>| {
        let newest = input.evidence.about.values().filter_map(|about| about.matches.newest()).max();
        newest.unwrap().to_string()[14..16].to_owned()
    };
    let shown = |(member, input): (&MemberName, &MemberInput<Evidence>)| {
        (format!("{member}{}", newest(input)), input.signed.is_some())
    };
    Ok(inputs.members.iter().map(shown).collect())
}

#[test]
fn any_mix_in_any_number_of_files() {
    let (a, b, c) = (evidence('A', 'B', 1), evidence('B', 'A', 2), evidence('C', 'A', 3));
    let mixed = format!("\n {}\n{}\n\n", unsigned(&a), signed(&b, |_| {}));
    let expected = vec![("A01".to_owned(), false), ("B02".to_owned(), true), ("C03".to_owned(), true)];
    assert_eq!(read(&[&mixed, &signed(&c, |_| {})]), Ok(expected.clone()));
    assert_eq!(read(&[&signed(&c, |_| {}), &mixed]), Ok(expected));
}

#[test]
fn the_highest_sequence_number_counts_and_a_copy_does_not_matter() {
    let older = signed(&evidence('A', 'B', 1), |header| header.sequence = 7);
    let newer = signed(&evidence('A', 'B', 2), |header| header.sequence = 8);
    let expected = Ok(vec![("A02".to_owned(), true)]);
    assert_eq!(read(&[&older, &newer, &newer]), expected);
    assert_eq!(read(&[&newer, &newer, &older]), expected);
}

#[test]
fn two_signed_with_one_number_are_an_equivocation() {
    let one = signed(&evidence('A', 'B', 1), |_| {});
    let other = signed(&evidence('A', 'B', 2), |_| {});
    assert_eq!(
        read(&[&one, &format!("{}\n{other}", signed(&evidence('B', 'A', 1), |_| {}))]).unwrap_err(),
        "error: EQUIVOCATION: A signed different evidence twice with sequence number 7: 0:1 and 1:2\n\
         help: remove both from the arguments, and keep them as the proof"
    );
}

#[test]
fn nothing_tells_which_unsigned_evidence_counts() {
    let (one, other) = (unsigned(&evidence('A', 'B', 1)), unsigned(&evidence('A', 'B', 2)));
    assert_eq!(
        read(&[&one, &other]).unwrap_err(),
        "error: 0:1 and 1:1 are both unsigned evidence of A\nhelp: give only one of them"
    );
    let signed = signed(&evidence('A', 'B', 2), |_| {});
    for files in [[&signed, &one], [&one, &signed]] {
        let error = read(&files.map(String::as_str)).unwrap_err();
        assert!(error.contains(" is signed and ") && error.contains(" is unsigned evidence of A"), "{error}");
    }
}

#[test]
fn sessions_and_drills_do_not_mix() {
    let real = signed(&evidence('A', 'B', 1), |_| {});
    let drill = signed(&evidence('B', 'A', 1), |header| header.drill = true);
    assert_eq!(
        read(&[&real, &drill]).unwrap_err(),
        "error: 0:1 is signed for no session, but 1:1 for a drill\nhelp: use the evidence of one session only"
    );
    let session = SessionId::from_bytes([0xab; 16]);
    let other = signed(&evidence('B', 'A', 1), |header| header.session = Some(session));
    let error = read(&[&real, &other]).unwrap_err();
    assert!(error.contains(&format!("for session {session}")), "{error}");
    assert!(read(&[&drill]).is_ok());
}

#[test]
fn a_statement_that_does_not_hold_is_not_used() {
    let forged = signed(&evidence('A', 'B', 1), |header| header.signer = "B".parse().unwrap());
    let error = read(&[&forged]).unwrap_err();
    assert!(
        error.starts_with("error: 0:1 is invalid\n  because: the statement says that it is by B"),
        "{error}"
    );
    let altered = signed(&evidence('A', 'B', 1), |_| {}).replace("evidence+", "evidencf+");
    assert!(read(&[&altered]).unwrap_err().contains("the signature by"));
}

#[test]
fn what_is_no_evidence_is_told_by_its_line() {
    let good = signed(&evidence('A', 'B', 1), |_| {});
    for (files, expected) in [
        (vec![""], "error: 0 contains no evidence"),
        (vec![" \n"], "error: 0 contains no evidence"),
        (vec!["oops"], "error: 0:1 is not JSON"),
        (vec!["{\"member\":"], "error: 0:1 is not JSON"),
        (vec!["[]"], "error: 0:1 is neither"),
        (vec!["7"], "error: 0:1 is neither"),
        (vec!["{\"candidates\":[]}"], "error: 0:1 is neither"),
    ] {
        let error = read(&files).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
    let error = read(&[&good, &format!("\n{}\n\n{{]", unsigned(&evidence('B', 'A', 1)))]).unwrap_err();
    let lines = unsigned(&evidence('B', 'A', 1)).lines().count();
    assert!(error.starts_with(&format!("error: 1:{} is not JSON", lines + 3)), "{error}");
    let mut stranger = evidence('A', 'B', 1);
    stranger.member = "E".parse().unwrap();
    let error = read(&[&unsigned(&stranger)]).unwrap_err();
    assert!(
        error.starts_with("error: 0:1 does not fit the roster\n  because: the evidence is by E"),
        "{error}"
    );
    let missing = Inputs::<Evidence>::read(&[PathBuf::from("/nonexistent/evidence.json")], &roster());
    assert!(matches!(missing, Err(ProposeInputError::Read { .. })));
}

#[test]
fn signed_evidence_of_a_roll_forward_counts_by_its_number() {
    let reported = |minute: usize, sequence| {
        let header = Header {
            session: None,
            roster: roster().fingerprint(),
            drill: false,
            signer: "A".parse().unwrap(),
            sequence,
            software: "test".to_owned(),
        };
        let document = format!(
            r#"{{"member":"A","physical_synchronizer":"global-domain::abcdefabcdef::35-1","last_sequenced":"2026-04-21T23:{minute:02}:00Z"}}"#
        );
        let document: SequencingDocument = serde_json::from_str(&document).unwrap();
        let body = Body::Sequencing(document.sequencing(&roster()).unwrap());
        Statement { header, body }.sign(&key('A')).unwrap().to_json()
    };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("evidence");
    fs::write(&path, format!("{}\n{}\n", reported(2, 8), reported(1, 7))).unwrap();
    let inputs = Inputs::<Sequencing>::read(std::slice::from_ref(&path), &roster()).unwrap();
    let last: Vec<String> = inputs.evidence().map(|one| one.last_sequenced.to_string()).collect();
    assert_eq!(last, ["2026-04-21T23:02:00Z"]);
    assert_eq!(inputs.unsigned().count(), 0);
    // The evidence of one plan is not the other's.
    let other = Inputs::<Evidence>::read(&[path], &roster());
    assert!(matches!(other, Err(ProposeInputError::NotEvidence { kind: "sequencing", .. })));
}
