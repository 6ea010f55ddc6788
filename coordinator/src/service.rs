//! The service: from calls to the board and back, and nothing else.

use std::pin::Pin;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use prost::Message as _;
use svdr_proto::limits::{KEEP_ALIVE_INTERVAL, MAX_CERTIFICATE_LEN};
use svdr_proto::v1;
use svdr_proto::v1::session_service_server::SessionService;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::SessionId;
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::board::{BoardHandle, From, Placed, TranscriptPage};
use crate::clients::{Client, Role};
use crate::incoming::Incoming;
use crate::limits::{CHECKED_AT_ONCE, SLOW_WATCHER, STREAM_BUFFER};
use crate::metrics::Metrics;
use crate::refusal::CallRefusal;

mod submitting;

/// The service's state: the ways to everything that it uses.
#[derive(Clone)]
pub struct Service {
    board: BoardHandle,
    roster: Arc<Roster>,
    key: Arc<SigningKey>,
    metrics: Metrics,
    stopping: watch::Receiver<bool>,
}

type Streaming<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What one stream sends, whichever call it belongs to.
enum StreamEvent {
    Entry(v1::TranscriptEntry),
    KeepAlive(u64),
}

impl Service {
    /// A service that ends its streams once `stopping` becomes true.
    pub fn new(
        board: BoardHandle,
        roster: Arc<Roster>,
        key: Arc<SigningKey>,
        metrics: Metrics,
        stopping: watch::Receiver<bool>,
    ) -> Service {
        Service { board, roster, key, metrics, stopping }
    }

    fn refused(&self, client: Option<&Client>, call: &'static str, refusal: CallRefusal) -> Status {
        self.count_refused(client, call, &refusal);
        refusal.into()
    }

    fn count_refused(&self, client: Option<&Client>, call: &'static str, refusal: &CallRefusal) {
        let (_, reason) = refusal.kind();
        self.metrics.refused(reason);
        let client = client.map(|client| client.name.as_str());
        tracing::info!(target: "svdr", client, call, reason, "call refused");
    }

    /// Who calls, if that is not too often.
    fn caller<T>(&self, request: &Request<T>) -> Result<Arc<Client>, Status> {
        let client = request.extensions().get::<Arc<Client>>().cloned();
        let Some(client) = client else { return Err(self.refused(None, "any", CallRefusal::Anonymous)) };
        if client.call() {
            return Ok(client);
        }
        let refusal = CallRefusal::TooFast { client: client.name.clone() };
        Err(self.refused(Some(&client), "any", refusal))
    }

    async fn accept(&self, client: &Client, request: v1::SubmitRequest) -> Result<v1::Envelope, CallRefusal> {
        may_submit(client)?;
        let envelope = request.statement.ok_or(CallRefusal::NoStatement)?;
        let envelope = Envelope::from_message_in(envelope, &self.roster).map_err(CallRefusal::Envelope)?;
        let incoming = self.check(envelope).await?;
        let entry = self.board.submit(incoming, From::Member(client.name.clone())).await?;
        Ok(entry.signed_receipt(&self.key))
    }

    /// Checks an envelope. Evidence of some MiB takes milliseconds, so it is not checked on the threads that serve
    /// everybody. A small statement is: handing it over would take as long as checking it.
    async fn check(&self, envelope: Envelope) -> Result<Incoming, CallRefusal> {
        if envelope.payload_len() <= CHECKED_AT_ONCE {
            return Incoming::read(envelope, &self.roster);
        }
        let roster = Arc::clone(&self.roster);
        let checked = tokio::task::spawn_blocking(move || Incoming::read(envelope, &roster)).await;
        checked.ok().ok_or(CallRefusal::Stopping)?
    }

    async fn certificate(&self, session: &str) -> Result<v1::GetCertificateResponse, CallRefusal> {
        let session: SessionId = session.parse()?;
        let certificate = self.board.certificate(session).await?;
        let statements = certificate.statements().map(|one| one.envelope().to_message()).collect();
        let response = v1::GetCertificateResponse { statements };
        match response.encoded_len() {
            found if found > MAX_CERTIFICATE_LEN => Err(CallRefusal::CertificateTooLong { session, found }),
            _ => Ok(response),
        }
    }

    /// Starts a stream of a transcript; one that follows it continues after its end.
    async fn stream(
        &self,
        client: &Client,
        session: &str,
        from: u64,
        follow: bool,
    ) -> Result<mpsc::Receiver<Result<StreamEvent, Status>>, CallRefusal> {
        let session: SessionId = session.parse()?;
        let place =
            client.stream().ok_or_else(|| CallRefusal::TooManyStreams { client: client.name.clone() })?;
        let first = self.board.page(session, from).await?;
        let (events, receiver) = mpsc::channel(STREAM_BUFFER);
        let reader = TranscriptReader { service: self.clone(), session, next: from, follow, events };
        let open = self.metrics.stream();
        tokio::spawn(async move {
            reader.run(first).await;
            drop((place, open));
        });
        Ok(receiver)
    }
}

fn may_submit(client: &Client) -> Result<(), CallRefusal> {
    match client.role {
        Role::Member => Ok(()),
        Role::Observer => Err(CallRefusal::Observer { client: client.name.clone() }),
    }
}

/// Carries a transcript from the board to one stream.
struct TranscriptReader {
    service: Service,
    session: SessionId,
    next: u64,
    follow: bool,
    events: mpsc::Sender<Result<StreamEvent, Status>>,
}

/// The stream is over: its client has gone, or knows why.
struct Over;

impl TranscriptReader {
    async fn run(mut self, first: TranscriptPage) {
        let mut page = first;
        while let Ok(()) = self.send(&page).await {
            if page.entries.is_empty() && (!self.follow || self.wait(&mut page).await.is_err()) {
                return;
            }
            page = match self.service.board.page(self.session, self.next).await {
                Ok(page) => page,
                Err(refusal) => return self.refuse(refusal),
            };
        }
    }

    async fn send(&mut self, page: &TranscriptPage) -> Result<(), Over> {
        for entry in &page.entries {
            let event = StreamEvent::Entry(transcript_entry(entry, &self.service.key));
            self.offer(event).await?;
            self.next = entry.receipt.position + 1;
        }
        Ok(())
    }

    /// Gives the client an event, unless it has not taken the ones before for too long.
    async fn offer(&self, event: StreamEvent) -> Result<(), Over> {
        match self.events.send_timeout(Ok(event), SLOW_WATCHER).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                self.refuse(CallRefusal::SlowWatcher { next: self.next });
                Err(Over)
            }
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(Over),
        }
    }

    /// Waits for an entry at the next position, saying now and then that the stream is alive.
    async fn wait(&mut self, page: &mut TranscriptPage) -> Result<(), Over> {
        let mut stopping = self.service.stopping.clone();
        loop {
            tokio::select! {
                there = page.length.wait_for(|length| *length > self.next) => {
                    return match there {
                        Ok(_) => Ok(()),
                        Err(_board_is_gone) => { self.refuse(CallRefusal::Stopping); Err(Over) }
                    };
                }
                _ = stopping.wait_for(|stopping| *stopping) => {
                    self.refuse(CallRefusal::Stopping);
                    return Err(Over);
                }
                () = self.events.closed() => return Err(Over),
                () = tokio::time::sleep(KEEP_ALIVE_INTERVAL) => {}
            }
            let length = *page.length.borrow();
            self.offer(StreamEvent::KeepAlive(length)).await?;
        }
    }

    /// Tells the client why its stream ends, if it listens.
    fn refuse(&self, refusal: CallRefusal) {
        self.service.metrics.refused(refusal.kind().1);
        let _ = self.events.try_send(Err(refusal.into()));
    }
}

fn transcript_entry(entry: &Placed, key: &SigningKey) -> v1::TranscriptEntry {
    v1::TranscriptEntry {
        position: entry.receipt.position,
        statement: Some(entry.statement.envelope().to_message()),
        receipt: Some(entry.signed_receipt(key)),
    }
}

fn watch_response(event: StreamEvent) -> v1::WatchResponse {
    use v1::watch_response::Event as Wire;
    let event = match event {
        StreamEvent::Entry(entry) => Wire::Entry(entry),
        StreamEvent::KeepAlive(length) => Wire::KeepAlive(v1::KeepAlive { length }),
    };
    v1::WatchResponse { event: Some(event) }
}

fn transcript_response(event: StreamEvent) -> v1::GetTranscriptResponse {
    let entry = match event {
        StreamEvent::Entry(entry) => Some(entry),
        // Only streams that follow are kept alive.
        StreamEvent::KeepAlive(_) => None,
    };
    v1::GetTranscriptResponse { entry }
}

fn streaming<T: 'static>(
    events: mpsc::Receiver<Result<StreamEvent, Status>>,
    response: fn(StreamEvent) -> T,
) -> Response<Streaming<T>> {
    use tokio_stream::StreamExt as _;
    let stream = ReceiverStream::new(events).map(move |event| event.map(response));
    Response::new(Box::pin(stream))
}

#[tonic::async_trait]
impl SessionService for Service {
    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let client = self.caller(&request)?;
        let sessions = self.board.list().await;
        let sessions = sessions.map_err(|refusal| self.refused(Some(&client), "ListSessions", refusal))?;
        Ok(Response::new(v1::ListSessionsResponse { sessions }))
    }

    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::GetSessionResponse>, Status> {
        let client = self.caller(&request)?;
        let found = match request.get_ref().session.parse() {
            Ok(session) => self.board.get(session).await,
            Err(error) => Err(CallRefusal::SessionId(error)),
        };
        found.map(Response::new).map_err(|refusal| self.refused(Some(&client), "GetSession", refusal))
    }

    async fn get_certificate(
        &self,
        request: Request<v1::GetCertificateRequest>,
    ) -> Result<Response<v1::GetCertificateResponse>, Status> {
        let client = self.caller(&request)?;
        let found = self.certificate(&request.get_ref().session).await;
        found.map(Response::new).map_err(|refusal| self.refused(Some(&client), "GetCertificate", refusal))
    }

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let client = self.caller(&request)?;
        let receipt = self.accept(&client, request.into_inner()).await;
        receipt
            .map(|receipt| Response::new(v1::SubmitResponse { receipt: Some(receipt) }))
            .map_err(|refusal| self.refused(Some(&client), "Submit", refusal))
    }

    type SubmitAllStream = Streaming<v1::SubmitAllResponse>;

    async fn submit_all(
        &self,
        request: Request<tonic::Streaming<v1::SubmitAllRequest>>,
    ) -> Result<Response<Self::SubmitAllStream>, Status> {
        let client = self.caller(&request)?;
        let answers = may_submit(&client)
            .and_then(|()| submitting::answers(self.clone(), Arc::clone(&client), request.into_inner()));
        answers.map(Response::new).map_err(|refusal| self.refused(Some(&client), "SubmitAll", refusal))
    }

    type WatchStream = Streaming<v1::WatchResponse>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let client = self.caller(&request)?;
        let v1::WatchRequest { session, from } = request.into_inner();
        let events = self.stream(&client, &session, from, true).await;
        let events = events.map_err(|refusal| self.refused(Some(&client), "Watch", refusal))?;
        Ok(streaming(events, watch_response))
    }

    type GetTranscriptStream = Streaming<v1::GetTranscriptResponse>;

    async fn get_transcript(
        &self,
        request: Request<v1::GetTranscriptRequest>,
    ) -> Result<Response<Self::GetTranscriptStream>, Status> {
        let client = self.caller(&request)?;
        let v1::GetTranscriptRequest { session, from } = request.into_inner();
        let events = self.stream(&client, &session, from, false).await;
        let events = events.map_err(|refusal| self.refused(Some(&client), "GetTranscript", refusal))?;
        Ok(streaming(events, transcript_response))
    }
}
