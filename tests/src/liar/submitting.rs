//! What a lying coordinator says to statements that are submitted, one at a time or many on a stream.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use svdr_proto::v1;
use svdr_proto::v1::submit_all_response::Answer;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::Receipt;
use svdr_protocol::statement::{SessionId, Verified};
use tokio_stream::StreamExt as _;
use tonic::Status;

use super::service::Streaming;
use super::{OnStream, OnSubmit, Shared};

/// Further than any transcript goes.
const FAR_AHEAD: u64 = 1000;

/// The receipt for one statement.
pub(super) async fn answer(shared: &Shared, statement: Option<v1::Envelope>) -> Result<v1::Envelope, Status> {
    let statement = Envelope::from_message(statement.unwrap_or_default())
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let read = Verified::read(statement.clone(), &shared.roster);
    let session = read.ok().and_then(|one| one.session());
    let session = session.ok_or_else(|| Status::invalid_argument("it belongs to no session"))?;
    match shared.change(|state| receipt(state, &shared.key, session, &statement)) {
        Some(receipt) => Ok(receipt),
        None => std::future::pending().await,
    }
}

/// None where there never is one.
fn receipt(
    state: &mut super::State,
    key: &SigningKey,
    session: SessionId,
    statement: &Envelope,
) -> Option<v1::Envelope> {
    state.submitted.push(statement.clone());
    let honest = |state: &mut super::State| {
        let entry = state.acknowledge(session, statement, key);
        if !state.withheld.contains(&session) {
            state.shown.entry(session).or_default().push(entry.clone());
        }
        entry.receipt
    };
    let lie = |state: &mut super::State, change: &dyn Fn(&mut Receipt)| {
        let mut receipt = state.chain(session).clone().append(statement.digest());
        change(&mut receipt);
        Some(receipt.sign(key).to_message())
    };
    match state.on_submit {
        OnSubmit::Accept => honest(state),
        OnSubmit::Withhold => {
            state.withheld.insert(session);
            honest(state)
        }
        OnSubmit::OtherKey => {
            let receipt = state.chain(session).clone().append(statement.digest());
            Some(receipt.sign(&SigningKey::from_bytes(&[67; 32])).to_message())
        }
        OnSubmit::OtherStatement => lie(state, &|receipt| receipt.statement = Digest::of(b"another")),
        OnSubmit::OtherSession => lie(state, &|receipt| receipt.session = SessionId::from_bytes([7; 16])),
        OnSubmit::FarAhead => lie(state, &|receipt| receipt.position += FAR_AHEAD),
        OnSubmit::OtherHead => {
            let wrong = lie(state, &|receipt| receipt.head = Digest::of(b"another"));
            honest(state);
            wrong
        }
        OnSubmit::Damaged => honest(state).map(|mut receipt| {
            receipt.payload.push(0);
            receipt
        }),
        OnSubmit::Hang => None,
    }
}

/// The answers to many.
pub(super) fn answers(
    shared: Arc<Shared>,
    requests: tonic::Streaming<v1::SubmitAllRequest>,
) -> Result<Streaming<v1::SubmitAllResponse>, Status> {
    let on_stream = shared.lock().on_stream;
    if on_stream == OnStream::Unknown {
        return Err(Status::unimplemented("there is no such call"));
    }
    let answered = requests.then(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let answer = match answer(&shared, request?.statement).await {
                Ok(receipt) => Answer::Receipt(receipt),
                Err(status) => Answer::Refusal(v1::Refusal {
                    code: status.code().into(),
                    reason: "A_LIAR_S".to_owned(),
                    message: status.message().to_owned(),
                }),
            };
            Ok(v1::SubmitAllResponse { answer: Some(answer) })
        }
    });
    Ok(match on_stream {
        OnStream::Answer | OnStream::Unknown => Box::pin(answered),
        OnStream::Stop => Box::pin(answered.take(1)),
        OnStream::Repeat => {
            let mut first = None;
            Box::pin(answered.map(move |answer| Ok(first.get_or_insert(answer?).clone())))
        }
        OnStream::Nothing => Box::pin(answered.map(|_| Ok(v1::SubmitAllResponse { answer: None }))),
    })
}
