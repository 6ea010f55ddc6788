//! The certificate from a coordinator, as an observer.

use std::fs;
use std::process::Command;

use svdr_proto::channel;
use svdr_proto::tls::TlsIdentity;
use svdr_proto::v1;
use svdr_proto::v1::session_service_client::SessionServiceClient;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::keys::PublicKey;
use svdr_tests::binaries;
use svdr_tests::completed::Completed;
use svdr_tests::coordinator::Coordinator;
use svdr_tests::liar::Liar;
use svdr_tests::network::Network;
use svdr_tests::sv_app::Options;
use tonic::transport::Channel;

use super::bench::Bench;

type Client = SessionServiceClient<Channel>;

pub(crate) async fn client(coordinator: &Coordinator, key: &ed25519_dalek::SigningKey) -> Client {
    let server: PublicKey = coordinator.started.public_key.parse().unwrap();
    let server = *server.verifying_key().as_bytes();
    channel::connect(&coordinator.url(), server, &TlsIdentity::new(key).unwrap()).await.unwrap()
}

/// Submits statements as the first member.
pub(crate) fn submit(coordinator: &Coordinator, network: &Network, said: &[Envelope]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = client(coordinator, network.key(1)).await;
        for envelope in said {
            let request = v1::SubmitRequest { statement: Some(envelope.to_message()) };
            client.submit(request).await.unwrap();
        }
    });
}

/// `--coordinator` and the rest, for the observer.
fn flags(coordinator: &(String, String), session: &str) -> Vec<String> {
    let (url, key) = coordinator;
    ["--coordinator", url, "--coordinator-key", key, "--signing-key", "observer.key", "--session", session]
        .map(str::to_owned)
        .to_vec()
}

fn fetched(bench: &Bench, coordinator: &(String, String), session: &str) -> super::bench::Ended {
    let (flags, fingerprint) = (flags(coordinator, session), bench.fingerprint());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut command = bench.unconfirmed(&[&flags[..], &["--fingerprint", &fingerprint, "--force"]].concat());
    bench.finish(command.spawn().unwrap())
}

fn configured(coordinator: &Coordinator) -> (String, String) {
    (coordinator.url(), coordinator.started.public_key.clone())
}

#[test]
fn an_observer_gets_the_certificate_once_the_session_is_completed() {
    let bench = Bench::empty(Options::default());
    let coordinator = Coordinator::start(bench.network.path(), &[]).unwrap();
    let mut completed = Completed::attested(&bench.network, false, 2).unwrap();
    submit(&coordinator, &bench.network, &completed.said);
    let session = completed.id().to_string();
    let early = fetched(&bench, &configured(&coordinator), &session);
    early.says(3, &["is not completed", "ask again when 3 members have attested"]);
    let unknown = fetched(&bench, &configured(&coordinator), &"0".repeat(32));
    unknown.says(1, &["has no session 0000"]);
    let prefix = fetched(&bench, &configured(&coordinator), "beef");
    prefix.says(2, &["no session's id begins with \"beef\""]);
    assert_eq!(bench.stand_in.log().requests, []);
    let before = completed.said.len();
    completed.attest(3).unwrap();
    submit(&coordinator, &bench.network, &completed.said[before..]);
    fetched(&bench, &configured(&coordinator), &session[..6]).says(0, &["3 of 4 SVs have attested"]);
    bench.assert_dump();
    // The same by the configuration.
    let config = fs::read_to_string(bench.path("agent.toml")).unwrap();
    let (url, key) = configured(&coordinator);
    let more =
        format!("[signing]\nkey = \"observer.key\"\n[[coordinator]]\nurl = \"{url}\"\nkey = \"{key}\"\n");
    bench.write("agent.toml", &(config + &more));
    let mut command =
        bench.unconfirmed(&["--session", &session, "--fingerprint", &bench.fingerprint(), "--force"]);
    bench.finish(command.spawn().unwrap()).says(0, &[]);
    bench.assert_dump();
}

#[test]
fn an_observer_reads_everything_and_writes_nothing() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    let completed = Completed::attested(&network, false, 3).unwrap();
    submit(&coordinator, &network, &completed.said);
    let session = completed.id().to_string();
    let (url, key) = configured(&coordinator);
    let config = format!(
        "roster = \"roster.toml\"\n[signing]\nkey = \"observer.key\"\n[[coordinator]]\nurl = \"{url}\"\nkey = \"{key}\"\n"
    );
    fs::write(network.path().join("observer.toml"), config).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binaries::coordinator());
        command.args(["session", "--config", "observer.toml"]).args(arguments);
        let output = command.current_dir(network.path()).output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), stdout, stderr)
    };
    for (command, said) in [
        (vec!["list"], "completed"),
        (vec!["show", &session[..8]], "COMPLETED in round 1"),
        (vec!["watch", &session], "attestation of Example-SV-3"),
    ] {
        let (code, stdout, stderr) = run(&command);
        assert_eq!(code, Some(0), "{command:?}: {stderr}");
        assert!(stdout.contains(said), "{command:?}: {stdout}");
    }
    for (command, out) in [("export", "t.jsonl"), ("certificate", "c.jsonl")] {
        let (code, _, stderr) = run(&[command, &session[..8], "--out", out]);
        assert_eq!(code, Some(0), "{command}: {stderr}");
        let (code, _, stderr) = run(&[command, &session, "--out", out]);
        assert!(code == Some(1) && stderr.contains("already exists"), "{stderr}");
        let mut verify = Command::new(binaries::agent());
        verify.args(["verify", "--roster", "roster.toml", "--completed", out]).current_dir(network.path());
        let verified = verify.output().unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
    let lines = fs::read_to_string(network.path().join("c.jsonl")).unwrap();
    assert_eq!(lines.lines().collect::<Vec<_>>(), completed.certificate_lines());
    let (code, stdout, _) = run(&["--output", "json", "certificate", &session, "--out", "c2.jsonl"]);
    let told: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &told["recovery_timestamp"]), (Some(0), &"2026-04-22T00:44:00Z".into()));
    let (code, _, stderr) = run(&["abort", &session, "--reason", "x"]);
    assert!(code == Some(3) && stderr.contains("no member of the roster has the key"), "{stderr}");
}

#[test]
fn strangers_and_wrong_keys_get_nothing() {
    let bench = Bench::empty(Options::default());
    let coordinator = Coordinator::start(bench.network.path(), &[]).unwrap();
    let completed = Completed::attested(&bench.network, false, 3).unwrap();
    submit(&coordinator, &bench.network, &completed.said);
    let session = completed.id().to_string();
    let (url, key) = configured(&coordinator);
    svdr_cli::signing_key::create(&bench.path("stranger.key")).unwrap();
    let flags = ["--coordinator", &url, "--coordinator-key", &key, "--session", &session];
    let fingerprint = bench.fingerprint();
    let stranger = ["--signing-key", "stranger.key", "--fingerprint", &fingerprint];
    let mut command = bench.unconfirmed(&[&flags[..], &stranger].concat());
    bench
        .finish(command.spawn().unwrap())
        .says(1, &["coordinators can be reached with the key of this observer"]);
    // A coordinator with another key than the pinned one.
    let other = PublicKey::from(bench.network.observer.verifying_key()).to_string();
    fetched(&bench, &(url, other), &session)
        .says(1, &["coordinators can be reached with the key of this observer"]);
    assert_eq!(bench.stand_in.log().requests, []);
}

#[test]
fn a_coordinator_that_lies_is_not_followed() {
    let bench = Bench::empty(Options::default());
    let liar = Liar::start(bench.network.path(), "coordinator.key", &bench.network.roster).unwrap();
    let completed = Completed::attested(&bench.network, false, 3).unwrap();
    let (drill, foreign) = (Completed::attested(&bench.network, true, 3).unwrap(), Network::new(4).unwrap());
    let foreign = Completed::attested(&foreign, false, 4).unwrap();
    let envelopes = |one: &Completed<'_>| -> Vec<Envelope> {
        let lines = one.certificate_lines();
        lines.iter().map(|line| Envelope::from_json(line.as_bytes()).unwrap()).collect()
    };
    let good = envelopes(&completed);
    let session = completed.id().to_string();
    let mut repeated = good[..good.len() - 2].to_vec();
    repeated.extend_from_slice(&[good[good.len() - 3].clone(), good[good.len() - 3].clone()]);
    for (given, said) in [
        (Vec::new(), "sent no completion certificate"),
        (good[..good.len() - 1].to_vec(), "a statement of kind attestation by 2 of the 3 members"),
        (repeated, "a member counts once"),
        (envelopes(&foreign), "statement 1 of the certificate"),
        (envelopes(&drill), "sent the certificate of session"),
        (vec![good[0].clone(), good[1].clone()], "sent no completion certificate"),
    ] {
        liar.certify(given);
        fetched(&bench, &liar.configured(), &session).says(3, &[said]);
    }
    assert_eq!(bench.stand_in.log().requests, []);
    liar.certify(good);
    fetched(&bench, &liar.configured(), &session).says(0, &[]);
    bench.assert_dump();
}
