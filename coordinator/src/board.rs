//! The board: one task owns the sessions, and everybody else asks it.
//!
//! ```text
//!  service ── statements (≤ MAX_WAITING) ──▶ ┌───────┐ ── records ──▶ journal's thread
//!          ◀─ receipt, once it is on disk ── │ board │ ◀── flushed ── (writer.rs)
//!          ── questions (≤ MAX_QUESTIONS) ─▶ └───────┘
//!  streams ◀─ pages, when they ask ───────────── │ ▲
//!                               copy of a session ▼ │ proposal
//!                                 blocking thread (proposing.rs)
//! ```
//!
//! A statement gets its place first. Then it is written to the journal, together with all others that wait. Only then
//! it counts, reaches watchers and is acknowledged. If the journal fails, as on a full disk, no statement on its way is
//! acknowledged and no other is accepted, because only the next start can tell what is on disk. What was acknowledged is
//! shown until the coordinator is stopped: members may need it to recover elsewhere.
//!
//! While statements wait for the disk, no more are taken from their queue; questions are still answered. Watchers pull
//! pages, so the board never waits for one.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use svdr_proto::v1;
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::failure::Told;
use svdr_protocol::statement::{AnyStatement, SessionId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::clock;
use crate::incoming::Incoming;
use crate::journal::{Journal, JournalError, record};
use crate::limits::{MAX_QUESTIONS, MAX_WAITING, PAGE_ENTRIES};
use crate::metrics::Metrics;
use crate::refusal::CallRefusal;

mod handle;
mod proposing;
mod sessions;
mod slot;
mod view;
mod writer;

pub use handle::{BoardHandle, PendingPlace, TranscriptPage};
pub use sessions::Sessions;
pub use slot::{Accepted, From, Placed};

use proposing::Proposing;

/// How often the board checks whether a grace period has ended.
const PROPOSE_EVERY: Duration = Duration::from_secs(1);

/// Why the board stopped.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// The journal failed.
    #[error(
        "the journal of the coordinator has failed, so the coordinator accepts no statements\n\
         help: check the disk and its free space, then start the coordinator again"
    )]
    Journal(#[source] JournalError),
    /// The journal's thread ended without saying why.
    #[error(
        "the coordinator stops, because the thread of its journal stopped unexpectedly\n\
         help: report this as a bug in svdr"
    )]
    Writer,
    /// The journal's thread cannot be started.
    #[error("the thread of the journal cannot be started\nhelp: check the limits on processes and memory")]
    Thread(#[source] io::Error),
}

/// A statement that wants a place, and who waits for the receipt.
struct Submission {
    incoming: Incoming,
    from: From,
    reply: Reply,
}

/// Whoever waits signs the receipt, because a signature takes longer than the board's own work.
type Reply = oneshot::Sender<Result<Arc<Placed>, CallRefusal>>;

/// What can be asked.
enum Question {
    Page {
        session: SessionId,
        from: u64,
        reply: oneshot::Sender<Result<TranscriptPage, CallRefusal>>,
    },
    List {
        reply: oneshot::Sender<Vec<v1::SessionSummary>>,
    },
    Get {
        session: SessionId,
        reply: oneshot::Sender<Result<Box<v1::GetSessionResponse>, CallRefusal>>,
    },
    Certificate {
        session: SessionId,
        reply: oneshot::Sender<Result<Arc<CompletionCertificate>, CallRefusal>>,
    },
    Lengths {
        reply: oneshot::Sender<Vec<(SessionId, u64)>>,
    },
}

/// An entry on its way to the disk, and who waits for its receipt.
struct OnItsWay {
    entry: Arc<Placed>,
    replies: Vec<Reply>,
}

/// The task.
pub struct Board {
    sessions: Sessions,
    metrics: Metrics,
    proposing: Proposing,
    submissions: mpsc::Receiver<Submission>,
    questions: mpsc::Receiver<Question>,
    on_their_way: VecDeque<OnItsWay>,
    records: mpsc::Sender<Vec<u8>>,
    flushed: mpsc::UnboundedReceiver<writer::Flushed>,
    thread: JoinHandle<()>,
    /// Why nothing is accepted any more.
    failed: Option<JournalError>,
}

impl Board {
    /// Makes a board with the sessions of `journal`, and the handle to reach it.
    ///
    /// # Errors
    /// If the journal's thread cannot be started.
    pub fn new(
        sessions: Sessions,
        journal: Box<dyn Journal>,
        key: Arc<SigningKey>,
        grace: Duration,
        metrics: Metrics,
    ) -> Result<(Board, BoardHandle), BoardError> {
        let (submit, submissions) = mpsc::channel(MAX_WAITING);
        let (ask, questions) = mpsc::channel(MAX_QUESTIONS);
        let proposing = Proposing::new(Arc::clone(sessions.roster()), key, grace);
        let writer::Writer { records, flushed, thread } =
            writer::start(journal, metrics.clone()).map_err(BoardError::Thread)?;
        metrics.sessions(sessions.newest_first().count());
        let on_their_way = VecDeque::new();
        let board = Board {
            sessions,
            metrics,
            proposing,
            submissions,
            questions,
            on_their_way,
            records,
            flushed,
            thread,
            failed: None,
        };
        Ok((board, BoardHandle::new(submit, ask)))
    }

    /// Runs until every handle has been dropped and everything is on disk.
    ///
    /// # Errors
    /// If the journal has failed.
    pub async fn run(mut self) -> Result<(), BoardError> {
        let mut clock = tokio::time::interval(PROPOSE_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut submitting, mut asking) = (true, true);
        while submitting || asking || !self.on_their_way.is_empty() {
            tokio::select! {
                flushed = self.flushed.recv(), if self.failed.is_none() => {
                    match flushed.ok_or(BoardError::Writer)? {
                        Ok(count) => self.confirm(count),
                        Err(error) => self.fail(error),
                    }
                }
                submission = self.submissions.recv(), if submitting && self.on_their_way.len() < MAX_WAITING => {
                    match submission {
                        Some(submission) => self.submit(submission),
                        None => submitting = false,
                    }
                }
                question = self.questions.recv(), if asking => match question {
                    Some(question) => self.answer(question),
                    None => asking = false,
                },
                Some(proposed) = self.proposing.next() => {
                    if let Some(incoming) = self.proposing.sign(proposed) {
                        self.accept(incoming, &From::Itself, None);
                    }
                }
                _ = clock.tick() => self.propose(),
            }
        }
        drop(self.records);
        // It has nothing left to write, so it ends at once.
        self.thread.join().map_err(|_panic| BoardError::Writer)?;
        self.failed.map_or(Ok(()), |error| Err(BoardError::Journal(error)))
    }

    /// Refuses what is on its way, and everything after it.
    fn fail(&mut self, error: JournalError) {
        let reason = Told::of(&error).in_one_line();
        tracing::error!(target: "svdr", reason, "the journal has failed. This coordinator accepts no more statements, and \
            shows those that it has acknowledged until it is stopped");
        self.metrics.journal_failed();
        for reply in self.on_their_way.drain(..).flat_map(|one| one.replies) {
            answer(Some(reply), Err(CallRefusal::JournalFailed));
        }
        self.failed = Some(error);
    }

    fn submit(&mut self, submission: Submission) {
        self.accept(submission.incoming, &submission.from, Some(submission.reply));
    }

    fn accept(&mut self, incoming: Incoming, from: &From, reply: Option<Reply>) {
        if self.failed.is_some() {
            return answer(reply, Err(CallRefusal::JournalFailed));
        }
        let (session, signer) = (incoming.session, incoming.statement.signer().clone());
        let kind = incoming.statement.kind().to_owned();
        match self.sessions.accept(incoming, from, clock::now()) {
            Ok(Accepted::New(entry)) => {
                let record = record::encode(entry.statement.envelope(), entry.receipt.accepted);
                self.on_their_way.push_back(OnItsWay { entry, replies: reply.into_iter().collect() });
                // The queue is as long as there may be entries on their way, so there is always a place. A thread that has
                // gone has said why, and that is read next.
                let _ = self.records.try_send(record);
            }
            Ok(Accepted::Known(entry)) => self.acknowledge_again(&entry, reply),
            Err(refusal) => {
                let reason = Told::of(&refusal).in_one_line();
                tracing::warn!(target: "svdr", %session, member = %signer, kind, reason, "statement refused");
                answer(reply, Err(refusal));
            }
        }
    }

    /// The receipt of a statement that has its place: now if it is on disk, else when it is.
    fn acknowledge_again(&mut self, entry: &Arc<Placed>, reply: Option<Reply>) {
        let on_its_way = self.on_their_way.iter_mut().find(|one| Arc::ptr_eq(&one.entry, entry));
        match on_its_way {
            Some(on_its_way) => on_its_way.replies.extend(reply),
            None => answer(reply, Ok(Arc::clone(entry))),
        }
    }

    /// So many entries, the oldest of those on their way, are on disk.
    fn confirm(&mut self, count: usize) {
        for OnItsWay { entry, replies } in self.on_their_way.drain(..count.min(self.on_their_way.len())) {
            self.sessions.confirm(&entry);
            let (session, member, kind) =
                (entry.receipt.session, entry.statement.signer(), entry.statement.kind());
            tracing::info!(
                target: "svdr", %session, %member, kind, position = entry.receipt.position, "statement accepted"
            );
            self.metrics.accepted(match &entry.statement {
                AnyStatement::Known(known) => known.body().kind(),
                AnyStatement::Unknown(_) => "unknown",
            });
            for reply in replies {
                answer(Some(reply), Ok(Arc::clone(&entry)));
            }
        }
        self.metrics.sessions(self.sessions.newest_first().count());
        self.propose();
    }

    fn propose(&mut self) {
        if self.failed.is_some() {
            return;
        }
        self.proposing.look(&mut self.sessions);
    }

    fn answer(&self, question: Question) {
        match question {
            Question::Page { session, from, reply } => {
                let page = self.sessions.slot(session).map(|slot| TranscriptPage {
                    entries: slot.page(from, PAGE_ENTRIES),
                    length: slot.length.subscribe(),
                });
                // Whoever asked may have gone; here and below.
                let _ = reply.send(page);
            }
            Question::List { reply } => {
                let _ = reply.send(self.sessions.newest_first().map(view::summary).collect());
            }
            Question::Get { session, reply } => {
                let found = self.sessions.slot(session).map(|slot| Box::new(view::whole(slot)));
                let _ = reply.send(found);
            }
            Question::Certificate { session, reply } => {
                let found = self.sessions.slot(session).and_then(view::certificate);
                let _ = reply.send(found.map(Arc::new));
            }
            Question::Lengths { reply } => {
                let lengths = self.sessions.newest_first().map(|slot| (slot.session.id(), slot.durable()));
                let _ = reply.send(lengths.collect());
            }
        }
    }
}

fn answer(reply: Option<Reply>, result: Result<Arc<Placed>, CallRefusal>) {
    if let Some(reply) = reply {
        // Whoever asked may have gone; the statement stays.
        let _ = reply.send(result);
    }
}

/// The number of entries of a session on disk; it changes when there are more.
pub type Length = watch::Receiver<u64>;
