//! Limits of the wire that both of its ends keep, each with its reason.
//!
//! A server refuses what goes beyond them; a client never sends it, and refuses it from a server that lies.

use std::time::Duration;

/// The longest message, in bytes. A statement has up to 4 MiB; its type, key, signature, receipt and framing
/// take less than 64 KiB more.
pub const MAX_MESSAGE_LEN: usize = (4 << 20) + (64 << 10);

/// The longest completion certificate that is sent in one message, in bytes: 128 attestations that name 500 DARs each
/// take 8 MiB. A client takes so much for that call alone.
pub const MAX_CERTIFICATE_LEN: usize = 16 << 20;

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

/// How long it waits for the answer before it gives the connection up.
pub const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a watch says that it is alive while there is nothing new. A client that hears nothing for three
/// times as long can take the stream for broken.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
