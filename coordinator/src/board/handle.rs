//! The handle to the board, for every other task.

use std::sync::Arc;

use svdr_proto::v1;
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::statement::SessionId;
use tokio::sync::{mpsc, oneshot};

use super::{From, Length, Placed, Question, Submission};
use crate::incoming::Incoming;
use crate::refusal::CallRefusal;

/// A part of a transcript.
#[derive(Debug)]
pub struct TranscriptPage {
    /// In order; empty if there is nothing yet at that position.
    pub entries: Vec<Arc<Placed>>,
    /// How many entries the transcript has; it changes when there are more.
    pub length: Length,
}

/// The place that a statement will get.
#[derive(Debug)]
pub struct PendingPlace(oneshot::Receiver<Result<Arc<Placed>, CallRefusal>>);

impl PendingPlace {
    /// Waits until the statement is on disk, and returns its place.
    ///
    /// # Errors
    /// Why it has no place.
    pub async fn outcome(self) -> Result<Arc<Placed>, CallRefusal> {
        self.0.await.unwrap_or(Err(CallRefusal::Stopping))
    }
}

/// Reaches the board. The board ends when all handles are dropped.
#[derive(Clone)]
pub struct BoardHandle {
    submit: mpsc::Sender<Submission>,
    ask: mpsc::Sender<Question>,
}

impl BoardHandle {
    pub(super) const fn new(submit: mpsc::Sender<Submission>, ask: mpsc::Sender<Question>) -> BoardHandle {
        BoardHandle { submit, ask }
    }

    /// Submits a statement; its place in the transcript, once it is on disk.
    ///
    /// # Errors
    /// Why it has no place.
    pub async fn submit(&self, incoming: Incoming, from: From) -> Result<Arc<Placed>, CallRefusal> {
        self.hand_in(incoming, from).await?.outcome().await
    }

    /// Hands a statement in without waiting for its place. Statements get their places in the order in which they were
    /// handed in.
    ///
    /// # Errors
    /// If the coordinator is stopping.
    pub async fn hand_in(&self, incoming: Incoming, from: From) -> Result<PendingPlace, CallRefusal> {
        let (reply, answer) = oneshot::channel();
        let submission = Submission { incoming, from, reply };
        self.submit.send(submission).await.ok().ok_or(CallRefusal::Stopping)?;
        Ok(PendingPlace(answer))
    }

    /// The transcript of a session from a position on, a page of it.
    ///
    /// # Errors
    /// If there is no such session.
    pub async fn page(&self, session: SessionId, from: u64) -> Result<TranscriptPage, CallRefusal> {
        self.ask(|reply| Question::Page { session, from, reply }).await?
    }

    /// The sessions, the newest first.
    ///
    /// # Errors
    /// If the coordinator is stopping.
    pub async fn list(&self) -> Result<Vec<v1::SessionSummary>, CallRefusal> {
        self.ask(|reply| Question::List { reply }).await
    }

    /// One session.
    ///
    /// # Errors
    /// If there is no such session.
    pub async fn get(&self, session: SessionId) -> Result<v1::GetSessionResponse, CallRefusal> {
        self.ask(|reply| Question::Get { session, reply }).await?.map(|session| *session)
    }

    /// The completion certificate of a session.
    ///
    /// # Errors
    /// If there is no such session, or not exactly one certificate of it.
    pub async fn certificate(&self, session: SessionId) -> Result<Arc<CompletionCertificate>, CallRefusal> {
        self.ask(|reply| Question::Certificate { session, reply }).await?
    }

    /// Every session, and how many statements of it are on disk.
    ///
    /// # Errors
    /// If the coordinator is stopping.
    pub async fn lengths(&self) -> Result<Vec<(SessionId, u64)>, CallRefusal> {
        self.ask(|reply| Question::Lengths { reply }).await
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Result<T, CallRefusal> {
        let (reply, answer) = oneshot::channel();
        self.ask.send(question(reply)).await.ok().ok_or(CallRefusal::Stopping)?;
        answer.await.ok().ok_or(CallRefusal::Stopping)
    }
}
