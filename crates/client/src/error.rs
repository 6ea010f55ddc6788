//! Why a call to a coordinator failed, and whether another try or another coordinator helps.

use std::fmt;
use std::time::Duration;

use svdr_proto::limits::MAX_MESSAGE_LEN;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::EnvelopeError;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::receipt::ReceiptError;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// What a coordinator was called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// Its sessions.
    Sessions,
    /// A completion certificate.
    Certificate,
    /// A part of a transcript.
    Transcript,
    /// The events of a session.
    Watch,
    /// A receipt for a statement.
    Submit,
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallKind::Sessions => "listing the sessions",
            CallKind::Certificate => "fetching the certificate",
            CallKind::Transcript => "reading the transcript",
            CallKind::Watch => "watching the session",
            CallKind::Submit => "submitting a statement",
        })
    }
}

/// Why a call to a coordinator failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The connection or the coordinator failed.
    #[error("{url} failed while {call}: {}", message(status))]
    Failed {
        /// The coordinator.
        url: String,
        /// What it was asked for.
        call: CallKind,
        /// What gRPC says.
        status: Box<Status>,
    },
    /// The coordinator refuses the request, and would refuse it again.
    #[error("{url} refused the request while {call}: {}", message(status))]
    Refused {
        /// The coordinator.
        url: String,
        /// What it was asked for.
        call: CallKind,
        /// What it says.
        status: Box<Status>,
    },
    /// The coordinator does not answer.
    #[error(
        "{url} has been silent for {} s\nhelp: check the network, or use another coordinator",
        after.as_secs()
    )]
    Silent {
        /// The coordinator.
        url: String,
        /// For how long.
        after: Duration,
    },
    /// The coordinator ended the stream.
    #[error("{url} ended the stream\nhelp: try again, as the coordinator may be shutting down")]
    Ended {
        /// The coordinator.
        url: String,
    },
    /// Something is missing in the answer.
    #[error("{url} sent an answer without {what}\nhelp: check that the url is that of a svdr coordinator")]
    Incomplete {
        /// The coordinator.
        url: String,
        /// What is missing.
        what: &'static str,
    },
    /// An envelope is malformed.
    #[error("{url} sent a malformed envelope\nhelp: use another coordinator")]
    Envelope {
        /// The coordinator.
        url: String,
        /// What is wrong.
        #[source]
        source: EnvelopeError,
    },
    /// A receipt is invalid.
    #[error("{url} sent an invalid receipt\nhelp: use another coordinator")]
    Receipt {
        /// The coordinator.
        url: String,
        /// What is wrong.
        #[source]
        source: ReceiptError,
    },
    /// The receipt is for another statement.
    #[error(
        "{url} answered statement {expected} with the receipt for {found}\nhelp: use another coordinator"
    )]
    OtherReceipt {
        /// The coordinator.
        url: String,
        /// The statement that was submitted.
        expected: Digest,
        /// The statement of the receipt.
        found: Digest,
    },
    /// A message is longer than any that svdr sends.
    #[error(
        "{url} sent a message of more than {MAX_MESSAGE_LEN} bytes while {call}\nhelp: use another coordinator"
    )]
    MessageTooLong {
        /// The coordinator.
        url: String,
        /// What it was asked for.
        call: CallKind,
    },
    /// The coordinator forwards what no coordinator accepts.
    #[error(
        "{url} sent {found} invalid statements of one session, expected at most {limit}\nhelp: use another coordinator"
    )]
    TooManyInvalid {
        /// The coordinator.
        url: String,
        /// How many.
        found: usize,
        /// How many are left out without more ado.
        limit: usize,
    },
    /// The coordinator was started with another journal while it was read.
    #[error("{url} has begun another journal\nhelp: read its transcript from the beginning")]
    OtherJournal {
        /// The coordinator.
        url: String,
    },
    /// The coordinator does not show what it has acknowledged.
    #[error(
        "{url} withholds statements: it acknowledged one at position {acknowledged}, but its transcript ends before \
         position {shown}\nhelp: use another coordinator"
    )]
    Withheld {
        /// The coordinator.
        url: String,
        /// The position that it gave a receipt for.
        acknowledged: u64,
        /// The first position that it does not show.
        shown: u64,
    },
}

/// The message of a status, fit for a terminal.
fn message(status: &Status) -> String {
    svdr_protocol::text::shown(status.message())
}

impl CallError {
    pub(crate) fn of_status(url: &str, call: CallKind, status: Status) -> CallError {
        let url = url.to_owned();
        match status.code() {
            // Of a submission, it is the statement that the coordinator finds too long.
            Code::OutOfRange if call != CallKind::Submit => CallError::MessageTooLong { url, call },
            code if is_refusal(code) => CallError::Refused { url, call, status: Box::new(status) },
            _ => CallError::Failed { url, call, status: Box::new(status) },
        }
    }

    /// What a coordinator says to one of many statements, on a stream that goes on.
    pub(crate) fn of_refusal(url: &str, status: Status) -> CallError {
        let (url, call, status) = (url.to_owned(), CallKind::Submit, Box::new(status));
        match status.code() {
            Code::NotFound => CallError::Failed { url, call, status },
            _ => CallError::Refused { url, call, status },
        }
    }

    /// The coordinator that it is about.
    pub fn url(&self) -> &str {
        match self {
            CallError::Failed { url, .. }
            | CallError::Refused { url, .. }
            | CallError::Silent { url, .. }
            | CallError::Ended { url }
            | CallError::Incomplete { url, .. }
            | CallError::Envelope { url, .. }
            | CallError::Receipt { url, .. }
            | CallError::OtherReceipt { url, .. }
            | CallError::MessageTooLong { url, .. }
            | CallError::TooManyInvalid { url, .. }
            | CallError::OtherJournal { url }
            | CallError::Withheld { url, .. } => url,
        }
    }

    /// Whether the coordinator refuses the request, and would refuse it again.
    pub fn is_refusal(&self) -> bool {
        match self {
            CallError::Refused { .. } => true,
            // A limit that does not pass by waiting a little.
            CallError::Failed { status, .. } => {
                status.code() == Code::ResourceExhausted && !self.is_passing()
            }
            _ => false,
        }
    }

    /// Whether the coordinator has too much to do just now, and asks to be called again.
    pub fn is_passing(&self) -> bool {
        match self {
            CallError::Failed { status, .. } => {
                status.code() == Code::ResourceExhausted && status.get_details_retry_info().is_some()
            }
            _ => false,
        }
    }

    /// Whether the coordinator does not know what it was asked for: a session that it may be given later.
    pub fn is_unknown(&self) -> bool {
        matches!(self, CallError::Failed { status, .. } if status.code() == Code::NotFound)
    }

    /// Whether the connection broke, so that another one may serve.
    pub fn is_broken_connection(&self) -> bool {
        match self {
            CallError::Failed { .. } => !self.is_unknown(),
            CallError::Silent { .. } | CallError::Ended { .. } | CallError::OtherJournal { .. } => true,
            _ => false,
        }
    }

    /// Whether the coordinator is at fault in a way that another try does not mend.
    pub const fn is_fault(&self) -> bool {
        matches!(
            self,
            CallError::Envelope { .. }
                | CallError::Receipt { .. }
                | CallError::OtherReceipt { .. }
                | CallError::MessageTooLong { .. }
                | CallError::TooManyInvalid { .. }
        )
    }
}

/// Whether the same call would be answered in the same way again. A session that is unknown now may be known later.
const fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated
    )
}

impl CommandError for CallError {
    fn exit(&self) -> Exit {
        match self {
            CallError::Failed { .. }
            | CallError::Silent { .. }
            | CallError::Ended { .. }
            | CallError::Incomplete { .. }
            | CallError::OtherJournal { .. }
            | CallError::Withheld { .. } => Exit::Failed,
            CallError::Refused { .. }
            | CallError::Envelope { .. }
            | CallError::Receipt { .. }
            | CallError::OtherReceipt { .. }
            | CallError::MessageTooLong { .. }
            | CallError::TooManyInvalid { .. } => Exit::Refused,
        }
    }
}
