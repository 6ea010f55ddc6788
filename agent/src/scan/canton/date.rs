//! The dates that stand at the start of log lines.

use svdr_protocol::time::Timestamp;

use super::{LineTime, header};

/// `2026-04-21 23:25:07,123`: what logback's `%date` prints.
const LOCAL_LEN: usize = 23;
/// `2026-04-21T23:25:07.123456789+02:00`: the longest point in time that is read.
const MAX_UTC_LEN: usize = 35;
/// `+02:00`
const OFFSET_LEN: usize = 6;
const MICROS_PER_MINUTE: i64 = 60 * 1_000_000;

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

/// The point in time that `kubectl logs --timestamps` and `docker logs --timestamps` put before `line`, and the line.
/// Only a date of its own or an object goes on behind it; anything else is a header's.
pub(super) fn stamp(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    if line.get(10) != Some(&b'T') {
        return None;
    }
    let end = line.iter().take(MAX_UTC_LEN + 1).position(|byte| *byte == b' ')?;
    let (date, content) = (line.get(..end)?, line.get(end + 1..)?);
    let starts_a_line = content.first() == Some(&b'{')
        || std::str::from_utf8(header::cut(content)).ok().and_then(leading).is_some();
    if !starts_a_line {
        return None;
    }
    Some((utc(std::str::from_utf8(date).ok()?)?, content))
}

/// A point in time in RFC 3339, with `Z` or, as kubelet writes it on a node that is not in UTC, with an offset; what
/// is finer than a microsecond is dropped.
pub(super) fn utc(text: &str) -> Option<Timestamp> {
    if text.ends_with('Z') {
        return Timestamp::parse_truncating(text).ok();
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(OFFSET_LEN)?)?;
    let offset = offset_minutes(offset.as_bytes())? * MICROS_PER_MINUTE;
    let local = Timestamp::parse_truncating(&format!("{local}Z")).ok()?;
    Timestamp::from_micros(local.micros() - offset)
}

/// `+hh:mm`, or `-hh:mm` where the clocks show less than UTC.
fn offset_minutes(text: &[u8]) -> Option<i64> {
    let &[sign, h, hh, b':', m, mm] = text else { return None };
    let number = |tens: u8, ones: u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let minutes = number(h, hh)? * 60 + number(m, mm).filter(|minutes| *minutes < 60)?;
    match sign {
        b'+' => Some(minutes),
        b'-' => Some(-minutes),
        _ => None,
    }
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
