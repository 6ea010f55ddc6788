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
    #[error("session {session} is a drill; its dumps are never imported, and nothing is delivered")]
    Drill {
        /// The session.
        session: SessionId,
    },
    /// There is no completion certificate.
    #[error(
        "session {session} has no completion certificate, so its dumps must not be imported yet; wait until {needed} \
         members have attested theirs (svdr-agent status)"
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
        "session {session} has completion certificates for {first} and for {second}: members equivocated or released; \
         import nothing before everybody has decided on the call, and run svdr-agent verify on the transcript"
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
        "{member} has not attested a dump of {round}, so there is nothing to deliver; svdr-agent status says what to do"
    )]
    NotAttested {
        /// The member.
        member: MemberName,
        /// The round.
        round: RoundOf,
    },
    /// The store does not know where the dump is.
    #[error(
        "{member} has attested a dump of {round}, but this agent's store does not say where it is; run this where \
         the agent made it, or name its state folder with --state"
    )]
    NoRecord {
        /// The member.
        member: MemberName,
        /// The round.
        round: RoundOf,
    },
    /// The file is not what was attested.
    #[error(
        "{} is not the dump that was made and checked: expected {expected}, {expected_size} bytes, found {found}, \
         {found_size} bytes; do not import it, restore the file or make the dump again",
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
        "{} is the dump of {found} for migration id {found_id}, but the certificate is of {expected} and {expected_id}; \
         make the dump again",
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
    #[error("the dump {} cannot be read; check the path and its permissions", path.display())]
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
    #[error("the dump cannot be copied to {}; check the room on the disk", path.display())]
    Copy {
        /// The target.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A payload file is not whole, or cannot be read or copied.
    #[error("the payload file {}: {source}", path.display())]
    Payload {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PayloadFileError,
    },
    /// A command that takes only the dump.
    #[error(
        "the dump has payload files, which have to lie beside it ({}); the delivery command takes none of them: put \
         {{files}} where their paths belong, as an argument of its own, or {{dump_dir}} for the folder that holds them \
         all",
        listed(files)
    )]
    FilesLeft {
        /// The files.
        files: Vec<PathBuf>,
    },
    /// A command that takes a folder, of a dump that has none of its own.
    #[error(
        "the dump {} is a single file in a folder with other things, so that {{dump_dir}} in the delivery command would take them \
         along; use {{dump}}, and {{files}} for the payload files of other dumps", path.display()
    )]
    OneFile {
        /// The dump.
        path: PathBuf,
    },
    /// A placeholder has no value.
    #[error(
        "the delivery command holds {{{name}}}, which nothing gives a value; known are {known}, or give it with \
         --set {name}=VALUE"
    )]
    Placeholder {
        /// Its name.
        name: String,
        /// Those that have one.
        known: String,
    },
    /// A brace is not closed.
    #[error(
        "the argument {argument:?} of the delivery command opens a brace and does not close it; close it"
    )]
    OpenBrace {
        /// The argument.
        argument: String,
    },
    /// The command is empty.
    #[error("the delivery command is empty; name a program and its arguments")]
    NoProgram,
    /// The program cannot be started.
    #[error(
        "the program {program:?}, which is to deliver the dump, cannot be started; check its name, its path and its permissions"
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
        "{program:?} ended with {status}, so the dump may not be where it belongs; look at its own words above, and \
         run this again"
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
