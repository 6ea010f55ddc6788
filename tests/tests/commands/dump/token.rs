//! Tokens: from a file that changes, and from an OAuth2 server.

use svdr_tests::sv_app::{Fault, Options, TOKEN_PATH};

use super::bench::{Bench, TIMESTAMP};

fn oauth2(bench: &Bench) {
    bench.write("secret", &bench.stand_in.options().client_secret);
    let token_url = bench.stand_in.token_url();
    bench.configure(&format!(
        "[sv_app.oauth2]\ntoken_url = \"{token_url}\"\nclient_id = \"svdr\"\nclient_secret_file = \"secret\"\n\
         audience = \"https://canton.network.global\"\nca_file = \"ca.pem\""
    ));
}

fn tokens_asked(bench: &Bench) -> usize {
    bench.stand_in.log().requests.iter().filter(|request| request.target == TOKEN_PATH).count()
}

#[test]
fn a_wrong_token_is_tried_again_until_the_time_is_over() {
    let bench = Bench::new(Options::default());
    bench.write("token", "wrong-token");
    let ended = bench.dump(&["--retry-for", "1s"]);
    ended.says(
        1,
        &["answered 401", "the supplied authentication is invalid", "renew the token in", "administrator"],
    );
    assert!(ended.retries() >= 1, "{ended:#?}");
    assert!(!ended.stderr.contains("wrong-token"), "{ended:#?}");
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn a_token_that_is_renewed_meanwhile_is_used() {
    let bench = Bench::new(Options::default());
    bench.write("token", "wrong-token");
    let child = bench.command(&[]).spawn().unwrap();
    bench.wait_until(|log| log.snapshots_asked() == 1);
    bench.write("token", &bench.stand_in.options().token);
    bench.finish(child).says(0, &["try 1 failed", "answered 401"]);
    bench.assert_dump(TIMESTAMP, 6);
}

#[test]
fn a_token_file_that_is_being_replaced_is_waited_for() {
    let bench =
        Bench::new(Options { faults: vec![Fault::Status(500, "boom".to_owned())], ..Options::default() });
    let child = bench.command(&[]).spawn().unwrap();
    bench.wait_until(|log| log.snapshots_asked() == 1);
    std::fs::remove_file(bench.path("token")).unwrap();
    bench.write("token", &bench.stand_in.options().token);
    bench.finish(child).says(0, &[]);
    bench.assert_dump(TIMESTAMP, 6);
}

#[test]
fn forbidden_is_a_matter_of_the_token_too() {
    let fault = Fault::Status(403, "not an administrator".to_owned());
    let bench = Bench::new(Options { faults: vec![fault], ..Options::default() });
    bench.dump(&["--retry-for", "0s"]).says(1, &["answered 403 Forbidden and said \"not an administrator\""]);
}

#[test]
fn a_token_that_a_page_repeats_does_not_come_out() {
    let options = Options::default();
    let page = format!("<pre>authorization: Bearer {}</pre>", options.token);
    let fault = Fault::Answer(502, "text/html".to_owned(), page);
    let bench = Bench::new(Options { faults: vec![fault], ..options });
    bench.dump(&["--retry-for", "0s"]).says(1, &["authorization: Bearer [secret]"]);
}

#[test]
fn a_file_with_more_than_a_token_is_refused_at_once() {
    let bench = Bench::new(Options::default());
    for content in ["", "Bearer wrong-token", "wrong-token\nwrong-token"] {
        bench.write("token", content);
        let ended = bench.dump(&[]);
        ended.says(1, &["write only the secret to it"]);
        assert!(!ended.stderr.contains("wrong-token"), "{ended:#?}");
    }
    assert_eq!(bench.stand_in.log().requests, []);
}

#[test]
fn client_credentials_are_exchanged_for_a_token_that_is_kept() {
    let bench =
        Bench::new(Options { faults: vec![Fault::Status(500, "boom".to_owned())], ..Options::default() });
    oauth2(&bench);
    bench.dump(&[]).says(0, &[]);
    bench.assert_dump(TIMESTAMP, 6);
    assert_eq!((tokens_asked(&bench), bench.stand_in.log().snapshots_asked()), (1, 2));
}

#[test]
fn an_issued_token_that_is_refused_is_asked_for_again() {
    let fault = Fault::Status(401, "revoked".to_owned());
    let bench = Bench::new(Options { faults: vec![fault], ..Options::default() });
    oauth2(&bench);
    bench.dump(&[]).says(0, &["answered 401", "the token that https://"]);
    assert_eq!((tokens_asked(&bench), bench.stand_in.log().snapshots_asked()), (2, 2));
}

#[test]
fn a_wrong_client_secret_is_said_with_the_servers_words() {
    let bench = Bench::new(Options::default());
    oauth2(&bench);
    bench.write("secret", "wrong-secret");
    let ended = bench.dump(&["--retry-for", "1s"]);
    ended.says(1, &["answered 401", "invalid_client: unknown client or wrong secret", "client_secret_file"]);
    assert!(!ended.stderr.contains("wrong-secret"), "{ended:#?}");
    assert_eq!(bench.stand_in.log().snapshots_asked(), 0);
}
