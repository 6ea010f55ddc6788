//! What the donor's endpoint grants at most, each with its reason.
//!
//! Those who connect are members of the roster, and may still be broken, slow, or in a stranger's hands.

use std::time::Duration;

/// Transfers at once: each reads the disk and encrypts at up to the speed of a processor, and this node has its own
/// recovery to do.
pub const MAX_TRANSFERS: usize = 8;

/// Of those, one member's: the one that it needs, and one that it has stopped and that has not been noticed yet.
pub const MAX_TRANSFERS_PER_MEMBER: usize = 2;

/// Connections of one member at once: one for each of its transfers, and as many that are about to end.
pub const MAX_CONNECTIONS_PER_MEMBER: usize = 4;

/// Calls on one connection at once: a receiver makes one.
pub const MAX_CALLS_PER_CONNECTION: u32 = 4;

/// The longest request, in bytes: an id, a digest and a number.
pub const MAX_REQUEST_LEN: usize = 1024;

/// Chunks that have been read from the disk and wait for the network: enough to even out the two.
pub const CHUNKS_IN_FLIGHT: usize = 4;

/// How long a receiver may take for one chunk of 240 KiB before its transfer is stopped: a line of 64 kbit/s takes half
/// of that, and a snapshot over it a month.
pub const SLOW_READER: Duration = Duration::from_secs(60);

/// How long open transfers may take to end when the donor is stopped: their receivers continue later, where they were.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);
