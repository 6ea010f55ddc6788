//! What the app, or something in front of it, answers.

use std::time::Duration;

use svdr_tests::sv_app::{Fault, Options, SnapshotShape, StandIn};

use super::bench::{Bench, TIMESTAMP};

fn with(faults: &[Fault]) -> Bench {
    // More than a socket's buffers hold, so that a break in the middle is one for both sides.
    let snapshot = SnapshotShape::with_acs(2, 3_000_000);
    Bench::new(Options { snapshot, faults: faults.to_vec(), ..Options::default() })
}

/// Fails once with the fault when nothing is retried, and makes the dump when the fault has passed.
#[track_caller]
fn passes(fault: &Fault, arguments: &[&str], texts: &[&str]) {
    let bench = with(&[fault.clone(), fault.clone()]);
    let once = [arguments, &["--retry-for", "0s"]].concat();
    bench.dump(&once).says(1, texts);
    assert_eq!(bench.left(), [""; 0], "{fault:?}");
    assert_eq!(bench.stand_in.log().snapshots_asked(), 1, "{fault:?}");
    let ended = bench.dump(arguments);
    ended.says(0, texts).says(0, &["try 1 failed: "]);
    assert_eq!(ended.retries(), 1, "{ended:#?}");
    bench.assert_dump(TIMESTAMP, 6);
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
fn pruned_and_behind_are_not_possible() {
    let pruned_until = Some("2026-04-21T23:15:00Z".parse().unwrap());
    let bench = Bench::new(Options { pruned_until, ..Options::default() });
    bench
        .dump(&[])
        .says(4, &["answered 400", "participant has been pruned up to 2026-04-21T23:15:00Z", "--not-before"]);
    let caught_up_to = Some("2026-04-21T23:05:00Z".parse().unwrap());
    let bench = Bench::new(Options { caught_up_to, ..Options::default() });
    bench
        .dump(&[])
        .says(4, &["answered 429", "participant has only caught up to 2026-04-21T23:05:00Z", "--not-after"]);
    assert_eq!(bench.stand_in.log().snapshots_asked(), 1);
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn server_errors_pass() {
    passes(&Fault::Status(500, "boom".to_owned()), &[], &["answered 500", "and said \"boom\""]);
    passes(
        &Fault::Status(503, "participant is unreachable".to_owned()),
        &[],
        &["participant is unreachable"],
    );
    passes(&Fault::RetryAfter(503, "1".to_owned()), &[], &["answered 503", "overloaded"]);
}

#[test]
fn what_a_proxy_says_is_not_what_the_app_says() {
    passes(&Fault::HtmlBadGateway, &[], &["answered 502", "502 Bad Gateway nginx"]);
    passes(&Fault::HtmlLogin, &[], &["answered 200 OK with an HTML page: \"Sign in\""]);
    let untyped = Fault::Answer(200, "application/json".to_owned(), "\n <html>down</html>".to_owned());
    passes(&untyped, &[], &["answered 200 OK with an HTML page: \"down\""]);
    let page = Fault::Answer(400, "text/html".to_owned(), "<h1>400</h1>".to_owned());
    passes(&page, &[], &["answered 400 Bad Request with an HTML page: \"400\""]);
    let limited = Fault::Answer(429, "text/plain".to_owned(), "local_rate_limited".to_owned());
    passes(&limited, &[], &["answered 429", "local_rate_limited"]);
}

#[test]
fn a_body_that_is_no_json_passes() {
    passes(&Fault::Garbage, &[], &["the answer is not valid"]);
    passes(&Fault::CutDocument, &[], &["the answer is not valid"]);
    let empty = Fault::Answer(200, "application/json".to_owned(), String::new());
    passes(&empty, &[], &["the answer is not valid"]);
}

#[test]
fn broken_connections_pass() {
    passes(&Fault::ResetBeforeHead, &[], &["closed the connection before it answered"]);
    // A reset may overtake what was sent before it, the head too.
    passes(&Fault::ResetAfterHead, &[], &["closed the connection "]);
    passes(&Fault::ResetAt(1_000_000), &[], &["closed the connection "]);
}

#[test]
fn truncated_bodies_are_noticed_and_pass() {
    passes(&Fault::Truncated(1_000_000), &[], &["closed the connection after 1000000 bytes"]);
    passes(&Fault::Truncated(0), &[], &["closed the connection after 0 bytes"]);
    passes(&Fault::TruncatedChunked(1_000_000), &[], &["closed the connection after 1000000 bytes"]);
    passes(&Fault::TruncatedGzip, &[], &["closed the connection after"]);
}

#[test]
fn silence_is_limited() {
    let limits = ["--connect-timeout", "2s", "--first-byte-timeout", "300ms", "--idle-timeout", "300ms"];
    passes(
        &Fault::StallBeforeHead,
        &limits[..4],
        &["has not begun to answer within 300ms", "first_byte_timeout"],
    );
    passes(
        &Fault::StallAt(1_000_000),
        &limits[4..],
        &["has sent nothing for 300ms after 1000000 bytes", "idle_timeout"],
    );
}

#[test]
fn a_slow_download_that_lives_is_not_limited() {
    // Takes longer all in all than any pause may.
    let drip = Fault::Drip(150_000, Duration::from_millis(100));
    let bench = with(&[drip]);
    let ended = bench.dump(&["--idle-timeout", "2s", "--first-byte-timeout", "2s", "--retry-for", "0s"]);
    ended.says(0, &[]);
    bench.assert_dump(TIMESTAMP, 6);
}

#[test]
fn another_document_than_asked_for_is_refused() {
    stays(Fault::WrongTimestamp(1), 3, &["2026-04-21T23:10:00.500Z", "2026-04-21T23:10:00.500001Z"]);
    stays(Fault::WrongMigrationId(7), 3, &["for migration id 7, but migration_id is 6"]);
    stays(Fault::DuplicateKey, 3, &["migration_id", "second time"]);
}

#[test]
fn what_would_be_the_same_again_is_not_tried_again() {
    stays(Fault::Status(404, "no".to_owned()), 1, &["answered 404", "/api/sv", "does not have this call"]);
    stays(Fault::Status(405, "no".to_owned()), 1, &["answered 405", "not an answer of the app's API"]);
}

#[test]
fn a_redirect_is_not_followed_with_the_token() {
    let elsewhere = StandIn::start(Options::default()).unwrap();
    stays(
        Fault::Redirect(elsewhere.url()),
        1,
        &["answered 302", &elsewhere.url(), "where the token is not sent"],
    );
    assert_eq!(elsewhere.log().requests, []);
}

#[test]
fn trying_ends_and_says_how_often() {
    let faults = vec![Fault::Status(500, "boom".to_owned()); 100];
    let bench = with(&faults);
    let ended = bench.dump(&["--retry-for", "2s"]);
    ended.says(1, &["tries failed", "boom"]);
    assert_eq!(ended.retries() + 1, bench.stand_in.log().snapshots_asked());
    assert!(ended.retries() >= 1);
}

#[test]
fn a_servers_words_cannot_steer_the_terminal() {
    let words = "\u{1b}[2J\u{202e}pruned\r\n".repeat(1000);
    let bench = with(&[Fault::Status(400, words)]);
    let ended = bench.dump(&[]);
    ended.says(4, &["\\u{1b}[2J\\u{202e}pruned\\r\\n", "…"]);
    assert!(!ended.stderr.contains(['\u{1b}', '\u{202e}', '\r']), "{ended:#?}");
    assert!(ended.stderr.len() < 6000, "{ended:#?}");
}
