//! Those who are left behind recover with what a donor hands out: with the real commands, over a connection that is cut in
//! the middle of the first transfer.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::DrillError;
use super::command::{Program, heading, short, show};
use super::network::Network;
use super::processes::config;
use super::steps::{text, unexpected};
use crate::binaries;
use crate::relay::Relay;

/// How the summary calls such a dump.
pub(super) const RECEIVED: &str = "received";
/// The SV that donates: the first is always covered.
const DONOR: usize = 0;
/// The longest that a donor or a transfer may stand still.
const STANDSTILL: Duration = Duration::from_secs(600);
/// Between two looks at a file.
const PAUSE: Duration = Duration::from_millis(20);

/// A dump that was made of a donor's snapshot.
pub(super) struct Received {
    /// The place of the SV.
    pub(super) sv: usize,
    /// Who donated.
    pub(super) donor: String,
    /// The dump's path.
    pub(super) dump: String,
    /// The size of the snapshot.
    pub(super) size: u64,
    /// Whether the connection was cut meanwhile.
    pub(super) torn: bool,
}

/// A donor at work. It is killed when dropped.
struct Donor(Child);

impl Drop for Donor {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A covered SV donates, and all who are left behind receive.
pub(super) fn run(network: &Network, session: &str) -> Result<Vec<Received>, DrillError> {
    let session = short(session);
    heading("A covered SV donates the DSO party's snapshot");
    let relay = Relay::start().map_err(DrillError::Start)?;
    let (_donor, address) = donate(network, session, &relay.url())?;
    relay.lead_to(Some(address));
    let size = donated(network, session)?;
    heading("Those who are left behind receive it, and merge it with their own identities");
    let mut received = Vec::new();
    for sv in network.story.lagging() {
        // One cut is enough to see that it goes on.
        let torn = received.is_empty();
        let report = receive(network, session, sv, torn.then_some((&relay, size)))?;
        let donor = network.name(DONOR).to_owned();
        received.push(Received { sv, donor, dump: text(&report, "/dump")?, size, torn });
    }
    Ok(received)
}

/// Starts the donor, and waits until it hands out: where it listens.
fn donate(network: &Network, session: &str, url: &str) -> Result<(Donor, SocketAddr), DrillError> {
    let config = config(network, DONOR);
    let args = [
        "donate",
        session,
        "--yes",
        "--donor-listen",
        "127.0.0.1:0",
        "--donor-url",
        url,
        "--config",
        &config,
    ];
    say!("\n  $ {}    # stays, until it is stopped", Program::agent(&network.folder, &args).line());
    let mut child = Command::new(binaries::agent())
        .args(args)
        .current_dir(&network.folder)
        .env("NO_COLOR", "1")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(DrillError::Start)?;
    let stderr = child.stderr.take();
    let donor = Donor(child);
    let (lines, incoming) = mpsc::channel();
    thread::spawn(move || {
        for line in stderr.into_iter().flat_map(|stderr| BufReader::new(stderr).lines().map_while(Result::ok))
        {
            // Nobody listens any more once the address is known; the pipe is emptied all the same.
            let _ = lines.send(line);
        }
    });
    Ok((donor, listening(&incoming)?))
}

/// The address in the line that says so.
fn listening(lines: &Receiver<String>) -> Result<SocketAddr, DrillError> {
    let mut said = Vec::new();
    loop {
        match lines.recv_timeout(STANDSTILL) {
            Ok(line) => {
                let address = line.split_once("members on ").and_then(|(_, rest)| rest.split(',').next());
                if let Some(address) = address.and_then(|address| address.parse().ok()) {
                    said.iter().for_each(|line: &String| show(line));
                    show(&line);
                    return Ok(address);
                }
                said.push(line);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(unexpected("the donor", "one that hands out", &said.join("\n")));
            }
        }
    }
}

/// The size of what is donated, as everybody sees it.
fn donated(network: &Network, session: &str) -> Result<u64, DrillError> {
    let config = config(network, DONOR);
    let args = ["status", session, "--config", &config];
    let status = Program::agent(&network.folder, &args).json(0)?;
    let size = status.pointer("/donations/0/size").and_then(Value::as_u64);
    size.ok_or_else(|| unexpected("the donations of the session", "one", &status["donations"].to_string()))
}

/// Receives as the SV at `sv`; cuts the connection when a good part has arrived.
fn receive(
    network: &Network,
    session: &str,
    sv: usize,
    cut: Option<(&Relay, u64)>,
) -> Result<Value, DrillError> {
    let config = config(network, sv);
    let args = ["receive", session, "--from", network.name(DONOR), "--yes", "--config", &config];
    let program = Program::agent(&network.folder, &args);
    let Some((relay, size)) = cut else { return program.show_json(0) };
    relay.allow(Some(size / 2));
    let dumps = network.folder.join(network.name(sv)).join("dumps");
    thread::scope(|scope| {
        let receiver = scope.spawn(|| program.show_json(0));
        let end = Instant::now() + STANDSTILL;
        while !has_arrived(&dumps) && !receiver.is_finished() && Instant::now() < end {
            thread::sleep(PAUSE);
        }
        say!("    the connection is cut in the middle of the transfer");
        relay.cut();
        relay.allow(None);
        let ended = receiver.join();
        ended.unwrap_or_else(|_panic| Err(unexpected("the receiver", "an end", "a panic")))
    })
}

/// Whether some of a snapshot has arrived.
fn has_arrived(dumps: &Path) -> bool {
    let entries = fs::read_dir(dumps).into_iter().flatten().map_while(Result::ok);
    let mut partial = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".partial"));
    partial.any(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() > 0))
}
