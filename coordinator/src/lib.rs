//! The bulletin board that a recovery's members meet at: what `svdr-coordinator` does, as a library.
//!
//! It orders signed statements, keeps them in a journal and sends them to whoever asks. It has no authority: members
//! check everything that it says against each other's signatures. `server` and `service` are the wire, `board` owns the
//! sessions, `journal` keeps them, `commands` is the command line.

// A program, not a library for others: an item has documentation where its name does not say everything.
#![allow(missing_docs)]

pub mod board;
pub mod clients;
pub mod clock;
pub mod commands;
#[cfg(test)]
mod fixture;
pub mod incoming;
pub mod journal;
pub mod limits;
pub mod metrics;
pub mod proposer;
pub mod publish;
pub mod recover;
pub mod refusal;
pub mod server;
pub mod service;
pub mod status;
pub mod version;
