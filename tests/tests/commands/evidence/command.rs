//! `svdr-agent evidence` as a program: what it prints and writes, and how it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use svdr_protocol::dsse::Envelope;
use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{Body, Statement};
use svdr_tests::binaries;
use svdr_tests::log_writer::{Entry, Format, LogWriter, Period, Style};
use svdr_tests::members::{SYNCHRONIZER, members, roster_toml};

/// 2026-04-21T19:33:00Z, in microseconds.
const TICK: i64 = 1_776_799_980_000_000;

fn run(folder: &Path, arguments: &[&str], stdin: Option<&Path>) -> Output {
    let mut command = Command::new(binaries::agent());
    command.current_dir(folder).args(arguments);
    command.stdin(stdin.map_or_else(Stdio::null, |path| fs::File::open(folder.join(path)).unwrap().into()));
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder with two identities, the roster of both, and a log of the first.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let members = members(2);
    let keys: Vec<String> = ["1.key", "2.key"]
        .iter()
        .map(|key| {
            assert!(run(folder.path(), &["key", "new", "--out", key], None).status.success());
            let shown = run(folder.path(), &["--output", "json", "key", "show", key], None);
            let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
            shown["public_key"].as_str().unwrap().to_owned()
        })
        .collect();
    fs::write(folder.path().join("roster.toml"), roster_toml(&members, &keys)).unwrap();
    let mut log = LogWriter::new(Vec::new(), Style::new(Format::Json));
    let period = Period { from: TICK - 60_000_000, to: TICK };
    log.write(&Entry::matched(TICK + 1_000_000, SYNCHRONIZER, "00ff", &members[1].participant, period))
        .unwrap();
    fs::write(folder.path().join("participant.log"), log.finish().unwrap()).unwrap();
    folder
}

const SCAN: [&str; 5] = ["evidence", "--roster", "roster.toml", "--member", "Example-SV-1"];

#[test]
fn prints_the_document_and_reads_standard_input() {
    let folder = folder();
    let log = Path::new("participant.log");
    let json = [&["--output", "json"], &SCAN[..]].concat();
    let file = run(folder.path(), &[&json[..], &["participant.log"]].concat(), None);
    let piped = run(folder.path(), &[&json[..], &["-"]].concat(), Some(log));
    let mut documents = [&file, &piped].map(|output| {
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice::<EvidenceDocument>(&output.stdout).unwrap()
    });
    assert_eq!(
        documents.each_ref().map(|document| document.sources[0].path.as_str()),
        ["participant.log", "-"]
    );
    assert_eq!(documents[0].matches[0].ticks.len(), 1);
    documents.iter_mut().for_each(|document| document.sources.clear());
    assert_eq!(documents[0], documents[1]);
    let table = run(folder.path(), &[&SCAN[..], &["participant.log"]].concat(), None);
    assert!(text(&table.stdout).contains("2026-04-21T19:33:00Z"), "{}", text(&table.stdout));
}

#[test]
fn signs_what_verify_accepts_and_never_replaces_a_file() {
    let folder = folder();
    let sign = [&SCAN[..], &["--sign", "1.key", "--out", "1.evidence", "participant.log"]].concat();
    let output = run(folder.path(), &sign, None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let path = folder.path().join("1.evidence");
    let signed = fs::read(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let roster = Roster::parse(&fs::read_to_string(folder.path().join("roster.toml")).unwrap()).unwrap();
    let statement = Statement::read(&Envelope::from_json(&signed).unwrap(), &roster).unwrap();
    let evidence = match statement.body {
        Body::Evidence(evidence) => evidence,
        #[allow(unreachable_patterns, reason = "there may be other kinds")]
        other => panic!("{other:?}"),
    };
    assert_eq!((evidence.tick_count(), statement.header.session), (1, None));
    assert_eq!(
        run(folder.path(), &["verify", "--roster", "roster.toml", "1.evidence"], None).status.code(),
        Some(0)
    );

    let again = run(folder.path(), &sign, None);
    assert_eq!((again.status.code(), fs::read(&path).unwrap()), (Some(1), signed));
    assert_eq!(run(folder.path(), &[&sign[..], &["--force"]].concat(), None).status.code(), Some(0));
    let printed = run(folder.path(), &[&SCAN[..], &["--sign", "1.key", "participant.log"]].concat(), None);
    assert!(Envelope::from_json(printed.stdout.trim_ascii()).is_ok());
}

#[test]
fn failures_have_their_codes() {
    let folder = folder();
    for (arguments, code, about) in [
        (&["participant.log", "absent.log"][..], 1, "absent.log cannot be accessed"),
        (&["*.zst"], 1, "matches no file"),
        (&["--sign", "2.key", "participant.log"], 3, "give the key of"),
        (&["--since", "yesterday", "participant.log"], 2, "neither a point in time nor a duration"),
        (
            &["--since", "2026-04-22T00:00:00Z", "--until", "2026-04-21T00:00:00Z", "participant.log"],
            2,
            "exchange",
        ),
    ] {
        let output = run(folder.path(), &[&SCAN[..], arguments].concat(), None);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(about), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
    }
    let stranger = ["evidence", "--roster", "roster.toml", "--member", "Nobody", "participant.log"];
    assert_eq!(run(folder.path(), &stranger, None).status.code(), Some(2));
}
