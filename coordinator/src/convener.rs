//! What conveners and members do with sessions from the command line, as clients of a coordinator.
//!
//! Nothing that a coordinator says is shown before it has been checked: the transcript's signatures, its chain
//! and its receipts are verified, and the state is computed here.

pub mod client;
pub mod config;
