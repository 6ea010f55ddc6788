//! Where lines end: at a line break or at a NUL byte. A log that was truncated under its writer begins with a run of
//! NULs, and what follows them is a line of its own.

const SEPARATORS: [u8; 2] = [b'\n', 0];

/// Returns the place of the first separator in `data` at or after `from`.
pub(crate) fn next_separator(data: &[u8], from: usize) -> Option<usize> {
    let [line_break, nul] = SEPARATORS;
    memchr::memchr2(line_break, nul, data.get(from..)?).map(|at| from + at)
}

/// Returns the place of the last separator in `data`.
pub(crate) fn last_separator(data: &[u8]) -> Option<usize> {
    let [line_break, nul] = SEPARATORS;
    memchr::memrchr2(line_break, nul, data)
}

/// Returns where the line that contains the byte at `at`, or ends there, begins.
pub(crate) fn line_start(data: &[u8], at: usize) -> usize {
    // In range: `at` is a place in `data` or its end.
    last_separator(&data[..at]).map_or(0, |separator| separator + 1)
}

/// Returns how many line breaks are in `data`.
pub(crate) fn count_lines(data: &[u8]) -> u64 {
    bytecount::count(data, b'\n') as u64
}

/// Returns the lines of `data` that are not empty, with their places, without separators, from the one that starts at
/// `from`. Gigabytes of NULs, each of which ends a line, are skipped in runs.
pub(crate) fn lines_from(data: &[u8], from: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let mut next = from;
    std::iter::from_fn(move || {
        let start = next + data.get(next..)?.iter().position(is_text)?;
        let end = next_separator(data, start).unwrap_or(data.len());
        next = end + 1;
        // In range: `end` is a separator after `start`, or the end of the data.
        Some((start, &data[start..end]))
    })
}

/// Returns the lines of the last `near` bytes of `data` that are not empty, with their places, without separators, the
/// last one first. The first line of those bytes may be cut.
pub(crate) fn lines_backwards(data: &[u8], near: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let far = data.len().saturating_sub(near);
    // In range: at most the length of the data.
    let mut rest = &data[far..];
    std::iter::from_fn(move || {
        let end = rest.iter().rposition(is_text)? + 1;
        let start = line_start(rest, end);
        // In range: `start` is at or before `end`, which is at or before the end of the rest.
        let line = &rest[start..end];
        rest = &rest[..start];
        Some((far + start, line))
    })
}

fn is_text(byte: &u8) -> bool {
    !SEPARATORS.contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_separators_are_no_lines() {
        let mut log = vec![0; 100_000];
        log.extend_from_slice(b"one\n\0\0two\n\n");
        log.extend_from_slice(&[0; 1000]);
        let lines: Vec<(usize, &[u8])> = lines_from(&log, 0).collect();
        assert_eq!(lines, [(100_000, &b"one"[..]), (100_006, &b"two"[..])]);
        assert_eq!(lines_from(&log, log.len()).count(), 0);
        assert_eq!(lines_from(&log, log.len() + 1).count(), 0);
        assert_eq!(lines_from(&[0; 10], 0).count(), 0);
    }

    #[test]
    fn backwards_they_are_the_same_lines() {
        let log = b"\0\nfirst\n\n\0second\0third";
        let mut backwards: Vec<(usize, &[u8])> = lines_backwards(log, log.len()).collect();
        backwards.reverse();
        assert_eq!(backwards, lines_from(log, 0).collect::<Vec<_>>());
        assert_eq!(lines_backwards(log, 3).collect::<Vec<_>>(), [(log.len() - 3, &b"ird"[..])]);
        assert_eq!(lines_backwards(&[0; 10], 100).count(), 0);
    }
}
