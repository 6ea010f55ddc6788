//! Refusals as gRPC statuses: the one place that chooses codes.
//!
//! The message is the refusal's own, with its causes and its help, in one line. Its details have a
//! `google.rpc.ErrorInfo` with a reason for programs (domain `svdr`), and a `google.rpc.RetryInfo` if the same call may
//! work a little later.

use std::collections::HashMap;
use std::time::Duration;

use svdr_proto::v1;
use svdr_protocol::dsse::EnvelopeError;
use svdr_protocol::failure::Told;
use svdr_protocol::session::NotAccepted;
use svdr_protocol::statement::StatementError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::refusal::CallRefusal;

/// Whose reasons they are.
pub const DOMAIN: &str = "svdr";
/// When to try again what may work then.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl CallRefusal {
    /// The gRPC code, and the reason as programs read it.
    pub fn kind(&self) -> (Code, &'static str) {
        match self {
            CallRefusal::NoStatement => (Code::InvalidArgument, "NO_STATEMENT"),
            CallRefusal::Envelope(error) => envelope(error),
            CallRefusal::Statement(error) => statement(error),
            CallRefusal::NoSession { .. } => (Code::InvalidArgument, "NO_SESSION"),
            CallRefusal::SessionId(_) => (Code::InvalidArgument, "MALFORMED"),
            CallRefusal::UnknownSession { .. } => (Code::NotFound, "UNKNOWN_SESSION"),
            CallRefusal::NotCompleted { .. } => (Code::FailedPrecondition, "NOT_COMPLETED"),
            CallRefusal::SeveralCertificates { .. } => (Code::FailedPrecondition, "SEVERAL_CERTIFICATES"),
            CallRefusal::CertificateTooLong { .. } => (Code::ResourceExhausted, "CERTIFICATE_TOO_LONG"),
            CallRefusal::NotAccepted(error) => match error {
                NotAccepted::Drill { .. } => (Code::FailedPrecondition, "DRILL"),
                NotAccepted::OtherRoster { .. } => (Code::FailedPrecondition, "OTHER_ROSTER"),
                NotAccepted::UnknownCoordinator { .. } | NotAccepted::Outsider { .. } => {
                    (Code::PermissionDenied, "UNKNOWN_COORDINATOR")
                }
                NotAccepted::ConvenersToPropose { .. } => (Code::PermissionDenied, "NOT_A_CONVENER"),
                NotAccepted::OtherSession { .. } | NotAccepted::NotOpened => {
                    (Code::FailedPrecondition, "OTHER_SESSION")
                }
            },
            CallRefusal::Observer { .. } => (Code::PermissionDenied, "OBSERVER"),
            CallRefusal::TooManyStatements { .. } => (Code::ResourceExhausted, "TOO_MANY_STATEMENTS"),
            CallRefusal::TooManyBytes { .. } => (Code::ResourceExhausted, "TOO_MANY_BYTES"),
            CallRefusal::TooManyForeignProposals { .. } => (Code::ResourceExhausted, "TOO_MANY_PROPOSALS"),
            CallRefusal::TooManySessions => (Code::ResourceExhausted, "TOO_MANY_SESSIONS"),
            CallRefusal::TooFast { .. } => (Code::ResourceExhausted, "TOO_FAST"),
            CallRefusal::TooManyStreams { .. } => (Code::ResourceExhausted, "TOO_MANY_STREAMS"),
            CallRefusal::SlowWatcher { .. } => (Code::ResourceExhausted, "SLOW_WATCHER"),
            CallRefusal::Stopping => (Code::Unavailable, "STOPPING"),
            CallRefusal::JournalFailed => (Code::Unavailable, "JOURNAL_FAILED"),
            CallRefusal::Anonymous => (Code::Internal, "ANONYMOUS"),
        }
    }
}

/// In one line: a status is shown by programs that know nothing of an error's two parts.
fn message(refusal: &CallRefusal) -> String {
    Told::of(refusal).in_one_line()
}

fn envelope(error: &EnvelopeError) -> (Code, &'static str) {
    match error {
        EnvelopeError::Signature { .. } => (Code::InvalidArgument, "SIGNATURE"),
        EnvelopeError::TooLong { .. } => (Code::InvalidArgument, "TOO_LONG"),
        _ => (Code::InvalidArgument, "MALFORMED"),
    }
}

fn statement(error: &StatementError) -> (Code, &'static str) {
    match error {
        StatementError::Envelope(error) => envelope(error),
        StatementError::Stranger { .. } => (Code::PermissionDenied, "STRANGER"),
        StatementError::OtherSigner { .. } | StatementError::NotTheMember { .. } => {
            (Code::PermissionDenied, "OTHER_SIGNER")
        }
        StatementError::NotAConvener { .. } => (Code::PermissionDenied, "NOT_A_CONVENER"),
        StatementError::OtherRoster { .. } => (Code::FailedPrecondition, "OTHER_ROSTER"),
        _ => (Code::InvalidArgument, "MALFORMED"),
    }
}

/// The same for one of many statements of a call that continues.
impl From<CallRefusal> for v1::Refusal {
    fn from(refusal: CallRefusal) -> v1::Refusal {
        let (code, reason) = refusal.kind();
        v1::Refusal { code: code.into(), reason: reason.to_owned(), message: message(&refusal) }
    }
}

impl From<CallRefusal> for Status {
    fn from(refusal: CallRefusal) -> Status {
        let (code, reason) = refusal.kind();
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
        if matches!(refusal, CallRefusal::TooFast { .. } | CallRefusal::Stopping) {
            details.set_retry_info(Some(RETRY_AFTER));
        }
        Status::with_error_details(code, message(&refusal), details)
    }
}
