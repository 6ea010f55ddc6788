//! A node's port, its TLS and token, its death and return, and the faults of its answers.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Status};

use super::participant::ParticipantNode;
use super::sequencer::SequencerNode;
use super::tls::{self, NodeFiles, NodeTls};

/// What goes wrong with one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It comes after that long.
    Slow(Duration),
    /// The node fails with a bare text and code INTERNAL, as the inspection service does.
    Internal(String),
    /// The node fails with one of Canton's errors: its code's number, and its text.
    Canton(i32, String),
    /// It names another synchronizer.
    OtherSynchronizer,
    /// It has so many bytes more than it should, in rows about nobody.
    Longer(usize),
    /// The node dies before it answers, and is back after that long.
    Dies(Duration),
}

/// How a node is set up.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// How its port is protected.
    pub tls: NodeTls,
    /// The token that it asks for.
    pub token: Option<String>,
    /// What goes wrong, one fault for each call that reads a store.
    pub faults: Vec<Fault>,
}

impl Default for NodeOptions {
    fn default() -> NodeOptions {
        NodeOptions { tls: NodeTls::Plaintext, token: None, faults: Vec::new() }
    }
}

/// Why a stand-in did not start.
#[derive(Debug, thiserror::Error)]
#[error("the stand-in of a node cannot start")]
pub struct StartError(#[from] io::Error);

/// What the services of a node share.
#[derive(Debug)]
pub(super) struct Shared {
    token: Option<String>,
    faults: Mutex<VecDeque<Fault>>,
    calls: Mutex<Vec<&'static str>>,
    deaths: mpsc::UnboundedSender<Duration>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Records a call, and lets it in if it has the token.
    pub(super) fn enter<T>(&self, call: &'static str, request: &Request<T>) -> Result<(), Status> {
        lock(&self.calls).push(call);
        let Some(token) = &self.token else { return Ok(()) };
        let header = request.metadata().get("authorization").and_then(|header| header.to_str().ok());
        match header == Some(&format!("Bearer {token}")) {
            true => Ok(()),
            false => Err(Status::unauthenticated("UNAUTHENTICATED(6,0): the token is not valid")),
        }
    }

    /// What goes wrong with the next answer. A fault that replaces the answer is an error.
    pub(super) async fn fault(&self) -> Result<Option<Fault>, Status> {
        let fault = lock(&self.faults).pop_front();
        match fault {
            Some(Fault::Slow(pause)) => {
                tokio::time::sleep(pause).await;
                Ok(None)
            }
            Some(Fault::Internal(text)) => Err(Status::internal(text)),
            Some(Fault::Canton(code, text)) => Err(Status::new(code.into(), text)),
            Some(Fault::Dies(pause)) => {
                let _ = self.deaths.send(pause);
                // The end of the runtime ends this too.
                std::future::pending().await
            }
            other => Ok(other),
        }
    }
}

/// A node that runs until it is dropped.
#[derive(Debug)]
pub struct NodeStandIn {
    address: SocketAddr,
    tls: NodeTls,
    files: NodeFiles,
    shared: Arc<Shared>,
    stopping: mpsc::UnboundedSender<Duration>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The pause that means that the node does not come back.
const FOR_EVER: Duration = Duration::MAX;

impl NodeStandIn {
    /// Starts a participant.
    ///
    /// # Errors
    /// [`StartError`] without a port, or without certificates.
    pub fn participant(node: ParticipantNode, options: NodeOptions) -> Result<NodeStandIn, StartError> {
        NodeStandIn::start(options, |shared| node.routes(shared))
    }

    /// Starts a sequencer.
    ///
    /// # Errors
    /// [`StartError`] without a port, or without certificates.
    pub fn sequencer(node: SequencerNode, options: NodeOptions) -> Result<NodeStandIn, StartError> {
        NodeStandIn::start(options, |shared| node.routes(shared))
    }

    fn start(
        options: NodeOptions,
        routes: impl FnOnce(&Arc<Shared>) -> Routes,
    ) -> Result<NodeStandIn, StartError> {
        let (files, config) = tls::make(options.tls)?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (deaths, dying) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            token: options.token,
            faults: Mutex::new(options.faults.into()),
            calls: Mutex::default(),
            deaths: deaths.clone(),
        });
        let routes = routes(&shared);
        let thread = std::thread::spawn(move || live(address, listener, config, routes, dying));
        let thread = Some(thread);
        Ok(NodeStandIn { address, tls: options.tls, files, shared, stopping: deaths, thread })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        match self.tls {
            NodeTls::Plaintext => format!("http://{}", self.address),
            NodeTls::Server | NodeTls::Mutual => format!("https://localhost:{}", self.address.port()),
        }
    }

    /// The certificates.
    pub fn files(&self) -> &NodeFiles {
        &self.files
    }

    /// The names of the calls until now.
    pub fn calls(&self) -> Vec<&'static str> {
        lock(&self.shared.calls).clone()
    }
}

impl Drop for NodeStandIn {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.stopping.send(FOR_EVER);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves, dies and comes back, until it is stopped.
fn live(
    address: SocketAddr,
    listener: std::net::TcpListener,
    config: Option<Arc<ServerConfig>>,
    routes: Routes,
    mut dying: mpsc::UnboundedReceiver<Duration>,
) {
    let mut listener = Some(listener);
    loop {
        let Ok(runtime) = Runtime::new() else { return };
        let pause = runtime.block_on(async {
            let bound = match listener.take() {
                Some(listener) => TcpListener::from_std(listener),
                None => TcpListener::bind(address).await,
            };
            let Ok(bound) = bound else { return FOR_EVER };
            tokio::spawn(serve(bound, config.clone(), routes.clone()));
            dying.recv().await.unwrap_or(FOR_EVER)
        });
        // Every connection breaks, as when the process is killed.
        runtime.shutdown_timeout(Duration::from_secs(5));
        if pause == FOR_EVER {
            return;
        }
        std::thread::sleep(pause);
    }
}

async fn serve(listener: TcpListener, config: Option<Arc<ServerConfig>>, routes: Routes) {
    let (accepted, incoming) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (accepted, config) = (accepted.clone(), config.clone());
            tokio::spawn(async move {
                if let Ok(stream) = secured(stream, config).await {
                    // The server has ended if nobody takes it.
                    let _ = accepted.send(Ok::<_, io::Error>(stream)).await;
                }
            });
        }
    });
    // However it ends, the runtime ends with it.
    let _ = Server::builder().add_routes(routes).serve_with_incoming(ReceiverStream::new(incoming)).await;
}

async fn secured(stream: TcpStream, config: Option<Arc<ServerConfig>>) -> io::Result<Accepted> {
    let stream: Box<dyn Stream> = match config {
        None => Box::new(stream),
        Some(config) => Box::new(TlsAcceptor::from(config).accept(stream).await?),
    };
    Ok(Accepted(stream))
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection as tonic wants it.
struct Accepted(Box<dyn Stream>);

impl Connected for Accepted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
