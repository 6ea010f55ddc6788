//! Why nothing was received: the donor's fault, the network's, or this machine's.

use std::path::PathBuf;
use std::time::Duration;

use svdr_files::FileError;
use svdr_proto::channel::ConnectError;
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use tonic::{Code, Status};

use svdr_dump::MergeError;

/// How what arrived differs from what the donor signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    /// More bytes.
    #[error("more than the {expected} bytes that it signed")]
    More {
        /// The signed size.
        expected: u64,
    },
    /// Fewer.
    #[error("{found} bytes, but it signed {expected}")]
    Fewer {
        /// The signed size.
        expected: u64,
        /// What it has.
        found: u64,
    },
    /// Other bytes.
    #[error("a snapshot with the digest {found}, but it signed {expected}")]
    Digest {
        /// The signed digest.
        expected: Digest,
        /// What arrived.
        found: Digest,
    },
    /// A message without bytes, which an honest donor never sends.
    #[error("an empty message in the middle of the snapshot")]
    Empty,
    /// A part of it is not the signed one.
    #[error("a snapshot whose part {part} is not the one that it signed")]
    Part {
        /// The part's name.
        part: String,
    },
}

/// Why a try to transfer ended.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// There is no connection.
    #[error("the agent of {donor} cannot be asked: {source}")]
    Connect {
        /// The donor.
        donor: MemberName,
        /// Why.
        source: Box<ConnectError>,
    },
    /// The donor's agent does not give the snapshot.
    #[error("{donor}'s agent does not give its snapshot: {} ({})", status.message(), status.code())]
    Status {
        /// The donor.
        donor: MemberName,
        /// What it says.
        status: Box<Status>,
    },
    /// It broke.
    #[error("the transfer from {donor} broke at byte {at} of {size}: {} ({})", status.message(), status.code())]
    Broken {
        /// The donor.
        donor: MemberName,
        /// Bytes that are here.
        at: u64,
        /// Bytes that there are.
        size: u64,
        /// What was seen.
        status: Box<Status>,
    },
    /// Nothing comes.
    #[error("{donor}'s agent has sent nothing for {} s, at byte {at} of {size}", after.as_secs())]
    Silent {
        /// The donor.
        donor: MemberName,
        /// Bytes that are here.
        at: u64,
        /// Bytes that there are.
        size: u64,
        /// How long that was waited for.
        after: Duration,
    },
    /// The donor sends something else than it signed.
    #[error(
        "{donor} sends {lie}. Nothing of it is kept; tell everybody on the call, and take the snapshot of another donor"
    )]
    Lied {
        /// The donor.
        donor: MemberName,
        /// What is wrong.
        lie: Lie,
    },
    /// The partial file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system gives no thread to transfer with.
    #[error("this process cannot start another thread; look at the limits of the user it runs as")]
    Runtime {
        /// What the system says.
        source: std::io::Error,
    },
    /// Nobody waits for it any more.
    #[error("the transfer was stopped; what has arrived is kept, and the next `receive` goes on there")]
    Stopped,
    /// The thread is lost.
    #[error(
        "the thread that transfers the snapshot has died; run this again, and report it if it happens again"
    )]
    Thread,
    /// The last of several tries.
    #[error(
        "gave up after {tries} tries; what has arrived is kept, and the next `receive` goes on there. The last: {source}"
    )]
    GaveUp {
        /// How many.
        tries: u32,
        /// What the last one ended with.
        source: Box<TransferError>,
    },
}

impl TransferError {
    /// Whether another try can help.
    pub fn is_worth_retrying(&self) -> bool {
        match self {
            TransferError::Connect { source, .. } => match **source {
                ConnectError::Unreachable { .. }
                | ConnectError::TimedOut { .. }
                | ConnectError::NotOurs { .. }
                | ConnectError::Closed { .. } => true,
                ConnectError::Url { .. }
                | ConnectError::Identity(_)
                | ConnectError::WrongServer { .. }
                | ConnectError::Refused { .. } => false,
            },
            TransferError::Status { status, .. } => !matches!(
                status.code(),
                Code::NotFound
                    | Code::FailedPrecondition
                    | Code::InvalidArgument
                    | Code::Unimplemented
                    | Code::PermissionDenied
                    | Code::Unauthenticated
            ),
            TransferError::Broken { .. } | TransferError::Silent { .. } => true,
            TransferError::Lied { .. }
            | TransferError::File(_)
            | TransferError::Runtime { .. }
            | TransferError::Stopped
            | TransferError::Thread
            | TransferError::GaveUp { .. } => false,
        }
    }

    /// The same, said to be the last of so many tries.
    pub(super) fn after(self, tries: u32) -> TransferError {
        if tries > 1 { TransferError::GaveUp { tries, source: Box::new(self) } } else { self }
    }
}

impl CommandError for TransferError {
    fn exit(&self) -> Exit {
        match self {
            TransferError::Lied { .. } => Exit::Refused,
            TransferError::Connect { source, .. } => match **source {
                ConnectError::WrongServer { .. } | ConnectError::Refused { .. } => Exit::Refused,
                _ => Exit::Failed,
            },
            TransferError::File(error) => error.exit(),
            TransferError::GaveUp { source, .. } => source.exit(),
            TransferError::Status { .. }
            | TransferError::Broken { .. }
            | TransferError::Silent { .. }
            | TransferError::Runtime { .. }
            | TransferError::Stopped
            | TransferError::Thread => Exit::Failed,
        }
    }
}

/// Why there is no dump of what was received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The transfer.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The snapshot is not what a snapshot has to be, although it is what the donor signed.
    #[error(
        "the snapshot that {donor} signed is refused: {source}. Tell everybody on the call, and take the snapshot of \
         another donor"
    )]
    Refused {
        /// The donor.
        donor: MemberName,
        /// Why.
        source: MergeError,
    },
    /// A file that was given is not what the donor signed.
    #[error("{} is not the snapshot that {donor} signed: it is {lie}. Get the file from {donor} again", path.display())]
    OtherFile {
        /// The file.
        path: PathBuf,
        /// The donor.
        donor: MemberName,
        /// What is wrong.
        lie: Lie,
    },
    /// A file that was given cannot be read.
    #[error("the snapshot {} cannot be read; check its path and its permissions", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It cannot be read a second time.
    #[error(
        "the snapshot cannot be read again to be compared with what its donor signed; look at the disk, and receive again"
    )]
    Again(#[source] std::io::Error),
    /// Reading or merging failed on this machine.
    #[error(transparent)]
    Merge(MergeError),
    /// The dump cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl CommandError for ReceiveError {
    fn exit(&self) -> Exit {
        match self {
            ReceiveError::Transfer(error) => error.exit(),
            ReceiveError::Refused { .. } | ReceiveError::OtherFile { .. } => Exit::Refused,
            ReceiveError::Merge(error) if error.is_refusal() => Exit::Refused,
            ReceiveError::File(error) => error.exit(),
            ReceiveError::Open { .. } | ReceiveError::Again(_) | ReceiveError::Merge(_) => Exit::Failed,
        }
    }
}
