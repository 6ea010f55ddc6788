//! Flags that several commands share.

pub(crate) mod delivery;
pub(crate) mod donor;
pub(crate) mod input;
pub(crate) mod node_identities;
pub(crate) mod participant;
pub(crate) mod sv_app;
