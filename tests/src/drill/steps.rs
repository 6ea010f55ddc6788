//! The operators' steps, one after the other.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::time::{Duration, Instant};

use serde_json::Value;
use svdr_protocol::time::Timestamp;

use super::command::{Program, heading, show};
use super::network::{MIGRATION_ID, Network, failed};
use super::story::MARGIN;
use super::{DrillError, Options};
use crate::members::roster_toml;
use crate::sv_app::document::{self, Flaw};

/// How long an agent may try again: faults are over after a few tries.
pub(super) const RETRY_FOR: &str = "2m";

/// A dump that was made.
pub(super) struct Dump {
    pub(super) member: usize,
    pub(super) name: String,
    pub(super) how: &'static str,
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) sha256: String,
    pub(super) took: Option<Duration>,
}

/// What the proposal chose.
pub(super) struct Chosen {
    pub(super) recovery_timestamp: Timestamp,
    pub(super) covered: Vec<String>,
}

/// Every SV makes its signing key; the convener puts the roster together; everybody checks it.
pub(super) fn identities(network: &mut Network, options: &Options) -> Result<(), DrillError> {
    heading("Every SV makes its signing key, and the convener collects the roster");
    let mut keys = Vec::new();
    for (place, sv) in network.svs.iter().enumerate() {
        let out = format!("{}/signing.key", sv.member.name);
        let new = Program::agent(&network.folder, &["key", "new", "--out", &out]);
        if place == 0 {
            new.show(0)?;
        } else {
            new.run(0)?;
        }
        let shown = Program::agent(&network.folder, &["key", "show", &out]).json(0)?;
        keys.push(text(&shown, "/public_key")?);
    }
    let members: Vec<_> = network.svs.iter().map(|sv| sv.member.clone()).collect();
    let path = network.folder.join("roster.toml");
    let text = roster_toml(&members, &keys) + &super::validators::observers(network, options)?;
    fs::write(&path, text).map_err(failed(&path, "writing the roster"))?;
    Program::agent(&network.folder, &["roster", "check", "roster.toml"]).show(0)?;
    Ok(())
}

/// Every SV's operator looks whether the node is ready: the first one's result is shown. Without logs it is not, and
/// says so.
pub(super) fn check(network: &Network) -> Result<(), DrillError> {
    heading("Every operator checks the node");
    for (place, sv) in network.svs.iter().enumerate() {
        let config = format!("{}/agent.toml", sv.member.name);
        let check = Program::agent(&network.folder, &["check", "--config", &config]);
        match (place, network.story.vouched() == Some(place)) {
            (_, true) => drop(check.show(3)?),
            (0, false) => drop(check.show(0)?),
            (_, false) => drop(check.run(0)?),
        }
    }
    Ok(())
}

/// Every SV reads its logs and signs what they say.
pub(super) fn evidence_of_logs(network: &Network) -> Result<(), DrillError> {
    heading("Every SV reads its participant's logs and signs the evidence");
    for (place, sv) in network.svs.iter().enumerate() {
        let name = &sv.member.name;
        let [logs, key, out] = ["logs", "signing.key", "evidence.json"].map(|file| format!("{name}/{file}"));
        if place == 0 || network.story.lagging().contains(&place) {
            // Once for people: what an operator would look at first.
            Program::agent(
                &network.folder,
                &["evidence", "--roster", "roster.toml", "--member", name, &logs],
            )
            .show(0)?;
        }
        let sign =
            ["evidence", "--roster", "roster.toml", "--member", name, "--sign", &key, "--out", &out, &logs];
        let agent = Program::agent(&network.folder, &sign);
        say!("\n  $ {}", agent.line());
        agent.run(0)?;
    }
    Ok(())
}

/// Everybody checks everybody's signatures.
pub(super) fn verify(network: &Network) -> Result<(), DrillError> {
    heading("Everybody checks what the others signed");
    let evidence = evidence(network);
    let mut args = vec!["verify", "--roster", "roster.toml"];
    args.extend(evidence.iter().map(String::as_str));
    Program::agent(&network.folder, &args).show(0)?;
    Ok(())
}

/// Everybody computes the recovery timestamp.
pub(super) fn propose(network: &Network) -> Result<Chosen, DrillError> {
    heading("Everybody computes the recovery timestamp from the evidence of all");
    let evidence = evidence(network);
    let mut args = vec!["propose", "--roster", "roster.toml"];
    args.extend(evidence.iter().map(String::as_str));
    let agent = Program::agent(&network.folder, &args);
    agent.show(0)?;
    let outcome = agent.json(0)?;
    let chosen = outcome["chosen"].as_u64().unwrap_or(u64::MAX);
    let candidate = format!("/candidates/{chosen}");
    let at = text(&outcome, &format!("{candidate}/recovery_timestamp"))?;
    let covered = outcome.pointer(&format!("{candidate}/covered")).and_then(Value::as_array);
    let covered = covered.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let recovery_timestamp = at.parse().map_err(|error| DrillError::Unexpected {
        what: "the chosen recovery timestamp".to_owned(),
        expected: "a timestamp".to_owned(),
        found: format!("{error}"),
    })?;
    let chosen = Chosen { recovery_timestamp, covered };
    let expected = network.story.expected(MARGIN);
    let left_behind = expected.as_ref().map(|one| network.names(&one.left_behind)).unwrap_or_default();
    let covered: Vec<&str> = network.svs.iter().map(|sv| sv.member.name.as_str()).collect();
    let covered: BTreeSet<&str> = covered.into_iter().filter(|name| !left_behind.contains(name)).collect();
    if expected.map(|one| one.recovery_timestamp) != Some(chosen.recovery_timestamp)
        || chosen.covered.iter().map(String::as_str).collect::<BTreeSet<_>>() != covered
    {
        return Err(unexpected(
            "what the proposal chooses",
            &format!("everybody but {left_behind:?}"),
            &format!("{} with {}", chosen.recovery_timestamp, chosen.covered.join(", ")),
        ));
    }
    Ok(chosen)
}

/// Every covered SV makes its dump: the first from a snapshot that it fetched by other means, the others from
/// their apps. The one that lags is told that it cannot.
pub(super) fn dump(network: &Network, options: &Options, chosen: &Chosen) -> Result<Vec<Dump>, DrillError> {
    heading("Every covered SV makes its migration dump");
    let timestamp = chosen.recovery_timestamp.to_string();
    let mut dumps = vec![merge(network, options, chosen, &timestamp)?];
    for (place, sv) in network.svs.iter().enumerate().skip(1) {
        let name = &sv.member.name;
        let [config, out] = ["agent.toml", "dump.json"].map(|file| format!("{name}/{file}"));
        let args =
            ["dump", "--config", &config, "--timestamp", &timestamp, "--out", &out, "--retry-for", RETRY_FOR];
        let agent = Program::agent(&network.folder, &args);
        if !chosen.covered.contains(name) {
            if network.story.lagging().contains(&place) {
                // Its app has not caught up to the timestamp: not possible, and said why.
                agent.show(4)?;
            }
            continue;
        }
        let started = Instant::now();
        say!("\n  $ {}", agent.line());
        let printed = Program::agent(&network.folder, &[&args[..], &["--output", "json"]].concat()).run(0)?;
        show(&printed.stderr);
        let summary: Value = serde_json::from_str(&printed.stdout).unwrap_or_default();
        // One in several files is a folder, and the dump a file in it.
        let path = text(&summary, "/path")?;
        dumps.push(made(place, network, "dump", &path, &printed.stdout, started.elapsed())?);
    }
    Ok(dumps)
}

fn merge(network: &Network, options: &Options, chosen: &Chosen, timestamp: &str) -> Result<Dump, DrillError> {
    let Some(sv) = network.svs.first() else {
        return Err(unexpected("the network", "SVs", "none"));
    };
    let name = &sv.member.name;
    let [identities, data, out] =
        ["identities.json", "snapshot.json", "dump.json"].map(|file| format!("{name}/{file}"));
    let path = network.folder.join(&data);
    let shape = match &sv.app {
        Some(app) => app.options().snapshot,
        None => document::SnapshotShape::with_acs(options.seed, 1_000_000),
    };
    let writing = failed(&path, "writing the snapshot that was fetched by other means");
    let mut file = BufWriter::new(fs::File::create(&path).map_err(&writing)?);
    for piece in document::snapshot(shape, chosen.recovery_timestamp, MIGRATION_ID + 1, Flaw::Sound) {
        file.write_all(&piece).map_err(&writing)?;
    }
    file.flush().map_err(&writing)?;
    let args =
        ["merge", "--node-identities", &identities, "--data", &data, "--timestamp", timestamp, "--out", &out];
    let agent = Program::agent(&network.folder, &args);
    say!("\n  $ {}", agent.line());
    let started = Instant::now();
    let printed = Program::agent(&network.folder, &[&args[..], &["--output", "json"]].concat()).run(0)?;
    made(0, network, "merge", &out, &printed.stdout, started.elapsed())
}

fn made(
    member: usize,
    network: &Network,
    how: &'static str,
    path: &str,
    stdout: &str,
    took: Duration,
) -> Result<Dump, DrillError> {
    let summary: Value = serde_json::from_str(stdout)
        .map_err(|error| unexpected("the summary of a dump", "one JSON document", &error.to_string()))?;
    let size = summary["size"].as_u64();
    let name = network.svs.get(member).map(|sv| sv.member.name.clone()).unwrap_or_default();
    Ok(Dump {
        member,
        name,
        how,
        path: path.to_owned(),
        size: size.ok_or_else(|| unexpected("the summary of a dump", "its size", stdout))?,
        sha256: text(&summary, "/sha256")?,
        took: Some(took),
    })
}

fn evidence(network: &Network) -> Vec<String> {
    network.svs.iter().map(|sv| format!("{}/evidence.json", sv.member.name)).collect()
}

pub(super) fn text(document: &Value, pointer: &str) -> Result<String, DrillError> {
    match document.pointer(pointer).and_then(Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => {
            Err(unexpected("a command's JSON output", &format!("a text at {pointer}"), &document.to_string()))
        }
    }
}

pub(super) fn unexpected(what: &str, expected: &str, found: &str) -> DrillError {
    DrillError::Unexpected { what: what.to_owned(), expected: expected.to_owned(), found: found.to_owned() }
}
