//! Estimates the zone of a container whose text logs contain local time without naming the zone.
//!
//! A commitment's line contains its tick, in UTC, and is written soon after it. The least distance between the two is
//! the zone's distance from UTC plus the time that the fastest comparison took. If summer time ends or begins in a log,
//! that is the distance in winter, and lines whose own distance suggests an hour more are of summer.

use svdr_protocol::time::Timestamp;

const MICROS_PER_MINUTE: i64 = 60 * 1_000_000;
/// A container's clock may be a little behind the sequencer's.
const CLOCK_SKEW: i64 = 2 * MICROS_PER_MINUTE;
/// Zones that are not whole hours from UTC, in minutes.
const ODD_ZONES: [i64; 11] = [-570, -210, 210, 270, 330, 345, 390, 525, 570, 630, 765];
const WESTERNMOST_HOURS: i64 = -12;
const EASTERNMOST_HOURS: i64 = 14;

/// A zone's distance from UTC, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Zone(i64);

impl Zone {
    /// Returns what the zone's clocks show at `utc`.
    pub(crate) fn local(self, utc: Timestamp) -> Timestamp {
        Timestamp::from_micros(utc.micros() + self.0).unwrap_or(utc)
    }

    /// Whether this is the zone's summer time: an hour more.
    pub(crate) fn is_summer_of(self, winter: Zone) -> bool {
        self.0 - winter.0 == 60 * MICROS_PER_MINUTE
    }

    /// Returns the point in time at which the zone's clocks show `local`.
    pub(crate) fn utc(self, local: Timestamp) -> Option<Timestamp> {
        Timestamp::from_micros(local.micros() - self.0)
    }
}

/// Returns the easternmost zone that `least_lag`, in microseconds, allows; none if that is no zone on Earth.
pub(crate) fn estimate(least_lag: Option<i64>) -> Option<Zone> {
    let most = least_lag? + CLOCK_SKEW;
    let hours = (WESTERNMOST_HOURS..=EASTERNMOST_HOURS).map(|hours| hours * 60);
    let zones = hours.chain(ODD_ZONES).map(|minutes| minutes * MICROS_PER_MINUTE);
    let zone = zones.filter(|zone| *zone <= most).max()?;
    // A day or more beyond any zone: the log was not written near its ticks.
    (most - zone < 24 * 60 * MICROS_PER_MINUTE).then_some(Zone(zone))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn minutes(lag: i64) -> Option<i64> {
        estimate(Some(lag * MICROS_PER_MINUTE)).map(|zone| zone.0 / MICROS_PER_MINUTE)
    }

    #[test]
    fn the_zone_is_what_a_short_delay_leaves() {
        assert_eq!(minutes(0), Some(0));
        assert_eq!(minutes(17), Some(0));
        assert_eq!(minutes(-1), Some(0));
        assert_eq!(minutes(121), Some(120));
        assert_eq!(minutes(332), Some(330));
        assert_eq!(minutes(-299), Some(-300));
        assert_eq!(minutes(3 * 24 * 60), None);
        assert_eq!(minutes(-13 * 60), None);
        assert_eq!(estimate(None), None);
    }
}
