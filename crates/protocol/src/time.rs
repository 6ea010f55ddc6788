//! Points in time, as Canton counts them: microseconds since the Unix epoch.
//!
//! Inside svdr a time is an integer of microseconds. Only people and JSON documents read RFC 3339 text with `Z`. Text is
//! printed as Java's `Instant` prints it, because the SV app does: the fraction only if it is not zero, in groups of
//! three digits.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::excerpt;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A point in time: microseconds since 1970-01-01T00:00:00Z, from year 1 to year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The `toInclusive` end of an ACS commitment period: a point at which two participants compared commitments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tick(pub Timestamp);

/// Why a text is not a timestamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// It does not have the form of an RFC 3339 timestamp in UTC.
    #[error("{text:?} is not a timestamp; expected RFC 3339 with Z, for example 2026-04-21T23:10:00Z")]
    Malformed {
        /// The text as it was given.
        text: String,
    },
    /// It has the form, but there is no such day or time, or it is outside the years 1 to 9999.
    #[error("{text:?} has the form of a timestamp, but there is no such date and time")]
    NoSuchTime {
        /// The text as it was given.
        text: String,
    },
    /// It is finer than a microsecond, which Canton cannot represent.
    #[error(
        "{text:?} is finer than a microsecond, Canton's own unit; expected at most 6 digits after the point"
    )]
    TooFine {
        /// The text as it was given.
        text: String,
    },
}

/// `YYYY-MM-DDThh:mm:ss`: the part that every accepted form begins with.
const SECONDS_LEN: usize = 19;
/// Characters of a malformed timestamp that an error quotes.
const EXCERPT_LEN: usize = 40;
/// Digits of a fraction that are read: nanoseconds.
const MAX_FRACTION_DIGITS: usize = 9;

impl Timestamp {
    /// 0001-01-01T00:00:00Z, where Canton's first commitment period starts.
    pub const MIN: Timestamp = Timestamp(-62_135_596_800 * MICROS_PER_SECOND);
    /// The last microsecond of the year 9999: the end of RFC 3339.
    pub const MAX: Timestamp = Timestamp(253_402_300_800 * MICROS_PER_SECOND - 1);

    /// The timestamp `micros` microseconds after the Unix epoch, or `None` outside the years 1 to 9999.
    pub const fn from_micros(micros: i64) -> Option<Timestamp> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 { None } else { Some(Timestamp(micros)) }
    }

    /// Microseconds since the Unix epoch; negative before it.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339 with `Z` and a fraction of at most nine digits, of which those finer than a microsecond
    /// are dropped. For times of log lines, which only order and bound things; a tick is read with
    /// [`FromStr`], which refuses what it cannot represent.
    ///
    /// # Errors
    /// [`TimestampError`] if the text is anything else.
    pub fn parse_truncating(text: &str) -> Result<Timestamp, TimestampError> {
        parse(text).map(|(at, _)| at)
    }

    /// `self − span`, or `None` if that is before the year 1.
    pub fn checked_sub(self, span: Duration) -> Option<Timestamp> {
        let span = i64::try_from(span.as_micros()).ok()?;
        Timestamp::from_micros(self.0.checked_sub(span)?)
    }

    /// `self + span`, or `None` if that is after the year 9999.
    pub fn checked_add(self, span: Duration) -> Option<Timestamp> {
        let span = i64::try_from(span.as_micros()).ok()?;
        Timestamp::from_micros(self.0.checked_add(span)?)
    }

    /// Whole seconds from `earlier` to `self`, rounded towards zero; negative if `earlier` is later.
    pub fn seconds_since(self, earlier: Timestamp) -> i64 {
        // Both are within the years 1 to 9999, so the difference fits.
        (self.0 - earlier.0) / MICROS_PER_SECOND
    }
}

/// The timestamp, and whether digits finer than a microsecond were dropped from it.
fn parse(text: &str) -> Result<(Timestamp, bool), TimestampError> {
    let malformed = || TimestampError::Malformed { text: excerpt(text, EXCERPT_LEN) };
    let no_such_time = || TimestampError::NoSuchTime { text: text.to_owned() };
    let bytes = text.as_bytes();
    let (seconds, rest) = bytes.split_at_checked(SECONDS_LEN).ok_or_else(malformed)?;
    let number = |from: usize, to: usize| -> Option<u32> {
        seconds
            .get(from..to)?
            .iter()
            .try_fold(0, |sum: u32, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, separator)| seconds.get(at) != Some(&separator)) {
        return Err(malformed());
    }
    let fields = [(0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19)].map(|(from, to)| number(from, to));
    let [Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)] = fields else {
        return Err(malformed());
    };
    let fraction = match rest {
        b"Z" => &[][..],
        [b'.', fraction @ .., b'Z'] if (1..=MAX_FRACTION_DIGITS).contains(&fraction.len()) => fraction,
        _ => return Err(malformed()),
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err(malformed());
    }
    let nanos = (0..MAX_FRACTION_DIGITS)
        .fold(0i64, |sum, at| sum * 10 + fraction.get(at).map_or(0, |digit| i64::from(digit - b'0')));
    let seconds = i32::try_from(year)
        .ok()
        .and_then(|year| NaiveDate::from_ymd_opt(year, month, day))
        .and_then(|date| date.and_hms_opt(hour, minute, second))
        .ok_or_else(no_such_time)?
        .and_utc()
        .timestamp();
    let micros = seconds * MICROS_PER_SECOND + nanos / 1000;
    Ok((Timestamp::from_micros(micros).ok_or_else(no_such_time)?, nanos % 1000 != 0))
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Timestamp, TimestampError> {
        match parse(text)? {
            (_, true) => Err(TimestampError::TooFine { text: text.to_owned() }),
            (at, false) => Ok(at),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.rem_euclid(MICROS_PER_SECOND);
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        // The range of `Timestamp` is inside chrono's, so there is always a date.
        let at = DateTime::from_timestamp(seconds, 0).ok_or(fmt::Error)?.naive_utc();
        write!(f, "{}", at.format("%Y-%m-%dT%H:%M:%S"))?;
        match micros {
            0 => write!(f, "Z"),
            _ if micros % 1000 == 0 => write!(f, ".{:03}Z", micros / 1000),
            _ => write!(f, ".{micros:06}Z"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Tick {
    /// The recovery timestamp of this tick: the tick less the margin, or `None` before year 1.
    pub fn recovery_timestamp(self, margin: Duration) -> Option<Timestamp> {
        self.0.checked_sub(margin)
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Tick {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Tick, TimestampError> {
        text.parse().map(Tick)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prints_fractions_in_groups_of_three() {
        for text in [
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "1970-01-01T00:00:00Z",
            "2026-04-21T23:10:00Z",
            "2026-04-21T23:10:00.100Z",
            "2026-04-21T23:10:00.123456Z",
            "9999-12-31T23:59:59.999999Z",
        ] {
            assert_eq!(text.parse::<Timestamp>().map(|at| at.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("1970-01-01T00:00:01.5Z".parse::<Timestamp>().map(Timestamp::micros), Ok(1_500_000));
    }

    #[test]
    fn refuses_what_is_not_a_utc_timestamp() {
        for text in [
            "",
            "2026-04-21",
            "2026-04-21 23:10:00Z",
            "2026-04-21T23:10:00",
            "2026-04-21T23:10:00+00:00",
            "2026-04-21T23:10:00.Z",
            "2026-04-21T23:10:00.1234567890Z",
            "2026-04-21T23:10:00.12x456Z",
            "+026-04-21T23:10:00Z",
            "2026-04-21T23:10:00Zé",
            "éééééééééé",
        ] {
            let error = TimestampError::Malformed { text: text.to_owned() };
            assert_eq!(text.parse::<Timestamp>(), Err(error), "{text}");
        }
        for text in
            ["0000-01-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-04-21T24:00:00Z", "2026-04-21T23:59:60Z"]
        {
            let error = TimestampError::NoSuchTime { text: text.to_owned() };
            assert_eq!(text.parse::<Timestamp>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_tick_is_never_rounded_but_a_log_time_may_be() {
        let text = "2026-04-21T23:25:07.123456789Z";
        assert_eq!(text.parse::<Tick>(), Err(TimestampError::TooFine { text: text.to_owned() }));
        let truncated = Timestamp::parse_truncating(text).map(|at| at.to_string());
        assert_eq!(truncated.as_deref(), Ok("2026-04-21T23:25:07.123456Z"));
        assert!("2026-04-21T23:25:07.123456000Z".parse::<Tick>().is_ok());
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(micros in Timestamp::MIN.0..=Timestamp::MAX.0) {
            let at = Timestamp(micros);
            prop_assert_eq!(at.to_string().parse(), Ok(at));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = text.parse::<Timestamp>();
        }

        #[test]
        fn order_of_text_is_order_of_time(a in 0i64..4_000_000_000, b in 0i64..4_000_000_000) {
            let [a, b] = [a, b].map(|seconds| Timestamp(seconds * MICROS_PER_SECOND));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
