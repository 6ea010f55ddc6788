//! What to read, for whom, and why there may be no evidence.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::time::Timestamp;

use crate::feed::Effort;
use crate::input::PathError;

/// A bound of the ticks that count; itself included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A point in time.
    At(Timestamp),
    /// A time before the newest tick in the logs.
    Back(Duration),
}

/// What to read, and for whom.
pub struct LogsRequest<'a> {
    /// The members, and their synchronizer.
    pub roster: &'a Roster,
    /// The member whose logs these are.
    pub member: &'a MemberName,
    /// The oldest tick that counts.
    pub since: Option<Bound>,
    /// The newest tick that counts.
    pub until: Option<Bound>,
    /// Files, folders, shell patterns, and `-` for standard input.
    pub paths: &'a [PathBuf],
    /// How to read; without influence on the result.
    pub effort: Effort,
    /// Called with the number of bytes, as they are on the disk, after each part.
    pub on_bytes: &'a dyn Fn(u64),
}

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The member is not in the roster.
    #[error("{member} is not a member of the roster, whose members are {}\nhelp: name one of them with --member, spelled \
        as in the roster", members.join(", "))]
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
    #[error("the log {} cannot be opened\nhelp: check its permissions, or leave it out", path.display())]
    Open {
        /// The log.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The window ends before it starts.
    #[error(
        "the window ends at {until}, before its start at {since}\nhelp: exchange --since and --until; durations \
        count back from the newest tick"
    )]
    BackwardWindow {
        /// Its start.
        since: Timestamp,
        /// Its end.
        until: Timestamp,
    },
    /// There are more ticks than evidence may contain.
    #[error(
        "the logs contain more than {} ticks of the members, the most that evidence may contain\nhelp: read a \
        shorter window with --since",
        svdr_protocol::evidence::MAX_TICKS
    )]
    TooManyTicks,
    /// The system has no threads left.
    #[error(
        "no thread can be started to read the logs\nhelp: stop other programs, or raise the limit of processes"
    )]
    Threads(#[source] io::Error),
    /// The literals that are searched for cannot be compiled.
    #[error("the search for commitment lines cannot be set up\nhelp: report this defect of svdr")]
    Search(#[source] aho_corasick::BuildError),
}

impl CommandError for LogsError {
    fn exit(&self) -> Exit {
        match self {
            LogsError::NotAMember { .. } | LogsError::BackwardWindow { .. } => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

impl LogsError {
    /// Says that `member` is not among the members of `roster`, and who is.
    pub fn not_a_member(member: &MemberName, roster: &Roster) -> LogsError {
        let members = roster.members().iter().map(|member| member.name.to_string()).collect();
        LogsError::NotAMember { member: member.clone(), members }
    }
}
