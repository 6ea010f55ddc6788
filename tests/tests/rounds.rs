//! Sessions that do not go straight: rejections, abandonments, locked rounds, other sessions, members left behind, a
//! network in two halves.

#![allow(clippy::unwrap_used, missing_docs)]

mod session_support;

#[path = "rounds/across.rs"]
mod across;
#[path = "rounds/decisions.rs"]
mod decisions;
#[path = "rounds/halves.rs"]
mod halves;
#[path = "rounds/locked.rs"]
mod locked;

use std::time::Duration;

use session_support::Town;
use svdr_protocol::statement::SessionId;
use svdr_protocol::time::Timestamp;
use svdr_tests::agents::{Agent, NEWEST_TICK};
use svdr_tests::sv_app::Options;

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
fn operate(town: &Town, member: usize, args: &[&str]) -> String {
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

/// The end of a run that has done its part; what it printed.
fn done(agent: Agent) -> serde_json::Value {
    let finished = agent.finish().unwrap();
    assert!(finished.status.success(), "{}", finished.log);
    serde_json::from_str(&finished.stdout).unwrap()
}
