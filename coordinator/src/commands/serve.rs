//! `serve`: the gRPC service.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ed25519_dalek::SigningKey;
use serde::Serialize;
use svdr_cli::output::{self, Output};
use svdr_cli::roster_file::{self, RosterFileError};
use svdr_cli::signing_key::{self, SigningKeyError};
use svdr_files::{PrivateFile, Replace};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::roster::Roster;
use svdr_protocol::span;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::journal::embedded::SledJournal;
use crate::journal::{JournalError, Replayed};
use crate::metrics::Metrics;
use crate::recover::{RecoverError, recover};
use crate::server::{ServeError, Server};

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: svdr-coordinator serve --roster roster.toml --signing-key coordinator.key \\\n    \
    --listen 0.0.0.0:7443 --data /var/lib/svdr\n\n\
    --publish writes SESSION.certificate.jsonl and SESSION.transcript.jsonl of each completed session (drill-SESSION… of a \
    drill). Validators follow the certificate (svdr-agent validator dump). The roster alone verifies both files. Neither \
    contains a secret.\n\n\
    When the coordinator listens, it prints its address and its public key, which every agent.toml must name. SIGTERM \
    and SIGINT stop it: it finishes running calls, and everything it acknowledged is on disk. Make its key with \
    svdr-agent key new."
)]
pub struct ServeArgs {
    /// The roster: only its members and observers may connect
    #[arg(long, value_name = "FILE", env = "SVDR_ROSTER")]
    pub roster: PathBuf,
    /// The signing key of the coordinator
    #[arg(long, value_name = "KEY", env = "SVDR_SIGNING_KEY")]
    pub signing_key: PathBuf,
    /// Address to listen on; port 0 selects a free port
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:7443", env = "SVDR_LISTEN")]
    pub listen: SocketAddr,
    /// The folder of the journal, created if missing
    #[arg(long, value_name = "DIR", env = "SVDR_DATA")]
    pub data: PathBuf,
    /// Address for metrics of Prometheus, in plain HTTP at /metrics
    #[arg(long, value_name = "ADDR", env = "SVDR_METRICS")]
    pub metrics: Option<SocketAddr>,
    /// Publish certificate and transcript of each completed session in this folder, created if missing, for a web server
    #[arg(long, value_name = "DIR", env = "SVDR_PUBLISH")]
    pub publish: Option<PathBuf>,
    /// How long to wait for members without evidence before proposing, once the threshold has reported
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = span::parse)]
    pub grace: Duration,
}

/// Why the coordinator does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeCommandError {
    /// The roster cannot be used.
    #[error(transparent)]
    Roster(#[from] RosterFileError),
    /// The key cannot be used.
    #[error(transparent)]
    Identity(#[from] SigningKeyError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What it holds cannot be used.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The folder to publish in cannot be used.
    #[error(
        "the folder {} cannot be created or written to\n\
         help: check --publish and the permissions of the folder",
        path.display()
    )]
    Publish {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An address cannot be listened on.
    #[error(
        "the address {address} cannot be listened on\n\
         help: check that the address belongs to this machine and is free"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The asynchronous runtime cannot be started.
    #[error("the runtime cannot be started\nhelp: check the limits on threads and files")]
    Runtime(#[source] io::Error),
    /// Signals cannot be waited for.
    #[error("the signals that stop the coordinator cannot be received\nhelp: report this as a bug in svdr")]
    Signals(#[source] io::Error),
    /// It had to stop.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Stdout cannot be written.
    #[error("the address cannot be printed")]
    Print(#[source] io::Error),
}

impl CommandError for ServeCommandError {
    fn exit(&self) -> Exit {
        match self {
            ServeCommandError::Roster(error) => error.exit(),
            ServeCommandError::Identity(error) => error.exit(),
            ServeCommandError::Journal(error) => journal_exit(error),
            ServeCommandError::Recover(RecoverError::Journal(error)) => journal_exit(error),
            ServeCommandError::Recover(_) => Exit::Refused,
            ServeCommandError::Publish { .. }
            | ServeCommandError::Listen { .. }
            | ServeCommandError::Runtime(_)
            | ServeCommandError::Signals(_)
            | ServeCommandError::Serve(_)
            | ServeCommandError::Print(_) => Exit::Failed,
        }
    }
}

fn journal_exit(error: &JournalError) -> Exit {
    match error {
        JournalError::File { .. } | JournalError::Store { .. } => Exit::Failed,
        JournalError::Unreadable { .. }
        | JournalError::OtherRoster { .. }
        | JournalError::Damaged { .. }
        | JournalError::Shortened { .. }
        | JournalError::NoMark { .. } => Exit::Refused,
    }
}

/// What is printed once it listens.
#[derive(Serialize)]
struct Document {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    public_key: String,
    roster: String,
    journal: DocumentJournal,
}

#[derive(Serialize)]
struct DocumentJournal {
    statements: u64,
    unacknowledged: u64,
    torn: bool,
    head: String,
}

/// Serves until a signal ends it.
///
/// # Errors
/// Why it does not, or not any more.
pub fn run(args: &ServeArgs, output: Output) -> Result<(), ServeCommandError> {
    let roster = Arc::new(roster_file::read(&args.roster)?);
    let key = Arc::new(signing_key::read(&args.signing_key)?);
    if let Some(folder) = &args.publish {
        usable(folder)?;
    }
    let mut journal = SledJournal::open(&args.data, &roster.fingerprint())?;
    let (sessions, replayed) = recover(&mut journal, &roster)?;
    report(&replayed);
    let metrics = Metrics::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeCommandError::Runtime)?;
    runtime.block_on(async {
        let listener = listen(args.listen).await?;
        let metrics_listener = match args.metrics {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let stop = stop()?;
        let document = document(&listener, metrics_listener.as_ref(), &key, &roster, &replayed)
            .map_err(ServeCommandError::Print)?;
        print(&document, output).map_err(ServeCommandError::Print)?;
        let journal = Box::new(journal);
        let publish = args.publish.clone();
        let server = Server { roster, key, sessions, journal, grace: args.grace, metrics, publish };
        Ok(server.run(listener, metrics_listener, stop).await?)
    })
}

/// Makes the folder to publish in, and tries whether files can be made there: a mistake is told at the start, not when
/// the first session is completed.
fn usable(folder: &Path) -> Result<(), ServeCommandError> {
    let failed = |source| ServeCommandError::Publish { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    PrivateFile::create(folder.join("try"), Replace::Force)
        .map(drop)
        .map_err(io::Error::other)
        .map_err(failed)
}

fn report(replayed: &Replayed) {
    let Replayed { records, unacknowledged, torn, .. } = replayed;
    tracing::info!(target: "svdr", statements = records, unacknowledged, torn, "journal read and verified");
    if *torn {
        tracing::warn!(target: "svdr", "the last statement was incomplete and not acknowledged. It has been \
            removed");
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeCommandError> {
    TcpListener::bind(address).await.map_err(|source| ServeCommandError::Listen { address, source })
}

/// Ready when the process is told to end.
fn stop() -> Result<impl Future<Output = ()> + Send + 'static, ServeCommandError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeCommandError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeCommandError::Signals)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn document(
    listener: &TcpListener,
    metrics_listener: Option<&TcpListener>,
    key: &SigningKey,
    roster: &Roster,
    replayed: &Replayed,
) -> io::Result<Document> {
    Ok(Document {
        address: listener.local_addr()?,
        metrics_address: metrics_listener.map(TcpListener::local_addr).transpose()?,
        public_key: PublicKey::from(key.verifying_key()).to_string(),
        roster: roster.fingerprint().to_string(),
        journal: DocumentJournal {
            statements: replayed.records,
            unacknowledged: replayed.unacknowledged,
            torn: replayed.torn,
            head: replayed.head.to_string(),
        },
    })
}

fn print(document: &Document, output: Output) -> io::Result<()> {
    match output {
        Output::Json => output::print_json(document),
        Output::Table => {
            let Document { address, public_key, roster, journal, .. } = document;
            let statements = journal.statements;
            output::print(&format!(
                "listening on {address}\nkey     {public_key}\nroster  {roster}\njournal {statements} statements"
            ))
        }
    }
}
