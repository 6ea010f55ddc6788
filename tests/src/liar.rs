//! A coordinator that lies: the service, with the key that agents have pinned, and whatever a test tells it to say.
//!
//! It keeps what is submitted, and shows what it is told to show, which need not be the same. Left alone it is
//! honest: what it is given it shows, with receipts that continue its chain. Everything else a test asks for: entries
//! that do not hold, receipts for something else, calls that never end. It answers from its own threads until it is
//! dropped.

use std::collections::{BTreeMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ed25519_dalek::SigningKey;
use svdr_cli::signing_key;
use svdr_proto::tls::{TlsIdentity, server_config};
use svdr_proto::v1;
use svdr_proto::v1::session_service_server::SessionServiceServer;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::receipt::Chain;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{SessionId, Statement};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::ReceiverStream;

use crate::agents::LIMIT;
use crate::network::Failure;

mod connection;
mod service;
mod submitting;

use service::Service;

/// What it does with a statement that is submitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnSubmit {
    /// Gives a receipt, and shows it.
    #[default]
    Accept,
    /// Gives a receipt that continues the chain, and shows nothing from there on.
    Withhold,
    /// Gives a receipt under another key.
    OtherKey,
    /// Gives a receipt for another statement.
    OtherStatement,
    /// Gives a receipt of another session.
    OtherSession,
    /// Gives a receipt for a position far ahead.
    FarAhead,
    /// Gives a receipt with a head that follows from nothing, and shows the statement with the right one.
    OtherHead,
    /// Gives a receipt of which a byte is changed.
    Damaged,
    /// Never answers.
    Hang,
}

/// What it makes of a stream of many statements, each of which it answers as [`OnSubmit`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStream {
    /// Answers each.
    #[default]
    Answer,
    /// Says that it does not know that call.
    Unknown,
    /// Answers the first, and ends the stream.
    Stop,
    /// Gives the answer to the first to each.
    Repeat,
    /// Gives answers that say nothing.
    Nothing,
}

/// How it answers who reads a transcript, or watches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRead {
    /// With what it is told to show.
    #[default]
    Show,
    /// Never, not even with a head.
    Hang,
    /// With a head, and nothing after it.
    Silence,
    /// With what it is told to show, and then without end: statements whose signatures do not hold, each with its
    /// receipt.
    Junk,
    /// With a message that is longer than any may be.
    Huge,
    /// With what it is told to show, and then with the end of the stream.
    End,
    /// With what it is told to show, and then [`FLOOD_LEN`] proposals that are valid, each with its receipt: anybody can
    /// make a key to sign them with.
    Flood,
}

/// The entries of a flood: more than any client may take of them, and few enough that one which takes them all ends.
pub const FLOOD_LEN: u64 = 20_000;

/// A lying coordinator.
pub struct Liar {
    address: SocketAddr,
    key: PublicKey,
    shared: Arc<Shared>,
    /// Serves until it is dropped.
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    key: SigningKey,
    roster: Roster,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    submitted: Condvar,
}

#[derive(Default)]
struct State {
    listed: Vec<v1::SessionSummary>,
    /// What it shows of each session.
    shown: BTreeMap<SessionId, Vec<v1::TranscriptEntry>>,
    /// The chain behind what it shows honestly.
    chains: BTreeMap<SessionId, Chain>,
    /// What it was given, in order.
    submitted: Vec<Envelope>,
    /// Sessions of which it shows nothing more that is submitted.
    withheld: HashSet<SessionId>,
    keep_alives: u64,
    /// The positions from which it was watched.
    watched: Vec<u64>,
    /// What it gives for a certificate, of whichever session.
    certificate: Vec<Envelope>,
    on_submit: OnSubmit,
    on_stream: OnStream,
    on_transcript: OnRead,
    on_watch: OnRead,
    /// What a flood consists of.
    flood: Option<Statement>,
}

impl State {
    fn chain(&mut self, session: SessionId) -> &mut Chain {
        self.chains.entry(session).or_insert_with(|| Chain::new(session))
    }

    /// Takes a statement into the chain.
    fn acknowledge(
        &mut self,
        session: SessionId,
        statement: &Envelope,
        key: &SigningKey,
    ) -> v1::TranscriptEntry {
        let receipt = self.chain(session).append(statement.digest());
        v1::TranscriptEntry {
            position: receipt.position,
            statement: Some(statement.to_message()),
            receipt: Some(receipt.sign(key).to_message()),
        }
    }
}

impl Shared {
    /// A test that fails must not hide what others see.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_modify(|count| *count += 1);
        self.submitted.notify_all();
        result
    }
}

impl Liar {
    /// Starts one with the key in `folder/key_file`, for the members and observers of the roster.
    ///
    /// # Errors
    /// Where the key cannot be read, or it cannot listen.
    pub fn start(folder: &Path, key_file: &str, roster: &Roster) -> Result<Liar, Failure> {
        let key = signing_key::read(&folder.join(key_file))?;
        let members = roster.members().iter().map(|member| member.key);
        let observers = roster.observers().iter().map(|observer| observer.key);
        let known = members.chain(observers).map(|key| key.verifying_key().to_bytes()).collect();
        let tls = Arc::new(server_config(&TlsIdentity::new(&key)?, known)?);
        let public = PublicKey::from(key.verifying_key());
        let shared = Arc::new(Shared {
            key,
            roster: roster.clone(),
            state: Mutex::default(),
            changed: watch::Sender::new(0),
            submitted: Condvar::new(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let (connections, accepted) = tokio::sync::mpsc::channel(16);
        runtime.spawn(connection::accept(listener, tls, connections));
        let service = SessionServiceServer::new(Service::new(Arc::clone(&shared)));
        runtime.spawn(
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(ReceiverStream::new(accepted)),
        );
        Ok(Liar { address, key: public, shared, _runtime: runtime })
    }

    /// URL and key, as configurations have them.
    pub fn configured(&self) -> (String, String) {
        (format!("https://{}", self.address), self.key.to_string())
    }

    /// Lists this.
    pub fn list_as(&self, summary: v1::SessionSummary) {
        self.shared.change(|state| state.listed.insert(0, summary));
    }

    /// Lists a session as open.
    pub fn list(&self, session: SessionId, drill: bool) {
        let summary = v1::SessionSummary {
            session: session.to_string(),
            drill,
            state: v1::SessionState::Gathering.into(),
            ..v1::SessionSummary::default()
        };
        self.list_as(summary);
    }

    /// Shows a statement at the end of a session's transcript, with a receipt that continues it.
    pub fn show(&self, session: SessionId, statement: &Envelope) {
        self.shared.change(|state| {
            let entry = state.acknowledge(session, statement, &self.shared.key);
            state.shown.entry(session).or_default().push(entry);
        });
    }

    /// The entry that a statement would have at the end of a session's transcript; it has its place in the chain from
    /// now on, and is not shown.
    pub fn acknowledge(&self, session: SessionId, statement: &Envelope) -> v1::TranscriptEntry {
        self.shared.change(|state| state.acknowledge(session, statement, &self.shared.key))
    }

    /// Shows exactly this.
    pub fn show_entry(&self, session: SessionId, entry: v1::TranscriptEntry) {
        self.shared.change(|state| state.shown.entry(session).or_default().push(entry));
    }

    /// What it shows of a session.
    pub fn shown(&self, session: SessionId) -> Vec<v1::TranscriptEntry> {
        self.shared.lock().shown.get(&session).cloned().unwrap_or_default()
    }

    /// Shows exactly this of a session, from the beginning; what it said before is forgotten.
    pub fn rewrite(&self, session: SessionId, entries: Vec<v1::TranscriptEntry>) {
        self.shared.change(|state| state.shown.insert(session, entries));
    }

    /// What it gives for a certificate, of whichever session, from now on.
    pub fn certify(&self, statements: Vec<Envelope>) {
        self.shared.change(|state| state.certificate = statements);
    }

    /// Says to all who watch that it is alive and has nothing new.
    pub fn keep_alive(&self) {
        self.shared.change(|state| state.keep_alives += 1);
    }

    /// What it does with statements from now on.
    pub fn on_submit(&self, what: OnSubmit) {
        self.shared.change(|state| state.on_submit = what);
    }

    /// What it makes of streams of statements from now on.
    pub fn on_stream(&self, what: OnStream) {
        self.shared.change(|state| state.on_stream = what);
    }

    /// How it answers who asks for a transcript from now on.
    pub fn on_transcript(&self, what: OnRead) {
        self.shared.change(|state| state.on_transcript = what);
    }

    /// How it answers who watches from now on.
    pub fn on_watch(&self, what: OnRead) {
        self.shared.change(|state| state.on_watch = what);
    }

    /// Floods with this proposal, signed under one sequence number after the other, who asks for it.
    pub fn flood(&self, proposal: Statement) {
        self.shared.change(|state| state.flood = Some(proposal));
    }

    /// What it was given so far, in order.
    pub fn submitted(&self) -> Vec<Envelope> {
        self.shared.lock().submitted.clone()
    }

    /// Waits until somebody watches from this position on; false where that takes too long.
    pub fn wait_for_watch(&self, from: u64) -> bool {
        self.wait(|state| state.watched.contains(&from).then_some(())).is_some()
    }

    /// Waits until it was given a statement that is as wanted, and gives it; none where that takes too long.
    pub fn wait_for<T>(&self, wanted: impl Fn(&Envelope) -> Option<T>) -> Option<T> {
        self.wait(|state| state.submitted.iter().find_map(&wanted))
    }

    /// Waits until it was given so many statements that are as wanted; false where that takes too long.
    pub fn wait_for_count(&self, count: usize, wanted: impl Fn(&Envelope) -> bool) -> bool {
        let enough = |state: &State| state.submitted.iter().filter(|one| wanted(one)).count() >= count;
        self.wait(|state| enough(state).then_some(())).is_some()
    }

    fn wait<T>(&self, look: impl Fn(&State) -> Option<T>) -> Option<T> {
        let end = Instant::now() + LIMIT;
        let mut state = self.shared.lock();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            let waited = self.shared.submitted.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
