//! Programs whose output is read as a log while they run: `kubectl logs`, `gcloud logging read`, `logcli`, `journalctl`.
//!
//! A program is started directly, without a shell, in a process group of its own, and with nothing to read. Its standard
//! output is a log. What it says on its standard error stands in the error if it fails, and it has to end by itself within
//! [`LIMIT`]. A program that fails may have printed a part of its log, so that its failure is an error, as that of a file
//! is. When this is dropped, the programs are killed with all that they have started.

use std::fs::File;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use svdr_logs::Pipe;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::text::shown_in_line;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// How long a program may take: some gigabytes of log through an API server. One that follows the log never ends.
pub(super) const LIMIT: Duration = Duration::from_secs(10 * 60);
/// How long a program may take to end once its output has ended.
const END: Duration = Duration::from_secs(10);
/// How long the last words of a program that has failed are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Bytes of its last words on standard error that an error shows.
const MAX_WORDS: usize = 1024;

/// Why a program gave no log.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It cannot be started.
    #[error(
        "the program of `{command}` cannot be started\nhelp: correct evidence.commands, or install the program"
    )]
    Start {
        /// The program and its arguments.
        command: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It did not end.
    #[error(
        "`{command}` did not end within {} s, and was killed\n\
         help: have it print a shorter time, and not follow the log",
        after.as_secs()
    )]
    TooSlow {
        /// The program and its arguments.
        command: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// It failed.
    #[error(
        "`{command}` failed with {status}, so its log is not complete{words}\nhelp: run it by hand, and correct evidence.commands"
    )]
    Failed {
        /// The program and its arguments.
        command: String,
        /// Its end.
        status: ExitStatus,
        /// `: ` and its last words on standard error; empty if there are none.
        words: String,
    },
}

impl CommandError for ProgramError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// Programs that run.
pub(super) struct Programs(Vec<Program>);

struct Program {
    command: String,
    child: Child,
    words: Arc<Mutex<Vec<u8>>>,
    /// Ends when the program's standard error has ended.
    listening: Option<JoinHandle<()>>,
}

impl Programs {
    /// Starts every program, and returns their outputs.
    pub(super) fn start(commands: &[Vec<String>]) -> Result<(Programs, Vec<Pipe>), ProgramError> {
        let (mut programs, mut pipes) = (Programs(Vec::new()), Vec::new());
        for words in commands {
            let command =
                shown_in_line(&shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default());
            let Some((program, arguments)) = words.split_first() else { continue };
            let failed = |source| ProgramError::Start { command: command.clone(), source };
            let mut child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .process_group(0)
                .kill_on_drop(true)
                .spawn()
                .map_err(failed)?;
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            let words = Arc::default();
            let listening = stderr.map(|stderr| tokio::spawn(keep_last(stderr, Arc::clone(&words))));
            // In this list before anything else can fail, so that it is killed then.
            programs.0.push(Program { command: command.clone(), child, words, listening });
            if let Some(stdout) = stdout {
                let reader = File::from(stdout.into_owned_fd().map_err(failed)?);
                pipes.push(Pipe { name: command, reader });
            }
        }
        Ok((programs, pipes))
    }

    /// Waits for `reading`, which reads the outputs, for at most `limit`, and for the ends of the programs.
    pub(super) async fn end<T>(
        mut self,
        limit: Duration,
        reading: impl Future<Output = T>,
    ) -> Result<T, ProgramError> {
        let Ok(read) = tokio::time::timeout(limit, reading).await else {
            let runs = |program: &mut Program| !matches!(program.child.try_wait(), Ok(Some(_)));
            let slow = self.0.iter_mut().find_map(|program| runs(program).then(|| program.command.clone()));
            let command = slow.unwrap_or_default();
            return Err(ProgramError::TooSlow { command, after: limit });
        };
        for program in &mut self.0 {
            program.end().await?;
        }
        Ok(read)
    }
}

impl Program {
    async fn end(&mut self) -> Result<(), ProgramError> {
        let command = || self.command.clone();
        let status = match tokio::time::timeout(END, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => return Ok(()),
            Ok(Ok(status)) => status,
            Ok(Err(source)) => return Err(ProgramError::Start { command: command(), source }),
            Err(_elapsed) => return Err(ProgramError::TooSlow { command: command(), after: END }),
        };
        // Something that it has started may keep its standard error open.
        if let Some(listening) = self.listening.take() {
            let _ = tokio::time::timeout(LAST_WORDS, listening).await;
        }
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let words = shown_in_line(String::from_utf8_lossy(&words).trim());
        let words = if words.is_empty() { words } else { format!(": {words}") };
        Err(ProgramError::Failed { command: command(), status, words })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Known only as long as the child has not been waited for, so that the number is still its own.
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            // All of them may have ended already.
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

/// Keeps the last bytes of what a program says.
async fn keep_last(mut from: impl AsyncRead + Unpin, into: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; MAX_WORDS];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
        // In range: a read fills at most the buffer.
        kept.extend_from_slice(&chunk[..read]);
        let surplus = kept.len().saturating_sub(MAX_WORDS);
        kept.drain(..surplus);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read as _;
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    use super::*;

    /// Long enough for a loaded machine; only a failing test waits for it.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    /// Reads everything that the programs print.
    async fn printed(commands: &[Vec<String>]) -> Result<Vec<String>, ProgramError> {
        let (programs, pipes) = Programs::start(commands)?;
        let reading = tokio::task::spawn_blocking(move || {
            let all = pipes.into_iter().map(|mut pipe| {
                let mut text = String::new();
                pipe.reader.read_to_string(&mut text).unwrap();
                text
            });
            all.collect()
        });
        Ok(programs.end(PATIENCE, reading).await?.unwrap())
    }

    /// Whether a process runs. One that has ended and that nobody has waited for does not.
    fn runs(id: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest.chars().next());
        state.flatten().is_some_and(|state| !matches!(state, 'Z' | 'X'))
    }

    fn wait_for<T>(mut there: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(there) = there() {
                return there;
            }
            assert!(begun.elapsed() < PATIENCE, "it did not happen");
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn outputs_are_read_in_order_and_no_shell_sees_the_words() {
        let words = ["printf", "%s", "$HOME; exit 7"].map(str::to_owned).to_vec();
        assert_eq!(printed(&[words, shell("echo second")]).await.unwrap(), ["$HOME; exit 7", "second\n"]);
    }

    #[tokio::test]
    async fn a_program_that_fails_says_how_and_why() {
        let error = printed(&[shell("echo line; printf 'no \\033[31mpod' >&2; exit 7")]).await.unwrap_err();
        let told = error.to_string();
        assert!(told.contains("failed with exit status: 7"), "{told}");
        assert!(told.contains(": no \\u{1b}[31mpod\nhelp: "), "{told}");
        let long =
            printed(&[shell("yes no | head -c 100000 >&2; kill -9 $$")]).await.unwrap_err().to_string();
        assert!(long.contains("signal: 9") && long.len() < 8 * MAX_WORDS, "{long}");
        let absent = printed(&[vec!["/nonexistent/kubectl".to_owned()]]).await.unwrap_err();
        assert!(matches!(absent, ProgramError::Start { .. }), "{absent:?}");
    }

    /// A program with a child of its own, whose numbers it writes to a file.
    fn family(folder: &Path) -> (Vec<String>, PathBuf) {
        let ids = folder.join("ids");
        let shown = ids.display();
        (shell(&format!("sleep 1000 & echo $$ $! > {shown}.new; mv {shown}.new {shown}; wait")), ids)
    }

    fn ids(path: &Path) -> Vec<String> {
        let text = wait_for(|| std::fs::read_to_string(path).ok());
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let (command, path) = family(folder.path());
        let (programs, _pipes) = Programs::start(&[command]).unwrap();
        let ids = ids(&path);
        assert!(ids.len() == 2 && ids.iter().all(|id| runs(id)), "{ids:?}");
        let error = programs.end(Duration::from_millis(1), std::future::pending::<()>()).await.unwrap_err();
        assert!(matches!(error, ProgramError::TooSlow { .. }), "{error:?}");
        wait_for(|| ids.iter().all(|id| !runs(id)).then_some(()));
    }

    #[tokio::test]
    async fn programs_are_killed_when_nobody_waits_for_them_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let (command, path) = family(folder.path());
        let (programs, pipes) = Programs::start(&[command, shell("sleep 1000")]).unwrap();
        let ids = ids(&path);
        drop((programs, pipes));
        wait_for(|| ids.iter().all(|id| !runs(id)).then_some(()));
    }
}
