//! The dates at the start of log lines and in commitment periods.

use svdr_protocol::time::Timestamp;

use super::facts::LineTime;

/// `2026-04-21 23:25:07,123`: what logback's `%date` prints.
const LOCAL_LEN: usize = 23;
/// `2026-04-21T23:25:07.123456789+02:00`: the longest point in time that is parsed.
const MAX_UTC_LEN: usize = 35;
/// `2026-04-21`
const DAY_LEN: usize = 10;
/// `2026-04-21 23:25:07.123456789 +02:00`: the longest that is parsed in the forms of other tools.
const MAX_TOLERANT_LEN: usize = 40;
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
/// `Z` on a node that is not in UTC. Tools also write a space instead of the `T`, a comma before the fraction, an offset
/// without its colon or its minutes, or a space and `UTC`.
pub(crate) fn utc(text: &str) -> Option<Timestamp> {
    if text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T') {
        return usual(text).or_else(|| Timestamp::parse_truncating(text).ok());
    }
    if text.len() > MAX_TOLERANT_LEN {
        return None;
    }
    let (day, rest) = text.split_at_checked(DAY_LEN)?;
    let rest = rest.strip_prefix(['T', ' '])?;
    let (time, zone) = rest.split_at_checked(rest.find(['Z', '+', '-', ' '])?)?;
    let offset = match zone.trim_start_matches(' ') {
        "Z" | "UTC" | "GMT" => 0,
        zone => offset_minutes(zone.as_bytes())? * MICROS_PER_MINUTE,
    };
    let local = Timestamp::parse_truncating(&format!("{day}T{}Z", time.replace(',', "."))).ok()?;
    Timestamp::from_micros(local.micros() - offset)
}

/// Returns the point in time of a number since 1970, whose size shows its unit: seconds, or a thousandth, a millionth or
/// a billionth of them. Digits and a fraction.
pub(crate) fn epoch(number: &str) -> Option<Timestamp> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let micros = match whole.len() {
        9 | 10 => {
            // Digits beyond the sixth are finer than a microsecond; a fraction is only of seconds.
            let micros: i64 = format!("{fraction:0<6.6}").parse().ok()?;
            number * MICROS_PER_SECOND + micros
        }
        12 | 13 => number * 1000,
        15 | 16 => number,
        18 | 19 => number / 1000,
        _ => return None,
    };
    Timestamp::from_micros(micros)
}

/// Parses `+hh:mm`, `+hhmm` or `+hh`, and the same with a minus, into minutes.
fn offset_minutes(text: &[u8]) -> Option<i64> {
    let [sign, h, hh, m, mm] = match *text {
        [sign, h, hh, b':', m, mm] | [sign, h, hh, m, mm] => [sign, h, hh, m, mm],
        [sign, h, hh] => [sign, h, hh, b'0', b'0'],
        _ => return None,
    };
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

    #[test]
    fn points_in_time_as_tools_write_them() {
        let at = "2026-04-21T22:01:04.120Z".parse().ok();
        for text in [
            "2026-04-21T22:01:04.120Z",
            "2026-04-21 22:01:04.120Z",
            "2026-04-21T22:01:04,120+00:00",
            "2026-04-22T00:01:04.120+0200",
            "2026-04-22T00:01:04.120 +02",
            "2026-04-21 19:01:04.120000000-03:00",
            "2026-04-21 22:01:04.120 UTC",
        ] {
            assert_eq!(utc(text), at, "{text}");
        }
        for text in
            ["", "2026-04-21T22:01:04", "2026-04-21 22:01:04,120", "2026-04-21T22:01:04 CEST", "1776808864"]
        {
            assert_eq!(utc(text), None, "{text}");
        }
        for number in [
            "1776808864.12",
            "1776808864.1200009",
            "1776808864120",
            "1776808864120000",
            "1776808864120000000",
        ] {
            assert_eq!(epoch(number), at, "{number}");
        }
        for number in ["", "-1", "17", "17768088641", "1e9", "1776808864.x"] {
            assert_eq!(epoch(number), None, "{number}");
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
                if text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T') {
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
