//! The clock of this machine, which gives receipts and journals their times.

use std::time::SystemTime;

use svdr_protocol::time::Timestamp;

/// The time now; the earliest time that there is if the clock shows none between the years 1970 and 9999.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
    let micros = since.and_then(|since| i64::try_from(since.as_micros()).ok());
    micros.and_then(Timestamp::from_micros).unwrap_or(Timestamp::MIN)
}
