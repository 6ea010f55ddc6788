//! What a participant logs.

use svdr_protocol::time::Timestamp;

/// A level of logback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Details.
    Debug,
    /// What happens.
    Info,
    /// What an operator should look at.
    Warn,
}

impl Level {
    /// As logs print it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
        }
    }
}

/// One line of a log, before it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, in microseconds since the Unix epoch; whole milliseconds.
    pub at: i64,
    /// How grave.
    pub level: Level,
    /// The thread's name.
    pub thread: String,
    /// The logger, with its parameters.
    pub logger: String,
    /// The trace id.
    pub trace: Option<String>,
    /// The message.
    pub message: String,
    /// The error context in braces, which only text logs show.
    pub context: Option<String>,
}

/// A commitment period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its start, exclusive, in microseconds since the Unix epoch.
    pub from: i64,
    /// Its end, inclusive: the tick.
    pub to: i64,
}

impl Period {
    /// As Canton prints it.
    pub fn shown(self) -> String {
        let [from, to] = [self.from, self.to].map(instant);
        format!("CommitmentPeriod(fromExclusive = {from}, toInclusive = {to})")
    }
}

/// As Java's `Instant` prints it.
fn instant(micros: i64) -> String {
    Timestamp::from_micros(micros).map(|at| at.to_string()).unwrap_or_default()
}

/// RFC 3339 with milliseconds, as logback prints it.
pub fn rfc3339(micros: i64) -> String {
    let seconds = instant(micros.div_euclid(1_000_000) * 1_000_000);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), micros.rem_euclid(1_000_000) / 1000)
}

/// A participant as logs show it: its fingerprint cut to twelve characters.
pub fn short_participant(full: &str) -> String {
    match full.rsplit_once("::") {
        Some((identifier, fingerprint)) if fingerprint.len() > 12 => {
            format!("{identifier}::{}...", fingerprint.get(..12).unwrap_or(fingerprint))
        }
        _ => full.to_owned(),
    }
}

/// The logger of the commitment processor for `synchronizer` (full id), as Canton 3 names it.
pub fn commitment_logger(synchronizer: &str) -> String {
    let short = short_participant(synchronizer);
    format!(
        "c.d.c.p.p.AcsCommitmentProcessor:participant=participant/psid={}::34-0",
        short.trim_end_matches("...")
    )
}

impl Entry {
    fn of_processor(at: i64, level: Level, synchronizer: &str, trace: &str, message: String) -> Entry {
        Entry {
            at,
            level,
            thread: format!("canton-env-ec-{}", at.rem_euclid(17)),
            logger: commitment_logger(synchronizer),
            trace: Some(trace.to_owned()),
            message,
            context: None,
        }
    }

    /// `sender`'s commitment equals our own. `sender` is a full id, or one that is shown as it is.
    pub fn matched(at: i64, synchronizer: &str, trace: &str, sender: &str, period: Period) -> Entry {
        let message = format!(
            "Commitment correct for sender {} and period {}",
            short_participant(sender),
            period.shown()
        );
        Entry::of_processor(at, Level::Info, synchronizer, trace, message)
    }

    /// `sender`'s commitment is going to be compared.
    pub fn checking(at: i64, synchronizer: &str, trace: &str, sender: &str, period: Period) -> Entry {
        let sender = short_participant(sender);
        let message = format!("Checking commitment (purportedly by) {sender} for period {}", period.shown());
        Entry::of_processor(at, Level::Debug, synchronizer, trace, message)
    }

    /// `sender`'s commitment differs from `own`'s. In text the context says so.
    pub fn mismatched(
        at: i64,
        synchronizer: &str,
        trace: &str,
        sender: &str,
        own: &str,
        period: Period,
    ) -> Entry {
        let prefix = trace.get(..8).unwrap_or(trace);
        let message = format!(
            "ACS_COMMITMENT_MISMATCH(5,{prefix}): The local commitment does not match the remote commitment"
        );
        let context = format!(
            "{{local=Vector(({}, SHA-256:0f3a8d1c22e1...)), location=AcsCommitmentProcessor.scala:1860, \
             remote=AcsCommitment(psid = {}::34-0, sender = {}, counterParticipant = {}, period = {}, \
             commitment = SHA-256:77ab12fe01cd...)}}",
            period.shown(),
            short_participant(synchronizer),
            short_participant(sender),
            short_participant(own),
            period.shown()
        );
        let entry = Entry::of_processor(at, Level::Warn, synchronizer, trace, message);
        Entry { context: Some(context), ..entry }
    }

    /// Our own commitments for a period have been computed: not a match.
    pub fn computed(at: i64, synchronizer: &str, trace: &str, count: usize, period: Period) -> Entry {
        let message =
            format!("Computed and stored {count} commitment messages for period {}", period.shown());
        Entry::of_processor(at, Level::Info, synchronizer, trace, message)
    }

    /// The span id, made up from the time.
    pub fn span(&self) -> String {
        format!("{:016x}", self.at.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}
