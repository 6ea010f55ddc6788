//! What anybody needs to talk to coordinators: the agent, and the session commands of `svdr-coordinator`.
//!
//! ```text
//! Coordinators ──► Connection ──► TranscriptPage, Watch, SubmitStream     what one coordinator sends, taken apart
//!                                        │
//!                                        ▼
//!                                     History        its receipts: one chain, no gaps, no contradictions
//!                                        │
//!                                        ▼
//!                                    Admission       which of its statements count
//!                                        │
//!                                        ▼
//!                       SessionReader (or the agent's replica)    the session that follows
//! ```
//!
//! In the other direction, [`hand_on`] says what of that a coordinator lacks and is handed.
//!
//! A coordinator is not trusted. Nothing of what it sends counts before [`History`] and [`Admission`] have looked at
//! it, and everything has a limit in [`limits`]: a coordinator that lies can be a nuisance, and nothing more.

mod admission;
mod connection;
mod coordinator;
mod coordinators;
mod error;
pub mod hand_on;
mod history;
pub mod limits;
mod reader;
pub mod retry;
mod submitting;

pub use admission::{Admission, Verdict, check_invalid};
pub use connection::{Connection, TranscriptPage, Watch, WatchEvent};
pub use coordinator::Coordinator;
pub use coordinators::{Coordinators, CoordinatorsError, UnreachableCoordinator};
pub use error::{CallError, CallKind};
pub use history::{History, HistoryError, ReceivedEntry};
pub use reader::{SessionError, SessionReader, completion_certificate};
pub use submitting::{SubmitStream, Submitted};
