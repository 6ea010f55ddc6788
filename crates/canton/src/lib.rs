//! Clients of the admin APIs of Canton's nodes: participant, sequencer and mediator.
//!
//! ```text
//! NodeSettings → Connection (TCP, TLS, token) → Participant, Sequencer, Mediator → typed answers, or a CallError
//! ```
//!
//! The schema in `proto` is our own, with Canton's packages, names and numbers, and only with the calls and fields that
//! svdr uses. What is unknown in an answer is skipped, as protobuf does. The code in `src/generated` is compiled from the
//! schema and committed; `tests/tests/commands/generated.rs` compares.
//!
//! A participant's admin port also exports keys and repairs contracts. Only the calls of this crate are ever made there,
//! and none of them but [`Participant::perform_manual_lsu`] changes anything. On a sequencer,
//! [`Sequencer::perform_sequencing_test`] and [`Sequencer::set_lsu_traffic_state`] change something.
//!
//! Every call has a deadline and a longest answer, named in [`limits`].

mod connection;
mod convert;
mod error;
pub mod limits;
mod mediator;
mod node;
mod participant;
mod reason;
mod secret;
mod sequencer;
mod settings;
mod topology;
mod trust;

pub use connection::{ConnectError, Connection};
pub use error::{CallError, OtherApi};
pub use mediator::{Mediator, MediatorState};
pub use node::{NodeState, WaitsFor};
pub use participant::{
    Answer, Connected, Participant, ParticipantState, Registered, RegisteredStatus, SequencerSuccessor,
    Window,
};
pub use reason::Reason;
pub use secret::SecretError;
pub use sequencer::{ReadPosition, Sequencer, SequencerState, TrafficTransfer};
pub use settings::{ClientCertificate, NodeSettings, NodeUrl, NodeUrlError};
pub use topology::{Announcement, NewestTopology};
pub use trust::TrustError;

/// The messages and services as they are on the wire.
#[allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    reason = "generated; the schema has the documentation"
)]
pub mod wire {
    include!("generated/packages.rs");
}
