//! `svdr-agent backup identities` against the SV app stand-in, with the real program, and what the other commands make
//! of the backup: in the clear, encrypted, and damaged.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bench;
mod faults;
mod killed;
mod made;
mod read;
#[path = "../session_support/mod.rs"]
mod session_support;
mod used;
