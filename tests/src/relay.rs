//! A TCP relay with an address of its own: what stands behind it can die and come back elsewhere, and connections
//! can be cut or held up, without anybody's configuration changing.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use svdr_files::read_in_chunks;

/// Bytes carried at once.
const CHUNK: usize = 16 * 1024;

/// A running relay. It stops taking connections when it is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    allowed: Arc<Condvar>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Where connections go; nowhere where there is none.
    target: Option<SocketAddr>,
    open: Vec<TcpStream>,
    /// Until when nothing is carried.
    held_until: Option<Instant>,
    /// How many bytes more are carried to clients; without end where there is none.
    allowance: Option<u64>,
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
        let (shared, allowed) = (Arc::default(), Arc::default());
        let relay = Relay { address: listener.local_addr()?, shared, allowed };
        let (shared, allowed) = (Arc::clone(&relay.shared), Arc::clone(&relay.allowed));
        thread::spawn(move || {
            for accepted in listener.incoming() {
                if lock(&shared).is_over {
                    return;
                }
                if let Ok(client) = accepted {
                    // A connection that leads nowhere is closed at once, as it is dropped.
                    let _ = connect(client, &shared, &allowed);
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

    /// Carries so many bytes more to clients, and then stands still until more are allowed; all of them where there is no
    /// number.
    pub fn allow(&self, bytes: Option<u64>) {
        lock(&self.shared).allowance = bytes;
        self.allowed.notify_all();
    }

    /// Carries nothing for that long; what arrives meanwhile is passed on afterwards.
    pub fn hold(&self, pause: Duration) {
        lock(&self.shared).held_until = Some(Instant::now() + pause);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.lead_to(None);
        lock(&self.shared).is_over = true;
        self.allow(None);
        // Wakes the thread that accepts; it may be gone.
        let _ = TcpStream::connect(self.address);
    }
}

fn connect(client: TcpStream, shared: &Arc<Mutex<Shared>>, allowed: &Arc<Condvar>) -> io::Result<()> {
    let Some(target) = lock(shared).target else { return Ok(()) };
    let server = TcpStream::connect(target)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        lock(shared).open.push(stream.try_clone()?);
    }
    let upwards = (client.try_clone()?, server.try_clone()?, false);
    for (from, to, to_client) in [upwards, (server, client, true)] {
        let (shared, allowed) = (Arc::clone(shared), Arc::clone(allowed));
        thread::spawn(move || {
            let (from_end, to_end) = (from.try_clone(), to.try_clone());
            // However it ended, nothing more comes.
            let _ = carry(from, to, &shared, to_client.then_some(&*allowed));
            for end in [from_end, to_end].into_iter().flatten() {
                let _ = end.shutdown(Shutdown::Both);
            }
        });
    }
    Ok(())
}

/// Carries bytes until one side ends; those to a client as they are allowed.
fn carry(
    from: TcpStream,
    mut to: TcpStream,
    shared: &Mutex<Shared>,
    allowed: Option<&Condvar>,
) -> io::Result<()> {
    let carried = read_in_chunks(
        from,
        &mut vec![0; CHUNK],
        |_, error| error,
        |chunk| {
            let held_until = lock(shared).held_until;
            if let Some(pause) = held_until.map(|until| until.saturating_duration_since(Instant::now())) {
                thread::sleep(pause);
            }
            if let Some(allowed) = allowed {
                await_allowance(shared, allowed, chunk.len() as u64);
            }
            to.write_all(chunk)
        },
    );
    carried.map(drop)
}

/// Waits until some of so many bytes may be carried, and takes them off.
fn await_allowance(shared: &Mutex<Shared>, allowed: &Condvar, bytes: u64) {
    let mut shared = lock(shared);
    while shared.allowance == Some(0) {
        shared = allowed.wait(shared).unwrap_or_else(PoisonError::into_inner);
    }
    shared.allowance = shared.allowance.map(|left| left.saturating_sub(bytes));
}
