//! The configured coordinators, and the key that they are called with.

use std::fmt;

use ed25519_dalek::SigningKey;
use svdr_proto::channel::{self, ConnectError};
use svdr_proto::tls::{TlsError, TlsIdentity};
use svdr_protocol::failure::{CommandError, Exit, in_one_line};

use crate::connection::Connection;
use crate::coordinator::Coordinator;

/// The coordinators that may be called, in the order in which they are tried, and the identity of the caller.
#[derive(Debug)]
pub struct Coordinators {
    configured: Vec<Coordinator>,
    identity: TlsIdentity,
}

/// Why no coordinator can be called.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorsError {
    /// The configuration names none.
    #[error(
        "agent.toml configures no coordinator\nhelp: add a [[coordinator]] section with the url and key of one"
    )]
    NotConfigured,
    /// Each of them failed.
    #[error(
        "no coordinator can be reached:{}\nhelp: check the network and the [[coordinator]] sections of agent.toml",
        listed(tried)
    )]
    Unreachable {
        /// What each of them failed with.
        tried: Vec<UnreachableCoordinator>,
    },
    /// TLS cannot use the key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A coordinator that could not be reached.
#[derive(Debug)]
pub struct UnreachableCoordinator {
    /// Its URL.
    pub url: String,
    /// Why.
    pub error: ConnectError,
}

impl fmt::Display for UnreachableCoordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, in_one_line(&self.error))
    }
}

fn listed(tried: &[UnreachableCoordinator]) -> String {
    tried.iter().map(|one| format!("\n  {one}")).collect()
}

impl CommandError for CoordinatorsError {
    fn exit(&self) -> Exit {
        match self {
            CoordinatorsError::NotConfigured => Exit::Usage,
            CoordinatorsError::Unreachable { .. } | CoordinatorsError::Tls(_) => Exit::Failed,
        }
    }
}

impl Coordinators {
    /// Returns the `configured` coordinators, to be called by the holder of `key`.
    ///
    /// # Errors
    /// [`CoordinatorsError`] if there are none, or TLS cannot use the key.
    pub fn new(configured: Vec<Coordinator>, key: &SigningKey) -> Result<Coordinators, CoordinatorsError> {
        if configured.is_empty() {
            return Err(CoordinatorsError::NotConfigured);
        }
        Ok(Coordinators { configured, identity: TlsIdentity::new(key)? })
    }

    /// The coordinators, in the order in which they are tried.
    pub fn configured(&self) -> &[Coordinator] {
        &self.configured
    }

    /// Removes a coordinator. Returns false if it is the only one: then it stays.
    pub fn remove(&mut self, url: &str) -> bool {
        let has_others = self.configured.iter().any(|one| one.url != url);
        if has_others {
            self.configured.retain(|one| one.url != url);
        }
        has_others
    }

    /// Connects to the first coordinator that answers, in the order of the configuration, beginning with the one at
    /// `first` (counted on around the end).
    ///
    /// # Errors
    /// [`CoordinatorsError::Unreachable`] with what each of them failed with.
    pub async fn connect(&self, first: usize) -> Result<Connection, CoordinatorsError> {
        let mut tried = Vec::new();
        let count = self.configured.len();
        for coordinator in self.configured.iter().cycle().skip(first % count.max(1)).take(count) {
            match self.connect_to(coordinator).await {
                Ok(connection) => return Ok(connection),
                Err(error) => tried.push(UnreachableCoordinator { url: coordinator.url.clone(), error }),
            }
        }
        Err(CoordinatorsError::Unreachable { tried })
    }

    /// Connects to a coordinator whose connection broke.
    ///
    /// # Errors
    /// [`CoordinatorsError::Unreachable`] with what that failed with.
    pub async fn connect_again(&self, coordinator: &Coordinator) -> Result<Connection, CoordinatorsError> {
        self.connect_to(coordinator).await.map_err(|error| {
            let tried = vec![UnreachableCoordinator { url: coordinator.url.clone(), error }];
            CoordinatorsError::Unreachable { tried }
        })
    }

    /// Connects to one coordinator.
    ///
    /// # Errors
    /// [`ConnectError`] if it cannot be reached, is another server, or does not know the caller's key.
    pub async fn connect_to(&self, coordinator: &Coordinator) -> Result<Connection, ConnectError> {
        let key = coordinator.key.verifying_key().to_bytes();
        let service = channel::connect(&coordinator.url, key, &self.identity).await?;
        Ok(Connection::new(coordinator.clone(), service))
    }
}
