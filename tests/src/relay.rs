//! A TCP relay with an address of its own: what stands behind it can die and come back elsewhere, and connections
//! can be cut, without anybody's configuration changing.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A running relay. It stops taking connections when it is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Where connections go; nowhere where there is none.
    target: Option<SocketAddr>,
    open: Vec<TcpStream>,
    is_over: bool,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Relay {
    /// Starts one on a free port of the loopback interface, that leads nowhere yet.
    ///
    /// # Errors
    /// Where it cannot listen.
    pub fn start() -> io::Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let relay = Relay { address: listener.local_addr()?, shared: Arc::default() };
        let shared = Arc::clone(&relay.shared);
        thread::spawn(move || {
            for accepted in listener.incoming() {
                if lock(&shared).is_over {
                    return;
                }
                if let Ok(client) = accepted {
                    // A connection that leads nowhere is closed at once, as it is dropped.
                    let _ = connect(client, &shared);
                }
            }
        });
        Ok(relay)
    }

    /// Its URL, as configurations have it.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Leads new connections there from now on, or nowhere; those that are open are cut.
    pub fn lead_to(&self, target: Option<SocketAddr>) {
        let mut shared = lock(&self.shared);
        shared.target = target;
        for stream in shared.open.drain(..) {
            // Closed already, in that case.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Cuts the connections that are open.
    pub fn cut(&self) {
        let target = lock(&self.shared).target;
        self.lead_to(target);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.lead_to(None);
        lock(&self.shared).is_over = true;
        // Wakes the thread that accepts; it may be gone.
        let _ = TcpStream::connect(self.address);
    }
}

fn connect(client: TcpStream, shared: &Mutex<Shared>) -> io::Result<()> {
    let Some(target) = lock(shared).target else { return Ok(()) };
    let server = TcpStream::connect(target)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        lock(shared).open.push(stream.try_clone()?);
    }
    for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        thread::spawn(move || carry(from, to));
    }
    Ok(())
}

/// Carries bytes until one side ends, then ends the other.
fn carry(mut from: TcpStream, mut to: TcpStream) {
    // However it ended, nothing more comes.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
