//! Why a session cannot be looked at.

use std::path::PathBuf;

use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::session::NotAccepted;
use svdr_protocol::statement::{SessionId, StatementError};

use crate::link::{CallError, HistoryError};
use crate::store::StoreError;

/// Why a session cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The coordinator contradicts itself.
    #[error("the coordinator {url} is refused, and its receipts are kept in {} as the proof", proof.display())]
    History {
        /// The coordinator.
        url: String,
        /// Where its receipts are kept.
        proof: PathBuf,
        /// How it contradicts itself.
        #[source]
        source: HistoryError,
    },
    /// Its opening is refused.
    #[error(
        "session {session} is refused, because its opening does not hold here; compare the fingerprint of the \
         roster with the others', and do not join before it is the same"
    )]
    Opening {
        /// The session.
        session: SessionId,
        /// What is wrong with it.
        #[source]
        source: Box<StatementError>,
    },
    /// It is not opened.
    #[error(transparent)]
    NotAccepted(#[from] NotAccepted),
    /// There is no such session.
    #[error(
        "neither {url} nor this agent's store knows session {session}; compare the id with that of the others, and \
         the fingerprint of the roster"
    )]
    NotThere {
        /// The session.
        session: SessionId,
        /// The coordinator.
        url: String,
    },
}

impl CommandError for ViewError {
    fn exit(&self) -> Exit {
        match self {
            ViewError::Call(error) => error.exit(),
            ViewError::Store(error) => error.exit(),
            ViewError::History { .. } | ViewError::Opening { .. } | ViewError::NotAccepted(_) => {
                Exit::Refused
            }
            ViewError::NotThere { .. } => Exit::Failed,
        }
    }
}
