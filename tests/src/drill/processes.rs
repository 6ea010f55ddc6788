//! The agents' processes, and what they say while they work.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use serde_json::Value;
use svdr_protocol::statement::Verified;

use super::DrillError;
use super::network::Network;
use super::steps::unexpected;
use crate::binaries;

/// What happens while a session goes on.
pub(super) enum Event {
    /// An agent logged a line.
    Line {
        /// The place of its SV.
        sv: usize,
        /// The line.
        text: String,
    },
    /// An agent ended.
    Ended {
        /// The place of its SV.
        sv: usize,
        /// Which of its processes: what a killed one still had to say does not count.
        start: usize,
    },
    /// The coordinator's transcript has grown by this statement.
    Statement(Arc<Verified>),
}

/// One SV's agent at work. It is killed when dropped.
pub(super) struct Agent {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    /// How often it has been started before.
    pub(super) start: usize,
}

impl Agent {
    /// Starts the agent of the SV at `sv`.
    pub(super) fn start(
        network: &Network,
        sv: usize,
        start: usize,
        events: &Sender<Event>,
    ) -> Result<Agent, DrillError> {
        let mut child = Command::new(binaries::agent())
            .args(["run", "--output", "json", "--config", &config(network, sv)])
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
        Ok(Agent { child, stdout: Some(stdout), start })
    }

    /// Kills it at once (`SIGKILL`) and waits until it is gone.
    pub(super) fn kill(&mut self) -> Result<(), DrillError> {
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(DrillError::Start)
    }

    /// The report of an agent that has ended by itself.
    pub(super) fn report(mut self, network: &Network, sv: usize) -> Result<Value, DrillError> {
        let status = self.child.wait().map_err(DrillError::Start)?;
        let printed = self.stdout.take().and_then(|stdout| stdout.join().ok()).unwrap_or_default();
        if !status.success() {
            let command = format!("svdr-agent run --config {}", config(network, sv));
            return Err(DrillError::Exit { command, expected: 0, found: status.to_string() });
        }
        serde_json::from_str(&printed).map_err(|error| {
            let what = format!("what {}'s agent printed", network.name(sv));
            unexpected(&what, "one JSON document", &error.to_string())
        })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configuration of the SV at `sv`, from the drill's folder.
pub(super) fn config(network: &Network, sv: usize) -> String {
    format!("{}/agent.toml", network.name(sv))
}
