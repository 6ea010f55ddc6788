//! Times between the wire and svdr. Canton's own unit is the microsecond, as ours.

use prost_types::Timestamp as WireTimestamp;
use svdr_protocol::time::Timestamp;

const MICROS_PER_SECOND: i64 = 1_000_000;
const NANOS_PER_MICRO: i64 = 1000;

/// A time as the wire has it.
pub(crate) fn to_wire(at: Timestamp) -> WireTimestamp {
    let micros = at.micros();
    // The remainder is from 0 to 999,999, so the nanoseconds fit.
    let nanos = i32::try_from(micros.rem_euclid(MICROS_PER_SECOND) * NANOS_PER_MICRO).unwrap_or(0);
    WireTimestamp { seconds: micros.div_euclid(MICROS_PER_SECOND), nanos }
}

/// A time of the wire; `None` if it is outside of the years 1 to 9999, or finer than a microsecond.
pub(crate) fn from_wire(at: &WireTimestamp) -> Option<Timestamp> {
    let nanos = i64::from(at.nanos);
    if !(0..MICROS_PER_SECOND * NANOS_PER_MICRO).contains(&nanos) || nanos % NANOS_PER_MICRO != 0 {
        return None;
    }
    let micros = at.seconds.checked_mul(MICROS_PER_SECOND)?.checked_add(nanos / NANOS_PER_MICRO)?;
    Timestamp::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_time_survives_the_wire(micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros()) {
            let at = Timestamp::from_micros(micros);
            prop_assert_eq!(at.as_ref().and_then(|at| from_wire(&to_wire(*at))), at);
        }

        #[test]
        fn any_time_of_the_wire_is_read_or_refused(seconds in any::<i64>(), nanos in any::<i32>()) {
            if let Some(at) = from_wire(&WireTimestamp { seconds, nanos }) {
                prop_assert_eq!(to_wire(at), WireTimestamp { seconds, nanos });
            }
        }
    }
}
