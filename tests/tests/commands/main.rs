//! What one node's operator runs, with the real program: the golden cases, logs and merges offline, and what fetches
//! from an app's stand-in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backup;
mod canton;
mod cases;
mod dump;
mod evidence;
mod fixtures;
mod generated;
mod inputs;
mod merge;
mod participant;
mod texts;
mod trigger;
mod validator;
