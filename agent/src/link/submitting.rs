//! Many statements on one stream, as an agent hands them to a coordinator that lacks them.
//!
//! The coordinator answers each in its turn, so that the n-th answer is that to the n-th statement; a receipt has to
//! be for it. How many wait for an answer is up to the coordinator: what it does not read, HTTP/2 holds back.

use std::collections::VecDeque;

use futures_util::{FutureExt as _, stream};
use svdr_proto::limits::CALL_TIMEOUT;
use svdr_proto::v1;
use svdr_proto::v1::submit_all_response::Answer;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::VerifiedReceipt;
use tonic::{Code, Status, Streaming};

use super::{CallError, Connection, SUBMITTING, receipt_of, within};
use crate::config::Coordinator;

/// Statements on their way, and what came of those before them.
#[derive(Debug)]
pub struct Submitting {
    coordinator: Coordinator,
    stream: Streaming<v1::SubmitAllResponse>,
    /// Those that have no answer yet, in the order in which they were sent.
    unanswered: VecDeque<Digest>,
    /// What ended the stream behind the answers that were given last.
    failed: Option<CallError>,
}

/// What came of one statement.
#[derive(Debug)]
pub enum Submitted {
    /// The coordinator has it on its disk.
    Accepted(Box<VerifiedReceipt>),
    /// It does not accept it.
    Refused {
        /// The statement.
        statement: Digest,
        /// What it says.
        error: CallError,
    },
}

impl Connection {
    /// Submits statements, in their order. What comes of them is to be waited for.
    ///
    /// # Errors
    /// Where the call fails, or the coordinator does not take it.
    pub async fn submit_all(&mut self, statements: Vec<Envelope>) -> Result<Submitting, CallError> {
        let unanswered = statements.iter().map(Envelope::digest).collect();
        let requests = statements
            .into_iter()
            .map(|statement| v1::SubmitAllRequest { statement: Some(statement.to_message()) });
        let url = self.coordinator.url.clone();
        let answer = within(CALL_TIMEOUT, &url, self.client.submit_all(stream::iter(requests))).await?;
        let stream = answer.map_err(|status| CallError::of_status(&url, SUBMITTING, status))?.into_inner();
        Ok(Submitting { coordinator: self.coordinator.clone(), stream, unanswered, failed: None })
    }
}

impl Submitting {
    /// Waits for what came of the next statement, and of those behind it that are answered already, at most so many.
    /// Nothing once all are answered.
    ///
    /// What came before an error is given first, and the error at the next call.
    ///
    /// # Errors
    /// Where the stream breaks, is silent for too long, or brings what is no answer. Those without an answer have to be
    /// submitted again then.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Submitted>, CallError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut came = Vec::new();
        while came.len() < most && !self.unanswered.is_empty() {
            let answer = if came.is_empty() {
                within(CALL_TIMEOUT, &self.coordinator.url, self.stream.message()).await?
            } else {
                match self.stream.message().now_or_never() {
                    Some(answer) => answer,
                    None => break,
                }
            };
            match self.submitted(answer) {
                Ok(submitted) => came.push(submitted),
                Err(error) if came.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(came)
    }

    fn submitted(
        &mut self,
        answer: Result<Option<v1::SubmitAllResponse>, Status>,
    ) -> Result<Submitted, CallError> {
        let url = || self.coordinator.url.clone();
        let answer = answer.map_err(|status| CallError::of_stream(&url(), SUBMITTING, status))?;
        let answer = answer.ok_or_else(|| CallError::Ended { url: url() })?.answer;
        let answer = answer.ok_or_else(|| CallError::Incomplete { url: url(), what: "receipt" })?;
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
                Ok(Submitted::Refused { statement: expected, error: self.refused(refusal) })
            }
        }
    }

    fn refused(&self, refusal: v1::Refusal) -> CallError {
        let status = Status::new(Code::from_i32(refusal.code), refusal.message);
        CallError::Refused { url: self.coordinator.url.clone(), what: SUBMITTING, source: Box::new(status) }
    }
}
