//! From a TCP connection to a proved client.
//!
//! Handshakes run side by side, each for a limited time, and only so many: where there are more, the oldest is
//! dropped, since a member's ends well under a second and a stranger's may never. So thousands of connections
//! that say nothing cost a member nothing.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use svdr_proto::tls::KnownClients;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::clients::{Client, Clients};
use crate::limits::{ACCEPT_REST, HANDSHAKE_TIMEOUT, MAX_HANDSHAKES};
use crate::metrics::{Metrics, Open};

/// A connection whose client has proved who it is.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    client: Arc<Client>,
    _place: OwnedSemaphorePermit,
    _open: Open,
}

/// Takes connections until it is aborted.
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) tls: Arc<ServerConfig>,
    pub(super) known: Arc<KnownClients>,
    pub(super) clients: Arc<Clients>,
    pub(super) metrics: Metrics,
    pub(super) connections: mpsc::Sender<io::Result<Connection>>,
}

impl Acceptor {
    pub(super) async fn run(self) {
        let mut handshakes = VecDeque::with_capacity(MAX_HANDSHAKES);
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(target: "svdr", %error, "a connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_REST).await;
                    continue;
                }
            };
            handshakes.retain(|handshake: &AbortHandle| !handshake.is_finished());
            if handshakes.len() >= MAX_HANDSHAKES
                && let Some(oldest) = handshakes.pop_front()
            {
                oldest.abort();
                self.metrics.connection_refused("oldest_of_too_many");
            }
            handshakes.push_back(self.prove(stream, address));
        }
    }

    /// Does the handshake in a task of its own, and hands the connection on.
    fn prove(&self, stream: TcpStream, address: SocketAddr) -> AbortHandle {
        let (tls, known) = (TlsAcceptor::from(Arc::clone(&self.tls)), Arc::clone(&self.known));
        let clients = Arc::clone(&self.clients);
        let (metrics, connections) = (self.metrics.clone(), self.connections.clone());
        let handshake = async move {
            // Without it small answers would wait for the client's acknowledgement; a failure costs only that.
            let _ = stream.set_nodelay(true);
            let refused = |reason: &'static str| {
                metrics.connection_refused(reason);
                tracing::info!(target: "svdr", %address, reason, "connection refused");
            };
            let proved = match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                Ok(Ok(proved)) => proved,
                Ok(Err(error)) => {
                    tracing::debug!(target: "svdr", %address, %error, "handshake failed");
                    return refused("handshake");
                }
                Err(_elapsed) => return refused("handshake_timeout"),
            };
            let Some(client) = whose(&proved, &known, &clients) else { return refused("stranger") };
            let Some(place) = client.connection() else {
                tracing::warn!(target: "svdr", member = %client.name, "has too many connections");
                return refused("too_many_of_one_client");
            };
            tracing::debug!(target: "svdr", %address, member = %client.name, "connected");
            let connection =
                Connection { stream: proved, client, _place: place, _open: metrics.connection() };
            // A server that has ended takes none; it is stopping.
            let _ = connections.send(Ok(connection)).await;
        };
        tokio::spawn(handshake).abort_handle()
    }
}

/// Whose connection it is. The handshake has let nobody in who is not in the roster; here it is looked up.
fn whose(stream: &TlsStream<TcpStream>, known: &KnownClients, clients: &Clients) -> Option<Arc<Client>> {
    let (_, session) = stream.get_ref();
    let key = known.identify(session.peer_certificates()?.first()?, UnixTime::now()).ok()?;
    clients.by_key(&key).cloned()
}

impl Connected for Connection {
    type ConnectInfo = Arc<Client>;

    fn connect_info(&self) -> Arc<Client> {
        Arc::clone(&self.client)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
