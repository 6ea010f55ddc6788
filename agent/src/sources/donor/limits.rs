//! What a receiver grants a donor, each with its reason.

use std::time::Duration;

/// How long the donor may be silent in the middle of a transfer: it reads its own disk.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
