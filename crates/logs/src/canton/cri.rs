//! The prefix that kubelet writes before every line of a container (CRI):
//! `2026-04-21T23:25:07.123456789Z stdout F `.
//!
//! The tag is `F` for a full line or the last piece of one, and `P` for a piece that the next line of the same
//! stream continues; further tags may follow behind a colon.

use svdr_protocol::time::Timestamp;

use super::date;

/// Which output of the container a line came from. The two interleave; a piece is continued by its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A line's prefix, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix<'a> {
    /// When kubelet read the line.
    pub at: Timestamp,
    /// From where.
    pub stream: Stream,
    /// Whether the next line of the stream continues this one.
    pub partial: bool,
    /// What the container wrote.
    pub content: &'a [u8],
}

/// Room for the longest point in time and `stdout P `; a tag list longer than what is left is not kubelet's.
const MAX_PREFIX_LEN: usize = 64;

/// The prefix of `line`, where it has one.
pub fn prefix(line: &[u8]) -> Option<Prefix<'_>> {
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
    // An empty line may have lost the space behind its tag.
    let after_tag = spaces.next().unwrap_or(line.len());
    let partial = match head.get(after_stream + 1..after_tag)? {
        [b'P'] | [b'P', b':', ..] => true,
        [b'F'] | [b'F', b':', ..] => false,
        _ => return None,
    };
    let at = date::utc(std::str::from_utf8(head.get(..after_time)?).ok()?)?;
    Some(Prefix { at, stream, partial, content: line.get(after_tag + 1..).unwrap_or_default() })
}
