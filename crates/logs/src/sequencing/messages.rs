//! What the messages say, parsed strictly from their first character.
//!
//! Wordings of Canton 3.4 to 3.6. A message id is chosen by a user, so the time of an event is what follows the *last*
//! `' at ` of its line.

use svdr_protocol::names::PhysicalSynchronizerId;
use svdr_protocol::time::Timestamp;

use super::records::Record;
use super::{Chunk, ChunkEvents};
use crate::canton;

/// The class that writes `Processing block`.
const BLOCKS: &str = "BlockChunkProcessor";
/// The classes that refuse an event by its time.
const BOUNDS: [&str; 2] = ["BlockUpdateGeneratorImpl", "SequencerWriterSource"];
/// The end of the names of the classes that receive events on a participant.
const DISPATCHER: &str = "MessageDispatcher";
/// The names under which a logger carries a physical synchronizer, over the releases.
const SYNCHRONIZER_FIELDS: [&str; 3] = ["psid", "synchronizerId", "synchronizer"];

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// The sequencer begins to process a chunk.
    Processing {
        /// Everything up to this time has been processed; none before the first chunk.
        completed: Option<Timestamp>,
        chunk: Chunk,
    },
    /// The sequencer refused an event at or after its max sequencing time.
    Refused { fence: Timestamp },
    /// The participant received an event.
    Received { at: Timestamp },
}

/// Returns what `record` says, if its logger may say it.
pub(super) fn read(record: &Record<'_>) -> Option<Message> {
    let class = record.logger.map(canton::class);
    let is_by = |allowed: &dyn Fn(&str) -> bool| {
        class.is_some_and(|class| allowed(class.split('$').next().unwrap_or(class)))
    };
    let message = record.message;
    if let Some(rest) = message.strip_prefix("Processing block ") {
        return is_by(&|class| class == BLOCKS).then(|| block(rest)).flatten();
    }
    if message.starts_with("SEQUENCING_TIME_NOT_ADMISSIBLE(") {
        return is_by(&|class| BOUNDS.contains(&class)).then(|| refused(message)).flatten();
    }
    let starts = [
        "Processing event at sc=",
        "Processing time-proof at sc=",
        "Skipping faulty event at sc=",
        "Processing delivery error at sc=",
    ];
    let rest = starts.into_iter().find_map(|start| message.strip_prefix(start))?;
    let received = || Some(Message::Received { at: time(after_number(rest)?.strip_prefix(", ts=")?)? });
    is_by(&|class| class.ends_with(DISPATCHER)).then(received).flatten()
}

/// Returns the physical synchronizer that a logger names, shortened as it is there.
pub(super) fn synchronizer(logger: &str) -> Option<PhysicalSynchronizerId> {
    let (_, parameters) = logger.split_once(':')?;
    parameters.split(['/', ',']).find_map(|parameter| {
        let (field, value) = parameter.split_once('=')?;
        SYNCHRONIZER_FIELDS.contains(&field.trim()).then(|| value.trim().parse().ok()).flatten()
    })
}

/// `H, data chunk I. Last chunk timestamp=T, last sequencer event timestamp=Some(T). N events:` and their lines.
fn block(text: &str) -> Option<Message> {
    let mut lines = text.lines();
    let head = lines.next()?;
    let (height, rest) = number(head)?;
    let (chunk, rest) = number(rest.strip_prefix(", data chunk ")?)?;
    let rest = rest.strip_prefix(". Last chunk ")?;
    let rest = rest.strip_prefix("timestamp=").or_else(|| rest.strip_prefix("ts="))?;
    let completed = time(rest)?;
    let (_, count) = rest.rsplit_once(". ")?;
    let (count, unit) = number(count)?;
    if !matches!(unit, " events:" | " events" | " event:" | " event") {
        return None;
    }
    let chunk = Chunk { height: i64::try_from(height).ok()?, chunk, events: events(lines, count) };
    // Before the first chunk, Canton prints the smallest time that it has.
    let completed = Some(completed).filter(|at| *at > Timestamp::MIN);
    Some(Message::Processing { completed, chunk })
}

/// The sequencing times of a chunk's events, of which there must be `count`.
fn events<'a>(lines: impl Iterator<Item = &'a str>, count: u64) -> ChunkEvents {
    let mut events = ChunkEvents::None;
    let mut found = 0;
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        found += 1;
        if line.starts_with("Ack by ") {
            continue;
        }
        let sent = line.strip_prefix("Send of '").and_then(|rest| rest.rsplit_once("' at "));
        let Some(at) = sent.and_then(|(_, at)| time(at)) else { return ChunkEvents::Unknown };
        events = match events {
            ChunkEvents::Between(first, last) => ChunkEvents::Between(first.min(at), last.max(at)),
            _ => ChunkEvents::Between(at, at),
        };
    }
    if found == count { events } else { ChunkEvents::Unknown }
}

/// `…(sequencing time is at or after the upper bound (U))…`, in the text that Canton itself wrote, before the event.
fn refused(message: &str) -> Option<Message> {
    let (_, rest) = message.split_once("): The sequencing time [")?;
    let (_, rest) =
        rest.split_once("] is not admissible (sequencing time is at or after the upper bound (")?;
    Some(Message::Refused { fence: time(rest)? })
}

/// The number at the start of `text`, and what follows it.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

/// What follows the number at the start of `text`, which may be negative.
fn after_number(text: &str) -> Option<&str> {
    number(text.strip_prefix('-').unwrap_or(text)).map(|(_, rest)| rest)
}

/// The time at the start of `text`.
fn time(text: &str) -> Option<Timestamp> {
    let end = text.find('Z')?;
    text.get(..=end)?.parse().ok()
}
