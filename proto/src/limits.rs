//! Limits of the wire that both of its ends keep, each with its reason.
//!
//! A server refuses what exceeds them. A client never sends it, and refuses it from a lying server.

use std::time::Duration;

/// The longest message, in bytes. A statement has up to 4 MiB; its type, key, signature, receipt and framing
/// take less than 64 KiB more.
pub const MAX_MESSAGE_LEN: usize = (4 << 20) + (64 << 10);

/// The longest completion certificate that is sent in one message, in bytes: 128 attestations that name 500 DARs each
/// take 8 MiB. A client takes so much for that call alone.
pub const MAX_CERTIFICATE_LEN: usize = 16 << 20;

/// Statements of one member in one session. An honest member signs a few dozen; an agent that reports evidence anew every
/// minute for two days, 2,880.
pub const MAX_STATEMENTS_PER_MEMBER: u64 = 4096;

/// Bytes of one member's statements in one session. An evidence has a fifth of a MiB if logs are as they should be, and
/// four at most; they are kept in memory, so that 128 members that all go to the limit take 2 GiB.
pub const MAX_BYTES_PER_MEMBER: u64 = 16 << 20;

/// Proposals of other coordinators that one member may hand on in one session: as many as there are rounds in a session
/// that goes badly. Their keys are in no roster, so that it is the member that answers for them.
pub const MAX_FOREIGN_PROPOSALS_PER_MEMBER: u64 = 64;

/// The longest list of HTTP/2 headers, in bytes: gRPC sends a dozen short ones.
pub const MAX_HEADER_LIST_LEN: u32 = 16 << 10;

/// How long connecting may take, from the first TCP packet to the server's first byte after the handshake. A
/// round trip across the world takes 0.3 s, and there are four.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call that answers once may take. The longest statement, at 1 Mbit/s, takes 35 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// After how much silence an end asks the other whether it is still there: shorter than the minute after which
/// common load balancers and firewalls forget a connection.
pub const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long it waits for the answer before it closes the connection.
pub const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a watch says that it is alive while there is nothing new. A client that hears nothing for three
/// times as long can take the stream for broken.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Connections that are still in their handshake, each with some 20 kB of memory. A flood of a thousand connections in a
/// second, each from another address, leaves a handshake of 0.35 s seven chances in ten.
pub const MAX_HANDSHAKES: usize = 1024;

/// The same if the process may open only a few files.
pub const MIN_HANDSHAKES: usize = 8;

/// How long a handshake may take: four round trips around the world, and a lost packet.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an accept loop rests when the system has no file or memory left for another connection.
pub const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Bytes of a donated snapshot in one message, which fills two frames with its 9 bytes of framing: large against the work
/// that each message makes, small against the memory of a transfer.
pub const SNAPSHOT_CHUNK_LEN: usize = 2 * TRANSFER_FRAME_LEN as usize - 9;

/// The longest message of a transfer: a chunk and its framing.
pub const MAX_SNAPSHOT_MESSAGE_LEN: usize = SNAPSHOT_CHUNK_LEN + 1024;

/// Bytes of a transfer that may be under way at once: 200 ms of a line of 150 Mbit/s around the world, and what the
/// receiver holds at most of a donor that sends faster than its disk writes.
pub const TRANSFER_WINDOW: u32 = 4 << 20;

/// Bytes of a transfer in one HTTP/2 frame: few heads, and with them one read of [`TRANSFER_READ_LEN`].
pub const TRANSFER_FRAME_LEN: u32 = 120 << 10;

/// Bytes that the sending end of a transfer encrypts before it writes them to its socket at once: a whole frame. Each write
/// wakes the receiver, and costs more than the bytes in it.
pub const TRANSFER_WRITE_LEN: usize = 256 << 10;

/// The same for connections with small messages: the default of the TLS library.
pub const WRITE_LEN: usize = 64 << 10;

/// Bytes that the receiving end of a transfer reads from its socket at once. The TLS library itself reads 4 kB at a
/// time, which would make a system call of each.
pub const TRANSFER_READ_LEN: usize = 128 << 10;
