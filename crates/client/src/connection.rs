//! A connection to one coordinator, and what it sends: sessions, transcripts in pages, watches, receipts.
//!
//! What a coordinator sends is only taken apart here: envelopes are well-formed, and receipts carry the coordinator's
//! signature. Whether its receipts fit together is for [`History`](crate::History) to say, and which statements count for
//! [`Admission`](crate::Admission).

use std::time::Duration;

use svdr_proto::limits::{CALL_TIMEOUT, MAX_CERTIFICATE_LEN};
use svdr_proto::v1;
use svdr_proto::v1::session_service_client::SessionServiceClient;
use svdr_proto::v1::watch_response::Event;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::VerifiedReceipt;
use svdr_protocol::statement::SessionId;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use crate::coordinator::Coordinator;
use crate::error::{CallError, CallKind};
use crate::history::ReceivedEntry;
use crate::limits::{PAGE_BYTES, PAGE_ENTRIES, SILENCE};

/// A connection to one coordinator. Once it breaks, every call fails: so all that it brings comes from one process.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) coordinator: Coordinator,
    pub(crate) service: SessionServiceClient<Channel>,
}

/// A part of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptPage {
    /// The entries, in order.
    pub entries: Vec<ReceivedEntry>,
    /// Whether the coordinator has no more.
    pub is_last: bool,
}

/// A session's new statements, as a coordinator gets them.
#[derive(Debug)]
pub struct Watch {
    coordinator: Coordinator,
    stream: Streaming<v1::WatchResponse>,
    /// When the last message came.
    heard: Instant,
}

/// What a watch brings.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// A statement with its receipt.
    Entry(Box<ReceivedEntry>),
    /// There is nothing new.
    KeepAlive,
}

impl Connection {
    pub(crate) const fn new(coordinator: Coordinator, service: SessionServiceClient<Channel>) -> Connection {
        Connection { coordinator, service }
    }

    /// The coordinator at the other end.
    pub const fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// Lists the sessions of the coordinator, the newest first.
    ///
    /// # Errors
    /// [`CallError`] if the call fails.
    pub async fn sessions(&mut self) -> Result<Vec<v1::SessionSummary>, CallError> {
        let url = &self.coordinator.url;
        let call = self.service.list_sessions(v1::ListSessionsRequest {});
        Ok(answered(url, CallKind::Sessions, call).await?.sessions)
    }

    /// Fetches the statements of the completion certificate of a session. They are not verified:
    /// [`completion_certificate`](crate::completion_certificate) does that.
    ///
    /// # Errors
    /// [`CallError`] if the call fails, the coordinator has no certificate, or an envelope is malformed.
    pub async fn certificate(&mut self, session: SessionId) -> Result<Vec<Envelope>, CallError> {
        let url = &self.coordinator.url;
        let request = v1::GetCertificateRequest { session: session.to_string() };
        let mut service = self.service.clone().max_decoding_message_size(MAX_CERTIFICATE_LEN);
        let answer = answered(url, CallKind::Certificate, service.get_certificate(request)).await?;
        answer.statements.into_iter().map(|message| envelope(url, message)).collect()
    }

    /// Fetches the next entries of a session's transcript, beginning with the one at `from`: so many as fit into memory
    /// before they are verified. A session that the coordinator does not know has none.
    ///
    /// # Errors
    /// [`CallError`] if the call fails, or an entry is malformed.
    pub async fn transcript(&mut self, session: SessionId, from: u64) -> Result<TranscriptPage, CallError> {
        let request = v1::GetTranscriptRequest { session: session.to_string(), from };
        let url = &self.coordinator.url;
        let mut page = TranscriptPage { entries: Vec::new(), is_last: true };
        let mut stream = match within(CALL_TIMEOUT, url, self.service.get_transcript(request)).await? {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == Code::NotFound => return Ok(page),
            Err(status) => return Err(CallError::of_status(url, CallKind::Transcript, status)),
        };
        let mut bytes = 0;
        while page.entries.len() < PAGE_ENTRIES && bytes < PAGE_BYTES {
            match within(SILENCE, url, stream.message()).await? {
                Ok(Some(message)) => {
                    let entry = entry_of(&self.coordinator, message.entry)?;
                    bytes += entry.statement.payload_len() as u64;
                    page.entries.push(entry);
                }
                Ok(None) => return Ok(page),
                Err(status) if status.code() == Code::NotFound => return Ok(page),
                Err(status) => return Err(CallError::of_status(url, CallKind::Transcript, status)),
            }
        }
        page.is_last = false;
        Ok(page)
    }

    /// Watches a session, beginning with the entry at `from`.
    ///
    /// # Errors
    /// [`CallError`] if the call fails.
    pub async fn watch(&mut self, session: SessionId, from: u64) -> Result<Watch, CallError> {
        let request = v1::WatchRequest { session: session.to_string(), from };
        let coordinator = self.coordinator.clone();
        let stream = answered(&coordinator.url, CallKind::Watch, self.service.watch(request)).await?;
        Ok(Watch { coordinator, stream, heard: Instant::now() })
    }

    /// Submits a statement, and returns the coordinator's receipt for it.
    ///
    /// # Errors
    /// [`CallError`] if the call fails, the coordinator refuses the statement, or its answer is not the receipt for it.
    pub async fn submit(&mut self, statement: &Envelope) -> Result<VerifiedReceipt, CallError> {
        let request = v1::SubmitRequest { statement: Some(statement.to_message()) };
        let answer = answered(&self.coordinator.url, CallKind::Submit, self.service.submit(request)).await?;
        let receipt = receipt_of(&self.coordinator, answer.receipt)?;
        let (expected, found) = (statement.digest(), receipt.receipt().statement);
        if found != expected {
            let url = self.coordinator.url.clone();
            return Err(CallError::OtherReceipt { url, expected, found });
        }
        Ok(receipt)
    }
}

impl Watch {
    /// Waits for the next event. Can be cancelled without losing one.
    ///
    /// # Errors
    /// [`CallError`] if the stream ends, breaks, is silent for [`SILENCE`], or an entry is malformed.
    pub async fn next(&mut self) -> Result<WatchEvent, CallError> {
        let url = &self.coordinator.url;
        let message = tokio::time::timeout_at(self.heard + SILENCE, self.stream.message()).await;
        let silent = |_elapsed| CallError::Silent { url: url.clone(), after: SILENCE };
        let message =
            message.map_err(silent)?.map_err(|status| CallError::of_status(url, CallKind::Watch, status))?;
        let message = message.ok_or_else(|| CallError::Ended { url: url.clone() })?;
        self.heard = Instant::now();
        Ok(match message.event {
            Some(Event::Entry(entry)) => {
                WatchEvent::Entry(Box::new(entry_of(&self.coordinator, Some(entry))?))
            }
            // `None` is an event that only newer versions know.
            Some(Event::KeepAlive(_)) | None => WatchEvent::KeepAlive,
        })
    }
}

/// Waits for the answer to a call, at most [`CALL_TIMEOUT`].
pub(crate) async fn answered<T>(
    url: &str,
    kind: CallKind,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, CallError> {
    let answer = within(CALL_TIMEOUT, url, call).await?;
    Ok(answer.map_err(|status| CallError::of_status(url, kind, status))?.into_inner())
}

pub(crate) async fn within<T>(
    limit: Duration,
    url: &str,
    call: impl Future<Output = T>,
) -> Result<T, CallError> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => Ok(answer),
        Err(_elapsed) => Err(CallError::Silent { url: url.to_owned(), after: limit }),
    }
}

fn envelope(url: &str, message: v1::Envelope) -> Result<Envelope, CallError> {
    Envelope::from_message(message).map_err(|source| CallError::Envelope { url: url.to_owned(), source })
}

fn entry_of(
    coordinator: &Coordinator,
    entry: Option<v1::TranscriptEntry>,
) -> Result<ReceivedEntry, CallError> {
    let missing = |what| CallError::Incomplete { url: coordinator.url.clone(), what };
    let v1::TranscriptEntry { position, statement, receipt } = entry.ok_or_else(|| missing("an entry"))?;
    let statement = envelope(&coordinator.url, statement.ok_or_else(|| missing("a statement"))?)?;
    Ok(ReceivedEntry { position, statement, receipt: receipt_of(coordinator, receipt)? })
}

pub(crate) fn receipt_of(
    coordinator: &Coordinator,
    receipt: Option<v1::Envelope>,
) -> Result<VerifiedReceipt, CallError> {
    let url = || coordinator.url.clone();
    let receipt = receipt.ok_or_else(|| CallError::Incomplete { url: url(), what: "a receipt" })?;
    VerifiedReceipt::read(envelope(&coordinator.url, receipt)?, Some(&coordinator.key))
        .map_err(|source| CallError::Receipt { url: url(), source })
}
