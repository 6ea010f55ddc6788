//! From a TCP connection to an authenticated client: what every server of svdr does before gRPC begins.
//!
//! Handshakes run in parallel, each with a time limit and a slot (`accept/slots.rs`). There are as many slots as
//! [`MAX_HANDSHAKES`], and at most one for every second file that the process may open: the others are for members and
//! for the disk. Sources share the slots evenly. So a flood from some addresses does not keep out a member from another
//! address, however long its round trip. The server's [`Gate`] decides who is let in, and how many connections one guest may have.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use rustix::process::{Resource, getrlimit};
use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::limits::{ACCEPT_REST, HANDSHAKE_TIMEOUT, MAX_HANDSHAKES, MIN_HANDSHAKES};
use crate::tls::{KeyBytes, KnownClients};

mod slots;

use slots::{Slots, Source, Ticket};

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
    /// There were more handshakes than slots, and this was dropped at random, of a source with most of them.
    TooManyHandshakes,
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
            Refused::TooManyHandshakes => "too_many_handshakes",
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

/// Tasks that serve connections: as many as there are slots, shared evenly by the addresses that they come from.
#[derive(Clone, Debug)]
pub struct SharedTasks {
    tasks: Arc<Mutex<Slots<(SocketAddr, AbortHandle)>>>,
}

/// A slot, given back when it is dropped.
#[derive(Debug)]
pub struct Slot {
    tasks: SharedTasks,
    ticket: Ticket,
    is_over: Arc<AtomicBool>,
}

impl SharedTasks {
    /// So many slots, all free.
    pub fn new(slots: usize) -> SharedTasks {
        SharedTasks { tasks: Arc::new(Mutex::new(Slots::new(slots))) }
    }

    /// Starts a task for a connection. Returns the address of the one that was dropped for it, which may be the same.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(
        &self,
        address: SocketAddr,
        task: impl FnOnce(Slot) -> F,
    ) -> Option<SocketAddr> {
        let ticket = self.lock().ticket(Source::of(address.ip()));
        let is_over = Arc::new(AtomicBool::new(false));
        let slot = Slot { tasks: self.clone(), ticket, is_over: Arc::clone(&is_over) };
        // Not locked meanwhile: a runtime that is shutting down drops the task, and with it the slot, right here.
        let handle = tokio::spawn(task(slot)).abort_handle();
        let dropped = self.lock().take(ticket, (address, handle), random);
        if is_over.load(Ordering::SeqCst) {
            // It has ended before it had its slot, so that it gave nothing back.
            self.lock().give_back(ticket);
        }
        let (address, dropped) = dropped?;
        dropped.abort();
        Some(address)
    }

    fn lock(&self) -> MutexGuard<'_, Slots<(SocketAddr, AbortHandle)>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // A task that was dropped to make room has none any more.
        self.tasks.lock().give_back(self.ticket);
    }
}

impl<G: Gate> Acceptor<G> {
    /// Takes connections until it is dropped.
    pub async fn run(self) {
        let handshakes = SharedTasks::new(slots(getrlimit(Resource::Nofile).current));
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.gate.cannot_accept(&error);
                    tokio::time::sleep(ACCEPT_REST).await;
                    continue;
                }
            };
            let dropped = handshakes.spawn(address, |slot| self.prove(stream, address, slot));
            if dropped.is_some() {
                self.gate.refused(dropped, Refused::TooManyHandshakes, None);
            }
        }
    }

    /// Does the handshake, and forwards the connection.
    fn prove(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        slot: Slot,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (tls, known) = (TlsAcceptor::from(Arc::clone(&self.tls)), Arc::clone(&self.known));
        let (gate, connections) = (Arc::clone(&self.gate), self.connections.clone());
        let write_len = self.write_len;
        async move {
            // Without it small answers would wait for the client's acknowledgement; a failure costs only that.
            let _ = stream.set_nodelay(true);
            let handshake = tls.accept_with(stream, |session| session.set_buffer_limit(Some(write_len)));
            let proved = match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
                Ok(Ok(proved)) => proved,
                Ok(Err(error)) => return gate.refused(Some(address), Refused::Handshake, Some(&error)),
                Err(_elapsed) => return gate.refused(Some(address), Refused::HandshakeTimeout, None),
            };
            // From here its client is known, and is not dropped for strangers.
            drop(slot);
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
        }
    }
}

/// The number of slots of a process that may open so many files; `None` for any number.
fn slots(files: Option<u64>) -> usize {
    let half = files.and_then(|files| usize::try_from(files / 2).ok());
    half.map_or(MAX_HANDSHAKES, |half| half.clamp(MIN_HANDSHAKES, MAX_HANDSHAKES))
}

/// A random number below `below`, which is not 0. Without randomness the last is taken: the newest, more often than not.
fn random(below: usize) -> usize {
    let last = below.saturating_sub(1);
    let random = getrandom::u64().ok().and_then(|random| usize::try_from(random % below.max(1) as u64).ok());
    random.unwrap_or(last)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_leave_half_of_the_files_to_others() {
        assert_eq!(slots(Some(128)), 64);
        assert_eq!(slots(Some(1024)), 512);
        assert_eq!(slots(Some(u64::MAX)), MAX_HANDSHAKES);
        assert_eq!(slots(None), MAX_HANDSHAKES);
        assert_eq!(slots(Some(3)), MIN_HANDSHAKES);
    }

    #[test]
    fn what_is_random_is_below_its_bound() {
        assert!((1..100).all(|below| random(below) < below));
    }
}
