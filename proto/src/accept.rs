//! From a TCP connection to an authenticated client: what every server of svdr does before gRPC begins.
//!
//! Handshakes run in parallel, each with a time limit. If there are too many, the oldest is dropped: a member's handshake
//! takes well under a second, and a stranger's may never end. So thousands of silent connections do not delay a member.
//! The server's [`Gate`] decides who is let in, and how many connections one guest may have.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::limits::{ACCEPT_REST, HANDSHAKE_TIMEOUT, MAX_HANDSHAKES};
use crate::tls::{KeyBytes, KnownClients};

/// Authenticated connections that wait to be served; they are taken at once.
pub const ACCEPTED: usize = 16;

/// Who may come in, and what is done about those who may not.
pub trait Gate: Send + Sync + 'static {
    /// Who is at the other end of a connection.
    type Guest: Clone + Send + Sync + 'static;
    /// What a connection keeps as long as it is open.
    type Place: Send + Unpin + 'static;

    /// Lets the holder of `key`, who has proved to be that, in.
    ///
    /// # Errors
    /// Why it may not come in now.
    fn admit(&self, key: &KeyBytes) -> Result<(Self::Guest, Self::Place), Refused>;

    /// Records that a connection was refused, with the `cause` if TLS has one.
    fn refused(&self, address: Option<SocketAddr>, reason: Refused, cause: Option<&io::Error>);

    /// Records that the system gives no more connections for the moment.
    fn cannot_accept(&self, error: &io::Error);
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There were more handshakes than [`MAX_HANDSHAKES`], and this was the oldest.
    OldestOfTooMany,
    /// The handshake failed: a stranger's, or no TLS at all.
    Handshake,
    /// It did not end within [`HANDSHAKE_TIMEOUT`].
    HandshakeTimeout,
    /// The key is nobody's.
    Stranger,
    /// The guest has too many connections already.
    TooManyOfOneClient,
}

impl Refused {
    /// A name for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Refused::OldestOfTooMany => "oldest_of_too_many",
            Refused::Handshake => "handshake",
            Refused::HandshakeTimeout => "handshake_timeout",
            Refused::Stranger => "stranger",
            Refused::TooManyOfOneClient => "too_many_of_one_client",
        }
    }
}

/// A connection whose client is authenticated.
pub struct AcceptedConnection<G: Gate> {
    stream: TlsStream<TcpStream>,
    guest: G::Guest,
    _place: G::Place,
}

/// Takes connections, and forwards those that are let in.
pub struct Acceptor<G: Gate> {
    /// Where they come in.
    pub listener: TcpListener,
    /// The server's side of TLS.
    pub tls: Arc<ServerConfig>,
    /// Whose keys TLS lets in.
    pub known: Arc<KnownClients>,
    /// Who decides about them.
    pub gate: Arc<G>,
    /// Bytes that are encrypted before they are written to a connection's socket at once.
    pub write_len: usize,
    /// Where the connections go, as [`tonic`] takes them.
    pub connections: mpsc::Sender<io::Result<AcceptedConnection<G>>>,
}

impl<G: Gate> Acceptor<G> {
    /// Takes connections until it is dropped.
    pub async fn run(self) {
        let mut handshakes = VecDeque::with_capacity(MAX_HANDSHAKES);
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.gate.cannot_accept(&error);
                    tokio::time::sleep(ACCEPT_REST).await;
                    continue;
                }
            };
            // Finished handshakes give their places back before a running one is dropped.
            handshakes.retain(|handshake: &AbortHandle| !handshake.is_finished());
            if handshakes.len() >= MAX_HANDSHAKES
                && let Some(oldest) = handshakes.pop_front()
            {
                oldest.abort();
                self.gate.refused(None, Refused::OldestOfTooMany, None);
            }
            handshakes.push_back(self.prove(stream, address));
        }
    }

    /// Does the handshake in a task of its own, and forwards the connection.
    fn prove(&self, stream: TcpStream, address: SocketAddr) -> AbortHandle {
        let (tls, known) = (TlsAcceptor::from(Arc::clone(&self.tls)), Arc::clone(&self.known));
        let (gate, connections) = (Arc::clone(&self.gate), self.connections.clone());
        let write_len = self.write_len;
        let handshake = async move {
            // Without it small answers would wait for the client's acknowledgement; a failure costs only that.
            let _ = stream.set_nodelay(true);
            let handshake = tls.accept_with(stream, |session| session.set_buffer_limit(Some(write_len)));
            let proved = match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
                Ok(Ok(proved)) => proved,
                Ok(Err(error)) => return gate.refused(Some(address), Refused::Handshake, Some(&error)),
                Err(_elapsed) => return gate.refused(Some(address), Refused::HandshakeTimeout, None),
            };
            let admitted = whose(&proved, &known).map_or(Err(Refused::Stranger), |key| gate.admit(&key));
            match admitted {
                Ok((guest, place)) => {
                    // A server that has ended takes none; it is stopping.
                    let _ = connections
                        .send(Ok(AcceptedConnection { stream: proved, guest, _place: place }))
                        .await;
                }
                Err(reason) => gate.refused(Some(address), reason, None),
            }
        };
        tokio::spawn(handshake).abort_handle()
    }
}

/// Whose connection it is. The handshake let only known clients in; here the client is looked up.
fn whose(stream: &TlsStream<TcpStream>, known: &KnownClients) -> Option<KeyBytes> {
    let (_, session) = stream.get_ref();
    known.identify(session.peer_certificates()?.first()?, UnixTime::now()).ok()
}

impl<G: Gate> Connected for AcceptedConnection<G> {
    type ConnectInfo = G::Guest;

    fn connect_info(&self) -> G::Guest {
        self.guest.clone()
    }
}

// The guest is never pinned; nothing here points into itself.
impl<G: Gate> Unpin for AcceptedConnection<G> {}

impl<G: Gate> AsyncRead for AcceptedConnection<G> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<G: Gate> AsyncWrite for AcceptedConnection<G> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    // A frame's head and its bytes in one TLS record, instead of a record of nine bytes before each.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
