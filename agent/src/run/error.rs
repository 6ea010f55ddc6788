//! Why a run ends without having done its part.

use svdr_client::{CallError, CoordinatorsError};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::statement::SessionId;

use super::courier::CourierError;
use crate::evidence::GatherError;
use crate::replica::ReplicaError;
use crate::store::StoreError;

/// Why a run ends without having done its part.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The coordinators.
    #[error(transparent)]
    Coordinators(#[from] CoordinatorsError),
    /// One of them.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The session.
    #[error(transparent)]
    Replica(ReplicaError),
    /// A source of the evidence is not this member's, or not its alone.
    #[error(transparent)]
    Evidence(Box<GatherError>),
    /// A drill where none is wanted, or the other way round.
    #[error(
        "session {session} is {}, but this agent was started for {}; {}",
        if *drill { "a drill" } else { "no drill" },
        if *drill { "a real session" } else { "drills" },
        if *drill { "run it with --drill to take part" } else { "run it without --drill to take part" }
    )]
    Drill {
        /// The session.
        session: SessionId,
        /// Whether it is a drill.
        drill: bool,
    },
    /// What carries the statements has stopped.
    #[error(
        "the task that talks to the coordinators has died; run this again, and report it if it happens again"
    )]
    Courier,
}

impl From<CourierError> for RunError {
    fn from(error: CourierError) -> RunError {
        match error {
            CourierError::Coordinators(error) => RunError::Coordinators(error),
            CourierError::Replica(error) => error.into(),
        }
    }
}

impl CommandError for RunError {
    fn exit(&self) -> Exit {
        match self {
            RunError::Store(error) => error.exit(),
            RunError::Coordinators(error) => error.exit(),
            RunError::Call(error) => error.exit(),
            RunError::Replica(error) => error.exit(),
            RunError::Evidence(error) => error.exit(),
            RunError::Drill { .. } => Exit::Refused,
            RunError::Courier => Exit::Failed,
        }
    }
}
