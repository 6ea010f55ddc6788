//! Who may connect to a donor: members of the roster, each a few times at once. Observers may not.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use svdr_proto::accept::{self, Refused};
use svdr_proto::tls::KeyBytes;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::{MAX_CONNECTIONS_PER_MEMBER, MAX_TRANSFERS_PER_MEMBER};

/// A member that may receive, and what it has in use.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) name: MemberName,
    connections: Arc<Semaphore>,
    transfers: Arc<Semaphore>,
}

/// The members of the roster, by key. Nobody else ever becomes one, so that what is kept here cannot grow.
#[derive(Debug)]
pub(super) struct Receivers(HashMap<KeyBytes, Arc<Receiver>>);

impl Receiver {
    /// A place for one more transfer, free again when it is dropped; none where it has too many.
    pub(super) fn transfer(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.transfers).try_acquire_owned().ok()
    }
}

impl Receivers {
    pub(super) fn of(roster: &Roster) -> Receivers {
        let member = |name: &MemberName| {
            Arc::new(Receiver {
                name: name.clone(),
                connections: Arc::new(Semaphore::new(MAX_CONNECTIONS_PER_MEMBER)),
                transfers: Arc::new(Semaphore::new(MAX_TRANSFERS_PER_MEMBER)),
            })
        };
        let members = roster.members().iter();
        Receivers(members.map(|one| (one.key.verifying_key().to_bytes(), member(&one.name))).collect())
    }

    pub(super) fn keys(&self) -> HashSet<KeyBytes> {
        self.0.keys().copied().collect()
    }
}

impl accept::Gate for Receivers {
    type Guest = Arc<Receiver>;
    type Place = OwnedSemaphorePermit;

    fn admit(&self, key: &KeyBytes) -> Result<(Arc<Receiver>, OwnedSemaphorePermit), Refused> {
        let member = self.0.get(key).ok_or(Refused::Stranger)?;
        match Arc::clone(&member.connections).try_acquire_owned() {
            Ok(place) => Ok((Arc::clone(member), place)),
            Err(_full) => {
                tracing::warn!("{} has too many connections. Another connection is refused", member.name);
                Err(Refused::TooManyOfOneClient)
            }
        }
    }

    fn refused(&self, address: Option<SocketAddr>, reason: Refused, cause: Option<&io::Error>) {
        let from = address.map_or_else(|| "somewhere".to_owned(), |address| address.to_string());
        match cause {
            Some(error) => tracing::info!("a connection from {from} is refused: {error}"),
            None => tracing::info!("a connection from {from} is refused: {}", reason.name()),
        }
    }

    fn cannot_accept(&self, error: &io::Error) {
        tracing::warn!("a connection cannot be accepted now: {error}");
    }
}
