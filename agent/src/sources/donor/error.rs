//! Why nothing was received: the donor's fault, the network's, or this machine's.

use std::path::PathBuf;
use std::time::Duration;

use svdr_files::{FileError, FileIoError};
use svdr_proto::channel::ConnectError;
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use tonic::{Code, Status};

use crate::sources::tries::TryError;
use svdr_dump::MergeError;

/// How what arrived differs from what the donor signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    #[error("more than the {expected} bytes that it signed")]
    More { expected: u64 },
    #[error("{found} bytes, but it signed {expected}")]
    Fewer { expected: u64, found: u64 },
    #[error("a snapshot with the digest {found}, but it signed {expected}")]
    Digest { expected: Digest, found: Digest },
    #[error("an empty message in the middle of the snapshot")]
    Empty,
    #[error("a snapshot whose part {part} is not the one that it signed")]
    Part { part: String },
}

/// Why a try to transfer ended.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("the agent of {donor} cannot be reached")]
    Connect { donor: MemberName, source: Box<ConnectError> },
    #[error("the agent of {donor} refused to send its snapshot: {} ({})", status.message(), status.code())]
    Status { donor: MemberName, status: Box<Status> },
    #[error(
        "the transfer from {donor} broke at byte {at} of {size}: {} ({})",
        status.message(), status.code()
    )]
    Broken { donor: MemberName, at: u64, size: u64, status: Box<Status> },
    #[error("the agent of {donor} has sent nothing for {} s, at byte {at} of {size}", after.as_secs())]
    Silent { donor: MemberName, at: u64, size: u64, after: Duration },
    #[error(
        "{donor} sends {lie}; nothing of it is kept\nhelp: tell everybody on the call, then receive from \
         another donor"
    )]
    Lied { donor: MemberName, lie: Lie },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "no thread can be started for the transfer\nhelp: check the limits of the user that runs this program"
    )]
    Runtime { source: std::io::Error },
    #[error(
        "the transfer was cancelled, and the received bytes are kept\nhelp: run `receive` again to continue"
    )]
    Stopped,
    #[error(
        "the thread that transfers the snapshot has died\nhelp: run `receive` again, and report it if it \
         happens again"
    )]
    Thread,
    #[error(
        "all {tries} tries failed, and the received bytes are kept\nhelp: run `receive` again to continue"
    )]
    GaveUp { tries: u32, source: Box<TransferError> },
}

impl TryError for TransferError {
    fn is_worth_retrying(&self) -> bool {
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

    fn gave_up(self, tries: u32) -> TransferError {
        TransferError::GaveUp { tries, source: Box::new(self) }
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
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(
        "the snapshot that {donor} signed is refused\nhelp: tell everybody on the call, then receive from \
         another donor"
    )]
    Refused { donor: MemberName, source: MergeError },
    #[error(
        "{} is not the snapshot that {donor} signed: it is {lie}\nhelp: get the file from {donor} again",
        path.display()
    )]
    OtherFile { path: PathBuf, donor: MemberName, lie: Lie },
    #[error(transparent)]
    Io(#[from] FileIoError),
    #[error(
        "the snapshot cannot be read again to compare it with what its donor signed\nhelp: check the disk, \
         then run `receive` again"
    )]
    Again(#[source] std::io::Error),
    #[error(transparent)]
    Merge(MergeError),
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
            ReceiveError::Io(_) | ReceiveError::Again(_) | ReceiveError::Merge(_) => Exit::Failed,
        }
    }
}
