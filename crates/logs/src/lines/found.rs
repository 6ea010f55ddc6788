//! What a part of a log contained.

use crate::canton::{LineTime, Message};

/// What a part of a log contained.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Bytes read, as they are on the disk.
    pub(crate) bytes: u64,
    /// Line breaks, and one more if the log's last line has none.
    pub(crate) lines: u64,
    /// Statements about commitments. A split line may precede lines that came between its pieces.
    pub(crate) messages: Vec<Message>,
    /// Lines that contain a searched phrase in no readable form.
    pub(crate) unreadable: u64,
    /// Those of them that are longer than [`crate::limits::MAX_LINE_BYTES`].
    pub(crate) overlong: u64,
    /// Whether a searched phrase is there in UTF-16, although the log is not.
    pub(crate) has_utf16: bool,
    /// Whether one of the lines is a participant's.
    pub(crate) is_recognised: bool,
    /// The time of the first line that has one.
    pub(crate) first: Option<LineTime>,
    /// The time of the last line that has one.
    pub(crate) last: Option<LineTime>,
}

/// Counts a line that is too long to be read. It matters only if it contains a phrase.
pub(crate) fn count_overlong(phrase: bool, found: &mut Found) {
    if phrase {
        found.overlong += 1;
        found.unreadable += 1;
    }
}
