//! Limits of what a node may send and how long it may take, each with its reason.
//!
//! Canton's servers do not bound their answers, and its own clients take up to 128 MiB.

use std::time::Duration;

/// How long connecting may take, TLS included: four round trips across the world, and lost packets.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call may take that the node answers from memory.
pub const STATUS_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a call may take for which the node reads its database. A window of commitments with every member takes
/// seconds; a database that is being vacuumed takes longer.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the node may compute an export of its topology or traffic: minutes on MainNet.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// How long moving a participant may take. The participant retries inside of the call, so that a short deadline would cut
/// off an upgrade that is under way.
pub const MIGRATION_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The longest answer of a status call, in bytes: a node lists some hundred connected members.
pub const MAX_STATUS_LEN: usize = 4 << 20;

/// The longest answer about commitments, in bytes. One with 127 members for six hours of one-minute ticks has 7 MiB; a
/// window with a longer answer is asked for in parts.
pub const MAX_LOOKUP_LEN: usize = 32 << 20;

/// The longest answer with topology transactions, in bytes: some hours of MainNet's have a few MiB.
pub const MAX_TOPOLOGY_LEN: usize = 64 << 20;

/// The longest traffic state of a synchronizer, in bytes: some 100 bytes for each of 100,000 members.
pub const MAX_TRAFFIC_LEN: usize = 16 << 20;

/// The longest export of a synchronizer's topology, in bytes, over all of its chunks.
pub const MAX_EXPORT_LEN: usize = 1 << 30;

/// The longest file with a token, in bytes: HTTP servers refuse longer headers.
pub const MAX_TOKEN_LEN: u64 = 16 << 10;

/// The longest URL of a node, in bytes.
pub const MAX_URL_LEN: usize = 512;

/// Characters of a node's own words that an error quotes. The words of Canton's longest errors are cut after this.
pub(crate) const MAX_WORDS: usize = 400;

/// After how much silence the node is asked whether it is still there: shorter than the minute after which common load
/// balancers and firewalls forget a connection.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long the answer to that may take.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(20);
