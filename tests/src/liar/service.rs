//! The calls of a lying coordinator.

use std::pin::Pin;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use svdr_proto::limits::MAX_MESSAGE_LEN;
use svdr_proto::v1;
use svdr_proto::v1::session_service_server::SessionService;
use svdr_proto::v1::watch_response::Event;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::Chain;
use svdr_protocol::statement::SessionId;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use super::{FLOOD_LEN, OnRead, Shared, submitting};

/// Messages on their way to one client.
const IN_FLIGHT: usize = 16;

pub(super) struct Service {
    shared: Arc<Shared>,
}

pub(super) type Streaming<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Service {
    pub(super) const fn new(shared: Arc<Shared>) -> Service {
        Service { shared }
    }

    async fn read(
        &self,
        session: &str,
        from: u64,
        follows: bool,
    ) -> Result<mpsc::Receiver<Result<Event, Status>>, Status> {
        let session: SessionId = session.parse().map_err(|_| Status::invalid_argument("no session id"))?;
        let how = self.shared.change(|state| {
            if follows {
                state.watched.push(from);
            }
            if follows { state.on_watch } else { state.on_transcript }
        });
        if how == OnRead::Hang {
            std::future::pending::<()>().await;
        }
        if !self.shared.lock().shown.contains_key(&session) {
            return Err(Status::not_found("there is no such session"));
        }
        let (events, receiver) = mpsc::channel(IN_FLIGHT);
        let reader = Reader { shared: Arc::clone(&self.shared), session, next: from, follows, events };
        tokio::spawn(async move { reader.run(how).await });
        Ok(receiver)
    }
}

struct Reader {
    shared: Arc<Shared>,
    session: SessionId,
    next: u64,
    follows: bool,
    events: mpsc::Sender<Result<Event, Status>>,
}

/// The client has gone.
struct Gone;

impl Reader {
    async fn run(mut self, how: OnRead) {
        let done = match how {
            OnRead::Show | OnRead::Hang => self.show().await,
            OnRead::Silence => {
                self.events.closed().await;
                Ok(())
            }
            OnRead::Junk => self.junk().await,
            OnRead::Huge => self.huge().await,
            OnRead::End => self.shown().await,
            OnRead::Flood => self.flood().await,
        };
        // The client has gone, as it may.
        drop(done);
    }

    async fn send(&self, event: Event) -> Result<(), Gone> {
        self.events.send(Ok(event)).await.map_err(|_| Gone)
    }

    /// What there is now, from the next position on.
    async fn shown(&mut self) -> Result<(), Gone> {
        let at = usize::try_from(self.next).unwrap_or(usize::MAX);
        let shown = self.shared.lock().shown.get(&self.session).cloned().unwrap_or_default();
        for entry in shown.into_iter().skip(at) {
            self.send(Event::Entry(entry)).await?;
            self.next += 1;
        }
        Ok(())
    }

    async fn show(&mut self) -> Result<(), Gone> {
        let mut changes = self.shared.changed.subscribe();
        let mut keep_alives = self.shared.lock().keep_alives;
        loop {
            changes.mark_unchanged();
            let wanted = self.shared.lock().keep_alives;
            self.shown().await?;
            if !self.follows {
                return Ok(());
            }
            while keep_alives < wanted {
                keep_alives += 1;
                self.send(Event::KeepAlive(v1::KeepAlive { length: self.next })).await?;
            }
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| Gone)?,
                () = self.events.closed() => return Err(Gone),
            }
        }
    }

    /// Statements without end, by a key that nobody knows.
    async fn junk(&mut self) -> Result<(), Gone> {
        let stranger = SigningKey::from_bytes(&[66; 32]);
        self.more(u64::MAX, |number| junk(number, &stranger)).await
    }

    async fn flood(&mut self) -> Result<(), Gone> {
        let Some(mut proposal) = self.shared.lock().flood.clone() else { return Err(Gone) };
        let stranger = SigningKey::from_bytes(&[50; 32]);
        let sign = |number| {
            proposal.header.sequence = 1_000_000 + number;
            proposal.sign(&stranger).unwrap_or_else(|_| junk(number, &stranger))
        };
        self.more(FLOOD_LEN, sign).await
    }

    /// What there is, and then so many statements, made from their positions.
    async fn more(&mut self, count: u64, mut make: impl FnMut(u64) -> Envelope) -> Result<(), Gone> {
        self.shown().await?;
        let mut chain = Chain::new(self.session);
        let shown = self.shared.lock().shown.get(&self.session).cloned().unwrap_or_default();
        for entry in &shown {
            if let Some(statement) = entry.statement.clone().and_then(|one| Envelope::from_message(one).ok())
            {
                chain.append(statement.digest());
            }
        }
        let end = chain.len().saturating_add(count);
        while chain.len() < self.next {
            chain.append(make(chain.len()).digest());
        }
        while self.next < end {
            let statement = make(self.next);
            let receipt = chain.append(statement.digest());
            let entry = v1::TranscriptEntry {
                position: receipt.position,
                statement: Some(statement.to_message()),
                receipt: Some(receipt.sign(&self.shared.key).to_message()),
            };
            self.send(Event::Entry(entry)).await?;
            self.next += 1;
        }
        Ok(())
    }

    async fn huge(&mut self) -> Result<(), Gone> {
        let statement = v1::Envelope { payload: vec![0; MAX_MESSAGE_LEN], ..v1::Envelope::default() };
        let entry = v1::TranscriptEntry { position: self.next, statement: Some(statement), receipt: None };
        self.send(Event::Entry(entry)).await?;
        self.events.closed().await;
        Ok(())
    }
}

/// The same for the same number.
fn junk(number: u64, key: &SigningKey) -> Envelope {
    let kind = "application/vnd.svdr.v1.milestone+protobuf".to_owned();
    Envelope::sign(kind, number.to_be_bytes().to_vec(), key)
}

#[tonic::async_trait]
impl SessionService for Service {
    type WatchStream = Streaming<v1::WatchResponse>;
    type GetTranscriptStream = Streaming<v1::GetTranscriptResponse>;

    async fn list_sessions(
        &self,
        _request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        Ok(Response::new(v1::ListSessionsResponse { sessions: self.shared.lock().listed.clone() }))
    }

    async fn get_session(
        &self,
        _request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::GetSessionResponse>, Status> {
        Err(Status::unimplemented("ask for the transcript"))
    }

    async fn get_certificate(
        &self,
        _request: Request<v1::GetCertificateRequest>,
    ) -> Result<Response<v1::GetCertificateResponse>, Status> {
        let statements = self.shared.lock().certificate.iter().map(Envelope::to_message).collect();
        Ok(Response::new(v1::GetCertificateResponse { statements }))
    }

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let receipt = submitting::answer(&self.shared, request.into_inner().statement).await?;
        Ok(Response::new(v1::SubmitResponse { receipt: Some(receipt) }))
    }

    type SubmitAllStream = Streaming<v1::SubmitAllResponse>;

    async fn submit_all(
        &self,
        request: Request<tonic::Streaming<v1::SubmitAllRequest>>,
    ) -> Result<Response<Self::SubmitAllStream>, Status> {
        Ok(Response::new(submitting::answers(Arc::clone(&self.shared), request.into_inner())?))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let v1::WatchRequest { session, from } = request.into_inner();
        let events = ReceiverStream::new(self.read(&session, from, true).await?);
        let events = events.map(|event| event.map(|event| v1::WatchResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(events)))
    }

    async fn get_transcript(
        &self,
        request: Request<v1::GetTranscriptRequest>,
    ) -> Result<Response<Self::GetTranscriptStream>, Status> {
        let v1::GetTranscriptRequest { session, from } = request.into_inner();
        let events = ReceiverStream::new(self.read(&session, from, false).await?);
        let entries = events.map(|event| match event {
            Ok(Event::Entry(entry)) => Ok(v1::GetTranscriptResponse { entry: Some(entry) }),
            Ok(Event::KeepAlive(_)) => Err(Status::internal("a transcript has no keep-alives")),
            Err(status) => Err(status),
        });
        Ok(Response::new(Box::pin(entries)))
    }
}
