//! The prefix that kubelet writes before every line of a container (CRI): `2026-04-21T23:25:07.123456789Z stdout F `.
//!
//! The tag is `F` for a full line or the last piece of one, and `P` for a piece that the next line of the same stream
//! continues. Further tags may follow after a colon.

use svdr_protocol::time::Timestamp;

use super::layer::{Context, Inside, Show};
use crate::canton::{self, LineTime};

/// One of a container's outputs. The two interleave; a piece is continued by its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A line's prefix, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix<'a> {
    /// When kubelet read the line.
    pub(crate) at: Timestamp,
    /// The output that the line came from.
    pub(crate) stream: Stream,
    /// Whether the next line of the stream continues this one.
    pub(crate) partial: bool,
    /// The container's own text.
    pub(crate) content: &'a [u8],
}

/// Room for the longest point in time and `stdout P `. A list of tags that is longer than the rest is not kubelet's.
const MAX_PREFIX_LEN: usize = 64;

/// See [`super::layer::Open`].
pub(super) fn open(line: &[u8], context: &Context<'_>, show: Show<'_>) -> bool {
    let Some(prefix) = prefix(line) else { return false };
    show(Inside::Line(prefix.content), &Context { at: Some(LineTime::Utc(prefix.at)), ..*context });
    true
}

/// Parses the prefix of `line`.
pub(crate) fn prefix(line: &[u8]) -> Option<Prefix<'_>> {
    // Most lines of other forms end here, at the cost of one comparison.
    if line.get(10) != Some(&b'T') {
        return None;
    }
    let head = line.get(..MAX_PREFIX_LEN).unwrap_or(line);
    let mut spaces = memchr::memchr_iter(b' ', head);
    let (after_time, after_stream) = (spaces.next()?, spaces.next()?);
    let stream = match head.get(after_time + 1..after_stream)? {
        b"stdout" => Stream::Out,
        b"stderr" => Stream::Err,
        _ => return None,
    };
    // An empty line may have lost the space after its tag.
    let after_tag = spaces.next().unwrap_or(line.len());
    let partial = match head.get(after_stream + 1..after_tag)? {
        [b'P'] | [b'P', b':', ..] => true,
        [b'F'] | [b'F', b':', ..] => false,
        _ => return None,
    };
    let at = canton::utc(std::str::from_utf8(head.get(..after_time)?).ok()?)?;
    // In range: `after_tag` is a space's place in the line, or its end.
    let content = line[after_tag..].strip_prefix(b" ").unwrap_or_default();
    Some(Prefix { at, stream, partial, content })
}
