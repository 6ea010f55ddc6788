//! Why a dump is not delivered.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use svdr_files::FileError;
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::statement::{RoundOf, SessionId};
use svdr_protocol::time::Timestamp;

use svdr_dump::PayloadFileError;

/// Why a dump is not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// It is a rehearsal.
    #[error(
        "session {session} is a drill, and the dumps of a drill must never be imported\n\
         help: deliver the dump of a real session only"
    )]
    Drill {
        /// The session.
        session: SessionId,
    },
    /// There is no completion certificate.
    #[error(
        "session {session} has no completion certificate, so its dumps must not be imported yet\n\
         help: wait until {needed} members have attested their dumps, which `svdr-agent status` shows"
    )]
    NotCompleted {
        /// The session.
        session: SessionId,
        /// How many attestations it takes.
        needed: usize,
    },
    /// There was one, which a release or an equivocation has made invalid.
    #[error(
        "the completion certificate of {round} is no longer valid: {why}\n\
         help: do not import before this is resolved on the call"
    )]
    NoLongerValid {
        /// The round.
        round: RoundOf,
        /// Which of its signers released or equivocated.
        why: String,
    },
    /// There are two that say different things.
    #[error(
        "session {session} has two completion certificates, for {first} and for {second}, because members \
         equivocated or released attestations\n\
         help: do not import, and resolve this on the call first"
    )]
    Two {
        /// The session.
        session: SessionId,
        /// The timestamp of one.
        first: Timestamp,
        /// The timestamp of the other.
        second: Timestamp,
    },
    /// This member has no attestation in it.
    #[error(
        "{member} has not attested a dump of {round}, so there is nothing to deliver\n\
         help: run `svdr-agent status`, which shows what to do next"
    )]
    NotAttested {
        /// The member.
        member: MemberName,
        /// The round.
        round: RoundOf,
    },
    /// The store does not know where the dump is.
    #[error(
        "{member} has attested a dump of {round}, but the state folder does not say where the dump is\n\
         help: name the state folder of the agent that made the dump with --state"
    )]
    NoRecord {
        /// The member.
        member: MemberName,
        /// The round.
        round: RoundOf,
    },
    /// The file is not what was attested.
    #[error(
        "{} is not the attested dump: expected {expected}, {expected_size} bytes, found {found}, \
         {found_size} bytes\n\
         help: do not import the file, and restore it or make the dump again",
        path.display()
    )]
    OtherDump {
        /// The file.
        path: PathBuf,
        /// The digest attested.
        expected: Digest,
        /// The size attested.
        expected_size: u64,
        /// The file's digest.
        found: Digest,
        /// The file's size.
        found_size: u64,
    },
    /// The dump is of another recovery.
    #[error(
        "{} is a dump of {found} for migration id {found_id}, but the certificate is for {expected} and \
         {expected_id}\n\
         help: make the dump again",
        path.display()
    )]
    OtherRecovery {
        /// The file.
        path: PathBuf,
        /// The time that the network goes back to.
        expected: Timestamp,
        /// The id of the certificate's migration.
        expected_id: u64,
        /// The time that the dump is of.
        found: Timestamp,
        /// The id of the migration that the dump is for.
        found_id: u64,
    },
    /// The dump cannot be read.
    #[error("the dump {} cannot be read\nhelp: check its path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The copy cannot be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// The copy cannot be written to its end.
    #[error("the dump cannot be copied to {}\nhelp: check the free space of the disk", path.display())]
    Copy {
        /// The target.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A payload file is not whole, or cannot be read or copied.
    #[error("the payload file {} cannot be used", path.display())]
    Payload {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PayloadFileError,
    },
    /// A command that takes only the dump.
    #[error(
        "the delivery command would not deliver the payload files of the dump, which must be next to it \
         ({})\n\
         help: add {{files}} as an argument of its own for their paths, or {{dump_dir}} for their folder",
        listed(files)
    )]
    FilesLeft {
        /// The files.
        files: Vec<PathBuf>,
    },
    /// A command that takes a folder, of a dump that has none of its own.
    #[error(
        "the dump {} is in a folder with other files, which {{dump_dir}} in the delivery command would also \
         deliver\n\
         help: use {{dump}}, and {{files}} for payload files", path.display()
    )]
    OneFile {
        /// The dump.
        path: PathBuf,
    },
    /// A placeholder has no value.
    #[error(
        "the delivery command contains {{{name}}}, which has no value; the known names are {known}\n\
         help: give the value with --set {name}=VALUE"
    )]
    Placeholder {
        /// Its name.
        name: String,
        /// Those that have one.
        known: String,
    },
    /// A brace is not closed.
    #[error("the argument {argument:?} of the delivery command has an open brace\nhelp: close the brace")]
    OpenBrace {
        /// The argument.
        argument: String,
    },
    /// The command is empty.
    #[error("the delivery command is empty\nhelp: name a program and its arguments")]
    NoProgram,
    /// The program cannot be started.
    #[error(
        "the delivery program {program:?} cannot be started\n\
         help: check its name, its path and its permissions"
    )]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program failed.
    #[error(
        "the delivery program {program:?} failed with {status}, so the delivery may be incomplete\n\
         help: read its output above, and run the command again"
    )]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
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
            DeliverError::NoRecord { .. }
            | DeliverError::Read { .. }
            | DeliverError::Payload { .. }
            | DeliverError::Copy { .. }
            | DeliverError::Start { .. }
            | DeliverError::Failed { .. } => Exit::Failed,
        }
    }
}
