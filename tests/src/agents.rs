//! Agents as real processes: a made-up network in which every member has logs, an SV app's stand-in, an identities
//! backup and a configuration.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use svdr_protocol::statement::SessionId;

use crate::binaries;
use crate::log_writer::traffic::{Outcome, Traffic};
use crate::log_writer::{Format, LogWriter, Style};
use crate::members::{SYNCHRONIZER, members};
use crate::network::{Failure, Network};
use crate::sv_app::{Options, SnapshotShape, StandIn, document};

/// The longest that anything is waited for: far more than a busy machine needs, so that only what hangs fails.
pub const LIMIT: Duration = Duration::from_secs(120);
/// The reconciliation interval of the logs, in seconds.
const INTERVAL: i64 = 60;
/// Ticks in the logs.
const TICKS: usize = 40;
/// 2026-04-21T21:00:00Z, where the logs begin, in microseconds since the Unix epoch.
const START: i64 = 1_776_805_200_000_000;
/// The newest tick in the logs, in microseconds since the Unix epoch.
pub const NEWEST_TICK: i64 = START + TICKS as i64 * INTERVAL * 1_000_000;
/// 2026-04-22T06:00:00Z, where the logs of the restored network begin, likewise.
const RESTORED: i64 = START + 9 * 3600 * 1_000_000;
/// The migration id that the network had.
const MIGRATION_ID: u64 = 5;

/// A network in which every member can run an agent.
pub struct Agents {
    /// Keys and roster.
    pub network: Network,
    /// Each member's SV app, in their order.
    pub apps: Vec<StandIn>,
}

/// An agent at work. It is killed when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    log: Arc<Log>,
    stdout: Option<JoinHandle<io::Result<String>>>,
}

/// What a process has logged.
#[derive(Debug, Default)]
struct Log {
    text: Mutex<(String, bool)>,
    grown: Condvar,
}

/// How an agent ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it logged.
    pub log: String,
}

impl Agents {
    /// A network of `count` members, whose SV apps are as `app` makes them of their place, from 0.
    ///
    /// # Errors
    /// Where a file cannot be written or an app not be started.
    pub fn new(count: usize, app: impl Fn(usize, Options) -> Options) -> Result<Agents, Failure> {
        let network = Network::new(count)?;
        let mut apps = Vec::new();
        for (place, member) in members(count).into_iter().enumerate() {
            let seed = u64::try_from(place)?;
            let identities = document::identities(&member.name, &member.participant, SYNCHRONIZER, seed);
            let folder = network.path().join(format!("sv-{}", place + 1));
            fs::create_dir_all(folder.join("dumps"))?;
            svdr_files::write_private(
                folder.join("identities.json"),
                identities.to_string().as_bytes(),
                svdr_files::Replace::Force,
            )?;
            let options = Options {
                tls: false,
                snapshot: SnapshotShape::with_acs(7, 20_000),
                identities,
                migration_id: MIGRATION_ID,
                ..Options::default()
            };
            let app = StandIn::start(app(place, options))?;
            fs::write(folder.join("token"), &app.options().token)?;
            write_log(&folder.join("participant.log"), place, count, START, |_, _| Outcome::Match)?;
            apps.push(app);
        }
        Ok(Agents { network, apps })
    }

    /// Writes what the participant of a member, by its number from 1, logs once the network is restored:
    /// `restored.log` in its folder. `outcome` decides what became of the commitments of another member, by its number,
    /// at the tick of that place, from 0. Gives the log's path.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_restored_log(
        &self,
        member: usize,
        outcome: impl Fn(usize, usize) -> Outcome,
    ) -> io::Result<PathBuf> {
        let path = self.folder(member).join("restored.log");
        let place = |tick: i64| usize::try_from((tick - RESTORED) / (INTERVAL * 1_000_000)).unwrap_or(0);
        write_log(&path, member - 1, self.apps.len(), RESTORED, |other, tick| {
            outcome(other + 1, place(tick).saturating_sub(1))
        })?;
        Ok(path)
    }

    /// A member's folder, by its number from 1.
    pub fn folder(&self, member: usize) -> PathBuf {
        self.network.path().join(format!("sv-{member}"))
    }

    /// The state folder of a member's agent.
    pub fn state(&self, member: usize) -> PathBuf {
        self.folder(member).join("dumps").join("state")
    }

    /// Writes `agent-N.toml` for every member, with these coordinators (URL and key).
    ///
    /// # Errors
    /// Where it cannot be written.
    ///
    /// # Panics
    /// Where there is no such member.
    pub fn configure(&self, approval: &str, coordinators: &[(String, String)]) -> io::Result<()> {
        (1..=self.apps.len()).try_for_each(|member| self.configure_one(member, approval, coordinators))
    }

    /// Writes `agent-N.toml` for one member, with these coordinators (URL and key).
    ///
    /// # Errors
    /// Where it cannot be written.
    ///
    /// # Panics
    /// Where there is no such member.
    pub fn configure_one(
        &self,
        member: usize,
        approval: &str,
        coordinators: &[(String, String)],
    ) -> io::Result<()> {
        let coordinators: String = coordinators
            .iter()
            .map(|(url, key)| format!("[[coordinator]]\nurl = \"{url}\"\nkey = \"{key}\"\n"))
            .collect();
        let text = format!(
            "roster = \"roster.toml\"\napproval = \"{approval}\"\ngrace = \"1ms\"\n\
             [signing]\nkey = \"member-{member}.key\"\n{coordinators}\
             [evidence]\nlogs = [\"sv-{member}/participant.log\"]\n\
             [sv_app]\nurl = \"{}\"\ntoken_file = \"sv-{member}/token\"\nmigration_id = {}\n\
             [node_identities]\nbackup = \"sv-{member}/identities.json\"\n\
             [output]\ndir = \"sv-{member}/dumps\"\n",
            self.apps[member - 1].url(),
            MIGRATION_ID + 1
        );
        fs::write(self.config(member), text)
    }

    /// A member's configuration.
    pub fn config(&self, member: usize) -> PathBuf {
        self.network.path().join(format!("agent-{member}.toml"))
    }

    /// Runs a member's agent, with these arguments and variables besides.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn run(&self, member: usize, args: &[&str], variables: &[(&str, &str)]) -> io::Result<Agent> {
        let mut command = Command::new(binaries::agent());
        command.args(["run", "--output", "json", "--config"]).arg(self.config(member)).args(args);
        command.envs(variables.iter().copied()).env_remove("RUST_LOG");
        Agent::start(command)
    }

    /// Starts a command of a member's agent that takes long, with these arguments.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(&self, member: usize, args: &[&str]) -> io::Result<Agent> {
        let mut command = Command::new(binaries::agent());
        command.args(args).arg("--config").arg(self.config(member)).env_remove("RUST_LOG");
        Agent::start(command)
    }

    /// Runs one of the operator's commands of a member's agent to its end.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn command(&self, member: usize, args: &[&str]) -> io::Result<Output> {
        let mut command = Command::new(binaries::agent());
        command.args(args).arg("--config").arg(self.config(member)).env_remove("RUST_LOG");
        command.stdin(Stdio::null()).output()
    }

    /// Opens a session as the first member, and gives its id.
    ///
    /// # Errors
    /// What the command printed, where it fails.
    pub fn open(&self, args: &[&str]) -> Result<SessionId, Failure> {
        let mut open = vec!["open", "--reason", "the synchronizer lost its state"];
        open.extend(args);
        let printed = self.convene(&open)?;
        let document: serde_json::Value = serde_json::from_str(&printed)?;
        Ok(document["session"].as_str().unwrap_or_default().parse()?)
    }

    /// Runs a `svdr-coordinator session` command as the first member, the convener; gives what it printed.
    ///
    /// # Errors
    /// What it printed on stderr, where it fails.
    pub fn convene(&self, args: &[&str]) -> Result<String, Failure> {
        let output = Command::new(binaries::coordinator())
            .args(["session", "--output", "json", "--config"])
            .arg(self.config(1))
            .args(args)
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Agent {
    /// Starts that command, which runs an agent.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(mut command: Command) -> io::Result<Agent> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn()?;
        let mut stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let stderr = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let log = Arc::new(Log::default());
        let written = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                written.add(&line);
            }
            written.close();
        });
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text)
        });
        Ok(Agent { child, log, stdout: Some(stdout) })
    }

    /// Waits until its log holds `text`; false where it ends without, or that takes too long.
    pub fn logs(&self, text: &str) -> bool {
        self.log.wait(|log, _| log.contains(text))
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.text.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Kills it at once (`SIGKILL`) and waits until it is gone.
    ///
    /// # Errors
    /// Where it cannot be killed.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// Where that fails.
    pub fn signal(&self, signal: &str) -> io::Result<()> {
        Command::new("kill").args([signal, &self.child.id().to_string()]).status().map(drop)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Where it takes too long; with what it logged.
    pub fn finish(mut self) -> Result<Finished, Failure> {
        if !self.log.wait(|_, is_closed| is_closed) {
            return Err(format!("still running after {LIMIT:?}:\n{}", self.log()).into());
        }
        let status = self.child.wait()?;
        let stdout = match self.stdout.take().map(JoinHandle::join) {
            Some(Ok(text)) => text?,
            _ => String::new(),
        };
        Ok(Finished { status, stdout, log: self.log() })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    fn add(&self, line: &str) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.0.push_str(line);
        text.0.push('\n');
        self.grown.notify_all();
    }

    fn close(&self) {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.grown.notify_all();
    }

    fn wait(&self, reached: impl Fn(&str, bool) -> bool) -> bool {
        let end = Instant::now() + LIMIT;
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if reached(&text.0, text.1) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if text.1 || left.is_zero() {
                return false;
            }
            text = self.grown.wait_timeout(text, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The log of a participant, by its place from 0, from a time on. `outcome` is that of another one, by its place, at a
/// tick in microseconds.
fn write_log(
    path: &std::path::Path,
    place: usize,
    count: usize,
    start: i64,
    outcome: impl Fn(usize, i64) -> Outcome,
) -> io::Result<()> {
    let all = members(count);
    let others: Vec<usize> = (0..count).filter(|other| *other != place).collect();
    let traffic = Traffic {
        seed: place as u64,
        own: all[place].participant.clone(),
        synchronizer: SYNCHRONIZER.to_owned(),
        senders: others.iter().map(|other| all[*other].participant.clone()).collect(),
        start,
        interval_seconds: INTERVAL,
        ticks: TICKS,
        chatter: 0,
    };
    let mut log = LogWriter::new(BufWriter::new(File::create(path)?), Style::new(Format::Text));
    traffic.entries(|sender, tick| outcome(others[sender], tick), |entry| log.write(entry))?;
    log.finish()?.into_inner()?;
    Ok(())
}
