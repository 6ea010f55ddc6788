//! The agent's way to the coordinators: one of those in `agent.toml`, the next where one fails.
//!
//! A [`Link`] knows the coordinators and this agent's signing key; a [`Connection`] talks to one of them. What a
//! coordinator sends is only taken apart here: signatures of statements are checked by the
//! [view](crate::replica), and [`History`] checks that the coordinator sticks to what it said.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use svdr_proto::channel::{self, ConnectError};
use svdr_proto::limits::{CALL_TIMEOUT, KEEP_ALIVE_INTERVAL, MAX_CERTIFICATE_LEN};
use svdr_proto::tls::TlsIdentity;
use svdr_proto::v1;
use svdr_proto::v1::session_service_client::SessionServiceClient;
use svdr_proto::v1::watch_response::Event;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::VerifiedReceipt;
use svdr_protocol::statement::SessionId;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::config::Coordinator;

mod error;
mod history;
mod submitting;

pub use error::{CallError, LinkError, Tried};
pub use history::{Entry, History, HistoryError};
pub use submitting::{Submitted, Submitting};

/// After how much silence a watch is taken for broken: three keep-alives that did not come.
const SILENCE: Duration = KEEP_ALIVE_INTERVAL.saturating_mul(3);
/// The most statements that are taken from one coordinator in one session: twice what the members of the largest
/// roster may have there. Guards this agent's disk against a coordinator that never ends.
pub(crate) const MAX_TRANSCRIPT_LEN: u64 = 1 << 20;
/// Statements of one coordinator that no coordinator accepts. A few are told of and left out: that is enough to warn, and
/// the session goes on; who sends more does it to be in the way.
pub(crate) const MAX_LEFT_OUT: usize = 100;
/// Entries of a transcript that are held before their statements are looked at.
const PAGE_ENTRIES: usize = 1024;
/// Bytes of them, beyond which a page ends: guards this process's memory, as nothing is kept that does not hold.
const PAGE_BYTES: usize = 16 << 20;

/// What a watch is busy with, for errors.
const WATCHING: &str = "watching the session";
/// And a submission.
const SUBMITTING: &str = "submitting a statement";

/// The coordinators, and who comes to them.
#[derive(Debug)]
pub struct Link {
    coordinators: Vec<Coordinator>,
    identity: TlsIdentity,
}

/// A connection to one coordinator; made anew by itself where it breaks.
#[derive(Clone, Debug)]
pub struct Connection {
    coordinator: Coordinator,
    client: SessionServiceClient<Channel>,
}

/// A part of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// Whether the coordinator has no more.
    pub is_last: bool,
}

/// A session's new statements, as a coordinator gets them.
#[derive(Debug)]
pub struct Watch {
    url: String,
    stream: Streaming<v1::WatchResponse>,
    /// When the last message came.
    heard: Instant,
}

/// What a watch brings.
#[derive(Clone, Debug)]
pub enum News {
    /// A statement with its receipt.
    Entry(Box<Entry>),
    /// Nothing new; the coordinator says how many statements there are.
    Alive {
        /// How many.
        length: u64,
    },
}

impl Link {
    /// A way to `coordinators`, for the holder of `key`.
    ///
    /// # Errors
    /// Where there are none, or TLS cannot use the key.
    pub fn new(coordinators: Vec<Coordinator>, key: &SigningKey) -> Result<Link, LinkError> {
        if coordinators.is_empty() {
            return Err(LinkError::NoCoordinator);
        }
        Ok(Link { coordinators, identity: TlsIdentity::new(key)? })
    }

    /// The coordinators that there are.
    pub fn coordinators(&self) -> &[Coordinator] {
        &self.coordinators
    }

    /// Leaves a coordinator out from now on. False where no other is left; then it stays.
    pub fn strike(&mut self, url: &str) -> bool {
        let others = self.coordinators.iter().any(|one| one.url != url);
        if others {
            self.coordinators.retain(|one| one.url != url);
        }
        others
    }

    /// Connects to the first coordinator that answers, in the order of the configuration, beginning with the
    /// one at `first` (counted on around the end).
    ///
    /// # Errors
    /// [`LinkError::Nobody`] with what each of them failed with.
    pub async fn connect(&self, first: usize) -> Result<Connection, LinkError> {
        let mut tried = Vec::new();
        let count = self.coordinators.len();
        for coordinator in self.coordinators.iter().cycle().skip(first % count.max(1)).take(count) {
            match self.connect_to(coordinator).await {
                Ok(connection) => return Ok(connection),
                Err(source) => tried.push(Tried { url: coordinator.url.clone(), source }),
            }
        }
        Err(LinkError::Nobody { tried })
    }

    /// Connects to one coordinator.
    ///
    /// # Errors
    /// Why that is not possible.
    pub async fn connect_to(&self, coordinator: &Coordinator) -> Result<Connection, ConnectError> {
        let key = coordinator.key.verifying_key().to_bytes();
        let client = channel::connect(&coordinator.url, key, &self.identity).await?;
        Ok(Connection { coordinator: coordinator.clone(), client })
    }
}

impl Connection {
    /// The coordinator at the other end.
    pub const fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// The sessions that the coordinator has, the newest first.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn sessions(&mut self) -> Result<Vec<v1::SessionSummary>, CallError> {
        let url = self.coordinator.url.clone();
        let answer =
            within(CALL_TIMEOUT, &url, self.client.list_sessions(v1::ListSessionsRequest {})).await?;
        Ok(answer.map_err(|status| self.failed("listing the sessions", status))?.into_inner().sessions)
    }

    /// The statements that the coordinator gives for the completion certificate of a session. What they are worth, a check
    /// with the roster has to say.
    ///
    /// # Errors
    /// Where the call fails, the coordinator has no certificate, or what comes is no statement.
    pub async fn certificate(&mut self, session: SessionId) -> Result<Vec<Envelope>, CallError> {
        const WHAT: &str = "the certificate of the session";
        let request = v1::GetCertificateRequest { session: session.to_string() };
        let url = self.coordinator.url.clone();
        let mut client = self.client.clone().max_decoding_message_size(MAX_CERTIFICATE_LEN);
        let answer = within(CALL_TIMEOUT, &url, client.get_certificate(request)).await?;
        let answer = answer.map_err(|status| CallError::of_stream(&url, WHAT, status))?.into_inner();
        let read = |message| {
            Envelope::from_message(message)
                .map_err(|source| CallError::Statement { url: url.clone(), source })
        };
        answer.statements.into_iter().map(read).collect()
    }

    /// The entries that a session's transcript has now, from a position on, or the first of them. A session that the
    /// coordinator does not know has none.
    ///
    /// # Errors
    /// Where the call fails, or what comes is no transcript.
    pub async fn transcript(&mut self, session: SessionId, from: u64) -> Result<Page, CallError> {
        const WHAT: &str = "reading the transcript";
        let request = v1::GetTranscriptRequest { session: session.to_string(), from };
        let url = self.coordinator.url.clone();
        let last = |entries| Page { entries, is_last: true };
        let mut stream = match within(CALL_TIMEOUT, &url, self.client.get_transcript(request)).await? {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == tonic::Code::NotFound => return Ok(last(Vec::new())),
            Err(status) => return Err(CallError::of_stream(&url, WHAT, status)),
        };
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while entries.len() < PAGE_ENTRIES && bytes < PAGE_BYTES {
            match within(SILENCE, &url, stream.message()).await? {
                Ok(Some(message)) => {
                    let entry = self.entry(message.entry)?;
                    bytes += entry.statement.payload_len();
                    entries.push(entry);
                }
                Ok(None) => return Ok(last(entries)),
                Err(status) if status.code() == tonic::Code::NotFound => return Ok(last(entries)),
                Err(status) => return Err(CallError::of_stream(&url, WHAT, status)),
            }
        }
        Ok(Page { entries, is_last: false })
    }

    /// Watches a session from a position on.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn watch(&mut self, session: SessionId, from: u64) -> Result<Watch, CallError> {
        let request = v1::WatchRequest { session: session.to_string(), from };
        let url = self.coordinator.url.clone();
        let answer = within(CALL_TIMEOUT, &url, self.client.watch(request)).await?;
        let stream = answer.map_err(|status| CallError::of_stream(&url, WATCHING, status))?.into_inner();
        Ok(Watch { url, stream, heard: Instant::now() })
    }

    /// Submits a statement, and returns the coordinator's receipt for it.
    ///
    /// # Errors
    /// Where the call fails, the coordinator refuses the statement, or its answer is not its receipt.
    pub async fn submit(&mut self, statement: &Envelope) -> Result<VerifiedReceipt, CallError> {
        let request = v1::SubmitRequest { statement: Some(statement.to_message()) };
        let url = self.coordinator.url.clone();
        let answer = within(CALL_TIMEOUT, &url, self.client.submit(request)).await?;
        let answer = answer.map_err(|status| self.failed(SUBMITTING, status))?.into_inner();
        let receipt = self.receipt(answer.receipt)?;
        if receipt.receipt().statement != statement.digest() {
            return Err(CallError::OtherReceipt {
                url,
                expected: statement.digest(),
                found: receipt.receipt().statement,
            });
        }
        Ok(receipt)
    }

    fn failed(&self, what: &'static str, status: Status) -> CallError {
        CallError::of_status(&self.coordinator.url, what, status)
    }

    fn receipt(&self, receipt: Option<v1::Envelope>) -> Result<VerifiedReceipt, CallError> {
        receipt_of(&self.coordinator, receipt)
    }

    fn entry(&self, entry: Option<v1::TranscriptEntry>) -> Result<Entry, CallError> {
        entry_of(&self.coordinator, entry)
    }

    /// Takes a message of a watch apart.
    ///
    /// # Errors
    /// Where it is not what a coordinator sends.
    fn news(&self, message: v1::WatchResponse) -> Result<News, CallError> {
        match message.event {
            Some(Event::Entry(entry)) => Ok(News::Entry(Box::new(self.entry(Some(entry))?))),
            Some(Event::KeepAlive(alive)) => Ok(News::Alive { length: alive.length }),
            // Something that a newer version sends.
            None => Ok(News::Alive { length: 0 }),
        }
    }
}

impl Watch {
    /// Waits for the next piece of news. Can be cancelled without losing any.
    ///
    /// # Errors
    /// Where the stream ends, breaks, is silent for too long, or brings what is no transcript.
    pub async fn next(&mut self, connection: &Connection) -> Result<News, CallError> {
        let message = tokio::time::timeout_at(self.heard + SILENCE, self.stream.message()).await;
        let silent = |_elapsed| CallError::Silent { url: self.url.clone(), after: SILENCE };
        match message.map_err(silent)? {
            Ok(Some(message)) => {
                self.heard = Instant::now();
                connection.news(message)
            }
            Ok(None) => Err(CallError::Ended { url: self.url.clone() }),
            Err(status) => Err(CallError::of_stream(&self.url, WATCHING, status)),
        }
    }
}

async fn within<T>(limit: Duration, url: &str, call: impl Future<Output = T>) -> Result<T, CallError> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => Ok(answer),
        Err(_elapsed) => Err(CallError::Silent { url: url.to_owned(), after: limit }),
    }
}

fn entry_of(coordinator: &Coordinator, entry: Option<v1::TranscriptEntry>) -> Result<Entry, CallError> {
    let url = || coordinator.url.clone();
    let v1::TranscriptEntry { position, statement, receipt } =
        entry.ok_or_else(|| CallError::Incomplete { url: url(), what: "entry" })?;
    let statement = statement.ok_or_else(|| CallError::Incomplete { url: url(), what: "statement" })?;
    let statement =
        Envelope::from_message(statement).map_err(|source| CallError::Statement { url: url(), source })?;
    Ok(Entry { position, statement, receipt: receipt_of(coordinator, receipt)? })
}

fn receipt_of(
    coordinator: &Coordinator,
    receipt: Option<v1::Envelope>,
) -> Result<VerifiedReceipt, CallError> {
    let url = || coordinator.url.clone();
    let receipt = receipt.ok_or_else(|| CallError::Incomplete { url: url(), what: "receipt" })?;
    let envelope =
        Envelope::from_message(receipt).map_err(|source| CallError::Statement { url: url(), source })?;
    VerifiedReceipt::read(envelope, Some(&coordinator.key))
        .map_err(|source| CallError::Receipt { url: url(), source })
}
