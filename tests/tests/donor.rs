//! Donated snapshots with the real programs: from a covered member's SV app to the dump of a member that is left behind.

#![allow(clippy::unwrap_used, missing_docs)]

mod session_support;

#[path = "donor/broken.rs"]
mod broken;
#[path = "donor/files.rs"]
mod files;
#[path = "donor/lies.rs"]
mod lies;
#[path = "donor/stage.rs"]
mod stage;
#[path = "donor/strangers.rs"]
mod strangers;
#[path = "donor/whole.rs"]
mod whole;
