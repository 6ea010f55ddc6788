//! Refusals as gRPC statuses: the one place that chooses codes.
//!
//! The message is the refusal's own. Beside it stand a `google.rpc.ErrorInfo` with a reason that programs can
//! tell apart (domain `svdr`), and a `google.rpc.RetryInfo` where the same call may work a little later.

use std::collections::HashMap;
use std::time::Duration;

use svdr_proto::v1;
use svdr_protocol::dsse::EnvelopeError;
use svdr_protocol::session::NotAccepted;
use svdr_protocol::statement::StatementError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::refusal::Refusal;

/// Whose reasons they are.
pub const DOMAIN: &str = "svdr";
/// When to try again what may work then.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Refusal {
    /// The gRPC code, and the reason as programs read it.
    pub fn kind(&self) -> (Code, &'static str) {
        match self {
            Refusal::NoStatement => (Code::InvalidArgument, "NO_STATEMENT"),
            Refusal::Envelope(error) => envelope(error),
            Refusal::Statement(error) => statement(error),
            Refusal::NoSession { .. } => (Code::InvalidArgument, "NO_SESSION"),
            Refusal::UnknownKind { .. } => (Code::InvalidArgument, "MALFORMED"),
            Refusal::SessionId(_) => (Code::InvalidArgument, "MALFORMED"),
            Refusal::UnknownSession { .. } => (Code::NotFound, "UNKNOWN_SESSION"),
            Refusal::NotCompleted { .. } => (Code::FailedPrecondition, "NOT_COMPLETED"),
            Refusal::SeveralCertificates { .. } => (Code::FailedPrecondition, "SEVERAL_CERTIFICATES"),
            Refusal::CertificateTooLong { .. } => (Code::ResourceExhausted, "CERTIFICATE_TOO_LONG"),
            Refusal::NotAccepted(error) => match error {
                NotAccepted::Drill { .. } => (Code::FailedPrecondition, "DRILL"),
                NotAccepted::OtherRoster { .. } => (Code::FailedPrecondition, "OTHER_ROSTER"),
                NotAccepted::ConvenersToPropose { .. } => (Code::PermissionDenied, "NOT_A_CONVENER"),
                NotAccepted::OtherSession { .. } | NotAccepted::NotOpened => {
                    (Code::FailedPrecondition, "OTHER_SESSION")
                }
            },
            Refusal::Observer { .. } => (Code::PermissionDenied, "OBSERVER"),
            Refusal::TooManyStatements { .. } => (Code::ResourceExhausted, "TOO_MANY_STATEMENTS"),
            Refusal::TooManyBytes { .. } => (Code::ResourceExhausted, "TOO_MANY_BYTES"),
            Refusal::TooManyForeignProposals { .. } => (Code::ResourceExhausted, "TOO_MANY_PROPOSALS"),
            Refusal::TooManySessions => (Code::ResourceExhausted, "TOO_MANY_SESSIONS"),
            Refusal::TooFast { .. } => (Code::ResourceExhausted, "TOO_FAST"),
            Refusal::TooManyStreams { .. } => (Code::ResourceExhausted, "TOO_MANY_STREAMS"),
            Refusal::SlowWatcher { .. } => (Code::ResourceExhausted, "SLOW_WATCHER"),
            Refusal::Stopping => (Code::Unavailable, "STOPPING"),
            Refusal::Anonymous => (Code::Internal, "ANONYMOUS"),
        }
    }
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

/// The same for one statement of many, where the call goes on.
impl From<Refusal> for v1::Refusal {
    fn from(refusal: Refusal) -> v1::Refusal {
        let (code, reason) = refusal.kind();
        v1::Refusal { code: code.into(), reason: reason.to_owned(), message: refusal.to_string() }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Status {
        let (code, reason) = refusal.kind();
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
        if matches!(refusal, Refusal::TooFast { .. } | Refusal::Stopping) {
            details.set_retry_info(Some(RETRY_AFTER));
        }
        Status::with_error_details(code, refusal.to_string(), details)
    }
}
