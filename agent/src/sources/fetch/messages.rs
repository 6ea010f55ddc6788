//! Every way in which a dump can fail, as an operator reads it: a snapshot to be read by people in review.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::StatusCode;
use svdr_cli::failure::explain;
use svdr_protocol::failure::CommandError as _;

use super::FetchError;
use crate::sources::app::{AnswerText, AppFailure, SetupError, TokenError, TrustError};
use crate::sources::volume::{DUMP_FILE, ExportError};
use svdr_dump::{ChunkDefect, Defect, Document, PayloadFileError, Position, Refusal};
use svdr_protocol::failure::in_one_line;

const SNAPSHOT: &str =
    "https://sv.sv.example.com/api/sv/v0/admin/domain/data-snapshot?timestamp=2026-04-21T23:10:00Z";

fn url() -> String {
    SNAPSHOT.to_owned()
}

fn app(text: &str) -> AnswerText {
    AnswerText::App(text.to_owned())
}

/// An error of the HTTP library; which one does not matter.
fn http() -> reqwest::Error {
    reqwest::Proxy::all("not a proxy").unwrap_err()
}

fn failures() -> Vec<AppFailure> {
    let page = || AnswerText::Html("502 Bad Gateway nginx".to_owned());
    let credentials = "the token in /run/secrets/sv-token".to_owned();
    let minute = Duration::from_secs(60);
    vec![
        AppFailure::Pruned {
            url: url(),
            answer: app("participant has been pruned up to 2026-04-21T23:15:00Z"),
        },
        AppFailure::Behind {
            url: url(),
            answer: app("participant has only caught up to 2026-04-21T23:05:00Z"),
        },
        AppFailure::Unauthorized {
            url: url(),
            status: StatusCode::FORBIDDEN,
            answer: AnswerText::None,
            credentials,
        },
        AppFailure::Token(token_errors().remove(0)),
        AppFailure::Server {
            url: url(),
            status: StatusCode::SERVICE_UNAVAILABLE,
            answer: app("the participant is unreachable"),
            retry_after: None,
        },
        AppFailure::Page { url: url(), status: StatusCode::BAD_GATEWAY, answer: page() },
        AppFailure::Unreachable { url: url(), source: http() },
        AppFailure::Dropped { url: url(), source: http() },
        AppFailure::NoAnswer { url: url(), after: 10 * minute },
        AppFailure::Stalled { url: url(), after: minute, received: 123_456_789 },
        AppFailure::Broken { url: url(), received: 123_456_789, source: http() },
        AppFailure::NotFound { url: url(), answer: AnswerText::Other("default backend - 404".to_owned()) },
        AppFailure::Redirect {
            url: url(),
            status: StatusCode::FOUND,
            location: "https://login.example.com/".to_owned(),
        },
        AppFailure::Untrusted { url: url(), source: http() },
        AppFailure::Unexpected {
            url: url(),
            status: StatusCode::METHOD_NOT_ALLOWED,
            answer: AnswerText::None,
        },
    ]
}

fn token_errors() -> Vec<TokenError> {
    let path = || PathBuf::from("/run/secrets/sv-token");
    let token_url = || "https://auth.example.com/oauth/token".parse().unwrap();
    vec![
        TokenError::Unreadable { path: path(), source: std::io::ErrorKind::NotFound.into() },
        TokenError::NotASecret { path: path(), found: "several words" },
        TokenError::Unreachable { url: token_url(), source: http() },
        TokenError::Refused {
            url: token_url(),
            status: StatusCode::UNAUTHORIZED,
            answer: app("invalid_client: unknown client"),
            client_id: "svdr".to_owned(),
        },
        TokenError::NotAToken {
            url: token_url(),
            status: StatusCode::OK,
            found: "an empty or malformed token",
        },
    ]
}

fn setup_errors() -> Vec<SetupError> {
    let path = || PathBuf::from("/etc/svdr/ca.pem");
    let tls = || rustls::Error::General("why".to_owned());
    let mut errors: Vec<SetupError> = [
        TrustError::CaFile { path: path(), source: rustls_pki_types::pem::Error::NoItemsFound },
        TrustError::NoCertificate { path: path() },
        TrustError::BadCertificate { path: path(), number: 2, source: tls() },
        TrustError::NoSystemRoots { looked: None },
        TrustError::NoSystemRoots { looked: Some("/etc/ssl is absent".to_owned()) },
        TrustError::Unsupported { source: tls() },
    ]
    .into_iter()
    .map(SetupError::from)
    .collect();
    errors.push(SetupError::Client {
        url: "https://sv.sv.example.com/api/sv".parse().unwrap(),
        source: http(),
    });
    errors
}

fn fetch_errors() -> Vec<FetchError> {
    let lost =
        || FetchError::SvApp(AppFailure::Stalled { url: url(), after: Duration::from_secs(60), received: 0 });
    vec![
        FetchError::OtherMigrationId { url: url(), expected: 7, found: 6 },
        FetchError::GaveUp { tries: 12, source: Box::new(lost()) },
        FetchError::WriterStopped,
        FetchError::NoIdentities,
        FetchError::SeparateFiles { url: url() },
        FetchError::TooLarge { symptom: "413 Payload Too Large", source: Box::new(lost()) },
    ]
}

fn export_errors() -> Vec<ExportError> {
    let export = || PathBuf::from("/mnt/sv-dump/export_at_1776813000000");
    let dump = || export().join(DUMP_FILE);
    let acs = || export().join("2026-04-21T23:10:00Z-acs-snapshot");
    let denied = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let truncated = ChunkDefect::Truncated { offset: 49_156, expected: 49_152, found: 12 };
    let refusal = Refusal {
        document: Document::Dump,
        position: Position { offset: 79, line: 1, column: 80 },
        path: "data_snapshot.acs_snapshot".to_owned(),
        defect: Defect::OtherPath {
            expected: "/domain-upgrade-dump/export_at_1776813000000".to_owned(),
            found: "/etc/passwd".to_owned(),
        },
    };
    vec![
        ExportError::Volume { path: "/mnt/sv-dump".into(), source: std::io::ErrorKind::NotFound.into() },
        ExportError::Absent { path: export() },
        ExportError::Missing { path: dump() },
        ExportError::Foreign { path: acs(), expected: "the file", found: "a symbolic link" },
        ExportError::OtherOwner { path: acs(), expected: 1001, found: 0 },
        ExportError::Writable { path: dump(), mode: 0o666 },
        ExportError::Read { path: dump(), source: denied() },
        ExportError::Document { path: dump(), source: refusal.into() },
        ExportError::Payload { path: acs(), source: PayloadFileError::Chunks(truncated) },
        ExportError::Payload {
            path: acs(),
            source: PayloadFileError::Read { offset: 4096, source: denied() },
        },
        ExportError::Payload {
            path: acs(),
            source: PayloadFileError::Write { offset: 4096, source: denied() },
        },
        ExportError::Newer { path: acs() },
        ExportError::Changed { path: acs() },
        ExportError::OtherParticipant {
            path: dump(),
            expected: "PAR::Digital-Asset-1::1220e1".to_owned(),
            found: "PAR::Digital-Asset-2::1220ab".to_owned(),
        },
        ExportError::Cancelled,
        ExportError::Unfinished {
            path: export(),
            waited: Duration::from_secs(60),
            source: Box::new(ExportError::Missing { path: dump() }),
        },
    ]
}

#[test]
fn every_export_that_is_not_taken_says_why_and_what_to_do() {
    let mut text = String::new();
    for error in export_errors() {
        let settles = if error.may_settle() { "waited for" } else { "not waited for" };
        text.push_str(&format!("{:?}, {settles}\n{}\n\n", error.exit(), explain(&error)));
    }
    svdr_snapshot::assert_snapshot!("exports", text);
}

#[test]
fn every_failure_says_what_happened_and_what_to_do() {
    let mut text = String::new();
    for failure in failures() {
        text.push_str(&format!("{:?}\n{}\n\n", failure.class(), explain(&failure)));
    }
    for error in token_errors() {
        text.push_str(&format!("{}\n\n", explain(&error)));
    }
    for error in setup_errors() {
        text.push_str(&format!("{}\n\n", explain(&error)));
    }
    for error in fetch_errors() {
        text.push_str(&format!("{}\n\n", explain(&error)));
    }
    svdr_snapshot::assert_snapshot!("failures", text);
}

#[test]
fn a_log_line_holds_all_the_causes() {
    let failure = AppFailure::Token(TokenError::Unreadable {
        path: "token".into(),
        source: std::io::Error::other("torn\nout"),
    });
    assert_eq!(
        in_one_line(&failure),
        "there is no token for the app: token cannot be read: torn out (write the secret to that file, or correct its \
         name in the configuration)"
    );
}
