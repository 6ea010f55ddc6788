//! `svdr-agent run`: takes part in a session for one SV, from its evidence to its attested dump.
//!
//! ```text
//! observe: the courier brings statements  →  view (verified, on disk, folded)
//! decide:  Situation::steps               →  what to do next; vote::Voter says what may be signed
//! act:     jobs read logs and make dumps; votes go to the store, flushed, from where the courier takes them
//! ```
//!
//! The loop keeps nothing that a restart would miss: what was promised is in the store, what others said is there
//! too, and the same situation gives the same steps. It works on while no coordinator can be reached; stopped at
//! any moment, by a signal or without one, it goes on from the store. Each decision to sign is made once more
//! under the store's lock, because the operator's commands sign as well. Nothing is signed before the first
//! coordinator has told all it has: a store that was set back does not know what this member has promised since.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use svdr_cli::screens::operator::next::{Next, next};
use svdr_client::{Coordinator, Coordinators};
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::evidence::Evidence;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Body, SessionId};
use svdr_protocol::vote::Voter;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use crate::config::Approval;
use crate::evidence::EvidenceOrder;
use crate::replica::{self, Replica, ReplicaError};
use crate::store::{DumpRecord, Signer, Store};
use svdr_protocol::failure::{CommandError as _, Exit, in_one_line};

mod act;
mod choose;
mod courier;
mod decide;
mod error;
pub(crate) mod jobs;
mod operator_log;
mod patience;

pub use decide::{Action, AskReason, End, Situation, WantedDump};
pub use error::RunError;
pub use jobs::{DumpOrder, JobError};

use courier::{Courier, Event};
use jobs::Job;
use operator_log::OperatorLog;
use patience::Patience;

/// Events that wait for the driver: it takes them as fast as its disk, so a few even out the two.
const EVENTS_IN_FLIGHT: usize = 16;
/// How often the driver looks at the clock: for pauses that are over, and for progress.
const TICK: Duration = Duration::from_millis(500);
/// The first report of a download's progress; each further one after twice as long.
const FIRST_PROGRESS: Duration = Duration::from_secs(30);

/// What a run is told to do.
#[derive(Debug)]
pub struct RunSettings {
    /// The members.
    pub roster: Arc<Roster>,
    /// Who signs.
    pub signer: Signer,
    /// The coordinators, in the order in which they are tried.
    pub coordinators: Vec<Coordinator>,
    /// Who decides about proposals.
    pub approval: Approval,
    /// How long automatic approval waits for members that have not reported.
    pub grace: Duration,
    /// Whether to take part in drills, and in nothing else.
    pub drill: bool,
    /// The session to join; the newest open one where there is none.
    pub session: Option<SessionId>,
    /// Whether to stay after the session is completed, so that others can get from this agent what they lack.
    pub follow: bool,
    /// What to report from; a vouched member has nothing.
    pub evidence: Option<EvidenceOrder>,
    /// How to make dumps.
    pub dump: DumpOrder,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The session.
    pub session: Session,
    /// How it ended for this agent.
    pub end: End,
    /// This member's finished dump of the completed round.
    pub dump: Option<DumpRecord>,
    /// What its operator does next.
    pub next: Next,
}

/// A run at work in one session.
struct Driver {
    settings: RunSettings,
    store: Store,
    view: Replica,
    others: Vec<Replica>,
    /// Tells the courier that the store has something new.
    nudges: mpsc::Sender<()>,
    /// What a coordinator has said to have.
    acknowledged: HashSet<Digest>,
    /// Whether a coordinator has told all it has.
    is_caught_up: bool,
    /// Whether something has changed since the last decisions.
    is_new: bool,
    logs: Job<(), Evidence>,
    dump: Job<WantedDump, DumpRecord>,
    /// A finished dump that is to be attested.
    made: Option<DumpRecord>,
    received: Arc<AtomicU64>,
    next_progress: Option<(Instant, Duration)>,
    operator_log: OperatorLog,
    patience: Patience,
}

/// Takes part until the session ends for this agent; for ever with `follow`.
///
/// # Errors
/// [`RunError`] where going on cannot help. Everything else is told and tried again.
pub async fn run(settings: RunSettings, store: Store) -> Result<Ended, RunError> {
    let _claim = store.claim_run()?;
    // Before the first connection: nothing corrupt must be sent, or be blamed on whoever sent it once.
    store.mend(&settings.roster)?;
    let coordinators = Coordinators::new(settings.coordinators.clone(), &settings.signer.key)?;
    let session = match settings.session {
        Some(session) => session,
        None => choose::choose(&coordinators, &store, settings.drill).await?,
    };
    let me = settings.signer.member.clone();
    let others = replica::others(&store, &settings.roster, &me, session)?;
    let bound = others.iter().filter(|other| !settings.drill && !other.session().drill());
    let bound = bound.filter(|other| binds(other, &me)).map(|other| other.session().id()).collect();
    let (events, mut incoming) = mpsc::channel(EVENTS_IN_FLIGHT);
    let (nudges, nudged) = mpsc::channel(1);
    let courier = Courier::new(
        coordinators,
        store.clone(),
        Arc::clone(&settings.roster),
        (session, bound),
        events,
        nudged,
    );
    let courier = tokio::spawn(courier.run());
    let opened = open(&settings, &store, session, &mut incoming).await;
    let driven = match opened {
        Ok(opened) => {
            let patience = Patience::new(settings.grace);
            let driver = Driver {
                patience,
                settings,
                store,
                view: opened.view,
                others,
                nudges,
                acknowledged: opened.acknowledged,
                is_caught_up: opened.is_caught_up,
                is_new: true,
                logs: Job::new(),
                dump: Job::new(),
                made: None,
                received: Arc::default(),
                next_progress: None,
                operator_log: OperatorLog::default(),
            };
            driver.drive(&mut incoming).await
        }
        Err(error) => Err(error),
    };
    courier.abort();
    driven
}

/// Whether this member has promised something in a session that is not completed.
fn binds(other: &Replica, me: &MemberName) -> bool {
    let session = other.session();
    let promised = |body: &Body| matches!(body, Body::Agreement(_) | Body::Attestation(_));
    let mut own = session.statements().filter(|one| one.by_member() && one.signer() == me);
    own.any(|one| promised(one.body())) && session.completion_certificate().is_none()
}

/// A session that is known.
struct Opened {
    view: Replica,
    acknowledged: HashSet<Digest>,
    is_caught_up: bool,
}

/// Waits until the session's opening is known, from the store or from a coordinator.
async fn open(
    settings: &RunSettings,
    store: &Store,
    session: SessionId,
    incoming: &mut mpsc::Receiver<Event>,
) -> Result<Opened, RunError> {
    let me = &settings.signer.member;
    let mut acknowledged = HashSet::new();
    let mut view = Replica::stored(store, &settings.roster, me, session)?;
    let mut operator_log = OperatorLog::default();
    let mut is_caught_up = false;
    while view.is_none() {
        match incoming.recv().await {
            Some(Event::Received { session: of, statements, .. }) if of == session => {
                acknowledged.extend(statements.iter().map(Envelope::digest));
                view = Replica::open(store, &settings.roster, me, session, &statements)?;
            }
            Some(Event::CaughtUp) => {
                is_caught_up = true;
                operator_log.waiting(vec![format!(
                    "no coordinator asked so far knows session {session}; waiting for it to be opened there"
                )]);
            }
            Some(Event::Over(error)) => return Err(error.into()),
            Some(event) => operator_log.event(&event),
            None => return Err(RunError::Courier),
        }
    }
    let view = view.ok_or(RunError::Courier)?;
    let drill = view.session().drill();
    if drill != settings.drill {
        return Err(RunError::Drill { session, drill });
    }
    operator_log.joined(view.session());
    Ok(Opened { view, acknowledged, is_caught_up })
}

impl Driver {
    async fn drive(mut self, incoming: &mut mpsc::Receiver<Event>) -> Result<Ended, RunError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let end = if std::mem::take(&mut self.is_new) { self.act()? } else { None };
            if let Some(end) = end
                && !self.settings.follow
            {
                // The attestation may be another process's that has received the dump.
                self.view.refresh(&self.store)?;
                let dump = match end {
                    End::Attested { attestation, .. } => self.attested_dump(&attestation)?,
                    End::CompletedWithout { .. } | End::Aborted => None,
                };
                let next = self.next()?;
                return Ok(Ended { session: self.view.session().clone(), end, dump, next });
            }
            tokio::select! {
                event = incoming.recv() => self.observe(event)?,
                ((), logs) = self.logs.finished() => self.reported(logs)?,
                (wanted, made) = self.dump.finished() => self.dumped(wanted, made)?,
                _ = tick.tick() => {
                    let signed = self.view.refresh(&self.store)?;
                    if signed > 0 {
                        // Another process may have signed it without a coordinator. A full channel has a nudge in it
                        // already; a closed one is noticed where events are taken.
                        let _ = self.nudges.try_send(());
                    }
                    self.is_new |= signed > 0 || self.logs.is_due() || self.dump.is_due();
                    self.is_new |= self.patience.has_ended(Instant::now());
                    self.progress()?;
                }
            }
        }
    }

    /// What the operator does next, as `status` says it.
    fn next(&self) -> Result<Next, RunError> {
        let record = self.store.record(&self.settings.roster)?;
        let others: Vec<&Session> = self.others.iter().map(Replica::session).collect();
        let (me, session) = (&self.settings.signer.member, self.view.session());
        Ok(next(session, me, &Voter::new(me, &record, session, &others)))
    }

    fn attested_dump(&self, attestation: &Digest) -> Result<Option<DumpRecord>, RunError> {
        let Some(Body::Attestation(body)) = self.view.session().statement(attestation).map(|one| one.body())
        else {
            return Ok(None);
        };
        Ok(jobs::attested_dump(&self.store, body, self.id(), &self.settings.dump.folder)?)
    }

    fn id(&self) -> SessionId {
        self.view.session().id()
    }

    fn observe(&mut self, event: Option<Event>) -> Result<(), RunError> {
        let event = event.ok_or(RunError::Courier)?;
        self.operator_log.event(&event);
        self.is_new = true;
        match event {
            Event::Received { session, statements, left_out } => {
                self.acknowledged.extend(statements.iter().map(Envelope::digest));
                let others = self.others.iter_mut();
                let mut views = std::iter::once(&mut self.view).chain(others);
                if let Some(view) = views.find(|view| view.session().id() == session) {
                    let before = view.invalid();
                    view.absorb(&self.store, &statements)?;
                    left_out.fetch_add(view.invalid() - before, Ordering::Relaxed);
                }
                Ok(())
            }
            Event::Acknowledged(digest) => {
                self.acknowledged.insert(digest);
                Ok(())
            }
            Event::CaughtUp => {
                self.is_caught_up = true;
                Ok(())
            }
            Event::Over(error) => Err(error.into()),
            Event::Connected { .. }
            | Event::NewJournal { .. }
            | Event::Refused { .. }
            | Event::Trouble { .. }
            | Event::Struck(_) => Ok(()),
        }
    }

    /// Does what is to be done now; says how the session ends for this agent once it does.
    fn act(&mut self) -> Result<Option<End>, RunError> {
        if !self.is_caught_up {
            return Ok(None);
        }
        let record = self.store.record(&self.settings.roster)?;
        let others: Vec<&Session> = self.others.iter().map(Replica::session).collect();
        let session = self.view.session();
        self.patience.look(session, Instant::now());
        let me = &self.settings.signer.member;
        let situation = Situation {
            me,
            session,
            voter: Voter::new(me, &record, session, &others),
            approval: self.settings.approval,
            grace_is_over: self.patience.is_over(Instant::now()),
            migration_id: self.settings.dump.migration_id,
            has_logs: self.settings.evidence.is_some(),
        };
        let steps = situation.steps();
        self.operator_log.phase(session);
        self.operator_log.equivocations(session);
        self.operator_log.donations(session, me);
        let wanted = steps.iter().find_map(|step| match step {
            Action::Dump(wanted) => Some(*wanted),
            _ => None,
        });
        if self.dump.running().is_some_and(|running| Some(running) != wanted) {
            tracing::info!("the dump of an earlier round is cancelled");
            self.dump.stop();
            self.next_progress = None;
        }
        let (mut end, mut waiting) = (None, Vec::new());
        for step in steps {
            match step {
                Action::Report => self.report(),
                Action::Abandon { round } => self.abandon(round)?,
                Action::Agree { proposal } => self.agree(&proposal)?,
                Action::Ask { round, proposal, reason } => {
                    self.operator_log.ask(self.view.session(), round, &proposal, reason);
                }
                Action::Dump(wanted) => self.dump(wanted)?,
                Action::KeepCertificate => self.keep_certificate()?,
                Action::End(End::Attested { round, attestation }) => {
                    if self.acknowledged.contains(&attestation) {
                        end = Some(End::Attested { round, attestation });
                    }
                }
                Action::End(other) => end = Some(other),
                Action::Tell(text) => waiting.push(text),
                Action::Warn(text) => self.operator_log.warn(text),
            }
        }
        self.operator_log.waiting(waiting);
        Ok(end)
    }

    /// Shows the others, now and then, that a long download is alive.
    fn progress(&mut self) -> Result<(), RunError> {
        let Some((at, pause)) = self.next_progress else { return Ok(()) };
        if Instant::now() < at || self.dump.running().is_none() {
            return Ok(());
        }
        let received = self.received.load(Ordering::Relaxed);
        self.next_progress = Some((Instant::now() + pause * 2, pause * 2));
        self.mark(&format!("{received} bytes received"))
    }

    fn reported(&mut self, logs: Result<Evidence, JobError>) -> Result<(), RunError> {
        self.is_new = true;
        match logs {
            Ok(evidence) => self.sign_evidence(evidence),
            // Trying again changes nothing: the operator must say whose logs these are.
            Err(JobError::Gather(error)) if error.exit() == Exit::Refused => {
                Err(RunError::Evidence(Box::new(error)))
            }
            Err(error) => {
                tracing::warn!(
                    "the evidence could not be reported. The agent retries: {}",
                    in_one_line(&error)
                );
                Ok(())
            }
        }
    }

    fn dumped(&mut self, wanted: WantedDump, made: Result<DumpRecord, JobError>) -> Result<(), RunError> {
        self.next_progress = None;
        self.is_new = true;
        match made {
            Ok(record) => {
                tracing::info!(
                    "the dump of round {} is in {}: {} bytes, {}",
                    record.round,
                    record.path.display(),
                    record.size,
                    record.sha256
                );
                self.made = Some(record);
                Ok(())
            }
            Err(error) => self.not_dumped(wanted, &error),
        }
    }
}

impl From<ReplicaError> for RunError {
    fn from(error: ReplicaError) -> RunError {
        match error {
            ReplicaError::Store(error) => RunError::Store(error),
            error => RunError::Replica(error),
        }
    }
}
