//! Times as the wire has them.

use prost_types::Timestamp as WireTimestamp;
use svdr_protocol::time::Timestamp;

pub(super) fn from_wire(at: &WireTimestamp) -> Option<Timestamp> {
    Timestamp::from_micros(at.seconds.checked_mul(1_000_000)? + i64::from(at.nanos / 1000))
}

pub(super) fn to_wire(at: Timestamp) -> Option<WireTimestamp> {
    let nanos = i32::try_from(at.micros().rem_euclid(1_000_000) * 1000).ok()?;
    Some(WireTimestamp { seconds: at.micros().div_euclid(1_000_000), nanos })
}
