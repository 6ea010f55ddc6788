//! Why a dump is not delivered.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use svdr_files::{FileError, FileIoError};
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::statement::{RoundOf, SessionId};
use svdr_protocol::time::Timestamp;

use svdr_dump::PayloadFileError;

/// Why a dump is not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    #[error(
        "session {session} is a drill, and the dumps of a drill must never be imported\n\
         help: deliver the dump of a real session only"
    )]
    Drill { session: SessionId },
    #[error(
        "session {session} has no completion certificate, so its dumps must not be imported yet\n\
         help: wait until {needed} members have attested their dumps, which `svdr-agent status` shows"
    )]
    NotCompleted { session: SessionId, needed: usize },
    #[error(
        "the completion certificate of {round} is no longer valid: {why}\n\
         help: do not import before this is resolved on the call"
    )]
    NoLongerValid { round: RoundOf, why: String },
    #[error(
        "session {session} has two completion certificates, for {first} and for {second}, because members \
         equivocated or released attestations\n\
         help: do not import, and resolve this on the call first"
    )]
    Two { session: SessionId, first: Timestamp, second: Timestamp },
    #[error(
        "{member} has not attested a dump of {round}, so there is nothing to deliver\n\
         help: run `svdr-agent status`, which shows what to do next"
    )]
    NotAttested { member: MemberName, round: RoundOf },
    #[error(
        "{member} has attested a dump of {round}, but the state folder does not say where the dump is\n\
         help: name the state folder of the agent that made the dump with --state"
    )]
    NoRecord { member: MemberName, round: RoundOf },
    #[error(
        "{} is not the attested dump: expected {expected}, {expected_size} bytes, found {found}, \
         {found_size} bytes\n\
         help: do not import the file, and restore it or make the dump again",
        path.display()
    )]
    OtherDump { path: PathBuf, expected: Digest, expected_size: u64, found: Digest, found_size: u64 },
    #[error(
        "{} is a dump of {found} for migration id {found_id}, but the certificate is for {expected} and \
         {expected_id}\n\
         help: make the dump again",
        path.display()
    )]
    OtherRecovery { path: PathBuf, expected: Timestamp, expected_id: u64, found: Timestamp, found_id: u64 },
    #[error(transparent)]
    Io(#[from] FileIoError),
    #[error(transparent)]
    Write(#[from] FileError),
    #[error("the payload file {} cannot be used", path.display())]
    Payload { path: PathBuf, source: PayloadFileError },
    #[error(
        "the delivery command would not deliver the payload files of the dump, which must be next to it \
         ({})\n\
         help: add {{files}} as an argument of its own for their paths, or {{dump_dir}} for their folder",
        listed(files)
    )]
    FilesLeft { files: Vec<PathBuf> },
    #[error(
        "the dump {} is in a folder with other files, which {{dump_dir}} in the delivery command would also \
         deliver\n\
         help: use {{dump}}, and {{files}} for payload files", path.display()
    )]
    OneFile { path: PathBuf },
    #[error(
        "the delivery command contains {{{name}}}, which has no value; the known names are {known}\n\
         help: give the value with --set {name}=VALUE"
    )]
    Placeholder { name: String, known: String },
    #[error("the argument {argument:?} of the delivery command has an open brace\nhelp: close the brace")]
    OpenBrace { argument: String },
    #[error("the delivery command is empty\nhelp: name a program and its arguments")]
    NoProgram,
    #[error(
        "the delivery program {program:?} cannot be started\n\
         help: check its name, its path and its permissions"
    )]
    Start {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error(
        "the delivery program {program:?} failed with {status}, so the delivery may be incomplete\n\
         help: read its output above, and run the command again"
    )]
    Failed { program: String, status: ExitStatus },
}

fn listed(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl CommandError for DeliverError {
    fn exit(&self) -> Exit {
        match self {
            DeliverError::Drill { .. }
            | DeliverError::NotCompleted { .. }
            | DeliverError::NoLongerValid { .. }
            | DeliverError::Two { .. }
            | DeliverError::NotAttested { .. }
            | DeliverError::OtherRecovery { .. }
            | DeliverError::OtherDump { .. } => Exit::Refused,
            DeliverError::Payload { source: PayloadFileError::Chunks(_), .. } => Exit::Refused,
            DeliverError::FilesLeft { .. }
            | DeliverError::OneFile { .. }
            | DeliverError::Placeholder { .. }
            | DeliverError::OpenBrace { .. }
            | DeliverError::NoProgram => Exit::Usage,
            DeliverError::Write(error) => error.exit(),
            DeliverError::Io(error) => error.exit(),
            DeliverError::NoRecord { .. }
            | DeliverError::Payload { .. }
            | DeliverError::Start { .. }
            | DeliverError::Failed { .. } => Exit::Failed,
        }
    }
}
