//! Limits on everything that a client controls, each with its reason. Those that clients keep as well, of the wire and of
//! what one member may submit, are in [`svdr_proto::limits`].

use std::time::Duration;

/// Sessions of one coordinator: a network that has a recovery a day, and drills, has enough for half a year.
pub const MAX_SESSIONS: usize = 512;

/// Places that are reserved for each convener, as far as there are enough: a convener that opens sessions without end
/// cannot prevent another one from opening one.
pub const KEPT_SESSIONS: usize = 16;

/// Connections of one client at once: an agent has one, a person with `session watch` and a dashboard a few more.
pub const MAX_CONNECTIONS_PER_CLIENT: usize = 8;

/// Streams of one client at once: four of each connection.
pub const MAX_STREAMS_PER_CLIENT: usize = 32;

/// Calls on one connection at once.
pub const MAX_CALLS_PER_CONNECTION: u32 = 64;

/// Calls of one client in a second, in the long run: hundreds of times what an agent needs.
pub const CALLS_PER_SECOND: u32 = 500;

/// Calls that one client may save up: a member that submits everything that it has to a new coordinator.
pub const CALL_BURST: u32 = 2000;

/// Statements of one stream that wait for their answers; more are not read. Sixteen such streams fill one flush, so
/// that one alone does not keep the others waiting.
pub const MAX_UNANSWERED: usize = 64;

/// Bytes of one client's statements that wait for their answers on its streams; more are not read. Four of the longest.
pub const MAX_UNANSWERED_BYTES: usize = 16 << 20;

/// Statements that wait for the journal's flush. A flush takes some milliseconds. Further statements can wait in the
/// clients' connections as well.
pub const MAX_WAITING: usize = 1024;

/// Bytes of a payload that is checked by the thread that received it: everything but evidence, and proofs in
/// agreements. Hashing so many takes less than the signature.
pub const CHECKED_AT_ONCE: usize = 16 << 10;

/// Bytes that are written with one flush; a flush with more would delay the small statements behind it.
pub const MAX_BATCH_BYTES: usize = 16 << 20;

/// Questions to the board that wait: it answers thousands in a second.
pub const MAX_QUESTIONS: usize = 1024;

/// Entries of a transcript that are handed to a stream at once.
pub const PAGE_ENTRIES: usize = 64;

/// Entries that wait in a stream for the client to take them.
pub const STREAM_BUFFER: usize = 4;

/// How long a client of a stream may take for one entry before it is dropped: the longest statement at 1 Mbit/s
/// takes 35 s.
pub const SLOW_WATCHER: Duration = Duration::from_secs(60);

/// Connections to the page of metrics at once: a scraper has one.
pub const MAX_METRICS_CONNECTIONS: usize = 16;

/// How long a request for the metrics may take.
pub const METRICS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long open calls may take to end when the coordinator stops.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
