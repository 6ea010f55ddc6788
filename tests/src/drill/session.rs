//! A recovery session with the real programs: a coordinator, and an agent for every SV.
//!
//! Each process's log is shown as it comes, one line an event. Where chaos is asked for, processes are killed and
//! started again while they work, and connections cut, by a seed: the session must end the same.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use super::chaos::{Act, Chaos};
use super::command::{Program, heading};
use super::network::Network;
use super::steps::{Chosen, Dump, text, unexpected};
use super::{DrillError, Options};
use crate::binaries;
use crate::coordinator::Coordinator;
use crate::relay::Relay;

/// The longest that a session may be silent: far more than the pauses between tries.
const SILENCE: Duration = Duration::from_secs(180);

/// The coordinator, behind an address that stays when it is started again.
pub(super) struct Board {
    coordinator: Option<Coordinator>,
    relay: Relay,
    pub(super) key: String,
}

impl Board {
    /// Makes the coordinator's key and starts it, with an empty journal.
    pub(super) fn start(network: &Network) -> Result<Board, DrillError> {
        heading("A coordinator is started");
        let folder = network.folder.as_path();
        Program::agent(folder, &["identity", "new", "--out", "coordinator.key"]).run(0)?;
        println!(
            "\n  $ svdr-coordinator serve --roster roster.toml --identity coordinator.key --listen 127.0.0.1:0 \
             --data data"
        );
        let relay = Relay::start().map_err(DrillError::Start)?;
        let coordinator = Coordinator::start(folder, &[]).map_err(DrillError::Start)?;
        relay.lead_to(Some(coordinator.started.address));
        let key = coordinator.started.public_key.clone();
        println!("    listens on {} with the key {key}", coordinator.started.address);
        Ok(Board { coordinator: Some(coordinator), relay, key })
    }

    pub(super) fn url(&self) -> String {
        self.relay.url()
    }

    /// Kills the coordinator and starts it again on its journal.
    fn restart(&mut self, network: &Network) -> Result<(), DrillError> {
        self.relay.lead_to(None);
        if let Some(coordinator) = self.coordinator.take() {
            coordinator.kill().map_err(DrillError::Start)?;
        }
        let again = Coordinator::start(&network.folder, &[]).map_err(DrillError::Start)?;
        println!(
            "        coordinator | started again, with {} statements in its journal",
            again.started.journal.statements
        );
        self.relay.lead_to(Some(again.started.address));
        self.coordinator = Some(again);
        Ok(())
    }
}

/// One SV's agent at work.
struct Agent {
    child: Child,
    stdout: JoinHandle<String>,
    /// How often it has been started; what a killed one still had to say does not count.
    start: usize,
}

/// What the agents' processes do.
enum Event {
    Line { sv: usize, text: String },
    Ended { sv: usize, start: usize },
}

/// Opens a session, runs an agent for every SV, and shows what they do until all have ended.
pub(super) fn run(
    network: &Network,
    board: &mut Board,
    options: &Options,
) -> Result<(String, Chosen, Vec<Dump>), DrillError> {
    heading("The convener opens a session, and every SV runs its agent");
    let config = format!("{}/agent.toml", network.convener());
    let args =
        ["session", "--config", &config, "open", "--drill", "--reason", "the synchronizer lost its state"];
    let opened = Program::coordinator(&network.folder, &args).show_json(0)?;
    let session = text(&opened, "/session")?;
    println!("    opened session {session}");
    println!("\n  $ svdr-agent run --drill    # on every node\n");

    let (events, incoming) = mpsc::channel();
    let mut agents = Vec::new();
    for sv in 0..network.svs.len() {
        agents.push(start(network, sv, 0, &events)?);
    }
    let mut chaos = options.chaos.map(Chaos::new);
    let reports = follow(network, board, agents, &events, &incoming, &mut chaos)?;
    let dumps = dumps(network, &reports)?;
    let chosen = chosen(network, &reports, &dumps)?;
    Ok((session, chosen, dumps))
}

fn start(network: &Network, sv: usize, start: usize, events: &Sender<Event>) -> Result<Agent, DrillError> {
    let name = &network.sv(sv)?.member.name;
    let mut child = Command::new(binaries::agent())
        .args(["run", "--drill", "--output", "json", "--config", &format!("{name}/agent.toml")])
        .current_dir(&network.folder)
        .env("NO_COLOR", "1")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(DrillError::Start)?;
    let (Some(mut stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(unexpected("a started agent", "its pipes", "none"));
    };
    let stdout = thread::spawn(move || {
        let mut text = String::new();
        // What could not be read is missing from the report, which is looked at.
        let _ = stdout.read_to_string(&mut text);
        text
    });
    let events = events.clone();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // Nobody listens any more once the drill has failed.
            let _ = events.send(Event::Line { sv, text: line });
        }
        let _ = events.send(Event::Ended { sv, start });
    });
    Ok(Agent { child, stdout, start })
}

/// Shows what happens until every agent has ended, and gives what each printed.
fn follow(
    network: &Network,
    board: &mut Board,
    agents: Vec<Agent>,
    events: &Sender<Event>,
    incoming: &Receiver<Event>,
    chaos: &mut Option<Chaos>,
) -> Result<Vec<Value>, DrillError> {
    let mut running: Vec<Option<Agent>> = agents.into_iter().map(Some).collect();
    let mut reports = vec![Value::Null; running.len()];
    let result = loop {
        if running.iter().all(Option::is_none) {
            break Ok(());
        }
        match incoming.recv_timeout(SILENCE) {
            Ok(Event::Line { sv, text }) => {
                println!("{:>19} | {}", network.sv(sv)?.member.name, without_time(&text));
                let act = chaos.as_mut().and_then(|chaos| chaos.act(running.len()));
                match act {
                    None => {}
                    Some(Act::KillAgent(sv)) => {
                        if let Some(Some(agent)) = running.get_mut(sv) {
                            kill(agent)?;
                            println!(
                                "{:>19} | kill -9 {}, and start it again",
                                "chaos",
                                network.sv(sv)?.member.name
                            );
                            *agent = start(network, sv, agent.start + 1, events)?;
                        }
                    }
                    Some(Act::RestartCoordinator) => {
                        println!("{:>19} | kill -9 the coordinator, and start it again", "chaos");
                        board.restart(network)?;
                    }
                    Some(Act::Cut) => {
                        println!("{:>19} | cut all connections", "chaos");
                        board.relay.cut();
                    }
                }
            }
            Ok(Event::Ended { sv, start }) => {
                let is_current =
                    running.get(sv).and_then(Option::as_ref).is_some_and(|agent| agent.start == start);
                let ended = if is_current { running.get_mut(sv).and_then(Option::take) } else { None };
                if let (Some(agent), Some(report)) = (ended, reports.get_mut(sv)) {
                    match ended_well(network, sv, agent) {
                        Ok(printed) => *report = printed,
                        Err(error) => break Err(error),
                    }
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let silence = format!("nothing for {} s", SILENCE.as_secs());
                break Err(unexpected("the agents", "to go on or to end", &silence));
            }
        }
    };
    for agent in running.iter_mut().flatten() {
        kill(agent)?;
    }
    result.map(|()| reports)
}

fn kill(agent: &mut Agent) -> Result<(), DrillError> {
    agent.child.kill().and_then(|()| agent.child.wait()).map(drop).map_err(DrillError::Start)
}

/// The report of an agent that has ended.
fn ended_well(network: &Network, sv: usize, mut agent: Agent) -> Result<Value, DrillError> {
    let status = agent.child.wait().map_err(DrillError::Start)?;
    let printed = agent.stdout.join().unwrap_or_default();
    let name = &network.sv(sv)?.member.name;
    if !status.success() {
        let command = format!("svdr-agent run --drill --config {name}/agent.toml");
        return Err(DrillError::Exit { command, expected: 0, found: status.to_string() });
    }
    serde_json::from_str(&printed).map_err(|error| {
        unexpected(&format!("what {name}'s agent printed"), "one JSON document", &error.to_string())
    })
}

/// A log line without its time, which differs from drill to drill.
fn without_time(line: &str) -> &str {
    let (first, rest) = line.split_once(' ').unwrap_or(("", line));
    if first.ends_with('Z') && first.contains('T') { rest.trim_start() } else { line }
}

/// The dumps that were attested.
fn dumps(network: &Network, reports: &[Value]) -> Result<Vec<Dump>, DrillError> {
    let mut dumps = Vec::new();
    for (member, report) in reports.iter().enumerate() {
        if report["attested"] != Value::Bool(true) {
            continue;
        }
        let path = text(report, "/dump")?;
        let size = fs::metadata(network.folder.join(&path))
            .map_err(super::network::failed(&network.folder.join(&path), "looking at the dump"))?
            .len();
        dumps.push(Dump {
            member,
            name: network.sv(member)?.member.name.clone(),
            how: "session",
            path,
            size,
            sha256: text(report, "/sha256")?,
            took: None,
        });
    }
    Ok(dumps)
}

/// What the session agreed on: the same for everybody, and for all that do not lag.
fn chosen(network: &Network, reports: &[Value], dumps: &[Dump]) -> Result<Chosen, DrillError> {
    let mut times: Vec<String> =
        reports.iter().map(|report| text(report, "/recovery_timestamp")).collect::<Result<_, _>>()?;
    times.dedup();
    let [time] = times.as_slice() else {
        return Err(unexpected("the recovery timestamp", "the same for every agent", &times.join(", ")));
    };
    let covered: Vec<String> = dumps.iter().map(|dump| dump.name.clone()).collect();
    if covered.len() != network.svs.len() - 1 {
        return Err(unexpected("the SVs that attested", "all that do not lag", &covered.join(", ")));
    }
    let recovery_timestamp = time
        .parse()
        .map_err(|error| unexpected("the recovery timestamp", "a timestamp", &format!("{error}")))?;
    Ok(Chosen { recovery_timestamp, covered })
}

/// Exports the transcript and verifies it as anybody would, on another machine, with nothing but the roster.
pub(super) fn verify(network: &Network, session: &str) -> Result<(), DrillError> {
    heading("Anybody verifies the transcript, with nothing but the roster");
    let config = format!("{}/agent.toml", network.convener());
    let folder = network.folder.as_path();
    Program::coordinator(folder, &["session", "--config", &config, "show", session]).show(0)?;
    let export = ["session", "--config", &config, "export", session, "--out", "transcript.jsonl"];
    Program::coordinator(folder, &export).show(0)?;
    Program::agent(folder, &["verify", "--roster", "roster.toml", "transcript.jsonl"]).show(0)?;
    Ok(())
}
