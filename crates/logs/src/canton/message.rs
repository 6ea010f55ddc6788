//! The processor's messages, parsed strictly from their first character.
//!
//! A participant's identifier may contain spaces and single colons, but neither parentheses nor commas. So the text
//! around an identifier always shows where it ends.

use std::borrow::Cow;

use svdr_protocol::names::{
    MAX_FINGERPRINT_LEN, MAX_IDENTIFIER_LEN, SHORT_FINGERPRINT_LEN, is_identifier_byte,
};
use svdr_protocol::time::Tick;

use super::date;
use super::facts::{Commitment, Fact};
use super::logger::{self, Component};

/// A part of every match. A part of the phrase is searched for, because its rare start makes the search fast.
pub(crate) const MATCH_NEEDLE: &str = "correct for sender";
/// A part of both kinds of mismatch.
pub(crate) const MISMATCH_NEEDLE: &str = "_MISMATCH";
/// A part of the messages that say which commitment a trace is checking.
pub(crate) const CHECKING_NEEDLE: &str = "Checking commitment";

/// The start of what is reported about a commitment that is neither a match nor a mismatch.
pub(crate) const ALARM_NEEDLE: &str = "ACS_COMMITMENT_ALARM";
/// A part of the messages that say that the matcher has compared a commitment.
pub(crate) const COMPARED_NEEDLE: &str = "Matching received ACS commitment";

/// Result of parsing a message.
pub(super) enum Reading {
    /// A message about a commitment.
    Fact {
        fact: Fact,
        /// The synchronizer that its context names, in short form.
        synchronizer: Option<String>,
    },
    /// A message about something else.
    Other,
    /// The start of a message about a commitment, which ends too early or continues differently.
    Truncated,
}

const MATCH: &str = "Commitment correct for sender ";
const CHECKING: [&str; 2] =
    ["Checking commitment (purportedly by) ", "Checking commitment signature (purportedly by) "];
const COMPARED: &str = "Matching received ACS commitment from ";
const MISMATCHES: [&str; 2] = ["ACS_COMMITMENT_MISMATCH", "ACS_MISMATCH_NO_SHARED_CONTRACTS"];
/// A category of one or two digits, a comma, the start of a trace id; with room to spare.
const MAX_CODE_ARGUMENTS: usize = 64;
const CONTEXT: &str = "err-context:{";
const REMOTE: &str = "remote=";
/// The class of a received commitment, over the releases. The second is a typo of Canton's; the last is the matcher's,
/// whose sender lacks `PAR::`.
const REMOTE_CLASSES: [&str; 4] =
    ["AcsCommitment", "AscCommitment", "BufferedAcsCommitment", "RemoteAcsCommitmentData"];
const REMOTE_SYNCHRONIZER: [&str; 4] = ["psid = ", "synchronizerId = ", "synchronizer = ", "domainId = "];

/// Whether `text` begins like a statement about a commitment.
pub(crate) fn is_statement(text: &str) -> bool {
    let codes = MISMATCHES.iter().chain(&CHECKING).chain([&MATCH, &COMPARED, &ALARM_NEEDLE]);
    codes.into_iter().any(|start| text.starts_with(start))
}

/// Whether `text` may contain a statement about a commitment, anywhere.
pub(crate) fn mentions_commitment(text: &[u8]) -> bool {
    let phrases = [MATCH_NEEDLE, MISMATCH_NEEDLE, COMPARED_NEEDLE, ALARM_NEEDLE];
    phrases.iter().any(|phrase| memchr::memmem::find(text, phrase.as_bytes()).is_some())
}

/// Parses `message` of `component`. `remote` is the remote commitment of a mismatch in JSON, where each entry of the
/// context is a key of the record.
pub(super) fn read(message: &str, component: Component, remote: Option<&str>) -> Reading {
    if let Some(rest) = message.strip_prefix(COMPARED).filter(|_| component == Component::Matcher) {
        return compared(rest).map_or(Reading::Truncated, |it| fact(Fact::Compared(it)));
    }
    if message.strip_prefix(ALARM_NEEDLE).is_some_and(|rest| rest.starts_with('(')) {
        return fact(Fact::Alarm);
    }
    if component == Component::Matcher && !MISMATCHES.iter().any(|code| message.starts_with(code)) {
        return Reading::Other;
    }
    if let Some(rest) = message.strip_prefix(MATCH) {
        return commitment(rest, " and period ").map_or(Reading::Truncated, |it| fact(Fact::Match(it)));
    }
    if let Some(rest) = CHECKING.into_iter().find_map(|start| message.strip_prefix(start)) {
        return commitment(rest, " for period ").map_or(Reading::Truncated, |it| fact(Fact::Checking(it)));
    }
    let Some(rest) = MISMATCHES.into_iter().find_map(|code| message.strip_prefix(code)) else {
        return Reading::Other;
    };
    let Some(rest) = rest.strip_prefix('(') else { return Reading::Other };
    let code_end = rest.split_once(')').filter(|(arguments, _)| arguments.len() <= MAX_CODE_ARGUMENTS);
    let Some((_, text)) = code_end else {
        return Reading::Truncated;
    };
    // In range and between characters: `text` is what remains of `message` after the parenthesis.
    let code = message[..message.len() - text.len()].to_owned();
    let (remote, synchronizer) =
        in_context(text).or_else(|| remote.and_then(remote_of)).unwrap_or((None, None));
    Reading::Fact { fact: Fact::Mismatch { code, remote }, synchronizer }
}

fn fact(fact: Fact) -> Reading {
    Reading::Fact { fact, synchronizer: None }
}

/// Parses `SENDER` + `separator` + `CommitmentPeriod(…)` at the start of `text`.
fn commitment(text: &str, separator: &str) -> Option<Commitment> {
    // The period's parenthesis is the first: an identifier has none.
    let (before, _) = split(text, b'(')?;
    let sender = before.strip_suffix("CommitmentPeriod")?.strip_suffix(separator)?;
    let tick = period(text.get(before.len() - "CommitmentPeriod".len()..)?)?;
    Some(Commitment { sender: participant(sender)?, tick })
}

/// Parses `SENDER at offset N for period CommitmentPeriod(…)` at the start of `text`.
fn compared(text: &str) -> Option<Commitment> {
    let (before, rest) = text.split_once(" for period ")?;
    let (sender, _offset) = before.rsplit_once(" at offset ")?;
    Some(Commitment { sender: participant_without_kind(sender)?, tick: period(rest)? })
}

/// Returns the end of `CommitmentPeriod(fromExclusive = T, toInclusive = T)` at the start of `text`.
fn period(text: &str) -> Option<Tick> {
    let inside = text.strip_prefix("CommitmentPeriod(")?;
    let (inside, _) = split(inside, b')')?;
    let (from, to) = split(inside.strip_prefix("fromExclusive = ")?, b',')?;
    let to = to.strip_prefix(" toInclusive = ")?;
    let (from, to) = (date::exact(from)?, date::exact(to)?);
    (from < to).then_some(Tick(to))
}

/// Splits `text` at the first `separator`, which is an ASCII character.
fn split(text: &str, separator: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(separator, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Parses a participant as logs show it, and returns it without its dots. One printed in full is shortened.
fn participant(text: &str) -> Option<String> {
    let text = text.strip_suffix("...").or_else(|| text.strip_suffix('…')).unwrap_or(text);
    // An identifier may end with a colon, so the last pair is the separator; a fingerprint holds none.
    let rest = text.strip_prefix("PAR::")?;
    let colon = memchr::memrchr(b':', rest.as_bytes())?;
    let (identifier, fingerprint) = (rest.get(..colon)?, rest.get(colon + 1..)?);
    let identifier = identifier.strip_suffix(':')?;
    let identifier_fits =
        (1..=MAX_IDENTIFIER_LEN).contains(&identifier.len()) && identifier.bytes().all(is_identifier_byte);
    let fingerprint_fits = (1..=MAX_FINGERPRINT_LEN).contains(&fingerprint.len())
        && fingerprint.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let short = fingerprint.get(..SHORT_FINGERPRINT_LEN).unwrap_or(fingerprint);
    let short = text.get(..text.len() - fingerprint.len() + short.len());
    short.filter(|_| identifier_fits && fingerprint_fits).map(str::to_owned)
}

/// Parses a participant as the matcher prints it, without `PAR::`.
fn participant_without_kind(text: &str) -> Option<String> {
    participant(&format!("PAR::{text}"))
}

/// Parses the `remote` part of the error context at the end of a text log's message.
fn in_context(text: &str) -> Option<(Option<Commitment>, Option<String>)> {
    let start = memchr::memmem::find(text.as_bytes(), CONTEXT.as_bytes())?;
    let context = on_one_line(text.get(start + CONTEXT.len()..)?);
    fields(&context).find_map(|field| remote_of(field.strip_prefix(REMOTE)?))
}

/// Parses a remote commitment, printed on one line or over several: whose, on which synchronizer.
fn remote_of(text: &str) -> Option<(Option<Commitment>, Option<String>)> {
    let text = on_one_line(text);
    let (class, inside) = text.split_once('(')?;
    if !REMOTE_CLASSES.contains(&class) {
        return None;
    }
    let (mut sender, mut tick, mut synchronizer) = (None, None, None);
    for field in fields(inside) {
        if let Some(text) = field.strip_prefix("sender = ") {
            sender = participant(text).or_else(|| participant_without_kind(text));
        } else if let Some(text) = field.strip_prefix("period = ") {
            tick = period(text);
        } else if let Some(text) = REMOTE_SYNCHRONIZER.into_iter().find_map(|name| field.strip_prefix(name)) {
            synchronizer = logger::short_synchronizer(text);
        }
    }
    let commitment = sender.zip(tick).map(|(sender, tick)| Commitment { sender, tick });
    Some((commitment, synchronizer))
}

/// Whether `line` is the first line of a record whose error context continues in the next one.
pub(crate) fn continues_context(line: &[u8]) -> bool {
    let Some(start) = memchr::memmem::find(line, CONTEXT.as_bytes()) else { return false };
    let mut depth = 1;
    // In range: the context begins behind what was found.
    for byte in &line[start + CONTEXT.len()..] {
        match byte {
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return false;
        }
    }
    memchr::memmem::find(line, MISMATCH_NEEDLE.as_bytes()).is_some()
}

/// Joins the lines of a value that was printed over several.
fn on_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') {
        return Cow::Borrowed(text);
    }
    let mut joined = String::with_capacity(text.len());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !(joined.is_empty() || joined.ends_with('(') || line.starts_with(')')) {
            joined.push(' ');
        }
        joined.push_str(line);
    }
    Cow::Owned(joined)
}

/// Returns the fields of a list `a, b(c, d), …` up to the bracket that closes it, or to the end of a truncated list.
/// The truncated last field is returned too: its parser finds it incomplete.
fn fields(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let mut depth = 0u32;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'(' | b'{' | b'[' => depth += 1,
                b')' | b'}' | b']' if depth == 0 => return text.get(..at),
                b')' | b'}' | b']' => depth -= 1,
                b',' if depth == 0 => {
                    rest = text.get(at + 1..).map(|next| next.strip_prefix(' ').unwrap_or(next));
                    return text.get(..at);
                }
                _ => {}
            }
        }
        Some(text)
    })
}
