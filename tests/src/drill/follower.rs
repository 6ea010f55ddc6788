//! Follows the session's transcript at the coordinator, as any member could, and checks every signature.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use svdr_client::{CallError, Coordinator, Coordinators, WatchEvent};
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{SessionId, Verified};
use tokio::sync::oneshot;

use super::processes::Event;

/// Between two tries to reach the coordinator, which chaos kills now and then.
const PAUSE: Duration = Duration::from_millis(200);

/// A thread that follows. It ends when dropped.
pub(super) struct Follower {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Sends an event for each statement of `session`, in the coordinator's order, from the first.
    pub(super) fn start(
        coordinators: Coordinators,
        session: SessionId,
        roster: Arc<Roster>,
        events: Sender<Event>,
    ) -> std::io::Result<Follower> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = follow(&coordinators, session, &roster, &events) => {}
                    // Also where the drill has dropped the other end.
                    _ = stopped => {}
                }
            });
        });
        Ok(Follower { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The way to the one coordinator of a drill.
pub(super) fn coordinators(
    url: String,
    key: svdr_protocol::keys::PublicKey,
    identity: &ed25519_dalek::SigningKey,
) -> Result<Coordinators, svdr_client::CoordinatorsError> {
    Coordinators::new(vec![Coordinator { url, key }], identity)
}

async fn follow(coordinators: &Coordinators, session: SessionId, roster: &Roster, events: &Sender<Event>) {
    let mut next = 0;
    while let Ended::Broken = watch(coordinators, session, roster, events, &mut next).await {
        tokio::time::sleep(PAUSE).await;
    }
}

/// How a watch ended.
enum Ended {
    /// It broke.
    Broken,
    /// Nobody wants to hear of it any more.
    Unheard,
}

async fn watch(
    coordinators: &Coordinators,
    session: SessionId,
    roster: &Roster,
    events: &Sender<Event>,
    next: &mut u64,
) -> Ended {
    let Ok(mut connection) = coordinators.connect(0).await else { return Ended::Broken };
    let watch = connection.watch(session, *next).await;
    let Ok(mut watch) = watch else { return Ended::Broken };
    loop {
        let event: Result<WatchEvent, CallError> = watch.next().await;
        let entry = match event {
            Ok(WatchEvent::Entry(entry)) => entry,
            Ok(WatchEvent::KeepAlive) => continue,
            Err(_broken) => return Ended::Broken,
        };
        *next = entry.position + 1;
        // What does not hold is found, and told, when the whole transcript is verified.
        let Ok(statement) = Verified::read(entry.statement, roster) else { continue };
        if events.send(Event::Statement(Arc::new(statement))).is_err() {
            return Ended::Unheard;
        }
    }
}
