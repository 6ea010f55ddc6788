//! The two things that take long: reading the evidence, and making the dump. Each runs beside the driver, one at a time.
//!
//! A job that fails is tried again, after pauses that grow to [`LONGEST_DELAY`](svdr_client::retry::LONGEST_DELAY): an operator who has repaired
//! something need not restart anything, and what cannot be repaired is only asked for, never signed. Jobs end with
//! the driver: an abandoned download leaves nothing behind (see [`crate::sources::fetch`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use svdr_files::Replace;
use svdr_protocol::evidence::{Evidence, EvidenceError};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{Attestation, SessionId};
use svdr_protocol::time::Timestamp;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::WantedDump;
use crate::evidence::{self, EvidenceOrder, GatherError};
use crate::sources::app::{AppSettings, SetupError, SvApp};
use crate::sources::fetch::{self, FetchError, Handover, Request, RequestContent, SvDump};
use crate::sources::volume::DUMP_FILE;
use crate::store::{DumpRecord, Store, StoreError};
use svdr_client::retry::{Backoff, DEFAULT_RETRY_FOR, RetryPolicy};
use svdr_dump::{Identities, Parts};

/// How to make dumps.
#[derive(Clone, Debug)]
pub struct DumpOrder {
    /// How to reach the SV app.
    pub sv_app: AppSettings,
    /// The configured id of the new migration.
    pub migration_id: u64,
    /// Whether to ask the app for it.
    pub request_migration_id: bool,
    /// By which way the app gives its dump.
    pub handover: Handover,
    /// This SV's participant, if it is known.
    pub participant: Option<String>,
    /// The backup of the node identities.
    pub identities: Arc<Identities>,
    /// The folder that dumps are made in.
    pub folder: PathBuf,
}

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The sources of the evidence.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// What they report is no evidence.
    #[error("the sources were read, but the evidence in them cannot be signed")]
    Evidence(#[from] EvidenceError),
    /// The SV app's client.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The dump.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The record of the dump.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread has died.
    #[error(
        "the thread of this work stopped unexpectedly, and the agent retries\n\
         help: report this as a bug in svdr"
    )]
    Died(#[from] JoinError),
}

/// A job of a kind, with when it may be started again after a failure.
#[derive(Debug)]
pub(super) struct Job<K, T> {
    running: Option<(K, JoinHandle<Result<T, JobError>>)>,
    backoff: Backoff,
    /// What failed last, and when it may be tried again.
    paused: Option<(K, Instant)>,
}

impl<K: PartialEq + Copy, T: Send + 'static> Job<K, T> {
    /// A job that is not running.
    pub(super) const fn new() -> Job<K, T> {
        Job { running: None, backoff: Backoff::new(), paused: None }
    }

    /// What is being worked on.
    pub(super) fn running(&self) -> Option<K> {
        self.running.as_ref().map(|(kind, _)| *kind)
    }

    /// Whether this can be started now: nothing is running, and the pause after its own failure is over.
    pub(super) fn is_ready(&self, kind: K) -> bool {
        let waits = |(failed, until): &(K, Instant)| *failed == kind && Instant::now() < *until;
        self.running.is_none() && !self.paused.as_ref().is_some_and(waits)
    }

    /// Whether a pause is over and the work has not been started again.
    pub(super) fn is_due(&self) -> bool {
        self.paused.as_ref().is_some_and(|(failed, _)| self.is_ready(*failed))
    }

    /// Starts the work; what was running is given up.
    pub(super) fn start(
        &mut self,
        kind: K,
        work: impl Future<Output = Result<T, JobError>> + Send + 'static,
    ) {
        if let Some((_, handle)) = self.running.replace((kind, tokio::spawn(work))) {
            handle.abort();
        }
        if self.paused.take().is_some_and(|(failed, _)| failed != kind) {
            self.backoff.succeeded();
        }
    }

    /// Gives up what is running.
    pub(super) fn stop(&mut self) {
        if let Some((_, handle)) = self.running.take() {
            handle.abort();
        }
        self.forget();
    }

    /// Forgets what failed.
    fn forget(&mut self) {
        self.backoff.succeeded();
        self.paused = None;
    }

    /// Waits for the end of what is running; for ever where nothing is. Can be cancelled.
    pub(super) async fn finished(&mut self) -> (K, Result<T, JobError>) {
        let Some((kind, handle)) = &mut self.running else { return std::future::pending().await };
        let kind = *kind;
        let result = handle.await.unwrap_or_else(|died| Err(JobError::Died(died)));
        self.running = None;
        match &result {
            Ok(_) => self.forget(),
            Err(_) => self.paused = Some((kind, Instant::now() + self.backoff.failed())),
        }
        (kind, result)
    }
}

impl<K, T> Drop for Job<K, T> {
    fn drop(&mut self) {
        if let Some((_, handle)) = &self.running {
            handle.abort();
        }
    }
}

/// Reads the sources of the evidence.
///
/// # Errors
/// If there is no evidence in them that could be signed.
pub(super) async fn read_evidence(
    order: EvidenceOrder,
    roster: Arc<Roster>,
    member: MemberName,
) -> Result<Evidence, JobError> {
    let document = evidence::gather(order, Arc::clone(&roster), member, "reading the logs").await?;
    for warning in &document.warnings {
        tracing::warn!("evidence: {warning}");
    }
    Ok(document.evidence(&roster)?)
}

/// Makes the dump, or finds the one that was made before a restart, and writes down that it is there.
///
/// # Errors
/// [`JobError`]; no dump is there then.
pub(super) async fn make_dump(
    wanted: WantedDump,
    order: DumpOrder,
    store: Store,
    session: SessionId,
    received: Arc<AtomicU64>,
) -> Result<DumpRecord, JobError> {
    if let Some(made) = store.dump(session, wanted.round)?
        && is_of(&made, &wanted)
    {
        let record = made.clone();
        match tokio::task::spawn_blocking(move || record.is_on_disk()).await? {
            Ok(true) => return Ok(made),
            Ok(false) => tracing::warn!(
                "{} is no longer the dump that was made. Making the dump again",
                made.path.display()
            ),
            Err(error) => {
                tracing::warn!(
                    "the dump {} cannot be read ({error}). Making the dump again",
                    made.path.display()
                )
            }
        }
    }
    let path = order.folder.join(file_name(session, wanted.round));
    let app = SvApp::new(order.sv_app).await?;
    let request = Request {
        content: RequestContent::SvDump(SvDump {
            identities: Some(order.identities),
            handover: order.handover,
            participant: order.participant,
        }),
        timestamp: wanted.recovery_timestamp,
        migration_id: wanted.migration_id,
        request_migration_id: order.request_migration_id,
        parts: Parts::Digest,
        out: path,
        // Only this member's earlier tries for the same round can be there.
        replace: Replace::Force,
        received: Arc::clone(&received),
    };
    received.store(0, Ordering::Relaxed);
    let started = now();
    let made = fetch::fetch(&app, &request, RetryPolicy::lasting(DEFAULT_RETRY_FOR)).await?;
    let record = DumpRecord::new((wanted.round, wanted.proposal), made.path, &made.summary, (started, now()));
    let locked = store.lock()?;
    // A person has received one meanwhile: that is the one that is attested, and it stays.
    if let Some(received) = store.dump(session, wanted.round)?
        && received.received.is_some()
        && is_of(&received, &wanted)
    {
        tracing::info!("the received dump is kept: {}", received.path.display());
        return Ok(received);
    }
    locked.keep_dump(session, &record)?;
    Ok(record)
}

fn is_of(made: &DumpRecord, wanted: &WantedDump) -> bool {
    made.proposal == wanted.proposal
        && made.recovery_timestamp == wanted.recovery_timestamp
        && made.migration_id == wanted.migration_id
}

/// The record of the dump that this member has attested. A record that was lost is made again of the attestation, if the
/// dump is where [`make_dump`] puts it and is still what was attested.
///
/// # Errors
/// If the store cannot be read or written.
pub(crate) fn attested_dump(
    store: &Store,
    attestation: &Attestation,
    session: SessionId,
    folder: &Path,
) -> Result<Option<DumpRecord>, StoreError> {
    let round = attestation.round;
    if let Some(known) = store.dump(session, round)? {
        return Ok(Some(known));
    }
    let single = folder.join(file_name(session, round));
    // One in several files has a folder of its own.
    let several = single.with_extension("").join(DUMP_FILE);
    let found = [single, several].into_iter().map(|path| DumpRecord::of_attestation(attestation, path));
    let Some(record) = found.into_iter().find(|record| record.is_on_disk().unwrap_or(false)) else {
        return Ok(None);
    };
    store.lock()?.keep_dump(session, &record)?;
    tracing::warn!(
        "the record of the dump of round {round} was missing in {}. The attested dump is {}, and the record is written \
         again",
        store.session_folder(session).display(),
        record.path.display()
    );
    Ok(Some(record))
}

/// `domain_migration_dump-SESSION-rN.json`: the SV app's own name for it, made unique.
pub(crate) fn file_name(session: SessionId, round: u32) -> String {
    let session = session.to_string();
    format!("domain_migration_dump-{}-r{round}.json", session.get(..8).unwrap_or(&session))
}

/// This machine's clock; for the record only.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let epoch = Timestamp::from_micros(0).unwrap_or(Timestamp::MIN);
    epoch.checked_add(Duration::from_micros(u64::try_from(since.as_micros()).unwrap_or(0))).unwrap_or(epoch)
}
