//! What a part of a log contained.

use super::separators::{lines_backwards, lines_from};
use crate::canton::{Line, LineTime, Message};
use crate::limits::MAX_LINE_BYTES;
use crate::line;

/// What a part of a log contained.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Bytes read, as they are on the disk.
    pub(crate) bytes: u64,
    /// Line breaks, and one more if the log's last line has none.
    pub(crate) lines: u64,
    /// The processor's messages. A split line may precede lines that came between its pieces.
    pub(crate) messages: Vec<Message>,
    /// Lines that contain a searched phrase in no readable form.
    pub(crate) unreadable: u64,
    /// Those of them that are longer than [`MAX_LINE_BYTES`].
    pub(crate) overlong: u64,
    /// The time of the first line that has one.
    pub(crate) first: Option<LineTime>,
    /// The time of the last line that has one.
    pub(crate) last: Option<LineTime>,
}

/// Reads one line, or one element of an array, that contains a phrase.
pub(crate) fn judge(line: &[u8], found: &mut Found) {
    if line.len() > MAX_LINE_BYTES {
        return count_overlong(true, found);
    }
    match line::read(line) {
        Line::Ours(message) => found.messages.push(message),
        Line::Foreign => {}
        Line::Unreadable => found.unreadable += 1,
    }
}

/// Counts a line that is too long to be read. It matters only if it contains a phrase.
pub(crate) fn count_overlong(phrase: bool, found: &mut Found) {
    if phrase {
        found.overlong += 1;
        found.unreadable += 1;
    }
}

/// Returns the time of the first line of `data` that has one.
pub(crate) fn first_time(data: &[u8]) -> Option<LineTime> {
    lines_from(data, 0).find_map(|(_, line)| line::time(line))
}

/// Returns the time of the last line of `data` that has one.
pub(crate) fn last_time(data: &[u8]) -> Option<LineTime> {
    lines_backwards(data, data.len()).find_map(|(_, line)| line::time(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_after_and_before_nuls() {
        let line = b"2026-04-21 23:25:07,123 [t] INFO  c.d.Other - x";
        let mut log = vec![0; 1000];
        log.extend_from_slice(line);
        assert!(last_time(&log).is_some() && last_time(&log) == first_time(&log));
        log.extend_from_slice(&[0; 1000]);
        log.extend_from_slice(b"no time\n");
        assert!(last_time(&log).is_some() && last_time(&log) == first_time(&log));
        assert_eq!((first_time(&[0; 9]), last_time(&[0; 9]), last_time(b"")), (None, None, None));
    }
}
