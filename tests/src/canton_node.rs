//! Stand-ins for the admin APIs of Canton's nodes, over real gRPC, on a free port of the loopback interface: in plaintext,
//! with TLS, or with TLS and a client certificate, and with a bearer token.
//!
//! They are built from the description of the APIs alone, not from the client, and answer from their own thread until they
//! are dropped. A stand-in can die and come back on the same port.

pub mod participant;
pub mod sequencer;
mod serving;
mod times;
mod tls;

pub use participant::{ParticipantNode, Period, State};
pub use sequencer::{SequencerNode, Traffic};
pub use serving::{Fault, NodeOptions, NodeStandIn, StartError};
pub use tls::{NodeFiles, NodeTls};
