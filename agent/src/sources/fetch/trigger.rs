//! Has the SV app write its dump into its own volume, and takes it from there.
//!
//! The app computes for minutes before the first byte appears, then writes for minutes, then answers. On the way an
//! ingress may have lost its patience: the app goes on nevertheless. Asked again meanwhile, it would compute the same
//! a second time and write it over the first. So:
//!
//! 1. What is there already, whole and of this timestamp and migration, is taken without asking: an earlier run had
//!    it made. What is not whole but still growing is waited for.
//! 2. Ask, and watch the folder. There is no limit on the wait but the life of the connection.
//! 3. Where the app says that it is done, take the export; its last bytes may become visible a moment later.
//! 4. Where the answer is lost, or somebody answers in the app's place, the app may be at work: watch the folder as
//!    long as an answer may take to begin, and ask again only then.
//!
//! The folder of no other timestamp is ever looked at. An export that was there before and was refused is not looked
//! at again before it changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use svdr_cli::progress::Progress;
use svdr_protocol::time::Timestamp;

use super::tries::{Tries, rounded};
use super::{FetchError, Made, Order, Way};
use crate::sources::app::{Failure, SvApp, Timeouts};
use crate::sources::volume::{self, DUMP_FILE, ExportError, Sight, TakeOrder, Volume, set_folder};
use svdr_client::retry::RetryPolicy;
use svdr_protocol::failure::in_one_line;

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Tries until there is a dump, as [`super::fetch`].
pub(super) async fn fetch(
    app: &SvApp,
    order: &Order,
    way: &Way,
    policy: RetryPolicy,
) -> Result<Made, FetchError> {
    let Some(volume) = way.volume.clone() else {
        let path = PathBuf::from(volume::APP_DIR);
        let source = std::io::Error::other("no dump_dir is configured");
        return Err(ExportError::Volume { path, source }.into());
    };
    let watch = Watch { order, way, volume, timeouts: app.timeouts() };
    let mut tries = Tries::new(policy);
    let mut known = Sight::default();
    watch.check_volume().await?;
    if let Some(made) = watch.take_earlier(&mut known).await? {
        return Ok(made);
    }
    loop {
        let began = Instant::now();
        let made = watch.attempt(app, &known).await;
        tries.worked(began.elapsed());
        match made {
            Ok(made) => return Ok(made),
            Err(failure) => tries.pause_after(failure).await?,
        }
        known = watch.look().await?;
    }
}

/// The export's folder, and what is wanted of it.
struct Watch<'a> {
    order: &'a Order,
    way: &'a Way,
    volume: Volume,
    timeouts: Timeouts,
}

impl Watch<'_> {
    /// Whether the volume is there: the app is not made to write gigabytes that nobody can take.
    async fn check_volume(&self) -> Result<(), FetchError> {
        let path = self.volume.dir.clone();
        let found = tokio::fs::read_dir(&path).await;
        found.map(drop).map_err(|source| ExportError::Volume { path, source }.into())
    }

    /// What an earlier run has had made, or is having made. What is left there of it is noted in `known`.
    async fn take_earlier(&self, known: &mut Sight) -> Result<Option<Made>, FetchError> {
        *known = self.look().await?;
        if known.is_empty() {
            return Ok(None);
        }
        let path = self.volume.export(self.timestamp());
        tracing::info!("{} is there already; looking whether it is what is wanted", path.display());
        let earlier = self.settle(&Sight::default(), self.timeouts.idle).await;
        *known = self.look().await?;
        match earlier {
            Ok(made) => Ok(Some(made)),
            // The output is not the app's to repair.
            Err(FetchError::Export(ExportError::File(error))) => Err(ExportError::File(error).into()),
            Err(error) => {
                tracing::info!("it is not ({}); having the SV app write it anew", in_one_line(&error));
                Ok(None)
            }
        }
    }

    /// Asks once, and takes what comes of it. `known` is what is there already, and no use.
    async fn attempt(&self, app: &SvApp, known: &Sight) -> Result<Made, FetchError> {
        match self.ask(app, known).await {
            Ok(()) => self.settle(&Sight::default(), self.timeouts.idle).await,
            Err(failure) if failure.leaves_app_at_work() => {
                let limit = self.timeouts.first_byte;
                tracing::warn!("{}", in_one_line(&failure));
                tracing::warn!(
                    "the SV app may be writing its dump nevertheless; watching {} for {}",
                    self.volume.export(self.timestamp()).display(),
                    rounded(limit)
                );
                self.settle(known, limit).await.map_err(|error| match error {
                    FetchError::Export(error) if error.is_worth_retrying() => failure.into(),
                    other => other,
                })
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Asks, and counts the bytes that appear meanwhile. Done too where the export is whole and quiet without an
    /// answer: a connection can lose it.
    async fn ask(&self, app: &SvApp, known: &Sight) -> Result<(), Failure> {
        let progress = Progress::bytes("the SV app is writing its dump", None);
        let migration_id = self.order.expectations.migration_id.unwrap_or_default();
        let asked = app.migration_dump(self.timestamp(), migration_id);
        tokio::pin!(asked);
        let mut quiet = Quiet::new(known.clone());
        let (mut look, mut shown) = (tokio::time::interval(LOOK), 0);
        loop {
            tokio::select! {
                answer = &mut asked => return answer,
                _ = look.tick() => {}
            }
            // What cannot be looked at now is complained about once there is an answer.
            let Ok(sight) = self.look().await else { continue };
            if sight != *known {
                progress.advance(sight.bytes().saturating_sub(shown));
                shown = shown.max(sight.bytes());
                self.received().store(sight.bytes(), Ordering::Relaxed);
            }
            let is_quiet = quiet.since(&sight) >= self.timeouts.idle;
            if is_quiet && sight.has_dump() && sight != *known {
                tracing::warn!(
                    "the SV app has written its dump, and its answer has not arrived; going on without"
                );
                return Ok(());
            }
        }
    }

    /// Takes the export, once it is whole. While it changes it is waited for, and for at most `limit` more after
    /// that; as long as it is as in `known`, there is nothing new in it.
    async fn settle(&self, known: &Sight, limit: Duration) -> Result<Made, FetchError> {
        let mut quiet = Quiet::new(Sight::default());
        let mut tried: Option<Sight> = None;
        let mut lacks = ExportError::Absent { path: self.volume.export(self.timestamp()) };
        loop {
            let sight = self.look().await?;
            let unchanged = quiet.since(&sight);
            // Not in the middle of a write: twice the same.
            if unchanged >= LOOK && sight != *known && tried.as_ref() != Some(&sight) {
                self.received().store(sight.bytes(), Ordering::Relaxed);
                match self.take().await? {
                    Ok(made) => return Ok(made),
                    Err(error) if error.may_settle() => lacks = error,
                    Err(error) => return Err(error.into()),
                }
                tried = Some(sight);
            }
            // Where something was written last decides how long it is waited for the next.
            let limit = if tried.is_some() { limit.min(self.timeouts.idle) } else { limit };
            if unchanged >= limit {
                let path = self.volume.export(self.timestamp());
                return Err(ExportError::Unfinished { path, waited: limit, source: Box::new(lacks) }.into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Takes the export as it is now.
    async fn take(&self) -> Result<Result<Made, ExportError>, FetchError> {
        let (order, way, volume) = (self.order.clone(), self.way.clone(), self.volume.clone());
        let awaited = Awaited::default();
        let given_up = Arc::clone(&awaited.given_up);
        let taken = tokio::task::spawn_blocking(move || {
            let out = set_folder(&order.out);
            let summary = volume::take(&TakeOrder {
                volume: &volume,
                expectations: order.expectations,
                participant: way.participant.as_deref(),
                parts: order.parts,
                out: &out,
                replace: order.replace,
                given_up: &given_up,
            })?;
            Ok(Made { path: out.join(DUMP_FILE), summary })
        });
        taken.await.map_err(FetchError::WriterDied)
    }

    async fn look(&self) -> Result<Sight, FetchError> {
        let (volume, timestamp) = (self.volume.clone(), self.timestamp());
        let path = volume.export(timestamp);
        let looked = tokio::task::spawn_blocking(move || Sight::of(&volume, timestamp)).await;
        let sight = looked.map_err(FetchError::WriterDied)?;
        sight.map_err(|source| ExportError::Read { path, source }.into())
    }

    fn timestamp(&self) -> Timestamp {
        self.order.expectations.timestamp
    }

    fn received(&self) -> &Arc<AtomicU64> {
        &self.order.received
    }
}

/// As long as this is there, somebody waits for what a thread makes. Dropped with the future that waits.
#[derive(Default)]
struct Awaited {
    given_up: Arc<AtomicBool>,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

/// For how long nothing has changed.
struct Quiet {
    last: Sight,
    since: Instant,
}

impl Quiet {
    fn new(last: Sight) -> Quiet {
        Quiet { last, since: Instant::now() }
    }

    /// Notes what is seen now; how long it has been so.
    fn since(&mut self, sight: &Sight) -> Duration {
        if *sight != self.last {
            *self = Quiet::new(sight.clone());
        }
        self.since.elapsed()
    }
}
