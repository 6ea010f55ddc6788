//! What a coordinator publishes of completed sessions, for any web server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use svdr_tests::agents::LIMIT;
use svdr_tests::binaries;
use svdr_tests::completed::Completed;
use svdr_tests::coordinator::Coordinator;
use svdr_tests::network::Network;
use svdr_tests::sv_app::Options;

use super::bench::Bench;
use super::online::submit;

fn start(network: &Network) -> Coordinator {
    Coordinator::start(network.path(), &["--publish", "web/published"]).unwrap()
}

fn folder(network: &Network) -> PathBuf {
    network.path().join("web/published")
}

/// Waits until `reached` holds.
#[track_caller]
fn wait(what: &str, reached: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !reached() {
        assert!(Instant::now() < end, "{what} has not come about");
        std::thread::yield_now();
    }
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

fn holds(path: &Path, line: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.lines().any(|one| one == line))
}

fn names(network: &Network) -> Vec<String> {
    let entries = fs::read_dir(folder(network)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

#[track_caller]
fn verified(network: &Network, path: &Path) {
    let mut command = Command::new(binaries::agent());
    command.args(["verify", "--completed", "--roster", "roster.toml"]).arg(path).current_dir(network.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_session_is_published_once_it_is_completed_and_again_when_it_grows() {
    let bench = Bench::empty(Options::default());
    let network = &bench.network;
    let coordinator = start(network);
    let mut completed = Completed::attested(network, false, 2).unwrap();
    submit(&coordinator, network, &completed.said);
    assert_eq!(names(network), [""; 0]);
    let before = completed.said.len();
    completed.attest(3).unwrap();
    submit(&coordinator, network, &completed.said[before..]);
    let id = completed.id();
    let [certificate, transcript] =
        ["certificate", "transcript"].map(|what| folder(network).join(format!("{id}.{what}.jsonl")));
    wait("the certificate", || certificate.exists());
    assert_eq!(names(network), [format!("{id}.certificate.jsonl"), format!("{id}.transcript.jsonl")]);
    for path in [&certificate, &transcript] {
        verified(network, path);
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o644);
    }
    // Every statement with its receipt behind it, a proposal of the coordinator's own among them.
    assert!(lines(&transcript).is_multiple_of(2) && lines(&transcript) >= 2 * completed.said.len());
    let first = lines(&certificate);
    fs::copy(&certificate, bench.path("certificate.jsonl")).unwrap();
    bench.dump(&[]).says(0, &["3 of 4 SVs have attested"]);
    bench.assert_dump();
    let before = completed.said.len();
    completed.attest(4).unwrap();
    submit(&coordinator, network, &completed.said[before..]);
    wait("the fourth attestation", || lines(&certificate) == first + 1);
    let last = completed.said.last().unwrap().to_json();
    wait("its transcript", || holds(&transcript, &last));
    verified(network, &transcript);
}

#[test]
fn what_is_missing_after_a_restart_is_written_again() {
    let network = Network::new(4).unwrap();
    let coordinator = start(&network);
    let completed = Completed::attested(&network, false, 3).unwrap();
    submit(&coordinator, &network, &completed.said);
    let certificate = folder(&network).join(format!("{}.certificate.jsonl", completed.id()));
    wait("the certificate", || certificate.exists());
    coordinator.kill().unwrap();
    let before = fs::read(&certificate).unwrap();
    fs::remove_dir_all(folder(&network)).unwrap();
    let coordinator = start(&network);
    wait("the certificate", || certificate.exists());
    assert_eq!(fs::read(&certificate).unwrap(), before);
    // What was accepted just before the end is published, too.
    let drill = Completed::attested(&network, true, 3).unwrap();
    submit(&coordinator, &network, &drill.said);
    assert!(coordinator.stop().unwrap().success());
    assert!(folder(&network).join(format!("drill-{}.certificate.jsonl", drill.id())).exists());
}

#[test]
fn a_drill_is_published_under_a_name_that_says_so() {
    let network = Network::new(4).unwrap();
    let coordinator = start(&network);
    let completed = Completed::attested(&network, true, 3).unwrap();
    submit(&coordinator, &network, &completed.said);
    let id = completed.id();
    let certificate = folder(&network).join(format!("drill-{id}.certificate.jsonl"));
    wait("the certificate", || certificate.exists());
    assert_eq!(
        names(&network),
        [format!("drill-{id}.certificate.jsonl"), format!("drill-{id}.transcript.jsonl")]
    );
}

#[test]
fn a_certificate_that_does_not_stand_any_more_is_taken_away() {
    let network = Network::new(4).unwrap();
    let coordinator = start(&network);
    let mut completed = Completed::attested(&network, false, 3).unwrap();
    submit(&coordinator, &network, &completed.said);
    let id = completed.id();
    let [certificate, transcript] =
        ["certificate", "transcript"].map(|what| folder(&network).join(format!("{id}.{what}.jsonl")));
    wait("the certificate", || certificate.exists());
    let before = completed.said.len();
    completed.abandon(3).unwrap();
    submit(&coordinator, &network, &completed.said[before..]);
    wait("its end", || !certificate.exists());
    // The proof of it stays.
    let last = completed.said.last().unwrap().to_json();
    wait("the transcript", || holds(&transcript, &last));
}

#[test]
fn a_folder_that_cannot_be_used_is_said_at_the_start() {
    let network = Network::new(4).unwrap();
    fs::write(network.path().join("file"), "").unwrap();
    let error = Coordinator::start(network.path(), &["--publish", "file"]).unwrap_err().to_string();
    assert!(error.contains("cannot be created or written to") && error.contains("--publish"), "{error}");
}
