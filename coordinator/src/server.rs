//! The server: TLS, the service with health and reflection, the page of metrics, and the way to stop.
//!
//! Listeners and the signal to stop are passed in. On that signal no more connections are taken, health says so,
//! streams are ended with a message, calls are finished, and what has been accepted is written; then [`Server::run`]
//! returns.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use svdr_proto::accept::{ACCEPTED, Acceptor};
use svdr_proto::limits::{
    CALL_TIMEOUT, MAX_CERTIFICATE_LEN, MAX_HEADER_LIST_LEN, MAX_MESSAGE_LEN, PING_INTERVAL, PING_TIMEOUT,
    WRITE_LEN,
};
use svdr_proto::tls::{KnownClients, TlsError, TlsIdentity, server_config};
use svdr_proto::v1;
use svdr_proto::v1::session_service_server::SessionServiceServer;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::roster::Roster;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_stream::wrappers::ReceiverStream;
use tonic_health::server::HealthReporter;

use crate::board::{Board, BoardError, Sessions};
use crate::clients::Clients;
use crate::journal::Journal;
use crate::limits::{MAX_CALLS_PER_CONNECTION, SHUTDOWN_GRACE};
use crate::metrics::Metrics;
use crate::publish::Publisher;
use crate::service::Service;
use gate::Gate;

mod gate;
mod page;

/// What a server needs.
pub struct Server {
    /// Whose members and observers are let in.
    pub roster: Arc<Roster>,
    /// The coordinator's own key: what its certificate shows, and what signs receipts and proposals.
    pub key: Arc<SigningKey>,
    /// The sessions of the journal.
    pub sessions: Sessions,
    /// The journal.
    pub journal: Box<dyn Journal>,
    /// How long members without evidence are waited for.
    pub grace: Duration,
    /// What is counted.
    pub metrics: Metrics,
    /// The folder that completed sessions are published in.
    pub publish: Option<PathBuf>,
}

/// Why a server stopped, other than by the signal.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The board failed.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// The board's task was lost.
    #[error(
        "the coordinator stops, because the task of its sessions stopped unexpectedly\n\
         help: report this as a bug in svdr"
    )]
    Task(#[source] tokio::task::JoinError),
    /// The gRPC server failed.
    #[error(
        "the coordinator stops, because its gRPC server stopped\n\
         help: read the log above, then start the coordinator again"
    )]
    Grpc(#[source] tonic::transport::Error),
    /// Reflection cannot read the schema.
    #[error("the schema for reflection cannot be read\nhelp: report this as a bug in svdr")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The listener failed.
    #[error("the address in --listen cannot be listened on\nhelp: check the address")]
    Listener(#[source] io::Error),
}

impl CommandError for ServeError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

impl Server {
    /// Serves until `stop` is ready, or the journal fails.
    ///
    /// # Errors
    /// Why it could not continue.
    pub async fn run(
        self,
        listener: TcpListener,
        metrics_listener: Option<TcpListener>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let Server { roster, key, sessions, journal, grace, metrics, publish } = self;
        let clients = Arc::new(Clients::of(&roster));
        let tls = Arc::new(server_config(&TlsIdentity::new(&key)?, clients.keys())?);
        let (board, handle) = Board::new(sessions, journal, Arc::clone(&key), grace, metrics.clone())?;
        let (stopping, watching) = watch::channel(false);
        if let Some(folder) = publish {
            let publisher = Publisher::new(folder, handle.clone(), Arc::clone(&key));
            let (runtime, stopping) = (Handle::current(), watching.clone());
            tokio::task::spawn_blocking(move || publisher.run(&runtime, stopping));
        }
        let service = Service::new(handle, roster, key, metrics.clone(), watching.clone());
        let mut board = tokio::spawn(board.run());

        let (connections, accepted) = tokio::sync::mpsc::channel(ACCEPTED);
        let known = Arc::new(KnownClients::new(clients.keys()));
        let gate = Arc::new(Gate::new(clients, metrics.clone()));
        let accepting = Acceptor { listener, tls, known, gate, write_len: WRITE_LEN, connections };
        let accepting = tokio::spawn(accepting.run());
        let page = metrics_listener.map(|listener| tokio::spawn(page::serve(listener, metrics)));

        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_serving::<SessionServiceServer<Service>>().await;
        let mut grpc = tokio::spawn(
            grpc_server(service, health)
                .map_err(ServeError::Reflection)?
                .serve_with_incoming_shutdown(ReceiverStream::new(accepted), told(watching)),
        );

        let early = tokio::select! {
            () = stop => None,
            ended = &mut board => Some(ended),
            ended = &mut grpc => return Err(grpc_ended(ended)),
        };
        tracing::info!(target: "svdr", "stopping");
        // In this order: no new connections, then no new calls, then streams end, then the board writes what is left.
        accepting.abort();
        not_serving(&reporter).await;
        // The service keeps a receiver as long as it lives; without any, nothing has to stop.
        stopping.send_replace(true);
        if tokio::time::timeout(SHUTDOWN_GRACE, &mut grpc).await.is_err() {
            tracing::warn!(target: "svdr", "some calls did not finish in time and are stopped");
            grpc.abort();
        }
        if let Some(page) = page {
            page.abort();
        }
        let ended = match early {
            Some(ended) => ended,
            None => match tokio::time::timeout(SHUTDOWN_GRACE, board).await {
                Ok(ended) => ended,
                // A call that was cut off still uses the board; every acknowledged statement is on disk.
                Err(_elapsed) => return Ok(()),
            },
        };
        Ok(ended.map_err(ServeError::Task)??)
    }
}

type Health<H> = tonic_health::pb::health_server::HealthServer<H>;

fn grpc_server<H: tonic_health::pb::health_server::Health>(
    service: Service,
    health: Health<H>,
) -> Result<tonic::transport::server::Router, tonic_reflection::server::Error> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(v1::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let sessions = SessionServiceServer::new(service)
        .max_decoding_message_size(MAX_MESSAGE_LEN)
        .max_encoding_message_size(MAX_CERTIFICATE_LEN);
    Ok(tonic::transport::Server::builder()
        .timeout(CALL_TIMEOUT)
        .max_concurrent_streams(MAX_CALLS_PER_CONNECTION)
        .http2_keepalive_interval(Some(PING_INTERVAL))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .http2_max_header_list_size(MAX_HEADER_LIST_LEN)
        .add_service(health)
        .add_service(reflection().build_v1()?)
        // What gRPC's own client libraries still ask for.
        .add_service(reflection().build_v1alpha()?)
        .add_service(sessions))
}

async fn told(mut stopping: watch::Receiver<bool>) {
    // If the sender is gone, the server is stopping as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn not_serving(reporter: &HealthReporter) {
    reporter.set_not_serving::<SessionServiceServer<Service>>().await;
    reporter.set_service_status("", tonic_health::ServingStatus::NotServing).await;
}

fn grpc_ended(ended: Result<Result<(), tonic::transport::Error>, tokio::task::JoinError>) -> ServeError {
    match ended {
        Ok(Err(error)) => ServeError::Grpc(error),
        Err(error) => ServeError::Task(error),
        Ok(Ok(())) => ServeError::Listener(io::ErrorKind::UnexpectedEof.into()),
    }
}
