//! What to read, for whom, and why there may be no evidence.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::time::Timestamp;

use crate::feed::Effort;
use crate::input::{PathError, Pipe};

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
    /// The participant whose lines count, as loggers name it, if several write into these logs.
    pub logger_participant: Option<&'a str>,
    /// Files, folders, shell patterns, and `-` for standard input.
    pub paths: &'a [PathBuf],
    /// Outputs of programs that run.
    pub pipes: &'a [Pipe],
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
    /// Two participants write into the logs, and it is not known which of them is the member's.
    #[error(
        "these logs are of {}, and only one of them can be the participant of {member}\nhelp: choose it with \
        --logger-participant NAME, or logger_participant in [evidence]",
        named(participants, "participants")
    )]
    SeveralParticipants {
        /// The member whose logs they should be.
        member: MemberName,
        /// The participants, as loggers name them.
        participants: Vec<String>,
    },
    /// The participant that was chosen is not in the logs.
    #[error(
        "no line of these logs is of the participant {chosen}, but they contain lines of {}\nhelp: choose one of these \
        with --logger-participant, or read other logs",
        named(participants, "participants")
    )]
    NoSuchParticipant {
        /// The name that was given.
        chosen: String,
        /// The participants that are in the logs.
        participants: Vec<String>,
    },
    /// The member sends commitments to the participant whose logs these are.
    #[error(
        "these logs are not {member}'s: in {}, {} received commitments from {participant}, which is {member}'s own \
        participant\nhelp: read the logs of {member}'s participant{}",
        counted_lines(*lines),
        named(receivers, "participants"),
        match others.as_slice() {
            [] => ", or correct --member".to_owned(),
            others => format!(", which may be {}: choose it with --logger-participant NAME", others.join(" or ")),
        }
    )]
    OwnCommitments {
        /// The member whose logs they should be.
        member: MemberName,
        /// Its participant, as logs show it.
        participant: String,
        /// The participants that received its commitments, as loggers name them.
        receivers: Vec<String>,
        /// The other participants in the logs.
        others: Vec<String>,
        /// How many lines say so.
        lines: u64,
    },
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
            LogsError::SeveralParticipants { .. }
            | LogsError::NoSuchParticipant { .. }
            | LogsError::OwnCommitments { .. } => Exit::Refused,
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

/// Lists `names`, with the word for several of them.
fn named(names: &[String], many: &str) -> String {
    match names {
        [] => format!("{many} without a name"),
        [one] => format!("the participant {one}"),
        [names @ .., last] => format!("the {many} {} and {last}", names.join(", ")),
    }
}

fn counted_lines(lines: u64) -> String {
    if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") }
}
