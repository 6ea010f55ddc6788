//! Whom the agent talks to, and what it writes to.

use std::process::Command;

use svdr_tests::binaries;
use svdr_tests::sv_app::{Options, SnapshotShape, StandIn};

use super::bench::{Bench, TIMESTAMP};

#[test]
fn a_certificate_of_another_ca_is_not_trusted() {
    let bench = Bench::new(Options::default());
    let other = StandIn::start(Options::default()).unwrap();
    bench.write("other.pem", other.ca_pem().unwrap());
    let ended = bench.dump(&["--ca-file", "other.pem"]);
    ended.says(1, &["certificate that this machine does not trust", "ca_file"]);
    assert_eq!(ended.retries(), 0);
    assert_eq!(bench.stand_in.log().requests, []);
}

#[test]
fn a_machine_without_ca_certificates_is_said_to_be_one() {
    let bench = Bench::new(Options::default());
    let toml = std::fs::read_to_string(bench.path("agent.toml")).unwrap().replace("ca_file = \"ca.pem\"", "");
    bench.write("agent.toml", &toml);
    let mut command = bench.command(&[]);
    command.env("SSL_CERT_FILE", bench.path("absent.pem")).env_remove("SSL_CERT_DIR");
    bench.finish(command.spawn().unwrap()).says(1, &["no CA certificates", "ca-certificates", "ca_file"]);
    let mut command = bench.command(&[]);
    command.env("SSL_CERT_FILE", bench.path("ca.pem")).env_remove("SSL_CERT_DIR");
    bench.finish(command.spawn().unwrap()).says(0, &[]);
}

#[test]
fn http_works_and_warns_where_it_leaves_the_machine() {
    let bench = Bench::new(Options { tls: false, ..Options::default() });
    let ended = bench.dump(&[]);
    ended.says(0, &[]);
    assert!(!ended.stderr.contains("can be read on their way"), "{ended:#?}");
    bench.assert_dump(TIMESTAMP, 6);
    let ended = bench.dump(&["--force", "--url", "http://sv-app.invalid/api/sv", "--retry-for", "0s"]);
    ended.says(
        1,
        &["can be read on their way", "http://sv-app.invalid/api/sv", "cannot be reached", "name resolution"],
    );
}

#[test]
fn a_refused_connection_is_tried_again() {
    let bench = Bench::new(Options::default());
    let gone = StandIn::start(Options::default()).unwrap();
    let url = gone.url();
    drop(gone);
    let ended = bench.dump(&["--url", &url, "--retry-for", "1s"]);
    ended.says(1, &["cannot be reached", "Connection refused"]);
    assert!(ended.retries() >= 1);
}

#[test]
fn proxies_of_the_environment_are_used() {
    let bench = Bench::new(Options { tls: false, ..Options::default() });
    let mut command = bench.command(&["--url", "http://sv-app.invalid/api/sv"]);
    command.env("HTTP_PROXY", format!("http://{}", bench.stand_in.address()));
    // The stand-in is no proxy: that it was asked is all there is to see.
    bench.finish(command.spawn().unwrap()).says(1, &["answered 404"]);
    let asked = bench.stand_in.log().requests;
    assert!(
        asked[0].target.starts_with("http://sv-app.invalid/api/sv/v0/admin/domain/data-snapshot"),
        "{asked:?}"
    );
}

#[test]
fn a_full_disk_is_said_to_be_full_and_not_tried_again() {
    let bench = Bench::new(Options { snapshot: SnapshotShape::with_acs(1, 3_000_000), ..Options::default() });
    // A limit on the size of files fails writes as a full disk does.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "sh"]).arg(binaries::agent());
    command.args(["dump", "--config", "agent.toml", "--timestamp", TIMESTAMP, "--out", "out/dump.json"]);
    let ended = bench.finish(bench.prepared(command).spawn().unwrap());
    ended.says(1, &["could not be written", "disk"]);
    assert_eq!((ended.retries(), bench.stand_in.log().snapshots_asked()), (0, 1), "{ended:#?}");
    assert_eq!(bench.left(), [""; 0]);
}
