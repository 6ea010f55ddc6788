//! The rules of svdr, as pure functions: no clock, no file, no socket, no randomness.
//!
//! Everything that decides something about a recovery lives here, so that the agent, the coordinator and an
//! auditor run the same code on the same bytes and come to the same answer.

pub mod certificate;
pub mod clique;
pub mod digest;
pub mod dsse;
pub mod equivocation;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod errors;
pub mod evidence;
pub mod failure;
#[cfg(test)]
pub(crate) mod fixture;
#[doc(hidden)]
pub mod fuzz;
pub mod keys;
pub mod milestone;
pub mod names;
pub mod proposal;
pub mod receipt;
pub mod roster;
pub mod session;
pub mod span;
pub mod statement;
pub mod text;
pub mod time;
pub mod transcript;
pub mod vote;
