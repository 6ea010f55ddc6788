//! The point in time that `kubectl logs --timestamps` and `docker logs --timestamps` write before a line.

use super::layer::{Context, Inside, Show};
use crate::canton::{self, LineTime};

/// The longest point in time and a space: `2026-04-21T23:25:07.123456789+02:00 `.
const MAX_STAMP_LEN: usize = 36;

/// See [`super::layer::Open`].
pub(super) fn open(line: &[u8], context: &Context<'_>, show: Show<'_>) -> bool {
    if line.get(10) != Some(&b'T') {
        return false;
    }
    let Some(end) = line.iter().take(MAX_STAMP_LEN).position(|byte| *byte == b' ') else { return false };
    // In range: `end` is the place of a byte of the line.
    let (stamp, content) = (&line[..end], &line[end + 1..]);
    // Only a date or an object begins a line. Anything else belongs to the header whose date this is.
    if content.first() != Some(&b'{') && !canton::starts_with_date(content) {
        return false;
    }
    let Some(at) = std::str::from_utf8(stamp).ok().and_then(canton::utc) else { return false };
    show(Inside::Line(content), &Context { at: Some(LineTime::Utc(at)), ..*context });
    true
}
