//! What a receiver grants a donor, each with its reason.

use std::time::Duration;

/// How long the donor may be silent in the middle of a transfer: it reads its own disk.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Chunks that have arrived and wait for the disk: enough to even out the two.
pub const CHUNKS_IN_FLIGHT: usize = 4;

/// Bytes read at once where a partial file is read again.
pub const READ_LEN: usize = 256 << 10;
