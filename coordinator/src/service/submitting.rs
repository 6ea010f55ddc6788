//! Many statements on one stream: added in the order in which they come, answered in that order.
//!
//! Statements are checked and handed to the board one after the other, so that an opening comes before the statements of
//! its session. The answers are awaited in parallel, so that many statements share a flush.
//!
//! Everything that a caller controls is limited as for single calls: its rate ([`Client::turn`]), its streams, and the
//! statements ([`MAX_UNANSWERED`]) and bytes ([`MAX_UNANSWERED_BYTES`](crate::limits::MAX_UNANSWERED_BYTES)) that wait
//! for an answer. Beyond a limit, and while it does not read its answers, the server reads no more from it. A statement
//! that was read stays accepted, whether or not its answer is read.

use std::sync::Arc;

use futures_util::stream::{self, Stream, StreamExt as _};
use svdr_proto::v1;
use svdr_proto::v1::submit_all_response::Answer;
use svdr_protocol::dsse::Envelope;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tonic::Status;

use super::{Service, Streaming};
use crate::board::{From, PendingPlace};
use crate::clients::Client;
use crate::limits::MAX_UNANSWERED;
use crate::metrics::OpenGauge;
use crate::refusal::CallRefusal;

/// What a call is called in the log.
const CALL: &str = "SubmitAll";

/// One stream.
struct Lane {
    service: Service,
    client: Arc<Client>,
    _place: OwnedSemaphorePermit,
    _open: OpenGauge,
}

/// A statement that the board has.
struct HandedIn {
    waiting: PendingPlace,
    /// Its bytes among those that wait.
    _bytes: Option<OwnedSemaphorePermit>,
}

/// The answers to what a stream brings.
pub(super) fn answers(
    service: Service,
    client: Arc<Client>,
    requests: tonic::Streaming<v1::SubmitAllRequest>,
) -> Result<Streaming<v1::SubmitAllResponse>, CallRefusal> {
    let too_many = || CallRefusal::TooManyStreams { client: client.name.clone() };
    let place = client.stream().ok_or_else(too_many)?;
    let open = service.metrics.stream();
    let stopping = service.stopping.clone();
    let lane = Arc::new(Lane { service, client, _place: place, _open: open });
    let at_the_end = until_stopped(stopping.clone());
    let handed_in = requests.take_until(until_stopped(stopping)).then(move |request| {
        let lane = Arc::clone(&lane);
        async move {
            let handed_in = match request {
                Ok(request) => Ok(lane.hand_in(request).await),
                Err(status) => Err(status),
            };
            (lane, handed_in)
        }
    });
    let answers = handed_in.map(|(lane, handed_in)| async move { lane.answer(handed_in?).await });
    Ok(Box::pin(answers.buffered(MAX_UNANSWERED).chain(farewell(at_the_end))))
}

/// Why the stream ends, if it is not the caller that has ended it.
fn farewell(
    stopped: impl Future<Output = ()> + Send,
) -> impl Stream<Item = Result<v1::SubmitAllResponse, Status>> + Send {
    use futures_util::FutureExt as _;
    stream::once(async move { stopped.now_or_never().map(|()| Err(CallRefusal::Stopping.into())) })
        .filter_map(|end| async { end })
}

async fn until_stopped(mut stopping: watch::Receiver<bool>) {
    // If the sender is gone, the server is stopping as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

impl Lane {
    /// Waits for the caller's turn, checks a statement, and hands it to the board.
    async fn hand_in(&self, request: v1::SubmitAllRequest) -> Result<HandedIn, CallRefusal> {
        self.client.turn().await;
        let Lane { service, client, .. } = self;
        let envelope = request.statement.ok_or(CallRefusal::NoStatement)?;
        let envelope = Envelope::from_message_in(envelope, &service.roster).map_err(CallRefusal::Envelope)?;
        let bytes = client.unanswered(envelope.payload_len()).await;
        let incoming = service.check(envelope).await?;
        let waiting = service.board.hand_in(incoming, From::Member(client.name.clone())).await?;
        Ok(HandedIn { waiting, _bytes: bytes })
    }

    /// Waits for what becomes of it. The stream ends if that says nothing about the statement.
    async fn answer(
        &self,
        handed_in: Result<HandedIn, CallRefusal>,
    ) -> Result<v1::SubmitAllResponse, Status> {
        let accepted = match handed_in {
            Ok(handed_in) => handed_in.waiting.outcome().await,
            Err(refusal) => Err(refusal),
        };
        let answer = match accepted {
            Ok(entry) => Answer::Receipt(entry.signed_receipt(&self.service.key)),
            Err(refusal) => {
                self.service.count_refused(Some(&self.client), CALL, &refusal);
                if matches!(refusal, CallRefusal::JournalFailed) {
                    return Err(refusal.into());
                }
                Answer::Refusal(refusal.into())
            }
        };
        Ok(v1::SubmitAllResponse { answer: Some(answer) })
    }
}
