//! Threads and signals of both programs: the one place where a command gets a runtime and hears that it must stop.
//!
//! A command that only asks and answers runs on its own thread ([`block_on`]). One that moves much data, or that must
//! clean up if it is stopped, runs on network threads until it is done or SIGINT or SIGTERM arrives
//! ([`until_stopped`]). In both, threads that still write are waited for: they remove their temporary files.

use std::io;

use svdr_protocol::failure::{CommandError, Exit};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Why a command could not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The system gives no threads or signals.
    #[error("this process cannot start its threads\nhelp: check the limits of the user that it runs as")]
    Start(#[source] io::Error),
    /// A signal arrived first.
    #[error("stopped by a signal: {left}\nhelp: run the command again to continue")]
    Stopped {
        /// What was left behind.
        left: &'static str,
    },
    /// A thread that works beside the network has panicked.
    #[error(
        "a thread of this program has died\nhelp: run the command again, and report it if it happens again"
    )]
    Died(#[source] tokio::task::JoinError),
}

impl CommandError for RuntimeError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// Runs `work` on this thread.
///
/// # Errors
/// Those of `work`, and if the system gives no runtime.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    start(&mut Builder::new_current_thread())?.block_on(work)
}

/// Runs `work` on `threads` network threads, until it is done or a signal stops it; `left` says what is left behind
/// then.
///
/// # Errors
/// Those of `work`, and [`RuntimeError`].
pub fn until_stopped<T>(
    threads: usize,
    left: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    on_threads(threads, stoppable(left, work))
}

/// The part of a command that a signal may stop; `left` says what is left behind then. Not for one that asks somebody:
/// a question is only interrupted by a signal that nobody waits for.
///
/// # Errors
/// Those of `work`, and [`RuntimeError`].
pub async fn stoppable<T>(
    left: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let stop = stop_signal()?;
    tokio::select! {
        done = work => done,
        () = stop => Err(RuntimeError::Stopped { left }.into()),
    }
}

/// Runs `work` on `threads` network threads, or on as many as there are processors; what a signal means is its own
/// affair.
///
/// # Errors
/// Those of `work`, and if the system gives no runtime.
pub fn on_threads<T>(
    threads: impl Into<Option<usize>>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = threads.into() {
        builder.worker_threads(threads);
    }
    start(&mut builder)?.block_on(work)
}

/// Ready as soon as SIGINT or SIGTERM arrives. From this call on, neither ends the process by itself.
///
/// # Errors
/// [`RuntimeError::Start`] if the system does not deliver them.
pub fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, RuntimeError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RuntimeError::Start)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(RuntimeError::Start)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Runs `work`, which reads or writes files, beside the network: a connection has to be answered meanwhile.
///
/// # Errors
/// [`RuntimeError::Died`] if it panics.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RuntimeError> {
    tokio::task::spawn_blocking(work).await.map_err(RuntimeError::Died)
}

fn start(builder: &mut Builder) -> Result<Runtime, RuntimeError> {
    builder.enable_all().build().map_err(RuntimeError::Start)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_stops_the_work_and_says_what_is_left() {
        let stopped = until_stopped(1, "nothing was left behind", async {
            std::process::Command::new("sh").args(["-c", "kill -s TERM $PPID"]).status().unwrap();
            std::future::pending::<Result<(), Failure>>().await
        });
        let told = stopped.unwrap_err().explain();
        assert!(told.starts_with("error: stopped by a signal: nothing was left behind\nhelp: "), "{told}");
    }

    #[test]
    fn a_thread_that_dies_is_an_error() {
        let died = block_on(async { Ok(beside(|| if true { Err("dead") } else { Ok(()) }.unwrap()).await?) });
        assert_eq!(died.unwrap_err().exit(), Exit::Failed);
    }
}
