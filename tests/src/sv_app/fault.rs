//! What can go wrong between an agent and its SV app, as values that a test puts into a queue.

use std::time::Duration;

/// How a request for a data snapshot, or for the identities, is answered instead of soundly. Each queued fault is used
/// up by one request. What a snapshot alone has, a timestamp or a migration id, cannot be wrong in identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No fault: lets one request through, between others.
    None,
    /// This status with `{"error": text}`.
    Status(u16, String),
    /// This status with this `Retry-After` and `{"error": "overloaded"}`.
    RetryAfter(u16, String),
    /// This status, content type and body.
    Answer(u16, String, String),
    /// 502 with a proxy's HTML page.
    HtmlBadGateway,
    /// 200 with a login page.
    HtmlLogin,
    /// 200 and `application/json`, but the body is none.
    Garbage,
    /// 302 to this address.
    Redirect(String),
    /// The connection is reset before the head of the answer.
    ResetBeforeHead,
    /// The connection is reset after the head, before the body.
    ResetAfterHead,
    /// The connection is reset after this many bytes of the body.
    ResetAt(u64),
    /// `Content-Length` is right, the body ends after this many bytes.
    Truncated(u64),
    /// Chunked, and the connection is closed after this many bytes, without the last chunk.
    TruncatedChunked(u64),
    /// Neither length nor chunks: the connection's end is the body's, and it comes in the middle of the document.
    CutDocument,
    /// The document is sent as gzip, soundly.
    Gzip,
    /// The document is sent as gzip whose stream ends in the middle; the framing is complete.
    TruncatedGzip,
    /// Every piece of this many bytes is followed by such a pause.
    Drip(usize, Duration),
    /// As [`Fault::Drip`], and nothing more is sent after this many bytes of the body.
    DripThenStall(usize, Duration, u64),
    /// Nothing is answered until the stand-in ends.
    StallBeforeHead,
    /// Nothing more is sent after this many bytes of the body, until the stand-in ends.
    StallAt(u64),
    /// The snapshot is one of another timestamp: this many microseconds later.
    WrongTimestamp(i64),
    /// The snapshot carries this migration id.
    WrongMigrationId(u64),
    /// A key stands twice in the document.
    DuplicateKey,
}
