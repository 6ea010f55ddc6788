//! Who may connect to the coordinator: the roster's members and observers, each a few times at once.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use svdr_proto::accept::{self, Refused};
use svdr_proto::tls::KeyBytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::clients::{Client, Clients};
use crate::metrics::{Metrics, OpenGauge};

/// The least time between two lines of the log about refused connections: strangers must not fill the disk with them. The
/// metrics count each.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Lets the clients in, and counts.
pub(super) struct Gate {
    clients: Arc<Clients>,
    metrics: Metrics,
    refusals: Mutex<Refusals>,
}

/// What is not in the log yet.
#[derive(Debug, Default)]
struct Refusals {
    logged: Option<Instant>,
    since: u64,
}

impl Refusals {
    /// Counts one more. Returns how many there were since the last line of the log, if it is time for another.
    fn count(&mut self, now: Instant) -> Option<u64> {
        if self.logged.is_some_and(|logged| now.saturating_duration_since(logged) < LOG_INTERVAL) {
            self.since += 1;
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

impl Gate {
    pub(super) fn new(clients: Arc<Clients>, metrics: Metrics) -> Gate {
        Gate { clients, metrics, refusals: Mutex::default() }
    }
}

impl accept::Gate for Gate {
    type Guest = Arc<Client>;
    type Place = (OwnedSemaphorePermit, OpenGauge);

    fn admit(&self, key: &KeyBytes) -> Result<(Arc<Client>, Self::Place), Refused> {
        let client = self.clients.by_key(key).ok_or(Refused::Stranger)?;
        let Some(place) = client.connection() else {
            tracing::warn!(target: "svdr", member = %client.name, "has too many connections");
            return Err(Refused::TooManyOfOneClient);
        };
        tracing::debug!(target: "svdr", member = %client.name, "connected");
        Ok((Arc::clone(client), (place, self.metrics.connection())))
    }

    fn refused(&self, address: Option<SocketAddr>, reason: Refused, cause: Option<&io::Error>) {
        self.metrics.connection_refused(reason.name());
        let address = address.map_or("unknown".to_owned(), |address| address.to_string());
        let error = cause.map_or("none".to_owned(), ToString::to_string);
        let reason = reason.name();
        tracing::debug!(target: "svdr", %address, reason, %error, "connection refused");
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(others) = refusals.count(Instant::now()) {
            tracing::info!(target: "svdr", %address, reason, others, "connection refused. The next line of this kind comes \
                in a minute at the earliest, and counts the others until then");
        }
    }

    fn cannot_accept(&self, error: &io::Error) {
        tracing::warn!(target: "svdr", %error, "a connection cannot be accepted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_a_line_a_minute() {
        let start = Instant::now();
        let mut refusals = Refusals::default();
        assert_eq!(refusals.count(start), Some(0));
        for second in 0..59 {
            assert_eq!(refusals.count(start + Duration::from_secs(second)), None);
        }
        assert_eq!(refusals.count(start + LOG_INTERVAL), Some(59));
        assert_eq!(refusals.count(start + LOG_INTERVAL), None);
    }
}
