//! Flags that several commands share.

pub mod donor;
pub mod node_identities;
pub mod sv_app;
