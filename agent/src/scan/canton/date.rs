//! The dates that stand at the start of log lines.

use svdr_protocol::time::Timestamp;

use super::LineTime;

/// `2026-04-21 23:25:07,123`: what logback's `%date` prints.
const LOCAL_LEN: usize = 23;
/// `2026-04-21T23:25:07.123456789Z`: the longest point in time that is read.
const MAX_UTC_LEN: usize = 30;

/// The date at the start of `text`, and what follows it and a space.
pub(super) fn leading(text: &str) -> Option<(LineTime, &str)> {
    match text.as_bytes().get(10) {
        Some(b' ') => {
            let (date, rest) = text.split_at_checked(LOCAL_LEN)?;
            Some((LineTime::Local(local(date)?), rest.strip_prefix(' ')?))
        }
        Some(b'T') => {
            let end = text.bytes().take(MAX_UTC_LEN + 1).position(|byte| byte == b' ')?;
            let (date, rest) = text.split_at_checked(end)?;
            Some((LineTime::Utc(utc(date)?), rest.strip_prefix(' ')?))
        }
        _ => None,
    }
}

/// A point in time in RFC 3339 with `Z`; what is finer than a microsecond is dropped.
pub(super) fn utc(text: &str) -> Option<Timestamp> {
    Timestamp::parse_truncating(text).ok()
}

/// The form of logback: a space for the `T`, a comma or a point before the milliseconds, no zone.
fn local(date: &str) -> Option<Timestamp> {
    let mut bytes = [0; LOCAL_LEN + 1];
    let (copy, zone) = bytes.split_at_mut(LOCAL_LEN);
    copy.copy_from_slice(date.as_bytes());
    zone.fill(b'Z');
    match (bytes.get_mut(10), date.as_bytes().get(19)) {
        (Some(separator), Some(b',' | b'.')) => *separator = b'T',
        _ => return None,
    }
    if let Some(comma) = bytes.get_mut(19) {
        *comma = b'.';
    }
    utc(std::str::from_utf8(&bytes).ok()?)
}
