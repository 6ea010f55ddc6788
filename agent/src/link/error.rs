//! Why a coordinator could not be reached, did not answer, or said no.

use std::fmt;
use std::time::Duration;

use svdr_proto::channel::ConnectError;
use svdr_proto::limits::MAX_MESSAGE_LEN;
use svdr_proto::tls::TlsError;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::EnvelopeError;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::receipt::ReceiptError;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::sources::fetch::in_one_line;

/// Why no coordinator is there to talk to.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The configuration names none.
    #[error("no coordinator is configured; add one to agent.toml: [[coordinator]] with its url and key")]
    NoCoordinator,
    /// None of those configured can be reached.
    #[error("no coordinator can be reached:{}", listed(tried))]
    Nobody {
        /// What each of them failed with.
        tried: Vec<Tried>,
    },
    /// TLS cannot use the signing key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A coordinator that could not be reached.
#[derive(Debug)]
pub struct Tried {
    /// Its URL.
    pub url: String,
    /// Why.
    pub source: ConnectError,
}

fn listed(tried: &[Tried]) -> String {
    tried.iter().map(|one| format!("\n  {one}")).collect()
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, in_one_line(&self.source))
    }
}

/// Why a call to a coordinator came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The connection or the coordinator failed.
    #[error("{url} failed while {what}: {}", said(source))]
    Lost {
        /// The coordinator.
        url: String,
        /// What was asked for.
        what: &'static str,
        /// What gRPC says.
        source: Box<Status>,
    },
    /// The coordinator says no; it would say so again.
    #[error("{url} refuses {what}: {}", said(source))]
    Refused {
        /// The coordinator.
        url: String,
        /// What was asked for.
        what: &'static str,
        /// What it says.
        source: Box<Status>,
    },
    /// It is not heard of any more.
    #[error("{url} has been silent for {} s; the connection is given up", after.as_secs())]
    Silent {
        /// The coordinator.
        url: String,
        /// For how long.
        after: Duration,
    },
    /// It has ended the stream.
    #[error("{url} ended the stream; it may be shutting down")]
    Ended {
        /// The coordinator.
        url: String,
    },
    /// Something is missing in its answer.
    #[error("{url} sent an answer without {what}; it is no svdr coordinator, or of another version")]
    Incomplete {
        /// The coordinator.
        url: String,
        /// What is missing.
        what: &'static str,
    },
    /// What it sent is no envelope.
    #[error("{url} sent something that is no signed statement; do not rely on it")]
    Statement {
        /// The coordinator.
        url: String,
        /// What is wrong.
        #[source]
        source: EnvelopeError,
    },
    /// What it sent is not its receipt.
    #[error("{url} sent a receipt that does not hold; do not rely on it")]
    Receipt {
        /// The coordinator.
        url: String,
        /// What is wrong.
        #[source]
        source: ReceiptError,
    },
    /// The receipt is for something else.
    #[error("{url} answered the statement {expected} with a receipt for {found}; do not rely on it")]
    OtherReceipt {
        /// The coordinator.
        url: String,
        /// What was submitted.
        expected: Digest,
        /// What it acknowledges.
        found: Digest,
    },
    /// The transcript has no end.
    #[error("{url} sent more than {limit} statements of one session; do not rely on it")]
    Endless {
        /// The coordinator.
        url: String,
        /// The most there can be.
        limit: u64,
    },
    /// A message is longer than any that svdr sends.
    #[error("{url} sent a message of more than {MAX_MESSAGE_LEN} bytes while {what}; do not rely on it")]
    TooLong {
        /// The coordinator.
        url: String,
        /// What was asked for.
        what: &'static str,
        /// What gRPC says.
        #[source]
        source: Box<Status>,
    },
    /// It passes on what no coordinator accepts.
    #[error(
        "{url} passed on {found} statements that do not hold, as the log says of each; do not rely on it"
    )]
    Junk {
        /// The coordinator.
        url: String,
        /// How many.
        found: usize,
    },
    /// It does not show what it has acknowledged.
    #[error(
        "{url} has acknowledged a statement at position {acknowledged}, but shows nothing from position {shown} on; it \
         withholds statements, ask its operator, and use another one"
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

/// What a coordinator says in a status, fit for a terminal.
fn said(status: &Status) -> String {
    svdr_protocol::text::shown(status.message())
}

impl CallError {
    pub(super) fn of_status(url: &str, what: &'static str, status: Status) -> CallError {
        let (url, source) = (url.to_owned(), Box::new(status));
        if is_refusal(source.code()) {
            CallError::Refused { url, what, source }
        } else {
            CallError::Lost { url, what, source }
        }
    }

    /// As [`CallError::of_status`], for a call that only reads: what is too long there is what the coordinator sent.
    pub(super) fn of_stream(url: &str, what: &'static str, status: Status) -> CallError {
        if status.code() == Code::OutOfRange {
            return CallError::TooLong { url: url.to_owned(), what, source: Box::new(status) };
        }
        CallError::of_status(url, what, status)
    }

    /// The coordinator that it is about.
    pub fn url(&self) -> &str {
        match self {
            CallError::Lost { url, .. }
            | CallError::Refused { url, .. }
            | CallError::Silent { url, .. }
            | CallError::Ended { url }
            | CallError::Incomplete { url, .. }
            | CallError::Statement { url, .. }
            | CallError::Receipt { url, .. }
            | CallError::OtherReceipt { url, .. }
            | CallError::Endless { url, .. }
            | CallError::TooLong { url, .. }
            | CallError::Junk { url, .. }
            | CallError::Withheld { url, .. } => url,
        }
    }

    /// Whether the coordinator says no, and would say so again.
    pub fn is_refusal(&self) -> bool {
        match self {
            CallError::Refused { .. } => true,
            // A limit that does not pass by waiting a little.
            CallError::Lost { source, .. } => source.code() == Code::ResourceExhausted && !self.is_passing(),
            _ => false,
        }
    }

    /// Whether the coordinator has too much to do just now, and asks to be called again.
    pub fn is_passing(&self) -> bool {
        match self {
            CallError::Lost { source, .. } => {
                source.code() == Code::ResourceExhausted && source.get_details_retry_info().is_some()
            }
            _ => false,
        }
    }

    /// Whether the coordinator is at fault in a way that another try does not mend.
    pub fn is_fault(&self) -> bool {
        matches!(
            self,
            CallError::Statement { .. }
                | CallError::Receipt { .. }
                | CallError::OtherReceipt { .. }
                | CallError::Endless { .. }
                | CallError::TooLong { .. }
                | CallError::Junk { .. }
        )
    }
}

/// Whether the same call would be answered in the same way again.
const fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated
    )
}

impl CommandError for LinkError {
    fn exit(&self) -> Exit {
        match self {
            LinkError::NoCoordinator => Exit::Usage,
            LinkError::Nobody { .. } | LinkError::Tls(_) => Exit::Failed,
        }
    }
}

impl CommandError for CallError {
    fn exit(&self) -> Exit {
        match self {
            CallError::Lost { .. }
            | CallError::Silent { .. }
            | CallError::Ended { .. }
            | CallError::Incomplete { .. }
            | CallError::Withheld { .. } => Exit::Failed,
            CallError::Refused { .. }
            | CallError::Statement { .. }
            | CallError::Receipt { .. }
            | CallError::OtherReceipt { .. }
            | CallError::Endless { .. }
            | CallError::TooLong { .. }
            | CallError::Junk { .. } => Exit::Refused,
        }
    }
}
