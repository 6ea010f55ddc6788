//! A coordinator as a real process: started on a free port, killed, stopped, and started again on its folder.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;

use crate::binaries;

/// A running coordinator. It is killed when dropped.
#[derive(Debug)]
pub struct Coordinator {
    child: Child,
    /// What it said once it listened.
    pub started: Started,
}

/// What `serve` prints.
#[derive(Clone, Debug, Deserialize)]
pub struct Started {
    /// Where it listens.
    pub address: std::net::SocketAddr,
    /// Where it serves metrics.
    pub metrics_address: Option<std::net::SocketAddr>,
    /// Its key, as configurations have it.
    pub public_key: String,
    /// What it found in its journal.
    pub journal: Journal,
}

/// What a coordinator finds in its journal.
#[derive(Clone, Debug, Deserialize)]
pub struct Journal {
    /// Statements.
    pub statements: u64,
    /// Those that nobody had been told of.
    pub unacknowledged: u64,
}

impl Coordinator {
    /// Starts one with the roster `roster.toml` and the key `coordinator.key` of `folder`, and its journal in
    /// `data` there; returns once it listens.
    ///
    /// # Errors
    /// What it printed on stderr, where it ends instead.
    pub fn start(folder: &Path, more: &[&str]) -> io::Result<Coordinator> {
        Coordinator::start_with(folder, more, &[])
    }

    /// As [`start`](Self::start), with these variables in its environment.
    ///
    /// # Errors
    /// What it printed on stderr, where it ends instead.
    pub fn start_with(folder: &Path, more: &[&str], variables: &[(&str, &str)]) -> io::Result<Coordinator> {
        let mut command = Command::new(binaries::coordinator());
        command.envs(variables.iter().copied());
        Coordinator::start_as(command, folder, more)
    }

    /// As [`start`](Self::start), in a process to which the shell's command `limit` was applied before: `ulimit -n 128`.
    ///
    /// # Errors
    /// What it printed on stderr, where it ends instead.
    pub fn start_limited(folder: &Path, limit: &str) -> io::Result<Coordinator> {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limit} && exec \"$0\" \"$@\"")]).arg(binaries::coordinator());
        Coordinator::start_as(command, folder, &[])
    }

    fn start_as(mut command: Command, folder: &Path, more: &[&str]) -> io::Result<Coordinator> {
        let mut child = command
            .args(["serve", "--output", "json", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
            .args(["--roster", "roster.toml", "--signing-key", "coordinator.key", "--data", "data"])
            .args(more)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut stderr = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        match serde_json::from_str(&line) {
            Ok(started) => {
                // Taken, so that the process never waits for somebody to read its log.
                std::thread::spawn(move || io::copy(&mut stderr, &mut io::sink()));
                Ok(Coordinator { child, started })
            }
            Err(_) => {
                let mut log = String::new();
                stderr.read_to_string(&mut log)?;
                let status = child.wait()?;
                Err(io::Error::other(format!("{status}: {log}")))
            }
        }
    }

    /// Its URL, as configurations have it.
    pub fn url(&self) -> String {
        format!("https://{}", self.started.address)
    }

    /// What its page of metrics says of one.
    ///
    /// # Errors
    /// Where the page cannot be had, or has no such metric.
    pub fn metric(&self, name: &str) -> io::Result<f64> {
        let address = self.started.metrics_address.ok_or_else(|| io::Error::other("it serves no metrics"))?;
        let mut stream = std::net::TcpStream::connect(address)?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = value.and_then(|value| value.trim().parse().ok());
        value.ok_or_else(|| io::Error::other(format!("no metric {name} in: {page}")))
    }

    /// The processor time that it has taken.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn processor_time(&self) -> io::Result<Duration> {
        processor_time(&self.child.id().to_string())
    }

    /// The most memory that it has had at once, in bytes.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn peak_memory(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        let kilobytes = peak.and_then(|peak| peak.trim().parse::<u64>().ok());
        kilobytes
            .map(|kilobytes| kilobytes * 1024)
            .ok_or_else(|| io::Error::other("no VmHWM in /proc/PID/status"))
    }

    /// The limits of its process, as the system lists them.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn limits(&self) -> io::Result<String> {
        std::fs::read_to_string(format!("/proc/{}/limits", self.child.id()))
    }

    /// Kills it at once (`SIGKILL`).
    ///
    /// # Errors
    /// Where it is gone already.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Kills it at once (`SIGKILL`), while others still hold on to what it said.
    ///
    /// # Errors
    /// Where it cannot be killed.
    pub fn kill_now(&self) -> io::Result<()> {
        self.signal("-KILL")
    }

    /// Tells it to stop (`SIGTERM`) and waits for its end.
    ///
    /// # Errors
    /// Where it is gone already.
    pub fn stop(mut self) -> io::Result<ExitStatus> {
        self.tell_to_stop()?;
        self.child.wait()
    }

    /// Waits for its end, which is not asked for.
    ///
    /// # Errors
    /// Where it cannot be waited for.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Tells it to stop (`SIGTERM`).
    ///
    /// # Errors
    /// Where it cannot be told.
    pub fn tell_to_stop(&self) -> io::Result<()> {
        self.signal("-TERM")
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill: {status}"))) }
    }
}

/// The processor time that a process has taken: that of an id, or `self`.
///
/// # Errors
/// Where the system does not say.
pub fn processor_time(process: &str) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Behind the name in brackets; the third field is the first there, user and system time are the 14th and 15th.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace());
    let ticks: u64 =
        fields.into_iter().flatten().skip(11).take(2).map_while(|one| one.parse::<u64>().ok()).sum();
    // Linux counts in hundredths of a second here, whatever the clock's own rate is.
    Ok(Duration::from_millis(ticks * 10))
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
