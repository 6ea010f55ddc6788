//! A recovery session with the real programs: a coordinator, and an agent for every SV.
//!
//! Where chaos is asked for, processes are killed and started again while they work, connections cut and held up, and
//! SV apps fail, by a seed: the session must end the same.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use serde_json::Value;
use svdr_protocol::milestone::Step;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::{Phase, Session};
use svdr_protocol::statement::{SessionId, Verified};

use super::board::Board;
use super::chaos::{Act, Chaos};
use super::command::{Program, heading, short};
use super::display::{Display, FRAME};
use super::everybody::Everybody;
use super::follower::{self, Follower};
use super::network::{self, Network, failed};
use super::operators::Operators;
use super::processes::{Agent, Event};
use super::receiving::Received;
use super::steps::{text, unexpected};
use super::{DrillError, Options};

/// The longest that a session may stand still: far more than the pauses between tries, and than the marks of progress
/// that agents sign while a large snapshot arrives.
const STANDSTILL: Duration = Duration::from_secs(600);

/// A session that all agents have left, as they should.
pub(super) struct Held {
    /// Its id.
    pub(super) session: String,
    /// What each agent printed in the end.
    pub(super) reports: Vec<Value>,
    /// What was reached, and how long after the opening.
    pub(super) moments: Vec<(String, Duration)>,
    /// How often something went wrong on purpose.
    pub(super) outages: usize,
    /// Dumps that were made of a donor's snapshot, afterwards.
    pub(super) received: Vec<Received>,
}

impl Held {
    /// Whether the SV at `place` has made a dump and attested it.
    pub(super) fn has_dump(&self, place: usize) -> bool {
        self.received.iter().any(|one| one.sv == place)
            || self.reports.get(place).is_some_and(|report| report["attested"] == Value::Bool(true))
    }
}

/// A session at work.
struct Running<'a> {
    network: &'a Network,
    board: &'a mut Board,
    display: Display,
    operators: Operators<'a>,
    roster: Arc<Roster>,
    chaos: Option<Chaos>,
    agents: Vec<Option<Agent>>,
    events: Sender<Event>,
    session: Option<Session>,
    opened: Instant,
    held: Held,
}

/// Opens a session, runs an agent for every SV, and shows what they do until all have ended.
pub(super) fn run(network: &Network, board: &mut Board, options: &Options) -> Result<Held, DrillError> {
    heading("The convener opens a session, and every SV runs its agent");
    let roster = Arc::new(roster(network)?);
    let config = super::processes::config(network, 0);
    let args = ["session", "--config", &config, "open", "--reason", "the synchronizer lost its state"];
    let opened = Program::coordinator(&network.folder, &args).show_json(0)?;
    let session = text(&opened, "/session")?;
    say!("    opened session {session}");
    let svs: Vec<usize> = (0..network.svs.len()).collect();
    let everybody = Everybody { network, session: &session, svs: &svs, is_tried_again: false };
    for step in [Step::Stopped, Step::BackedUp, Step::IdentitiesChecked] {
        everybody.mark(step, || Ok(()))?;
    }
    say!("\n  $ svdr-agent run    # on every node\n");

    let (events, incoming) = mpsc::channel();
    let _follower = follow(network, board, &session, &roster, &events)?;
    let mut agents = Vec::new();
    for sv in 0..network.svs.len() {
        agents.push(Some(Agent::start(network, sv, 0, &events)?));
    }
    let reports = vec![Value::Null; agents.len()];
    let mut running = Running {
        network,
        board,
        display: Display::new(options.lines),
        operators: Operators::new(network),
        roster,
        chaos: options.chaos.map(Chaos::new),
        agents,
        events,
        session: None,
        opened: Instant::now(),
        held: Held { session, reports, moments: Vec::new(), outages: 0, received: Vec::new() },
    };
    match running.work(&incoming) {
        Ok(()) => Ok(running.held),
        Err(error) => {
            running.display.fail();
            Err(error)
        }
    }
}

/// The roster of the drill, as everybody has it.
pub(super) fn roster(network: &Network) -> Result<Roster, DrillError> {
    let path = network.folder.join("roster.toml");
    svdr_cli::roster_file::read(&path).map_err(std::io::Error::other).map_err(failed(&path, "reading it"))
}

/// Follows the session with the convener's signing key.
fn follow(
    network: &Network,
    board: &Board,
    session: &str,
    roster: &Arc<Roster>,
    events: &Sender<Event>,
) -> Result<Follower, DrillError> {
    let path = network.folder.join(network.name(0)).join("signing.key");
    let identity = svdr_cli::signing_key::read(&path)
        .map_err(std::io::Error::other)
        .map_err(failed(&path, "reading the key"))?;
    let wrong = |what: &str| unexpected(what, "one that can be read", session);
    let key = board.key.parse().map_err(|_unreadable| wrong("the coordinator's key"))?;
    let session: SessionId = session.parse().map_err(|_unreadable| wrong("the session's id"))?;
    let coordinators = follower::coordinators(board.url(), key, &identity)
        .map_err(|error| DrillError::Start(std::io::Error::other(error)))?;
    Follower::start(coordinators, session, Arc::clone(roster), events.clone()).map_err(DrillError::Start)
}

impl Running<'_> {
    /// Until every agent has ended, and the completion has been seen.
    fn work(&mut self, incoming: &Receiver<Event>) -> Result<(), DrillError> {
        let mut moved = Instant::now();
        loop {
            let is_completed =
                self.session.as_ref().is_some_and(|one| matches!(one.phase(), Phase::Completed(_)));
            if self.agents.iter().all(Option::is_none) && is_completed {
                return self.display.draw(self.session.as_ref(), true);
            }
            match incoming.recv_timeout(FRAME) {
                Ok(event) => {
                    if !matches!(event, Event::Line { .. }) {
                        moved = Instant::now();
                    }
                    self.take(event)?;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)
                    if moved.elapsed() < STANDSTILL => {}
                Err(_) => {
                    let silence = format!("nothing for {} s", STANDSTILL.as_secs());
                    return Err(unexpected("the agents", "to go on or to end", &silence));
                }
            }
            self.display.draw(self.session.as_ref(), false)?;
        }
    }

    fn take(&mut self, event: Event) -> Result<(), DrillError> {
        match event {
            Event::Line { sv, text } => {
                self.display.line(self.network.name(sv), without_time(&text));
                match self.chaos.as_mut().and_then(|chaos| chaos.act(self.network.svs.len())) {
                    Some(act) => self.go_wrong(act),
                    None => Ok(()),
                }
            }
            Event::Ended { sv, start } => {
                let ended = self.agents.get_mut(sv).and_then(|agent| agent.take_if(|one| one.start == start));
                if let Some(agent) = ended {
                    let report = agent.report(self.network, sv)?;
                    if let Some(kept) = self.held.reports.get_mut(sv) {
                        *kept = report;
                    }
                }
                Ok(())
            }
            Event::Statement(statement) => self.learn(statement),
        }
    }

    fn learn(&mut self, statement: Arc<Verified>) -> Result<(), DrillError> {
        let folded = match &mut self.session {
            Some(session) => session.insert(statement).map(drop),
            None => Session::open(statement, Arc::clone(&self.roster)).map(|opened| {
                self.session = Some(opened);
            }),
        };
        folded.map_err(|error| {
            unexpected("the coordinator's transcript", "statements of the session", &error.to_string())
        })?;
        let Some(session) = &self.session else { return Ok(()) };
        self.display.changed();
        let reached = session.phase().to_string();
        if self.held.moments.last().is_none_or(|(last, _)| *last != reached) {
            self.held.moments.push((reached, self.opened.elapsed()));
        }
        self.operators.look(session, &mut self.display)
    }

    fn go_wrong(&mut self, act: Act) -> Result<(), DrillError> {
        let network = self.network;
        self.held.outages += 1;
        match act {
            Act::KillAgent(sv) => {
                let Some(Some(agent)) = self.agents.get_mut(sv) else {
                    // It has done its part already.
                    self.held.outages -= 1;
                    return Ok(());
                };
                agent.kill()?;
                self.display
                    .line("chaos", &format!("kill -9 {}'s agent, and start it again", network.name(sv)));
                *agent = Agent::start(network, sv, agent.start + 1, &self.events)?;
            }
            Act::Outage(outage) => {
                let happened = self.board.suffer(network, outage)?;
                self.display.line("chaos", &happened);
            }
            Act::Fault(sv, number) => {
                let (fault, name) = (network::fault(number), network.name(sv));
                self.display.line("chaos", &format!("the next snapshot of {name}'s SV app: {fault:?}"));
                if let Some(app) = network.sv(sv)?.app.as_ref() {
                    app.add_fault(fault);
                }
            }
        }
        Ok(())
    }
}

/// A log line without its time, which differs from drill to drill.
fn without_time(line: &str) -> &str {
    let (first, rest) = line.split_once(' ').unwrap_or(("", line));
    if first.ends_with('Z') && first.contains('T') { rest.trim_start() } else { line }
}

/// Exports the transcript and verifies it as anybody would, on another machine, with nothing but the roster.
pub(super) fn verify(network: &Network, session: &str) -> Result<(), DrillError> {
    heading("Anybody verifies the transcript, with nothing but the roster");
    let config = super::processes::config(network, 0);
    let (folder, session) = (network.folder.as_path(), short(session));
    Program::coordinator(folder, &["session", "--config", &config, "show", session]).show(0)?;
    let export = ["session", "--config", &config, "export", session, "--out", "transcript.jsonl"];
    Program::coordinator(folder, &export).show(0)?;
    Program::agent(folder, &["verify", "--roster", "roster.toml", "transcript.jsonl"])
        .show_below_table("a line for each statement, left out here")?;
    Ok(())
}
