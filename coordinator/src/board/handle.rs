//! The way to the board, for everybody else.

use std::sync::Arc;

use svdr_proto::v1;
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::statement::SessionId;
use tokio::sync::{mpsc, oneshot};

use super::{Entry, From, Length, Question, Submission};
use crate::incoming::Incoming;
use crate::refusal::Refusal;

/// A part of a transcript.
#[derive(Debug)]
pub struct Page {
    /// In order; empty where there is nothing yet at that position.
    pub entries: Vec<Arc<Entry>>,
    /// How many entries the transcript has; it changes when there are more.
    pub length: Length,
}

/// What becomes of a statement that the board has.
#[derive(Debug)]
pub struct Waiting(oneshot::Receiver<Result<Arc<Entry>, Refusal>>);

impl Waiting {
    /// Its place in the transcript, once it is on disk.
    ///
    /// # Errors
    /// Why it has no place.
    pub async fn outcome(self) -> Result<Arc<Entry>, Refusal> {
        self.0.await.unwrap_or(Err(Refusal::Stopping))
    }
}

/// A way to the board. The board ends when all are dropped.
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
    pub async fn submit(&self, incoming: Incoming, from: From) -> Result<Arc<Entry>, Refusal> {
        self.hand_in(incoming, from).await?.outcome().await
    }

    /// Hands a statement in without waiting for what becomes of it. Statements get their places in the order in which
    /// they were handed in.
    ///
    /// # Errors
    /// Where the coordinator is stopping.
    pub async fn hand_in(&self, incoming: Incoming, from: From) -> Result<Waiting, Refusal> {
        let (reply, answer) = oneshot::channel();
        let submission = Submission { incoming, from, reply };
        self.submit.send(submission).await.ok().ok_or(Refusal::Stopping)?;
        Ok(Waiting(answer))
    }

    /// The transcript of a session from a position on, a page of it.
    ///
    /// # Errors
    /// Where there is no such session.
    pub async fn page(&self, session: SessionId, from: u64) -> Result<Page, Refusal> {
        self.ask(|reply| Question::Page { session, from, reply }).await?
    }

    /// The sessions, the newest first.
    ///
    /// # Errors
    /// Where the coordinator is stopping.
    pub async fn list(&self) -> Result<Vec<v1::SessionSummary>, Refusal> {
        self.ask(|reply| Question::List { reply }).await
    }

    /// One session.
    ///
    /// # Errors
    /// Where there is no such session.
    pub async fn get(&self, session: SessionId) -> Result<v1::GetSessionResponse, Refusal> {
        self.ask(|reply| Question::Get { session, reply }).await?.map(|session| *session)
    }

    /// The completion certificate of a session.
    ///
    /// # Errors
    /// Where there is no such session, or not exactly one certificate of it.
    pub async fn certificate(&self, session: SessionId) -> Result<Arc<CompletionCertificate>, Refusal> {
        self.ask(|reply| Question::Certificate { session, reply }).await?
    }

    /// Every session, and how many statements of it are on disk.
    ///
    /// # Errors
    /// Where the coordinator is stopping.
    pub async fn lengths(&self) -> Result<Vec<(SessionId, u64)>, Refusal> {
        self.ask(|reply| Question::Lengths { reply }).await
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.ask.send(question(reply)).await.ok().ok_or(Refusal::Stopping)?;
        answer.await.ok().ok_or(Refusal::Stopping)
    }
}
