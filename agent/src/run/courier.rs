//! Carries statements between the store and a coordinator, for as long as the session lasts.
//!
//! One direction: the coordinator's transcript, checked against all that it said before, goes to the driver. The
//! other: whatever the store holds of the session and the coordinator lacks is submitted, as [`svdr_client::hand_on`] says. The
//! courier reads what it sends from the disk and from nowhere else, so nothing can leave that is not flushed, and
//! a vote is the same bytes each time. For the same reason another coordinator gets all that the last one had, and
//! what an operator's command signed while no coordinator could be reached is passed on.
//!
//! A coordinator that has begun a new journal has forgotten what it had. That is logged, and it gets all of it again.
//!
//! Where a coordinator fails, the next one is tried, with growing pauses; one that contradicts itself is left out
//! from then on.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use svdr_client::hand_on::{HandOn, JournalBudget};
use svdr_client::retry::Backoff;
use svdr_client::{
    CallError, Connection, Coordinators, CoordinatorsError, ReceivedEntry, Watch, WatchEvent, check_invalid,
};
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::receipt::JournalId;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::SessionId;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use crate::replica::{Ledger, ReplicaError};
use crate::store::{Store, StoreError};

mod submitting;

/// How often the store is looked at for statements that another process of this agent has signed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often the other sessions that bind this member are looked at.
const OTHERS_INTERVAL: Duration = Duration::from_secs(15);
/// Entries that are handed to the driver at once, so that they share a flush.
const BATCH: usize = 256;
/// A connection that lasted so long was a good one: the pauses start anew after it.
const GOOD_AFTER: Duration = Duration::from_secs(30);
/// Keep-alives in a row with which a coordinator says that it has nothing new while it owes what it has acknowledged:
/// the first may have been on its way with what is owed behind it.
const KEEP_ALIVES: usize = 2;

/// What the courier has to say.
#[derive(Debug)]
pub(super) enum Event {
    /// A coordinator answers.
    Connected {
        /// Its URL.
        url: String,
    },
    /// Statements of a transcript, not verified yet.
    Received {
        /// The session.
        session: SessionId,
        /// The statements.
        statements: Vec<Envelope>,
        /// Counts those of this connection that do not hold.
        left_out: Arc<AtomicUsize>,
    },
    /// All that it has of the session was received.
    CaughtUp,
    /// It has begun a new journal, and forgotten what it had before.
    NewJournal {
        /// Its URL.
        url: String,
        /// The journal; `None` is one of an earlier version.
        journal: Option<JournalId>,
        /// Whether it is handed over what others signed.
        is_given: bool,
    },
    /// It has this statement on its disk.
    Acknowledged(Digest),
    /// It does not accept a statement.
    Refused {
        /// The statement.
        statement: Digest,
        /// What it says.
        error: CallError,
    },
    /// It failed; another one is tried after a pause.
    Trouble {
        /// What happened.
        error: CourierError,
        /// The pause.
        pause: Duration,
    },
    /// It contradicts itself and is left out from now on.
    Struck(ReplicaError),
    /// The last one that there was contradicts itself, or the store fails.
    Over(CourierError),
}

/// Why the courier does not get on.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// No coordinator answers.
    #[error(transparent)]
    Coordinators(#[from] CoordinatorsError),
    /// One failed, or contradicts itself.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}

impl From<CallError> for CourierError {
    fn from(error: CallError) -> CourierError {
        CourierError::Replica(error.into())
    }
}

impl From<StoreError> for CourierError {
    fn from(error: StoreError) -> CourierError {
        CourierError::Replica(error.into())
    }
}

/// Why a connection was left.
enum Left {
    /// The driver has gone.
    Gone,
    Failed(CourierError),
}

impl<E: Into<CourierError>> From<E> for Left {
    fn from(error: E) -> Left {
        Left::Failed(error.into())
    }
}

/// See the module.
pub(super) struct Courier {
    coordinators: Coordinators,
    store: Store,
    roster: Arc<Roster>,
    session: SessionId,
    /// Other sessions that bind this member.
    others: Vec<SessionId>,
    events: mpsc::Sender<Event>,
    nudges: mpsc::Receiver<()>,
    /// The coordinator to try next.
    next: usize,
    /// Which journals of a coordinator, by its URL, were handed what others signed.
    budgets: HashMap<String, JournalBudget>,
    since: Instant,
}

/// What the coordinator at the other end has of a session.
struct Board {
    session: SessionId,
    ledger: Ledger,
    hand_on: HandOn,
    /// Whether it has named its journal.
    is_named: bool,
    /// Whether it takes many statements on one stream, as far as is known.
    takes_streams: bool,
    /// Whether it was given all that others signed. From then on it is where those come from.
    is_complete: bool,
    /// How many statements of this connection did not hold, as the driver finds out.
    left_out: Arc<AtomicUsize>,
    /// Keep-alives in a row while it owes what it has acknowledged.
    keep_alives: usize,
}

/// What a watch has brought.
#[derive(Default)]
struct Brought {
    entries: Vec<ReceivedEntry>,
    keep_alives: usize,
}

impl Courier {
    /// A courier for a session, which keeps an eye on `others`. `nudges` tell it that the store has something
    /// new.
    pub(super) fn new(
        coordinators: Coordinators,
        store: Store,
        roster: Arc<Roster>,
        (session, others): (SessionId, Vec<SessionId>),
        events: mpsc::Sender<Event>,
        nudges: mpsc::Receiver<()>,
    ) -> Courier {
        let (next, budgets, since) = (0, HashMap::new(), Instant::now());
        Courier { coordinators, store, roster, session, others, events, nudges, next, budgets, since }
    }

    /// Works until the driver goes, or no coordinator is left.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let since = Instant::now();
            let error = match self.attend().await {
                Err(Left::Gone) => return,
                Err(Left::Failed(error)) => error,
                Ok(never) => match never {},
            };
            if since.elapsed() >= GOOD_AFTER {
                backoff.succeeded();
            }
            let pause = backoff.failed();
            let Some(event) = self.judge(error, pause) else { continue };
            let is_over = matches!(event, Event::Over(_));
            let waits = matches!(event, Event::Trouble { .. });
            if self.events.send(event).await.is_err() || is_over {
                return;
            }
            if waits {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.events.closed() => return,
                }
            }
        }
    }

    /// What follows from a failure.
    fn judge(&mut self, error: CourierError, pause: Duration) -> Option<Event> {
        let at_fault = match &error {
            CourierError::Replica(error) => error.coordinator_at_fault().map(str::to_owned),
            CourierError::Coordinators(_) => None,
        };
        match (at_fault, error) {
            (Some(url), CourierError::Replica(error)) => {
                self.next = 0;
                Some(if self.coordinators.remove(&url) {
                    Event::Struck(error)
                } else {
                    Event::Over(error.into())
                })
            }
            (_, error @ CourierError::Replica(ReplicaError::Store(_))) => Some(Event::Over(error)),
            (_, error) => {
                self.next = self.next.wrapping_add(1);
                Some(Event::Trouble { error, pause })
            }
        }
    }

    /// Serves the session at one coordinator until that fails.
    async fn attend(&mut self) -> Result<Infallible, Left> {
        let mut connection = self.coordinators.connect(self.next).await?;
        let url = connection.coordinator().url.clone();
        self.send(Event::Connected { url }).await?;
        let mut board = self.board(&connection, self.session)?;
        self.catch_up(&mut connection, &mut board).await?;
        let mut others = Vec::new();
        for session in &self.others {
            others.push(self.board(&connection, *session)?);
        }
        let mut watch = connection.watch(self.session, board.ledger.next()).await?;
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut visit = tokio::time::interval(OTHERS_INTERVAL);
        visit.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = watch.next() => {
                    let brought = batch(event?, &mut watch)?;
                    board.alive(&brought)?;
                    self.receive(&mut board, brought.entries).await?;
                }
                nudge = self.nudges.recv() => {
                    nudge.ok_or(Left::Gone)?;
                    self.submit(&mut connection, &mut board).await?;
                }
                _ = look.tick() => {
                    board.holds()?;
                    self.submit(&mut connection, &mut board).await?;
                }
                _ = visit.tick() => {
                    for board in &mut others {
                        self.catch_up(&mut connection, board).await?;
                    }
                }
            }
        }
    }

    fn board(&self, connection: &Connection, session: SessionId) -> Result<Board, CourierError> {
        let ledger = Ledger::open(&self.store, &self.roster, session, connection.coordinator())?;
        Ok(Board {
            session,
            ledger,
            hand_on: HandOn::default(),
            is_named: false,
            takes_streams: true,
            is_complete: false,
            left_out: Arc::default(),
            keep_alives: 0,
        })
    }

    /// Takes all that the coordinator has, and gives it all that it lacks.
    async fn catch_up(&mut self, connection: &mut Connection, board: &mut Board) -> Result<(), Left> {
        loop {
            let page = connection.transcript(board.session, board.ledger.next()).await?;
            self.receive(board, page.entries).await?;
            if page.is_last {
                break;
            }
        }
        if board.session == self.session {
            self.send(Event::CaughtUp).await?;
        }
        self.submit(connection, board).await
    }

    async fn receive(&self, board: &mut Board, entries: Vec<ReceivedEntry>) -> Result<(), Left> {
        board.ledger.follow(&self.store, &entries)?;
        board.holds()?;
        let statements: Vec<Envelope> = entries.into_iter().map(|entry| entry.statement).collect();
        statements.iter().for_each(|one| board.hand_on.has(one.digest()));
        if statements.is_empty() {
            return Ok(());
        }
        let left_out = Arc::clone(&board.left_out);
        self.send(Event::Received { session: board.session, statements, left_out }).await
    }

    async fn send(&self, event: Event) -> Result<(), Left> {
        self.events.send(event).await.map_err(|_closed| Left::Gone)
    }
}

impl Board {
    /// Whether what it sent holds, but for a few statements.
    fn holds(&self) -> Result<(), CallError> {
        check_invalid(&self.ledger.coordinator().url, self.left_out.load(Ordering::Relaxed))
    }

    /// Looks whether the coordinator shows what it has acknowledged.
    fn alive(&mut self, brought: &Brought) -> Result<(), CallError> {
        let Some(acknowledged) = self.ledger.owed().filter(|_| brought.entries.is_empty()) else {
            self.keep_alives = 0;
            return Ok(());
        };
        self.keep_alives += brought.keep_alives;
        if self.keep_alives < KEEP_ALIVES {
            return Ok(());
        }
        let url = self.ledger.coordinator().url.clone();
        Err(CallError::Withheld { url, acknowledged, shown: self.ledger.next() })
    }
}

/// What a piece of news brings, and those that are there already.
fn batch(first: WatchEvent, watch: &mut Watch) -> Result<Brought, CallError> {
    let (mut brought, mut event) = (Brought::default(), Some(first));
    while let Some(one) = event {
        match one {
            WatchEvent::Entry(entry) => brought.entries.push(*entry),
            WatchEvent::KeepAlive => brought.keep_alives += 1,
        }
        let is_full = brought.entries.len() + brought.keep_alives >= BATCH;
        let more = if is_full { None } else { watch.next().now_or_never() };
        event = more.transpose()?;
    }
    Ok(brought)
}
