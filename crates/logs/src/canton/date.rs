//! The dates at the start of log lines and in commitment periods.

use svdr_protocol::time::Timestamp;

use super::facts::LineTime;

/// `2026-04-21 23:25:07,123`: what logback's `%date` prints.
const LOCAL_LEN: usize = 23;
/// `2026-04-21T23:25:07.123456789+02:00`: the longest point in time that is parsed.
const MAX_UTC_LEN: usize = 35;
/// `+02:00`
const OFFSET_LEN: usize = 6;
const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
/// `2026-04-21T23:25:07`
const SECONDS_LEN: usize = 19;

/// Splits `text` into the date at its start and what follows the space behind that date.
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

/// Parses a point in time in RFC 3339 and drops what is finer than a microsecond. Kubelet writes an offset instead of
/// `Z` on a node that is not in UTC.
pub(crate) fn utc(text: &str) -> Option<Timestamp> {
    if text.ends_with('Z') {
        return usual(text).or_else(|| Timestamp::parse_truncating(text).ok());
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(OFFSET_LEN)?)?;
    let offset = offset_minutes(offset.as_bytes())? * MICROS_PER_MINUTE;
    let local = Timestamp::parse_truncating(&format!("{local}Z")).ok()?;
    Timestamp::from_micros(local.micros() - offset)
}

/// Parses `+hh:mm` or `-hh:mm` into minutes.
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

/// Parses logback's form: a space instead of the `T`, a comma or a point before the milliseconds, no zone.
fn local(date: &str) -> Option<Timestamp> {
    let (seconds, fraction) = date.as_bytes().split_first_chunk()?;
    let [b',' | b'.', millis @ ..] = fraction else { return None };
    at(seconds, b' ', millis)
}

/// Parses a point in time as periods contain it. None if it is finer than a microsecond, which no tick is.
pub(super) fn exact(text: &str) -> Option<Timestamp> {
    match text.len() == SECONDS_LEN + 1 {
        true => usual(text).or_else(|| text.parse().ok()),
        false => text.parse().ok(),
    }
}

/// Parses the usual form, in UTC with at most six digits of a fraction, several times faster than the general parser.
/// None means only that the general parser has to decide.
fn usual(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.as_bytes().split_first_chunk()?;
    match fraction {
        b"Z" => at(seconds, b'T', b""),
        [b'.', fraction @ .., b'Z'] if !fraction.is_empty() => at(seconds, b'T', fraction),
        _ => None,
    }
}

/// Returns the point in time of a date, a `separator`, a time of day and at most six digits of a fraction. Every digit
/// is checked. The calendar is the Gregorian one, also before its introduction.
fn at(text: &[u8; SECONDS_LEN], separator: u8, fraction: &[u8]) -> Option<Timestamp> {
    let &[y, yy, yyy, yyyy, b'-', m, mm, b'-', d, dd, t, h, hh, b':', n, nn, b':', s, ss] = text else {
        return None;
    };
    let digits = [y, yy, yyy, yyyy, m, mm, d, dd, h, hh, n, nn, s, ss];
    let all_digits = digits.iter().chain(fraction).all(u8::is_ascii_digit);
    if !all_digits || t != separator || fraction.len() > 6 {
        return None;
    }
    let number = |tens: u8, ones: u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
    let (year, month, day) = (number(y, yy) * 100 + number(yyy, yyyy), number(m, mm), number(d, dd));
    let (hour, minute, second) = (number(h, hh), number(n, nn), number(s, ss));
    if !(1..=days_in_month(year, month)?).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    let missing_digits = (0..6 - fraction.len()).map(|_| &b'0');
    let micros =
        fraction.iter().chain(missing_digits).fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Timestamp::from_micros(seconds * MICROS_PER_SECOND + micros)
}

fn days_in_month(year: i64, month: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => Some(if is_leap { 29 } else { 28 }),
        4 | 6 | 9 | 11 => Some(30),
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        _ => None,
    }
}

/// Returns the days from 1970-01-01 to a date. Years begin in March here, so that the leap day is the last day of a
/// year, and every five months from March have 153 days.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_day_there_is() {
        for year in 0..=10_000 {
            for month in 0..=13 {
                for day in [0, 1, 28, 29, 30, 31, 32] {
                    let text = format!("{year:04}-{month:02}-{day:02}T23:59:59Z");
                    assert_eq!(usual(&text), text.parse().ok(), "{text}");
                }
            }
        }
    }

    /// What the general parser reads in logback's form, once it is brought into its own.
    fn general_local(date: &str) -> Option<Timestamp> {
        let (day, time) = date.split_at_checked(10)?;
        let (time, millis) = time.strip_prefix(' ')?.split_at_checked(8)?;
        let millis = millis.strip_prefix([',', '.'])?;
        Timestamp::parse_truncating(&format!("{day}T{time}.{millis}Z")).ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn reads_what_the_general_parser_reads(
            micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros(),
            digits in 0usize..=9,
            at in any::<prop::sample::Index>(),
            with in prop::sample::select(b"0123456789-:TZ., +".to_vec()),
            point in prop::sample::select(vec![".", ",", ";"]),
        ) {
            let at_second = micros.div_euclid(MICROS_PER_SECOND) * MICROS_PER_SECOND;
            let seconds = Timestamp::from_micros(at_second.max(Timestamp::MIN.micros())).unwrap().to_string();
            let fraction = format!("{:06}789", micros.rem_euclid(MICROS_PER_SECOND));
            let mut text = match digits {
                0 => seconds,
                _ => format!("{}.{}Z", seconds.trim_end_matches('Z'), &fraction[..digits]),
            };
            for changed in [false, true] {
                if changed {
                    let at = at.index(text.len());
                    text.replace_range(at..=at, &char::from(with).to_string());
                }
                prop_assert_eq!(exact(&text), text.parse().ok(), "{}", text);
                if text.ends_with('Z') {
                    prop_assert_eq!(utc(&text), Timestamp::parse_truncating(&text).ok(), "{}", text);
                }
                // The same in logback's form.
                if let Some(date) = text.get(..LOCAL_LEN) {
                    for date in [date.to_owned(), date.replacen('T', " ", 1).replace('.', point)] {
                        prop_assert_eq!(local(&date), general_local(&date), "{}", date);
                    }
                }
            }
        }
    }
}
