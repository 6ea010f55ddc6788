//! What the validator app, or something in front of it, answers.

use svdr_tests::sv_app::{Fault, Options, SnapshotShape, StandIn};

use super::bench::Bench;

fn with(faults: &[Fault]) -> Bench {
    // More than a socket's buffers hold, so that a break in the middle is one for both sides.
    let snapshot = SnapshotShape::with_acs(2, 3_000_000);
    Bench::new(Options { snapshot, faults: faults.to_vec(), ..Options::default() })
}

/// Fails once with the fault when nothing is retried, and makes the dump when the fault has passed.
#[track_caller]
fn passes(fault: &Fault, texts: &[&str]) {
    let bench = with(&[fault.clone(), fault.clone()]);
    bench.dump(&["--retry-for", "0s"]).says(1, texts);
    assert_eq!((bench.left().len(), bench.stand_in.log().snapshots_asked()), (0, 1), "{fault:?}");
    let ended = bench.dump(&[]);
    ended.says(0, texts).says(0, &["try 1 failed: "]);
    assert_eq!(ended.retries(), 1, "{ended:#?}");
    bench.assert_dump();
}

/// Is asked once, and refused for good.
#[track_caller]
fn stays(fault: Fault, code: i32, texts: &[&str]) {
    let bench = with(&[fault]);
    let ended = bench.dump(&[]);
    ended.says(code, texts);
    assert_eq!((ended.retries(), bench.stand_in.log().snapshots_asked()), (0, 1), "{ended:#?}");
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn a_validator_without_a_dump_is_told_how_to_be_re_onboarded() {
    let way_out = [
        "re-onboard this validator from the backup of its node identities",
        "kubectl create secret generic participant-bootstrap-dump",
        "newParticipantIdentifier",
        "./start.sh -s SPONSOR_SV_URL -o \"\" -p PARTY_HINT -m 6 -i BACKUP -P NEW_PARTICIPANT_ID -w",
        "docs/validators.md",
    ];
    let pruned_until = Some("2026-04-22T00:50:00Z".parse().unwrap());
    let bench = Bench::new(Options { pruned_until, ..Options::default() });
    let ended = bench.dump(&[]);
    ended.says(
        4,
        &["answered 400", "participant has been pruned up to 2026-04-22T00:50:00Z", "pruned beyond"],
    );
    ended.says(4, &way_out);
    assert!(!ended.stderr.contains("propose again"), "{ended:#?}");
    let caught_up_to = Some("2026-04-22T00:40:00Z".parse().unwrap());
    let bench = Bench::new(Options { caught_up_to, ..Options::default() });
    let ended = bench.dump(&[]);
    ended.says(
        4,
        &["answered 429", "participant has only caught up to 2026-04-22T00:40:00Z", "had not caught up"],
    );
    ended.says(4, &way_out);
    assert_eq!((bench.left().len(), bench.stand_in.log().snapshots_asked()), (0, 1));
}

#[test]
fn a_wrong_token_is_said_to_be_that_and_read_again() {
    passes(&Fault::Status(401, "token expired".to_owned()), &["answered 401", "renew the token in"]);
    passes(&Fault::Status(403, "no administrator".to_owned()), &["answered 403", "administrator of the app"]);
    let bench = with(&[]);
    bench.stand_in.set_token("another");
    bench.dump(&["--retry-for", "0s"]).says(1, &["answered 401", "token"]);
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn server_errors_and_pages_pass() {
    passes(&Fault::Status(500, "boom".to_owned()), &["answered 500", "and said \"boom\""]);
    passes(&Fault::RetryAfter(503, "1".to_owned()), &["answered 503", "overloaded"]);
    passes(&Fault::HtmlBadGateway, &["answered 502", "502 Bad Gateway nginx"]);
    passes(&Fault::HtmlLogin, &["answered 200 OK with an HTML page: \"Sign in\""]);
    let page = Fault::Answer(400, "text/html".to_owned(), "<h1>400</h1>".to_owned());
    passes(&page, &["answered 400 Bad Request with an HTML page: \"400\""]);
    let limited = Fault::Answer(429, "text/plain".to_owned(), "local_rate_limited".to_owned());
    passes(&limited, &["answered 429", "local_rate_limited"]);
}

#[test]
fn broken_connections_and_torn_answers_pass() {
    passes(&Fault::ResetBeforeHead, &["closed the connection before it answered"]);
    // A reset may overtake what was sent before it, the head too.
    passes(&Fault::ResetAt(1_000_000), &["closed the connection "]);
    passes(&Fault::Truncated(1_000_000), &["closed the connection after 1000000 bytes"]);
    passes(&Fault::TruncatedChunked(1_000_000), &["closed the connection after 1000000 bytes"]);
    passes(&Fault::TruncatedGzip, &["closed the connection after"]);
    passes(&Fault::CutDocument, &["the answer is not valid"]);
    passes(&Fault::Garbage, &["the answer is not valid"]);
}

#[test]
fn another_document_than_asked_for_is_refused() {
    stays(Fault::WrongTimestamp(1), 3, &["validator's data snapshot", "2026-04-22T00:44:00.000001Z"]);
    stays(Fault::WrongMigrationId(7), 3, &["for migration id 7, but the SVs agreed on 6"]);
    stays(Fault::DuplicateKey, 3, &["migration_id", "second time"]);
    let empty = |text: &str| Fault::Answer(200, "application/json".to_owned(), text.to_owned());
    stays(empty("{}"), 3, &["data_snapshot", "is missing", "set url to the base of the validator app's API"]);
    stays(empty("{\"data_snapshot\":\"AAAA\"}"), 3, &["expected an object", "found a string"]);
    stays(
        Fault::Status(404, "no".to_owned()),
        1,
        &["answered 404", "/api/validator", "does not have this call"],
    );
}

#[test]
fn what_an_sv_app_answers_is_no_validators_dump() {
    let sv = StandIn::start(Options::default()).unwrap();
    let bench = Bench::new(Options::default());
    bench.write("sv-ca.pem", sv.ca_pem().unwrap());
    let ended = bench.dump(&["--url", &sv.url(), "--ca-file", "sv-ca.pem"]);
    ended.says(3, &["participant", "is missing", "not of an SV app's"]);
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn a_certificate_of_another_ca_is_not_trusted() {
    let bench = Bench::new(Options::default());
    let other = StandIn::start(Options::default()).unwrap();
    bench.write("other.pem", other.ca_pem().unwrap());
    bench
        .dump(&["--ca-file", "other.pem"])
        .says(1, &["certificate that this machine does not trust", "ca_file"]);
    assert_eq!(bench.stand_in.log().requests, []);
}
