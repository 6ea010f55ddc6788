//! Durations as operators write and read them: `15m`, `48h`, `1h 30m`.

use std::time::Duration;

/// The text is not a duration.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a duration; expected for example 90s, 15m, 48h or 7d")]
pub struct SpanError {
    text: String,
    #[source]
    source: humantime::DurationError,
}

/// Reads a duration; for use as a clap value parser.
///
/// # Errors
/// If it is none.
pub fn parse(text: &str) -> Result<Duration, SpanError> {
    humantime::parse_duration(text).map_err(|source| SpanError { text: text.to_owned(), source })
}

/// Prints whole seconds in human units: `17m`, `2h 5m`, `1day 3h`.
pub fn print(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_operators_write() {
        assert_eq!(parse("15m").ok(), Some(Duration::from_secs(900)));
        assert_eq!(parse("1h 30m").ok(), Some(Duration::from_secs(5400)));
        assert!(parse("soon").is_err_and(|error| error.to_string().contains("\"soon\" is not a duration")));
        assert_eq!(print(1020), "17m");
    }
}
