//! What every command of an operator does: look at the session, decide, sign.

pub mod decide;
pub(crate) mod dump_summary;
pub mod online;
pub(crate) mod outside;
pub(crate) mod signer;
