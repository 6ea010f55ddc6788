//! Many statements on one stream, as an agent hands them to a coordinator that lacks them.
//!
//! The coordinator answers each in its turn: the n-th answer is the one to the n-th statement, and a receipt must be for
//! that statement. How many wait for an answer is up to the coordinator: HTTP/2 holds back what it does not read.

use std::collections::VecDeque;

use futures_util::{FutureExt as _, stream};
use svdr_proto::limits::CALL_TIMEOUT;
use svdr_proto::v1;
use svdr_proto::v1::submit_all_response::Answer;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::VerifiedReceipt;
use tonic::{Code, Status, Streaming};

use crate::connection::{Connection, answered, receipt_of, within};
use crate::coordinator::Coordinator;
use crate::error::{CallError, CallKind};

/// Statements on their way to a coordinator, and its answers.
#[derive(Debug)]
pub struct SubmitStream {
    coordinator: Coordinator,
    stream: Streaming<v1::SubmitAllResponse>,
    /// The statements without an answer, in the order in which they were sent.
    unanswered: VecDeque<Digest>,
    /// What ended the stream after the answers that were returned last.
    failed: Option<CallError>,
}

/// The answer to one statement.
#[derive(Debug)]
pub enum Submitted {
    /// The coordinator has the statement on its disk.
    Accepted(Box<VerifiedReceipt>),
    /// The coordinator does not accept the statement.
    Refused {
        /// The statement.
        statement: Digest,
        /// What the coordinator says.
        error: CallError,
    },
}

impl Connection {
    /// Submits statements, in their order. The answers must be waited for.
    ///
    /// # Errors
    /// [`CallError`] if the call fails, or the coordinator does not know it.
    pub async fn submit_all(&mut self, statements: Vec<Envelope>) -> Result<SubmitStream, CallError> {
        let unanswered = statements.iter().map(Envelope::digest).collect();
        let requests = statements
            .into_iter()
            .map(|statement| v1::SubmitAllRequest { statement: Some(statement.to_message()) });
        let coordinator = self.coordinator.clone();
        let call = self.service.submit_all(stream::iter(requests));
        let stream = answered(&coordinator.url, CallKind::Submit, call).await?;
        Ok(SubmitStream { coordinator, stream, unanswered, failed: None })
    }
}

impl SubmitStream {
    /// Waits for the next answer, and returns it with those that have arrived behind it, at most `most`. Returns none once
    /// all statements are answered.
    ///
    /// Answers that came before an error are returned first, and the error at the next call.
    ///
    /// # Errors
    /// [`CallError`] if the stream breaks, is silent for too long, or an answer is invalid. Statements without an answer
    /// must be submitted again then.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Submitted>, CallError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut answers = Vec::new();
        while answers.len() < most && !self.unanswered.is_empty() {
            let answer = if answers.is_empty() {
                within(CALL_TIMEOUT, &self.coordinator.url, self.stream.message()).await?
            } else {
                match self.stream.message().now_or_never() {
                    Some(answer) => answer,
                    None => break,
                }
            };
            match self.submitted(answer) {
                Ok(submitted) => answers.push(submitted),
                Err(error) if answers.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(answers)
    }

    fn submitted(
        &mut self,
        answer: Result<Option<v1::SubmitAllResponse>, Status>,
    ) -> Result<Submitted, CallError> {
        let url = || self.coordinator.url.clone();
        let answer = answer.map_err(|status| CallError::of_status(&url(), CallKind::Submit, status))?;
        let answer = answer.ok_or_else(|| CallError::Ended { url: url() })?.answer;
        let answer = answer.ok_or_else(|| CallError::Incomplete { url: url(), what: "a receipt" })?;
        let expected = self.unanswered.pop_front().ok_or_else(|| CallError::Ended { url: url() })?;
        match answer {
            Answer::Receipt(receipt) => {
                let receipt = receipt_of(&self.coordinator, Some(receipt))?;
                let found = receipt.receipt().statement;
                if found != expected {
                    return Err(CallError::OtherReceipt { url: url(), expected, found });
                }
                Ok(Submitted::Accepted(Box::new(receipt)))
            }
            Answer::Refusal(refusal) => {
                let status = Status::new(Code::from_i32(refusal.code), refusal.message);
                let error = CallError::of_refusal(&url(), status);
                Ok(Submitted::Refused { statement: expected, error })
            }
        }
    }
}
