//! `serve`: the gRPC service.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ed25519_dalek::SigningKey;
use rustix::fs::Mode;
use serde::Serialize;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::{roster_file, runtime, signing_key};
use svdr_files::{PrivateFile, Replace};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::receipt::JournalId;
use svdr_protocol::roster::Roster;
use svdr_protocol::span;
use tokio::net::TcpListener;

use crate::clock;
use crate::journal::embedded::SledJournal;
use crate::journal::{Journal as _, Replayed};
use crate::metrics::Metrics;
use crate::recover::recover;
use crate::server::Server;

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

/// Why the coordinator does not serve, as far as no other error says it.
#[derive(Debug, thiserror::Error)]
enum ServeCommandError {
    #[error(
        "the folder {} cannot be created or written to\n\
         help: check --publish and the permissions of the folder",
        path.display()
    )]
    Publish { path: PathBuf, source: io::Error },
    #[error(
        "the address {address} cannot be listened on\n\
         help: check that the address belongs to this machine and is free"
    )]
    Listen { address: SocketAddr, source: io::Error },
}

impl CommandError for ServeCommandError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// What is printed once it listens.
#[derive(Serialize)]
struct ServeDocument {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    public_key: String,
    roster: String,
    journal: DocumentJournal,
}

#[derive(Serialize)]
struct DocumentJournal {
    /// `null` if an earlier version made it.
    id: Option<String>,
    statements: u64,
    unacknowledged: u64,
    torn: bool,
    head: String,
}

/// Serves until a signal ends it.
///
/// # Errors
/// Why it does not, or not any more.
pub fn run(args: &ServeArgs, output: Output) -> Result<(), Failure> {
    let roster = Arc::new(roster_file::read(&args.roster)?);
    let key = Arc::new(signing_key::read(&args.signing_key)?);
    if let Some(folder) = &args.publish {
        usable(folder)?;
    }
    // What is written from here on is for this user alone, also by libraries that set no mode. What is published gets its
    // mode when it is complete.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let mut journal = SledJournal::open(&args.data, &roster.fingerprint(), clock::now())?;
    let (sessions, replayed) = recover(&mut journal, &roster)?;
    let id = journal.id();
    report(&replayed);
    let metrics = Metrics::new();
    runtime::on_threads(None, async {
        let listener = listen(args.listen).await?;
        let metrics_listener = match args.metrics {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let stop = runtime::stop_signal()?;
        let document = document(&listener, metrics_listener.as_ref(), &key, &roster, (id, &replayed))
            .map_err(|source| ServeCommandError::Listen { address: args.listen, source })?;
        output.show(&document, || text(&document))?;
        let journal = Box::new(journal);
        let publish = args.publish.clone();
        let server = Server { roster, key, sessions, journal, grace: args.grace, metrics, publish };
        Ok(server.run(listener, metrics_listener, stop).await?)
    })
}

/// Makes the folder to publish in, and tries whether files can be made there: a mistake is told at the start, not when
/// the first session is completed.
fn usable(folder: &Path) -> Result<(), Failure> {
    let failed = |source| ServeCommandError::Publish { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let tried = PrivateFile::create(folder.join("try"), Replace::Force).map(drop);
    Ok(tried.map_err(io::Error::other).map_err(failed)?)
}

fn report(replayed: &Replayed) {
    let Replayed { records, unacknowledged, torn, .. } = replayed;
    tracing::info!(target: "svdr", statements = records, unacknowledged, torn, "journal read and verified");
    if *torn {
        tracing::warn!(target: "svdr", "the last statement was incomplete and not acknowledged. It has been \
            removed");
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    Ok(TcpListener::bind(address).await.map_err(|source| ServeCommandError::Listen { address, source })?)
}

fn document(
    listener: &TcpListener,
    metrics_listener: Option<&TcpListener>,
    key: &SigningKey,
    roster: &Roster,
    (id, replayed): (Option<JournalId>, &Replayed),
) -> io::Result<ServeDocument> {
    Ok(ServeDocument {
        address: listener.local_addr()?,
        metrics_address: metrics_listener.map(TcpListener::local_addr).transpose()?,
        public_key: PublicKey::from(key.verifying_key()).to_string(),
        roster: roster.fingerprint().to_string(),
        journal: DocumentJournal {
            id: id.map(|id| id.to_string()),
            statements: replayed.records,
            unacknowledged: replayed.unacknowledged,
            torn: replayed.torn,
            head: replayed.head.to_string(),
        },
    })
}

fn text(document: &ServeDocument) -> String {
    let ServeDocument { address, public_key, roster, journal, .. } = document;
    let statements = journal.statements;
    let id = journal.id.as_deref().unwrap_or("without an identity, made by an earlier version");
    format!(
        "listening on {address}\nkey     {public_key}\nroster  {roster}\njournal {id}: {statements} statements"
    )
}
