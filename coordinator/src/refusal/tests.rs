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
        Refusal::NoStatement,
        Refusal::Envelope(EnvelopeError::SignatureCount { found: 2 }),
        Refusal::Statement(Box::new(StatementError::Stranger { key: "ed25519:AAAA".to_owned() })),
        Refusal::NoSession { kind: "evidence".to_owned() },
        Refusal::UnknownKind { kind: "astrology".to_owned(), signer: name() },
        Refusal::SessionId("x".parse::<SessionId>().unwrap_err()),
        Refusal::UnknownSession { session },
        Refusal::NotCompleted { session, phase: Phase::Agreed(1), needed: 3 },
        Refusal::SeveralCertificates { session, found: 2 },
        Refusal::CertificateTooLong { session, found: 20 << 20 },
        Refusal::NotAccepted(NotAccepted::Drill { kind: "milestone", signer: name(), session, drill: true }),
        Refusal::Observer { client: name() },
        Refusal::TooManyStatements { signer: name(), session },
        Refusal::TooManyBytes { signer: name(), session },
        Refusal::TooManyForeignProposals { client: name(), session },
        Refusal::TooManySessions,
        Refusal::TooFast { client: name() },
        Refusal::TooManyStreams { client: name() },
        Refusal::SlowWatcher { next: 17 },
        Refusal::Stopping,
        Refusal::Anonymous,
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
