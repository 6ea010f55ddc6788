//! Receives another SV's snapshot, from the donor's agent or from a file, for a member whose own SV app cannot make one.
//!
//! 1. [`transfer()`] brings the bytes into a partial file, from where an earlier try stopped.
//! 2. [`inspect`] reads the whole: is it what the donation says, by size and digest, and the SV app's answer that it has
//!    to be: JSON, timestamp, migration id, payloads, each part's digest, and no identities? Only then anything is merged.
//! 3. [`merge`] makes the dump of it, with this member's own identities, and compares the parts again.
//!
//! The donor is not trusted: wrong bytes, more bytes, fewer bytes or another snapshot than the signed one end it with an
//! error that names the donor, and nothing that looks finished is kept.

mod allocator;
mod error;
pub mod limits;
mod merging;
mod partial;
mod transfer;

pub use error::{Lie, ReceiveError, TransferError};
pub use merging::{inspect, merge};
pub use partial::{Partial, name as partial_name, remove_others};
pub use transfer::{DonorSource, transfer};
