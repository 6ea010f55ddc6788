//! What is asked of the operator, on a terminal and without one.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use svdr_tests::sv_app::Options;

use super::bench::{Bench, Ended};

const ASKED: &str = "Are these the twelve words that the SVs announced? [y/N]";

/// A terminal: the end that a person types at, and the one that a program reads from.
fn terminal() -> (File, File) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let name = std::ffi::OsStr::from_bytes(name.as_bytes());
    let program = OpenOptions::new().read(true).write(true).open(name).unwrap();
    (File::from(person), program)
}

/// Runs `validator dump` on a terminal on which `typed` is typed.
fn at_a_terminal(bench: &Bench, typed: &str, arguments: &[&str]) -> Ended {
    let (mut person, program) = terminal();
    person.write_all(typed.as_bytes()).unwrap();
    let mut command = bench.unconfirmed(&[&["--certificate", "certificate.jsonl"], arguments].concat());
    let child = command.stdin(program).spawn().unwrap();
    // The terminal's other end stays open until the program has ended.
    let ended = bench.finish(child);
    drop(person);
    ended
}

#[test]
fn the_twelve_words_are_shown_and_asked_for() {
    let bench = Bench::new(Options::default());
    let words = bench.network.roster.spoken_fingerprint();
    let lines: Vec<String> = words.chunks(6).map(|line| line.join(" ")).collect();
    let ended = at_a_terminal(&bench, "y\n", &[]);
    ended.says(0, &[ASKED, &lines[0], &lines[1], &bench.fingerprint()]);
    ended.says(0, &["Opened by Example-SV-1: the synchronizer lost its state", "3 of 4 SVs have attested"]);
    bench.assert_dump();
}

#[test]
fn a_no_and_no_answer_end_it_before_anything_is_fetched() {
    for typed in ["n\n", "\n", "\u{4}"] {
        let bench = Bench::new(Options::default());
        let ended = at_a_terminal(&bench, typed, &["--yes"]);
        ended.says(3, &[ASKED, "not confirmed", "get the roster from the SVs again"]);
        assert_eq!(bench.stand_in.log().requests, []);
        assert_eq!(bench.left(), [""; 0]);
    }
}

#[test]
fn without_a_terminal_the_fingerprint_has_to_be_given() {
    let bench = Bench::new(Options::default());
    let certificate = ["--certificate", "certificate.jsonl"];
    for more in [&[][..], &["--yes"], &["--yes", "--deliver", "--to", "volume.json"]] {
        let mut command = bench.unconfirmed(&[&certificate[..], more].concat());
        bench
            .finish(command.spawn().unwrap())
            .says(2, &["--fingerprint", "--yes does not answer this question"]);
    }
    let wrong = ["--fingerprint", &format!("sha256:{}", "0".repeat(64))];
    let mut command = bench.unconfirmed(&[&certificate[..], &wrong].concat());
    bench.finish(command.spawn().unwrap()).says(3, &["has the fingerprint sha256:", "get the roster"]);
    assert_eq!(bench.stand_in.log().requests, []);
}

#[test]
fn delivery_is_a_question_of_its_own() {
    let bench = Bench::new(Options::default());
    let to = ["--deliver", "--to", "volume.json"];
    // The fingerprint is given, and nobody can be asked about the rest.
    bench.dump(&to).says(2, &["confirm the delivery", "--yes"]);
    assert_eq!(bench.stand_in.log().requests, []);
    let ended = at_a_terminal(&bench, "y\nn\n", &to);
    ended.says(3, &[ASKED, "Deliver the dump? [y/N]", "copied to", "not confirmed"]);
    assert_eq!(bench.stand_in.log().requests, []);
    at_a_terminal(&bench, "y\ny\n", &to).says(0, &["Deliver the dump? [y/N]"]);
    bench.assert_dump();
    bench.assert_is_dump(&bench.path("volume.json"));
}
