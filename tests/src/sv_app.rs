//! A stand-in for an SV app, or a validator app, for tests and the drill: the calls of its API over HTTPS with a private CA (or HTTP) on
//! a free port of the loopback interface, with the faults that networks, proxies and operators make.
//!
//! It is built from the API's description alone, not from the agent's client, and answers from its own thread until
//! it is dropped. What it was asked is recorded; [`StandIn::wait_until`] waits for it, so that no test has to sleep.

mod api;
pub mod document;
pub mod export;
mod fault;
mod http;
mod tls;
pub mod validator;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use svdr_protocol::time::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

pub use document::SnapshotShape;
pub use export::{DumpVolume, ExportFault};
pub use fault::Fault;
pub use tls::CertificateError;

use http::Wire;

/// Which app it stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An SV app.
    Sv,
    /// A validator app, whose snapshots have its participant's identities in them.
    Validator,
}

impl Kind {
    /// Where the API lives below the stand-in's address, as behind Splice's ingress.
    pub const fn base_path(self) -> &'static str {
        match self {
            Kind::Sv => "/api/sv",
            Kind::Validator => "/api/validator",
        }
    }
}

/// Where the OAuth2 token endpoint lives.
pub const TOKEN_PATH: &str = "/oauth2/token";

/// What the stand-in is set to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which app it is.
    pub kind: Kind,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The administrator's token.
    pub token: String,
    /// The client of its OAuth2 endpoint.
    pub client_id: String,
    /// That client's secret.
    pub client_secret: String,
    /// What its snapshots hold.
    pub snapshot: SnapshotShape,
    /// Its identities dump.
    pub identities: Value,
    /// Its own migration id; snapshots carry the next, unless asked otherwise.
    pub migration_id: u64,
    /// Timestamps before this one are answered with 400.
    pub pruned_until: Option<Timestamp>,
    /// Timestamps after this one are answered with 429.
    pub caught_up_to: Option<Timestamp>,
    /// What goes wrong, one fault for each request of a snapshot.
    pub faults: Vec<Fault>,
    /// Where it writes dumps itself.
    pub volume: DumpVolume,
    /// What goes wrong with those, one fault for each request.
    pub export_faults: Vec<ExportFault>,
    /// What goes wrong, one fault for each request of the identities.
    pub identities_faults: Vec<Fault>,
}

impl Default for Options {
    fn default() -> Options {
        let fingerprint = format!("1220{}", "e5".repeat(32));
        Options {
            kind: Kind::Sv,
            tls: true,
            token: "stand-in-administrator-token".to_owned(),
            client_id: "svdr".to_owned(),
            client_secret: "stand-in-client-secret".to_owned(),
            snapshot: SnapshotShape::with_acs(1, 10_000),
            identities: document::identities(
                "SV-1",
                &format!("PAR::SV-1::{fingerprint}"),
                &format!("global-domain::{fingerprint}"),
                1,
            ),
            migration_id: 5,
            pruned_until: None,
            caught_up_to: None,
            faults: Vec::new(),
            volume: DumpVolume::Unknown,
            export_faults: Vec::new(),
            identities_faults: Vec::new(),
        }
    }
}

/// A request as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// `GET`, `POST`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Whether it carried a valid token.
    pub authorized: bool,
}

/// What has happened so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The requests, in order.
    pub requests: Vec<Recorded>,
    /// Bytes of bodies handed to the network.
    pub sent: u64,
    /// How often an answer has come to a stand for good.
    pub stalled: usize,
    /// How often it was made to write a dump into its volume.
    pub exports: usize,
    /// Bytes of payloads written there.
    pub exported: u64,
    /// How many exports are over, in whatever way.
    pub exports_ended: usize,
}

impl Log {
    /// How many requests asked for a data snapshot.
    pub fn snapshots_asked(&self) -> usize {
        self.asked("/data-snapshot")
    }

    /// How many requests asked for the identities.
    pub fn identities_asked(&self) -> usize {
        self.asked("/identities-dump")
    }

    fn asked(&self, call: &str) -> usize {
        self.requests.iter().filter(|request| request.target.contains(call)).count()
    }
}

struct Shared {
    options: Options,
    faults: Mutex<VecDeque<Fault>>,
    export_faults: Mutex<VecDeque<ExportFault>>,
    identities_faults: Mutex<VecDeque<Fault>>,
    tokens: Mutex<Vec<String>>,
    log: Mutex<Log>,
    changed: Condvar,
}

/// A panic of one request must not hide what the others recorded.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn record(&self, change: impl FnOnce(&mut Log)) {
        change(&mut lock(&self.log));
        self.changed.notify_all();
    }

    fn next_fault(&self) -> Fault {
        lock(&self.faults).pop_front().unwrap_or(Fault::None)
    }

    fn next_export_fault(&self) -> ExportFault {
        lock(&self.export_faults).pop_front().unwrap_or(ExportFault::None)
    }

    fn next_identities_fault(&self) -> Fault {
        lock(&self.identities_faults).pop_front().unwrap_or(Fault::None)
    }

    fn is_authorized(&self, header: Option<&str>) -> bool {
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        token.is_some_and(|token| lock(&self.tokens).iter().any(|valid| valid == token))
    }

    fn issue_token(&self) -> String {
        let mut tokens = lock(&self.tokens);
        let token = format!("stand-in-issued-token-{}", tokens.len());
        tokens.push(token.clone());
        token
    }
}

/// Why a stand-in does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No port or thread.
    #[error("the stand-in cannot listen on the loopback interface")]
    Listen(#[from] io::Error),
    /// No certificates.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A running stand-in. It ends, and all its connections with it, when it is dropped.
pub struct StandIn {
    shared: Arc<Shared>,
    address: SocketAddr,
    ca_pem: Option<String>,
    runtime: Option<Runtime>,
}

impl StandIn {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// [`StartError`] where it cannot listen.
    pub fn start(options: Options) -> Result<StandIn, StartError> {
        let (ca_pem, acceptor) = if options.tls {
            let (ca_pem, config) = tls::private_ca()?;
            (Some(ca_pem), Some(TlsAcceptor::from(config)))
        } else {
            (None, None)
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            faults: Mutex::new(options.faults.iter().cloned().collect()),
            export_faults: Mutex::new(options.export_faults.iter().cloned().collect()),
            identities_faults: Mutex::new(options.identities_faults.iter().cloned().collect()),
            tokens: Mutex::new(vec![options.token.clone()]),
            options,
            log: Mutex::default(),
            changed: Condvar::new(),
        });
        runtime.spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Ok(StandIn { shared, address, ca_pem, runtime: Some(runtime) })
    }

    /// The base of the API, as it belongs into `sv_app.url`.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), self.shared.options.kind.base_path())
    }

    /// The OAuth2 token endpoint.
    pub fn token_url(&self) -> String {
        format!("{}{TOKEN_PATH}", self.origin())
    }

    fn origin(&self) -> String {
        format!("{}://{}", if self.ca_pem.is_some() { "https" } else { "http" }, self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The CA that signed its certificate, in PEM; `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// What it was set to be.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Puts a fault at the end of the queue.
    pub fn add_fault(&self, fault: Fault) {
        lock(&self.shared.faults).push_back(fault);
    }

    /// From now on only `token` is valid: all others, issued ones too, are refused with 401.
    pub fn set_token(&self, token: &str) {
        *lock(&self.shared.tokens) = vec![token.to_owned()];
    }

    /// What has happened so far.
    pub fn log(&self) -> Log {
        lock(&self.shared.log).clone()
    }

    /// Waits until `reached` holds for what has happened, at most `limit`; says whether it does.
    pub fn wait_until(&self, limit: Duration, reached: impl Fn(&Log) -> bool) -> bool {
        let log = lock(&self.shared.log);
        let waited = self.shared.changed.wait_timeout_while(log, limit, |log| !reached(log));
        let (log, _) = waited.unwrap_or_else(PoisonError::into_inner);
        reached(&log)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // A connection that cannot be accepted is the client's to notice; the stand-in goes on.
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(&shared)));
    }
}

/// Serves one connection. That it breaks is what some faults are for, so errors end it and nothing else.
async fn connection(stream: TcpStream, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let wire: Box<dyn Wire> = match acceptor {
        None => Box::new(stream),
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => Box::new(stream),
            Err(_refused) => return,
        },
    };
    let _broken = api::serve(wire, &shared).await;
}
