//! Every refusal as its reader gets it: code, reason, message.
#![allow(clippy::unwrap_used)]

use tonic::Status;
use tonic_types::StatusExt as _;

use super::*;

#[test]
fn refusals_read_well() {
    let session = SessionId::from_bytes([0xab; 16]);
    let name = || -> MemberName { "SV-1".parse().unwrap() };
    let all = [
        CallRefusal::NoStatement,
        CallRefusal::Envelope(EnvelopeError::SignatureCount { found: 2 }),
        CallRefusal::Statement(std::sync::Arc::new(StatementError::Stranger {
            key: "ed25519:AAAA".to_owned(),
        })),
        CallRefusal::NoSession { kind: "evidence".to_owned() },
        CallRefusal::SessionId("x".parse::<SessionId>().unwrap_err()),
        CallRefusal::UnknownSession { session },
        CallRefusal::NotCompleted { session, phase: Phase::Agreed(1), needed: 3 },
        CallRefusal::SeveralCertificates { session, found: 2 },
        CallRefusal::CertificateTooLong { session, found: 20 << 20 },
        CallRefusal::NotAccepted(NotAccepted::Drill {
            kind: "milestone".to_owned(),
            signer: name(),
            session,
            drill: true,
        }),
        CallRefusal::Observer { client: name() },
        CallRefusal::TooManyStatements { signer: name(), session },
        CallRefusal::TooManyBytes { signer: name(), session },
        CallRefusal::TooManyForeignProposals { client: name(), session },
        CallRefusal::TooManySessions,
        CallRefusal::TooFast { client: name() },
        CallRefusal::TooManyStreams { client: name() },
        CallRefusal::SlowWatcher { next: 17 },
        CallRefusal::Stopping,
        CallRefusal::JournalFailed,
        CallRefusal::Anonymous,
    ];
    let told = all.map(|refusal| {
        let (code, reason) = refusal.kind();
        let status = Status::from(refusal);
        assert_eq!(status.code(), code);
        assert_eq!(status.get_details_error_info().unwrap().reason, reason);
        format!("{code:?} {reason}: {}", status.message())
    });
    svdr_snapshot::assert_snapshot!("refusals", told.join("\n"));
}
