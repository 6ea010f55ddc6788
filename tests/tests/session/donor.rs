//! Donated snapshots with the real programs: from a covered member's SV app to the dump of a member that is left behind.

mod broken;
mod files;
mod lies;
mod stage;
mod strangers;
mod whole;
