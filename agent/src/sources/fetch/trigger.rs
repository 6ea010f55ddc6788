//! Has the SV app write its dump into its own volume, and takes it from there.
//!
//! The app computes for minutes before the first byte appears, then writes for minutes, then answers. On the way an
//! ingress may have lost its patience, but the app continues. Asked again meanwhile, it would compute the same a second
//! time and write it over the first. So:
//!
//! 1. What is there already, whole and of this timestamp and migration, is taken without asking: an earlier run had
//!    it made. What is not whole but still growing is waited for.
//! 2. Ask, and watch the folder. There is no limit on the wait but the life of the connection.
//! 3. If the app says that it is done, take the export; its last bytes may become visible a moment later.
//! 4. If the answer is lost, or a proxy answers instead of the app, the app may be at work: watch the folder as long as
//!    an answer may take to begin, and ask again only then.
//!
//! The folder of no other timestamp is ever looked at. An export that was there before and was refused is looked at
//! again only after it has changed.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use svdr_cli::progress::Progress;

use super::{FetchError, FetchedDump, Request};
use crate::sources::app::{AppFailure, SvApp, Timeouts};
use crate::sources::cancel::CancelOnDrop;
use crate::sources::tries::{Tries, rounded};
use crate::sources::volume::{self, DUMP_FILE, Export, ExportError, FolderState, Volume, set_folder};
use svdr_client::retry::RetryPolicy;
use svdr_protocol::failure::in_one_line;

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Tries until there is a dump, as [`super::fetch`].
pub(super) async fn fetch(
    app: &SvApp,
    request: &Request,
    volume: &Volume,
    policy: RetryPolicy,
) -> Result<FetchedDump, FetchError> {
    let watch = ExportWatch { request, volume, timeouts: app.timeouts() };
    let mut tries = Tries::new(policy);
    let mut known = FolderState::default();
    watch.check_volume().await?;
    if let Some(dump) = watch.take_earlier(&mut known).await? {
        return Ok(dump);
    }
    loop {
        let began = Instant::now();
        let taken = watch.attempt(app, &known).await;
        tries.worked(began.elapsed());
        match taken {
            Ok(dump) => return Ok(dump),
            Err(failure) => tries.pause_after(failure).await?,
        }
        known = watch.look().await?;
    }
}

/// The export's folder, and what is wanted of it.
struct ExportWatch<'a> {
    request: &'a Request,
    volume: &'a Volume,
    timeouts: Timeouts,
}

impl ExportWatch<'_> {
    /// Whether the volume is there: the app is not made to write gigabytes that nobody can take.
    async fn check_volume(&self) -> Result<(), FetchError> {
        let path = self.volume.dir.clone();
        let found = tokio::fs::read_dir(&path).await;
        found.map(drop).map_err(|source| ExportError::Volume { path, source }.into())
    }

    /// What an earlier run has had made, or is having made. What is left there of it is noted in `known`.
    async fn take_earlier(&self, known: &mut FolderState) -> Result<Option<FetchedDump>, FetchError> {
        *known = self.look().await?;
        if known.is_empty() {
            return Ok(None);
        }
        tracing::info!("{} exists already; checking whether it can be taken", self.folder().display());
        let earlier = self.settle(&FolderState::default(), self.timeouts.idle).await;
        *known = self.look().await?;
        match earlier {
            Ok(dump) => Ok(Some(dump)),
            // The output is not the app's to repair.
            Err(FetchError::Export(ExportError::File(error))) => Err(ExportError::File(error).into()),
            Err(error) => {
                tracing::info!("it cannot ({}); asking the SV app to export again", in_one_line(&error));
                Ok(None)
            }
        }
    }

    /// Asks once, and takes what comes of it. `known` is what is there already, and no use.
    async fn attempt(&self, app: &SvApp, known: &FolderState) -> Result<FetchedDump, FetchError> {
        match self.ask(app, known).await {
            Ok(()) => self.settle(&FolderState::default(), self.timeouts.idle).await,
            Err(failure) if failure.leaves_app_at_work() => {
                let limit = self.timeouts.first_byte;
                tracing::warn!("{}", in_one_line(&failure));
                tracing::warn!(
                    "the SV app may still be writing its dump; watching {} for {}",
                    self.folder().display(),
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
    async fn ask(&self, app: &SvApp, known: &FolderState) -> Result<(), AppFailure> {
        let progress = Progress::bytes("the SV app is writing its dump", None);
        let asked = app.migration_dump(self.request.timestamp, self.request.migration_id);
        tokio::pin!(asked);
        let mut quiet = Quiet::new(known.clone());
        let (mut look, mut shown) = (tokio::time::interval(LOOK), 0);
        loop {
            tokio::select! {
                answer = &mut asked => return answer,
                _ = look.tick() => {}
            }
            // What cannot be looked at now is an error once there is an answer.
            let Ok(state) = self.look().await else { continue };
            if state != *known {
                progress.advance(state.bytes().saturating_sub(shown));
                shown = shown.max(state.bytes());
                self.request.received.store(state.bytes(), Ordering::Relaxed);
            }
            let is_quiet = quiet.since(&state) >= self.timeouts.idle;
            if is_quiet && state.has_dump() && state != *known {
                tracing::warn!(
                    "the SV app has written its dump, but has not answered; continuing without the answer"
                );
                return Ok(());
            }
        }
    }

    /// Takes the export, once it is whole. While it changes it is waited for, and for at most `limit` more after
    /// that; as long as it is as in `known`, there is nothing new in it.
    async fn settle(&self, known: &FolderState, limit: Duration) -> Result<FetchedDump, FetchError> {
        let mut quiet = Quiet::new(FolderState::default());
        let mut tried: Option<FolderState> = None;
        let mut lacks = ExportError::Absent { path: self.folder() };
        loop {
            let state = self.look().await?;
            let unchanged = quiet.since(&state);
            // Not in the middle of a write: twice the same.
            if unchanged >= LOOK && state != *known && tried.as_ref() != Some(&state) {
                self.request.received.store(state.bytes(), Ordering::Relaxed);
                match self.take().await? {
                    Ok(dump) => return Ok(dump),
                    Err(error) if error.may_settle() => lacks = error,
                    Err(error) => return Err(error.into()),
                }
                tried = Some(state);
            }
            // Where something was written last decides how long it is waited for the next.
            let limit = if tried.is_some() { limit.min(self.timeouts.idle) } else { limit };
            if unchanged >= limit {
                let (path, source) = (self.folder(), Box::new(lacks));
                return Err(ExportError::Unfinished { path, waited: limit, source }.into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Takes the export as it is now.
    async fn take(&self) -> Result<Result<FetchedDump, ExportError>, FetchError> {
        let (request, volume) = (self.request.clone(), self.volume.clone());
        let waiting = CancelOnDrop::default();
        let cancelled = waiting.cancelled();
        let taken = tokio::task::spawn_blocking(move || {
            let out = set_folder(&request.out);
            let export = Export {
                volume: &volume,
                expected: request.expectations(),
                participant: request.participant(),
                parts: request.parts,
            };
            let summary = volume::take(&export, &out, request.replace, &cancelled)?;
            Ok(FetchedDump { path: out.join(DUMP_FILE), summary })
        });
        taken.await.map_err(FetchError::Thread)
    }

    async fn look(&self) -> Result<FolderState, FetchError> {
        let path = self.folder();
        let folder = path.clone();
        let looked = tokio::task::spawn_blocking(move || FolderState::of(&folder)).await;
        let state = looked.map_err(FetchError::Thread)?;
        state.map_err(|source| ExportError::Read { path, source }.into())
    }

    /// The folder of the export.
    fn folder(&self) -> PathBuf {
        self.volume.export(self.request.timestamp)
    }
}

/// For how long nothing has changed.
struct Quiet {
    last: FolderState,
    since: Instant,
}

impl Quiet {
    fn new(last: FolderState) -> Quiet {
        Quiet { last, since: Instant::now() }
    }

    /// Notes the state now, and returns for how long it has been so.
    fn since(&mut self, state: &FolderState) -> Duration {
        if *state != self.last {
            *self = Quiet::new(state.clone());
        }
        self.since.elapsed()
    }
}
