//! What the integration tests and the drill share: the binaries, members with keys, and stand-ins for the world
//! around an agent.

pub mod agents;
pub mod binaries;
pub mod canton_node;
pub mod capacity;
pub mod completed;
pub mod coordinator;
pub mod distance;
pub mod donor_liar;
pub mod drill;
pub mod liar;
pub mod log_writer;
pub mod members;
pub mod network;
pub mod relay;
pub mod skip;
pub mod sv_app;
pub mod town;
pub mod transfer;
