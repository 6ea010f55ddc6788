//! Why a session cannot be read.

use std::path::PathBuf;

use svdr_client::{CallError, HistoryError, SessionError};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::statement::SessionId;

use crate::store::StoreError;

/// Why a session cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{url} contradicts what it signed itself; its receipts in {} prove it", proof.display())]
    History {
        url: String,
        proof: PathBuf,
        #[source]
        source: HistoryError,
    },
    #[error(
        "neither {url} nor this agent's store has a statement of session {session}\n\
         help: compare the session's id, and the fingerprint of your roster, with the other members'"
    )]
    Unknown { session: SessionId, url: String },
}

impl From<CallError> for ReplicaError {
    fn from(error: CallError) -> ReplicaError {
        ReplicaError::Session(error.into())
    }
}

impl ReplicaError {
    /// Whether it is about what a coordinator said or did, so that another one may do better.
    pub fn is_of_coordinator(&self) -> bool {
        matches!(self, ReplicaError::Session(SessionError::Call(_)) | ReplicaError::History { .. })
    }

    /// The URL of the coordinator that is at fault in a way that another try does not mend.
    pub fn coordinator_at_fault(&self) -> Option<&str> {
        match self {
            ReplicaError::History { url, .. } => Some(url),
            ReplicaError::Session(SessionError::Call(call)) if call.is_fault() => Some(call.url()),
            _ => None,
        }
    }
}

impl CommandError for ReplicaError {
    fn exit(&self) -> Exit {
        match self {
            ReplicaError::Session(error) => error.exit(),
            ReplicaError::Store(error) => error.exit(),
            ReplicaError::History { .. } => Exit::Refused,
            ReplicaError::Unknown { .. } => Exit::Failed,
        }
    }
}
