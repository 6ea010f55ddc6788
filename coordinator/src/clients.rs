//! Who may connect, and what each has in use: connections, streams, calls.
//!
//! Everybody with a key in the roster is known from the start and nobody else ever becomes so, so that what is
//! kept here cannot grow.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use svdr_proto::tls::KeyBytes;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{
    CALL_BURST, CALLS_PER_SECOND, MAX_CONNECTIONS_PER_CLIENT, MAX_STREAMS_PER_CLIENT, MAX_UNANSWERED_BYTES,
};

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Read, and submit.
    Member,
    /// Read.
    Observer,
}

/// Somebody in the roster.
#[derive(Debug)]
pub struct Client {
    /// Its name there.
    pub name: MemberName,
    /// What it may do.
    pub role: Role,
    connections: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// Bytes that may yet wait for an answer.
    unanswered: Arc<Semaphore>,
    calls: Mutex<Bucket>,
}

/// Everybody in the roster, by key.
#[derive(Debug)]
pub struct Clients(HashMap<KeyBytes, Arc<Client>>);

/// Calls saved up: each takes one, and they come back at an even rate.
#[derive(Debug)]
struct Bucket {
    calls: f64,
    filled: Instant,
}

impl Bucket {
    /// Takes a call, if there is one; else says how long it takes until there is.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.calls = (self.calls + since * f64::from(CALLS_PER_SECOND)).min(f64::from(CALL_BURST));
        self.filled = now;
        if self.calls >= 1.0 {
            self.calls -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.calls) / f64::from(CALLS_PER_SECOND)))
    }
}

impl Client {
    fn new(name: MemberName, role: Role) -> Arc<Client> {
        Arc::new(Client {
            name,
            role,
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS_PER_CLIENT)),
            streams: Arc::new(Semaphore::new(MAX_STREAMS_PER_CLIENT)),
            unanswered: Arc::new(Semaphore::new(MAX_UNANSWERED_BYTES)),
            calls: Mutex::new(Bucket { calls: f64::from(CALL_BURST), filled: Instant::now() }),
        })
    }

    /// A place for one more connection, free again when it is dropped; none if it has too many.
    pub fn connection(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }

    /// A place for one more stream, likewise.
    pub fn stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
    }

    /// Whether it may make a call now; counts it.
    pub fn call(&self) -> bool {
        self.take().is_ok()
    }

    /// Waits until it may make a call; counts it.
    pub async fn turn(&self) {
        while let Err(wait) = self.take() {
            tokio::time::sleep(wait).await;
        }
    }

    fn take(&self) -> Result<(), Duration> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
    }

    /// Waits for room among the bytes of this client's that wait for an answer, which are given back when what is
    /// returned is dropped.
    pub async fn unanswered(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes.min(MAX_UNANSWERED_BYTES)).ok()?;
        Arc::clone(&self.unanswered).acquire_many_owned(bytes).await.ok()
    }
}

impl Clients {
    /// Those of the roster.
    pub fn of(roster: &Roster) -> Clients {
        let members = roster.members().iter().map(|one| (one.key, &one.name, Role::Member));
        let observers = roster.observers().iter().map(|one| (one.key, &one.name, Role::Observer));
        let bytes = |key: &PublicKey| *key.verifying_key().as_bytes();
        Clients(
            members
                .chain(observers)
                .map(|(key, name, role)| (bytes(&key), Client::new(name.clone(), role)))
                .collect(),
        )
    }

    /// Their keys.
    pub fn keys(&self) -> HashSet<KeyBytes> {
        self.0.keys().copied().collect()
    }

    /// Whose key this is.
    pub fn by_key(&self, key: &KeyBytes) -> Option<&Arc<Client>> {
        self.0.get(key)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn calls_run_out_and_come_back() {
        let start = Instant::now();
        let mut bucket = Bucket { calls: f64::from(CALL_BURST), filled: start };
        let taken = (0..CALL_BURST + 10).filter(|_| bucket.take(start).is_ok()).count();
        assert_eq!(taken, CALL_BURST as usize);
        let wait = bucket.take(start).unwrap_err();
        assert!(bucket.take(start + wait / 2).is_err());
        assert!(bucket.take(start + wait + Duration::from_nanos(1)).is_ok());
        let mut bucket = Bucket { calls: 0.0, filled: start };
        let later = start + Duration::from_secs(1);
        let again = (0..CALL_BURST).filter(|_| bucket.take(later).is_ok()).count();
        assert_eq!(again, CALLS_PER_SECOND as usize);
    }

    #[tokio::test]
    async fn turns_come_at_an_even_rate_once_calls_have_run_out() {
        let started = Instant::now();
        let client = Client::new("A".parse().unwrap(), Role::Member);
        let beyond = CALLS_PER_SECOND / 10;
        for _ in 0..CALL_BURST + beyond {
            client.turn().await;
        }
        assert!(started.elapsed() >= Duration::from_millis(99));
    }

    #[tokio::test]
    async fn bytes_that_wait_for_an_answer_hold_back_more_of_them() {
        let client = Client::new("A".parse().unwrap(), Role::Member);
        let held = client.unanswered(MAX_UNANSWERED_BYTES - 10).await.unwrap();
        let few = client.unanswered(10).await.unwrap();
        let mut more = std::pin::pin!(client.unanswered(11));
        let poll = |future: std::pin::Pin<&mut _>| {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            Future::poll(future, &mut context).is_ready()
        };
        assert!(!poll(more.as_mut()));
        drop(few);
        assert!(!poll(more.as_mut()));
        drop(held);
        assert!(poll(more.as_mut()));
        // More than there ever is for one is not waited for for ever.
        let alone = Client::new("B".parse().unwrap(), Role::Member);
        assert!(alone.unanswered(usize::MAX).await.is_some());
    }

    #[test]
    fn places_are_free_again_when_they_are_given_back() {
        let client = Client::new("A".parse().unwrap(), Role::Member);
        let mut held: Vec<_> =
            (0..MAX_CONNECTIONS_PER_CLIENT).map(|_| client.connection().unwrap()).collect();
        assert!(client.connection().is_none());
        held.pop();
        assert!(client.connection().is_some());
    }
}
