//! Sessions that do not go straight: rejections, abandonments, locked rounds, other sessions, members left behind, a
//! network in two halves.

mod across;
mod decisions;
mod halves;
mod locked;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::session::Session;
use svdr_protocol::statement::SessionId;
use svdr_protocol::time::Timestamp;
use svdr_tests::agents::{Agent, Agents, LIMIT, NEWEST_TICK};
use svdr_tests::sv_app::Options;
use svdr_tests::town::Town;

/// The recovery timestamp that a session chooses by itself, so many minutes earlier.
fn before_newest(minutes: u64) -> Timestamp {
    let newest = Timestamp::from_micros(NEWEST_TICK).unwrap();
    newest.checked_sub(Duration::from_secs((15 + minutes) * 60)).unwrap()
}

/// An SV app that has not caught up to the newest recovery timestamp, and to one two minutes earlier.
fn behind(options: Options) -> Options {
    Options { caught_up_to: Some(before_newest(2)), ..options }
}

/// What an operator's command says; it has to succeed.
pub(crate) fn operate(town: &Town, member: usize, args: &[&str]) -> String {
    let output = town.agents.command(member, args).unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// What `status` says, as a document.
fn status(town: &Town, member: usize, session: SessionId) -> serde_json::Value {
    let id = session.to_string();
    let output = town.agents.command(member, &["status", &id, "--output", "json"]).unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The statements of a session that a member's agent holds: what it has seen, and what it has signed.
pub(crate) fn held(agents: &Agents, member: usize, session: SessionId) -> BTreeSet<Digest> {
    let folder = agents.state(member).join(session.to_string());
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let signed = names.filter(|name| name.starts_with(|first: char| first.is_ascii_digit()));
    let files = signed.chain(["mirror.jsonl".to_owned()]);
    let texts: Vec<String> = files.map(|name| fs::read_to_string(folder.join(name)).unwrap()).collect();
    // A last line that is being written is no envelope yet.
    let envelopes =
        texts.iter().flat_map(|text| text.lines()).map(|line| Envelope::from_json(line.as_bytes()));
    envelopes.filter_map(Result::ok).map(|one| one.digest()).collect()
}

pub(crate) fn digests(session: &Session) -> BTreeSet<Digest> {
    session.statements().map(|one| one.digest()).collect()
}

pub(crate) fn wait(what: &str, reached: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !reached() {
        assert!(Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}

/// The end of a run that has done its part; what it printed.
pub(crate) fn done(agent: Agent) -> serde_json::Value {
    let finished = agent.finish().unwrap();
    assert!(finished.status.success(), "{}", finished.log);
    serde_json::from_str(&finished.stdout).unwrap()
}
