//! Reads a participant's logs into evidence: with whom, at which ticks, its commitments matched or differed.
//!
//! ```text
//! input → feed → lines, elements → canton → tally → report
//! open    threads  find the line     read it  count   tell
//! ```
//!
//! Opening ([`input`]), searching ([`lines`], [`elements`]), reading ([`canton`], pure) and counting (`tally`)
//! know nothing of each other; [`feed`] carries bytes between them in bounded memory, and `window` finds where
//! in a large file a time begins.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use svdr_protocol::evidence::document::{EvidenceDocument, Source};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::time::{Tick, Timestamp};

pub mod canton;
pub mod elements;
pub mod feed;
#[doc(hidden)]
pub mod fuzz;
pub mod input;
pub mod limits;
pub mod lines;
mod report;
mod sample;
mod tally;
mod window;
mod zone;

use canton::{CHECKING_NEEDLE, Fact, LineTime, MATCH_NEEDLE, MISMATCH_NEEDLE};
use feed::{Arrival, Effort, Feed};
use input::{Damage, Input, PathError, SourcePath};
use lines::{Found, Needles};
use tally::{Checks, Tally};
use window::{Prober, Tail};

/// A bound of the ticks that count; itself included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A point in time.
    At(Timestamp),
    /// So long before the newest tick in the logs.
    Back(Duration),
}

/// What to scan, and for whom.
pub struct ScanRequest<'a> {
    /// Who takes part, and on which synchronizer.
    pub roster: &'a Roster,
    /// Whose logs these are.
    pub member: &'a MemberName,
    /// The oldest tick that counts.
    pub since: Option<Bound>,
    /// The newest.
    pub until: Option<Bound>,
    /// Files, folders, shell patterns, and `-` for standard input.
    pub paths: &'a [PathBuf],
    /// How to read; not what.
    pub effort: Effort,
    /// Told of every bytes read, as they lie on the disk.
    pub on_bytes: &'a dyn Fn(u64),
}

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The member is not in the roster.
    #[error(
        "{member} is not a member of the roster, whose members are {}; name one of them with --member, spelled as \
         there", members.join(", ")
    )]
    NotAMember {
        /// The name given.
        member: MemberName,
        /// The roster's members.
        members: Vec<String>,
    },
    /// A path names no log.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A log cannot be opened.
    #[error("{} cannot be opened; check its permissions, or leave it out", path.display())]
    Open {
        /// The log.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The window ends before it starts.
    #[error(
        "the window ends at {until}, before it starts at {since}; exchange --since and --until, of which durations \
         count back from the newest tick"
    )]
    BackwardWindow {
        /// Its start.
        since: Timestamp,
        /// Its end.
        until: Timestamp,
    },
    /// There are more ticks than evidence may hold.
    #[error("the logs hold more ticks than evidence may carry; read a shorter window with --since")]
    TooManyTicks,
    /// The system has no threads left.
    #[error("no thread can be started to read the logs; end other programs, or raise the limit of processes")]
    Threads(#[source] io::Error),
    /// The literals that are searched cannot be compiled.
    #[error("the search for commitment lines cannot be set up; this is a defect, please report it")]
    Search(#[source] aho_corasick::BuildError),
}

impl ScanError {
    /// Says that `member` is not among the members of `roster`, and who is.
    pub fn not_a_member(member: &MemberName, roster: &Roster) -> ScanError {
        let members = roster.members().iter().map(|member| member.name.to_string()).collect();
        ScanError::NotAMember { member: member.clone(), members }
    }
}

/// What one log was found to be.
#[derive(Default)]
struct Read {
    source: Source,
    overlong: u64,
    damage: Option<Damage>,
    /// Lines of the processor whose object names no logger.
    without_logger: u64,
    /// Times of the first and the last line that have one.
    first: Option<LineTime>,
    last: Option<LineTime>,
    /// Oldest and newest of the processor's lines, by the kind of their times.
    utc: Option<(Timestamp, Timestamp)>,
    local: Option<(Timestamp, Timestamp)>,
    /// The least by which a local time is later than the tick of its line, in microseconds.
    least_lag: Option<i64>,
}

/// Reads the logs at `request.paths`.
///
/// # Errors
/// [`ScanError`]. A log that is damaged is no error: what is readable counts, and a warning names the rest.
pub fn scan(request: &ScanRequest<'_>) -> Result<EvidenceDocument, ScanError> {
    if request.roster.member(request.member).is_none() {
        return Err(ScanError::not_a_member(request.member, request.roster));
    }
    if let (Some(Bound::At(since)), Some(Bound::At(until))) = (request.since, request.until)
        && until < since
    {
        return Err(ScanError::BackwardWindow { since, until });
    }
    let paths = input::expand(request.paths)?;
    for path in &paths {
        can_be_opened(path)?;
    }
    let mut phrases = vec![MATCH_NEEDLE, MISMATCH_NEEDLE];
    let commitments = Needles::new(&phrases).map_err(ScanError::Search)?;
    let starts = starts(request, &paths, &commitments);
    let feeds = |again: bool| -> Vec<Feed> {
        let wanted = paths.iter().zip(&starts).filter(|(path, _)| !again || is_readable_again(path));
        wanted.map(|(path, start)| Feed { path: path.clone(), opened: None, start: start.0 }).collect()
    };

    let not_before = match request.since {
        Some(Bound::At(since)) => since,
        _ => Timestamp::MIN,
    };
    let mut tally = Tally::new(request.roster, request.member, not_before);
    let mut checks = Checks::default();
    let mut read: Vec<Read> = Vec::new();
    let needles = match paths.iter().all(is_readable_again) {
        true => commitments,
        false => {
            phrases.push(CHECKING_NEEDLE);
            Needles::new(&phrases).map_err(ScanError::Search)?
        }
    };
    let count = |arrival| match arrival {
        Arrival::Begin(nth) => {
            let path = paths.get(nth).map(SourcePath::shown).unwrap_or_default();
            let bytes = starts.get(nth).map_or(0, |start| start.1);
            read.push(Read { source: Source { path, bytes, ..Source::default() }, ..Read::default() });
        }
        Arrival::Part(found) => {
            (request.on_bytes)(found.bytes);
            if let Some(read) = read.last_mut() {
                read.add(found, &mut tally, &mut checks);
            }
        }
        Arrival::Damaged(damage) => {
            if let Some(read) = read.last_mut() {
                read.damage = Some(damage);
            }
        }
    };
    feed::read(feeds(false), &needles, request.effort, count).map_err(ScanError::Threads)?;
    if tally.pending.has_traces() {
        let needles = Needles::new(&[CHECKING_NEEDLE]).map_err(ScanError::Search)?;
        let remember = |arrival| {
            if let Arrival::Part(Found { messages, .. }) = arrival {
                messages.iter().for_each(|message| tally.add_check(message, &mut checks));
            }
        };
        feed::read(feeds(true), &needles, request.effort, remember).map_err(ScanError::Threads)?;
    }
    checks.sort();
    let unattributed = tally.resolve(&checks);
    report::document(request, &tally, &read, &paths, unattributed, checks.overflow)
}

/// Whether a second reading would find the same.
fn is_readable_again(path: &SourcePath) -> bool {
    match path {
        SourcePath::File(path) => path.is_file(),
        SourcePath::Stdin => false,
    }
}

fn can_be_opened(path: &SourcePath) -> Result<(), ScanError> {
    match path {
        // A pipe is opened when its turn comes: its writer would take notice.
        SourcePath::File(path) if path.is_file() => match std::fs::File::open(path) {
            Ok(_) => Ok(()),
            Err(source) => Err(ScanError::Open { path: path.clone(), source }),
        },
        _ => Ok(()),
    }
}

/// Where to begin in each log, and how many bytes were read to find out.
fn starts(request: &ScanRequest<'_>, paths: &[SourcePath], needles: &Needles) -> Vec<(u64, u64)> {
    let nothing = vec![(0, 0); paths.len()];
    let Some(since) = request.since else { return nothing };
    let tail_of = |path: &SourcePath| probe(path, needles, |prober| prober.tail());
    let tails: Vec<Option<Tail>> = paths.iter().map(tail_of).collect();
    let newest = tails.iter().flatten().filter_map(|tail| tail.newest).max();
    let since = match (since, newest) {
        (Bound::At(since), _) => since,
        // A log that can only be read from its start may hold a newer tick; then this is earlier than need be.
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

/// Looks into a plain file; nothing where it is not one. Where it cannot be read, the scan itself will say so.
fn probe<T>(
    path: &SourcePath,
    needles: &Needles,
    look: impl FnOnce(&mut Prober<'_>) -> Result<T, Damage>,
) -> Option<T> {
    let SourcePath::File(path) = path else { return None };
    if !path.is_file() {
        return None;
    }
    match Input::open(path).ok()? {
        Input::Plain { file, size } if !feed::is_document(&file).ok()? => {
            look(&mut Prober::new(&file, size, needles)).ok()
        }
        _ => None,
    }
}

impl Read {
    fn add(&mut self, found: Found, tally: &mut Tally, checks: &mut Checks) {
        self.source.bytes += found.bytes;
        self.source.lines += found.lines;
        self.source.unreadable_lines += found.unreadable;
        self.overlong += found.overlong;
        // Of the parts only the first and the last time count, so that nothing depends on where they border.
        self.first = self.first.or(found.first);
        self.last = found.last.or(self.last);
        for message in found.messages {
            self.oldest_and_newest(message.at);
            if !matches!(message.fact, Fact::Checking(_)) {
                self.source.commitment_lines += 1;
                self.without_logger += u64::from(!message.logger);
                let lag = window::lag_of(&message);
                self.least_lag = match (self.least_lag, lag) {
                    (Some(least), Some(lag)) => Some(least.min(lag)),
                    (least, lag) => least.or(lag),
                };
            }
            tally.add(message, Some(checks));
        }
    }

    fn oldest_and_newest(&mut self, at: Option<LineTime>) {
        let (span, at) = match at {
            Some(LineTime::Utc(at)) => (&mut self.utc, at),
            Some(LineTime::Local(at)) => (&mut self.local, at),
            None => return,
        };
        let (oldest, newest) = span.unwrap_or((at, at));
        *span = Some((oldest.min(at), newest.max(at)));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
