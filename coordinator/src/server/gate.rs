//! Who may connect to the coordinator: the roster's members and observers, each a few times at once.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use svdr_proto::accept::{self, Refused};
use svdr_proto::tls::KeyBytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::clients::{Client, Clients};
use crate::metrics::{Metrics, OpenGauge};

/// Lets the clients in, and counts.
pub(super) struct Gate {
    pub(super) clients: Arc<Clients>,
    pub(super) metrics: Metrics,
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
        match cause {
            Some(error) => tracing::debug!(target: "svdr", %address, %error, "handshake failed"),
            None => tracing::info!(target: "svdr", %address, reason = reason.name(), "connection refused"),
        }
    }

    fn cannot_accept(&self, error: &io::Error) {
        tracing::warn!(target: "svdr", %error, "a connection cannot be accepted");
    }
}
