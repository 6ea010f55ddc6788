//! Reads logs into evidence: opens them, reads each once, and those that lack a mismatch's context a second time.

use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::time::{Tick, Timestamp};

use crate::canton::{ALARM_NEEDLE, CHECKING_NEEDLE, COMPARED_NEEDLE, MATCH_NEEDLE, MISMATCH_NEEDLE};
use crate::document;
use crate::feed::{self, Arrival, Feed};
use crate::input::{self, Fault, Input, Pipe, SourcePath};
use crate::lines::NeedleSets;
use crate::request::{Bound, LogsError, LogsRequest};
use crate::source::LogRead;
use crate::tally::{Checks, Tally};
use crate::window::{Prober, Tail};

/// Reads the logs at `request.paths`.
///
/// # Errors
/// [`LogsError`]. A log that is corrupt or truncated is not an error: what is readable counts, and a warning names the
/// log.
pub fn read(request: &LogsRequest<'_>) -> Result<EvidenceDocument, LogsError> {
    if request.roster.member(request.member).is_none() {
        return Err(LogsError::not_a_member(request.member, request.roster));
    }
    if let (Some(Bound::At(since)), Some(Bound::At(until))) = (request.since, request.until)
        && until < since
    {
        return Err(LogsError::BackwardWindow { since, until });
    }
    let mut paths = input::expand(request.paths)?;
    paths.extend(request.pipes.iter().map(Pipe::source));
    for path in &paths {
        check_openable(path)?;
    }
    let mut phrases = vec![MATCH_NEEDLE, MISMATCH_NEEDLE, COMPARED_NEEDLE, ALARM_NEEDLE];
    let commitments = NeedleSets::new(&phrases).map_err(LogsError::Search)?;
    let starts = starts(request, &paths, &commitments);
    let feeds = |again: bool| -> Vec<Feed> {
        let wanted = paths.iter().zip(&starts).filter(|(path, _)| !again || is_readable_again(path));
        wanted.map(|(path, start)| Feed { path: path.clone(), opened: None, start: start.0 }).collect()
    };

    let not_before = match request.since {
        Some(Bound::At(since)) => since,
        _ => Timestamp::MIN,
    };
    let mut tally = Tally::new(request.roster, request.member, request.logger_participant, not_before);
    let mut checks = Checks::default();
    let needles = match paths.iter().all(is_readable_again) {
        true => commitments,
        // What cannot be read a second time has to say at once which commitment each trace was checking.
        false => {
            phrases.push(CHECKING_NEEDLE);
            NeedleSets::new(&phrases).map_err(LogsError::Search)?
        }
    };
    let mut logs: Vec<LogRead> = Vec::new();
    let count = |arrival| {
        match (arrival, logs.last_mut()) {
            (Arrival::Begin(nth), _) => {
                let start = starts.get(nth).map_or(0, |start| start.1);
                logs.extend(paths.get(nth).map(|path| LogRead::new(path.shown(), start)));
            }
            (Arrival::Entry(path), Some(log)) => match log.archive() {
                // The archive itself has nothing to say.
                None => *log = LogRead::entry(&log.source.path, &path, log.source.bytes),
                Some(archive) => {
                    let entry = LogRead::entry(archive, &path, 0);
                    logs.push(entry);
                }
            },
            (Arrival::Part(found), Some(log)) => {
                (request.on_bytes)(found.bytes);
                log.add(&found);
                found.messages.into_iter().for_each(|message| tally.add(message, Some(&mut checks)));
            }
            (Arrival::Fault(fault), Some(log)) => log.fault = Some(fault),
            (_, None) => {}
        }
    };
    feed::read(feeds(false), &needles, request.effort, count).map_err(LogsError::Threads)?;
    if tally.pending.has_traces() {
        let needles = NeedleSets::new(&[CHECKING_NEEDLE, COMPARED_NEEDLE]).map_err(LogsError::Search)?;
        let remember = |arrival| {
            if let Arrival::Part(found) = arrival {
                found.messages.iter().for_each(|message| tally.add_check(message, &mut checks));
            }
        };
        feed::read(feeds(true), &needles, request.effort, remember).map_err(LogsError::Threads)?;
    }
    checks.sort();
    let unattributed = tally.resolve(&checks);
    document::document(request, &tally, &logs, &paths, unattributed, checks.overflow)
}

/// Whether a second reading would find the same.
fn is_readable_again(path: &SourcePath) -> bool {
    match path {
        SourcePath::File(path) => path.is_file(),
        SourcePath::Stdin | SourcePath::Pipe { .. } => false,
    }
}

fn check_openable(path: &SourcePath) -> Result<(), LogsError> {
    match path {
        // A pipe is opened in its turn: its writer would notice.
        SourcePath::File(path) if path.is_file() => match std::fs::File::open(path) {
            Ok(_) => Ok(()),
            Err(source) => Err(LogsError::Open { path: path.clone(), source }),
        },
        _ => Ok(()),
    }
}

/// Returns where to begin in each log, and how many bytes were read to find out.
fn starts(request: &LogsRequest<'_>, paths: &[SourcePath], needles: &NeedleSets) -> Vec<(u64, u64)> {
    let nothing = vec![(0, 0); paths.len()];
    let Some(since) = request.since else { return nothing };
    let tail_of = |path: &SourcePath| probe(path, needles, |prober| prober.tail());
    let tails: Vec<Option<Tail>> = paths.iter().map(tail_of).collect();
    let newest = tails.iter().flatten().filter_map(|tail| tail.newest).max();
    let since = match (since, newest) {
        (Bound::At(since), _) => since,
        // A log that can only be read from its start may contain a newer tick. Then this is earlier than necessary.
        (Bound::Back(span), Some(Tick(newest))) => newest.checked_sub(span).unwrap_or(Timestamp::MIN),
        (Bound::Back(_), None) => return nothing,
    };
    let start_of = |(path, tail): (&SourcePath, &Option<Tail>)| {
        let Some(tail) = tail else { return (0, 0) };
        let found = probe(path, needles, |prober| prober.start(since, tail));
        found.map_or((0, tail.bytes), |(start, bytes)| (start, tail.bytes + bytes))
    };
    paths.iter().zip(&tails).map(start_of).collect()
}

/// Looks into a plain file; none if the log is something else. If it cannot be read, the reading itself reports that.
fn probe<T>(
    path: &SourcePath,
    needles: &NeedleSets,
    look: impl FnOnce(&mut Prober<'_>) -> Result<T, Fault>,
) -> Option<T> {
    let SourcePath::File(path) = path else { return None };
    if !path.is_file() {
        return None;
    }
    match Input::open(path).ok()? {
        Input::Plain { file, size } => {
            let form = feed::form(&file).ok().filter(|form| !form.needs_order())?;
            let needles = needles.of(form.has_byte_arrays);
            look(&mut Prober::new(&file, size, needles, &form.habits)).ok()
        }
        Input::Stream(_) => None,
    }
}
