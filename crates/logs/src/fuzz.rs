//! The body of a fuzz target, and its halves: arbitrary bytes as a line and as a whole log.

use crate::canton::{CHECKING_NEEDLE, MATCH_NEEDLE, MISMATCH_NEEDLE};
use crate::feed::StreamReader;
use crate::line;
use crate::lines::{Found, Needles};

/// Takes `FIRST SECOND LOG`, reads the log in parts of `FIRST` and of `SECOND` bytes, and each of its lines alone.
///
/// # Panics
/// If the result depends on the parts.
pub fn any_log(input: &[u8]) {
    let [first, second, bytes @ ..] = input else { return };
    log(bytes, usize::from(*first), usize::from(*second));
    bytes.split(|byte| matches!(byte, b'\n' | 0)).for_each(line);
}

/// Reads `line` in every way there is. Nothing may panic.
pub fn line(line: &[u8]) {
    let _ = (line::read(line), line::time(line), line::origin(line));
}

/// Reads `log` in parts of `first` bytes, as of `second`; both must find the same.
///
/// # Panics
/// If they do not, or if the literals cannot be compiled.
#[allow(clippy::expect_used, reason = "a fuzz target reports by panicking")]
pub fn log(log: &[u8], first: usize, second: usize) {
    let needles =
        Needles::new(&[MATCH_NEEDLE, MISMATCH_NEEDLE, CHECKING_NEEDLE]).expect("three short literals");
    assert_eq!(
        read(log, first, &needles),
        read(log, second, &needles),
        "parts of {first} and of {second} bytes"
    );
}

fn read(log: &[u8], part: usize, needles: &Needles) -> Found {
    let mut reader = StreamReader::new(needles);
    let mut all = Found::default();
    let mut add = |mut found: Found| {
        all.lines += found.lines;
        all.unreadable += found.unreadable;
        all.overlong += found.overlong;
        all.messages.append(&mut found.messages);
        all.first = all.first.or(found.first);
        all.last = found.last.or(all.last);
    };
    for part in log.chunks(part.max(1)) {
        let mut found = Found::default();
        reader.read(part, &mut found);
        add(found);
    }
    let mut found = Found::default();
    reader.finish(&mut found);
    add(found);
    all.messages.sort_by_cached_key(|message| format!("{message:?}"));
    all
}
