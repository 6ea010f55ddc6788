//! What the app, or something in front of it, answers.

use svdr_tests::sv_app::{Fault, Options, StandIn};

use super::bench::{Bench, decrypted, identities};

fn with(faults: &[Fault]) -> Bench {
    Bench::new(Options { identities_faults: faults.to_vec(), ..Options::default() })
}

fn json(body: &serde_json::Value) -> Fault {
    Fault::Answer(200, "application/json".to_owned(), body.to_string())
}

/// Fails once with the fault when nothing is retried, and makes the backup when the fault has passed.
#[track_caller]
fn passes(fault: Fault, texts: &[&str]) {
    let bench = with(&[fault.clone(), fault]);
    let recipient = bench.recipient();
    let arguments = ["--recipient", &recipient];
    bench.backup(&["--retry-for", "0s", arguments[0], arguments[1]]).says(1, texts);
    assert_eq!((bench.left(), bench.stand_in.log().identities_asked()), (vec![], 1));
    let ended = bench.backup(&arguments);
    ended.says(0, texts).says(0, &["try 1 failed: "]);
    assert_eq!(ended.retries(), 1, "{ended:#?}");
    assert!(decrypted(&bench.path("out/backup"), &bench.age) == bench.document());
}

/// Is asked once, and refused for good.
#[track_caller]
fn stays(fault: Fault, code: i32, texts: &[&str]) {
    let bench = with(&[fault]);
    let ended = bench.backup(&[]);
    ended.says(code, texts);
    assert_eq!((ended.retries(), bench.stand_in.log().identities_asked()), (0, 1), "{ended:#?}");
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn a_wrong_token_is_tried_again_until_it_is_renewed() {
    let bench = Bench::new(Options::default());
    bench.write("token", "wrong-token");
    let ended = bench.backup(&["--retry-for", "0s"]);
    ended.says(1, &["answered 401", "renew the token in", "administrator"]);
    let child = bench.command(&["backup", "identities", "--out", "out/backup"]).spawn().unwrap();
    bench.wait_until(|log| log.identities_asked() == 2);
    bench.write("token", &bench.stand_in.options().token);
    bench.finish(child).says(0, &["try 1 failed", "answered 401"]);
    passes(Fault::Status(403, "not an administrator".to_owned()), &["answered 403", "not an administrator"]);
}

#[test]
fn server_errors_and_proxies_pass() {
    passes(Fault::Status(500, "boom".to_owned()), &["answered 500", "boom"]);
    passes(Fault::RetryAfter(503, "1".to_owned()), &["answered 503", "overloaded"]);
    passes(Fault::HtmlBadGateway, &["answered 502", "502 Bad Gateway nginx"]);
    passes(Fault::HtmlLogin, &["answered 200 OK with an HTML page", "Sign in"]);
    passes(Fault::Answer(429, "text/plain".to_owned(), "limited".to_owned()), &["answered 429"]);
    let untyped = Fault::Answer(200, "application/json".to_owned(), "<html>down</html>".to_owned());
    passes(untyped, &["with an HTML page: \"down\""]);
}

#[test]
fn what_is_cut_or_broken_off_passes() {
    let damaged = "the answer is not valid";
    passes(Fault::Truncated(1_000), &["closed the connection after 1000 bytes"]);
    passes(Fault::TruncatedChunked(1_000), &["closed the connection after 1000 bytes"]);
    passes(Fault::CutDocument, &[damaged, "the document ends here"]);
    passes(Fault::Garbage, &[damaged]);
    passes(Fault::Answer(200, "application/json".to_owned(), String::new()), &[damaged]);
    // A reset may overtake what was sent before it, the head too.
    passes(Fault::ResetAt(1_000), &["closed the connection "]);
    passes(Fault::ResetBeforeHead, &["closed the connection before it answered"]);
}

#[test]
fn silence_is_limited() {
    let bench = with(&[Fault::StallAt(1_000), Fault::StallBeforeHead]);
    let limits = ["--idle-timeout", "300ms", "--first-byte-timeout", "300ms", "--retry-for", "0s"];
    bench.backup(&limits).says(1, &["has sent nothing for 300ms after", "idle_timeout"]);
    bench.backup(&limits).says(1, &["has not begun to answer within 300ms", "first_byte_timeout"]);
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn other_identities_than_this_members_are_refused() {
    stays(
        json(&identities(2)),
        3,
        &["PAR::Example-SV-2::1220", "the participant of Example-SV-1", "use the SV app and the backup of"],
    );
    let mut unnamed = identities(1);
    unnamed["identities"]["participant"].as_object_mut().unwrap().remove("id");
    stays(json(&unnamed), 3, &["name no participant (identities.participant.id)"]);
    let twice = identities(1).to_string().replace("\"participant\":{", "\"participant\":{\"id\":\"PAR::x\",");
    stays(Fault::Answer(200, "application/json".to_owned(), twice), 3, &["second time"]);
}

#[test]
fn incomplete_identities_are_refused() {
    for field in ["participant", "sequencer", "mediator", "sv_party_id", "dso_party_id", "domain_id"] {
        let mut lacking = identities(1);
        lacking["identities"].as_object_mut().unwrap().remove(field);
        stays(json(&lacking), 3, &[&format!("the field \"{field}\" is missing")]);
    }
    let mut wrong = identities(1);
    wrong["identities"]["sequencer"] = "SEQ::x".into();
    stays(json(&wrong), 3, &["at identities.sequencer", "expected an object"]);
    let deep = format!("{{\"identities\":{}{}}}", "[".repeat(200), "]".repeat(200));
    stays(Fault::Answer(200, "application/json".to_owned(), deep), 3, &["identities"]);
}

#[test]
fn what_would_be_the_same_again_is_not_tried_again() {
    stays(Fault::Status(404, "no".to_owned()), 1, &["answered 404", "does not have this call"]);
    stays(Fault::Status(400, "no".to_owned()), 1, &["answered 400", "not an answer of the app's API"]);
    let large = format!("{{\"identities\":\"{}\"}}", "x".repeat(33 << 20));
    stays(Fault::Answer(200, "application/json".to_owned(), large), 3, &["more than 33554432 bytes"]);
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

/// A proxy that changes status or type does not bring the keys onto the screen: every run looks for them in it.
#[test]
fn identities_in_the_wrong_wrapping_are_not_shown() {
    let body = identities(1).to_string();
    for (status, content_type) in
        [(203, "application/json"), (206, "application/json"), (200, "text/html"), (500, "text/plain")]
    {
        let bench = with(&[Fault::Answer(status, content_type.to_owned(), body.clone())]);
        let ended = bench.backup(&["--retry-for", "0s"]);
        ended.says(1, &[&format!("answered {status}"), "not shown here"]);
        assert!(!ended.stderr.contains("keyPair"), "{ended:#?}");
    }
}
