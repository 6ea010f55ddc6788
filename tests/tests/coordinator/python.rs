//! The Python example against a real coordinator: what any gRPC client can do with the files of
//! `key certificate`, and what it cannot do without them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;
use std::{fs, thread};

use svdr_proto::channel::connect;
use svdr_proto::tls::TlsIdentity;
use svdr_proto::v1;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::statement::SessionId;
use svdr_tests::agents::LIMIT;
use svdr_tests::binaries;
use svdr_tests::coordinator::Coordinator;
use svdr_tests::network::{Network, milestone, opening};
use svdr_tests::relay::Relay;

mod venv;

/// A coordinator of four members, and the example as a program to run.
struct Stage {
    network: Network,
    coordinator: Coordinator,
    python: &'static Path,
}

impl Stage {
    fn new() -> Option<Stage> {
        let python = venv::python()?;
        let network = Network::new(4).unwrap();
        let coordinator = Coordinator::start(network.path(), &[]).unwrap();
        Some(Stage { network, coordinator, python })
    }

    /// Makes a client's folder with a key of the network's folder.
    fn client(&self, key: &str, coordinator: &str, more: &[&str]) -> PathBuf {
        let folder = format!("client-of-{key}-{}", more.len());
        let mut args = vec!["key", "certificate", key, "--client", &folder, "--coordinator", coordinator];
        args.extend(["--output", "json"]);
        args.extend(more);
        let made: serde_json::Value = serde_json::from_str(&self.agent(&args)).unwrap();
        let expected = ["client.key", "client.crt", "coordinator.crt"].map(|file| format!("{folder}/{file}"));
        let files = [&made["key"], &made["certificate"], &made["coordinators"]];
        assert_eq!(files.map(|file| file.as_str().unwrap()), expected.each_ref());
        self.network.path().join(folder)
    }

    /// Runs `svdr-agent`, which has to succeed.
    fn agent(&self, args: &[&str]) -> String {
        let run = Command::new(binaries::agent()).args(args).current_dir(self.network.path()).output();
        let output = run.unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn example(&self, address: &str, client: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(self.python);
        command.arg(venv::example().join("sessions.py")).args(["--coordinator", address, "--client"]);
        command.arg(client).args(args).current_dir(self.network.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, client: &Path, args: &[&str]) -> Output {
        let address = self.coordinator.started.address.to_string();
        self.example(&address, client, args).output().unwrap()
    }

    async fn submit(&self, statement: &Envelope) {
        let key: PublicKey = self.coordinator.started.public_key.parse().unwrap();
        let identity = TlsIdentity::new(self.network.key(1)).unwrap();
        let server = key.verifying_key().to_bytes();
        let mut client = connect(&self.coordinator.url(), server, &identity).await.unwrap();
        client.submit(v1::SubmitRequest { statement: Some(statement.to_message()) }).await.unwrap();
    }

    async fn open(&self) -> SessionId {
        let envelope = self.network.sign(1, None, 1, opening(1)).unwrap();
        self.submit(&envelope).await;
        SessionId::of_open(&envelope.digest())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program whose output is read as it comes. It is killed when dropped.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(mut command: Command) -> Watching {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Nobody waits any more once the test is over.
                let _ = sender.send(line);
            }
        });
        Watching { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(LIMIT).expect("another line")
    }

    /// Kills it; what it wrote on stderr, and lines that nobody has read.
    fn end(mut self) -> (String, Vec<String>) {
        self.child.kill().unwrap();
        let mut complaints = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        (complaints, self.lines.iter().collect())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_watched_over_a_broken_stream_and_downloaded() {
    let Some(stage) = Stage::new() else { return };
    let client = stage.client("member-2.key", &stage.coordinator.started.public_key, &[]);
    let session = stage.open().await;
    let id = session.to_string();

    let relay = Relay::start().unwrap();
    relay.lead_to(Some(stage.coordinator.started.address));
    let address = relay.url().replace("https://", "");
    let watching = Watching::start(stage.example(&address, &client, &["watch", &id]));
    let opened = watching.next();
    assert!(opened.starts_with("0  open "), "{opened}");
    assert!(
        opened.contains("Example-SV-1") && opened.contains("the synchronizer lost its state"),
        "{opened}"
    );
    stage.submit(&stage.network.sign(3, Some(session), 1, milestone("before")).unwrap()).await;
    let before = watching.next();
    assert!(before.starts_with("1  milestone    Example-SV-3  name: before"), "{before}");
    // What is said while the stream is broken comes once it is whole again, and nothing twice.
    relay.lead_to(None);
    stage.submit(&stage.network.sign(4, Some(session), 1, milestone("meanwhile")).unwrap()).await;
    relay.lead_to(Some(stage.coordinator.started.address));
    let meanwhile = watching.next();
    assert!(meanwhile.starts_with("2  milestone    Example-SV-4  name: meanwhile"), "{meanwhile}");
    let (complaints, rest) = watching.end();
    assert!(complaints.starts_with("interrupted at 2, retrying: "), "{complaints}");
    assert!(rest.is_empty(), "{rest:?}");

    let listed = stage.run(&client, &["list"]);
    assert_eq!(
        text(&listed.stdout),
        format!("{id}  gathering   3 statements  the synchronizer lost its state\n")
    );
    let later = Watching::start(stage.example(&address, &client, &["watch", &id, "--from", "2"]));
    assert_eq!(later.next(), meanwhile);

    let downloaded = stage.run(&client, &["transcript", &id, "--out", "transcript.jsonl"]);
    assert!(downloaded.status.success(), "{}", text(&downloaded.stderr));
    let verified = stage.agent(&["verify", "--roster", "roster.toml", "transcript.jsonl"]);
    assert!(verified.contains("Everything is valid. Statements: 3, receipts: 3."), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_and_nothing_is_left_behind() {
    let Some(stage) = Stage::new() else { return };
    let client = stage.client("observer.key", &stage.coordinator.started.public_key, &[]);
    let id = stage.open().await.to_string();
    let path = stage.network.path().join("out");
    for (session, said) in [("00", "INVALID_ARGUMENT"), (&"0".repeat(32), "NOT_FOUND")] {
        for args in [vec!["watch", session], vec!["transcript", session, "--out", "out"]] {
            let output = stage.run(&client, &args);
            assert_eq!(output.status.code(), Some(1), "{args:?}");
            assert!(text(&output.stderr).contains(said), "{args:?}: {}", text(&output.stderr));
            assert!(!path.exists());
        }
    }
    fs::write(&path, "precious").unwrap();
    let output = stage.run(&client, &["transcript", &id, "--out", "out"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn only_who_is_certified_by_somebody_in_the_roster_gets_in() {
    let Some(stage) = Stage::new() else { return };
    let coordinator = stage.coordinator.started.public_key.clone();
    let lists = |client: &Path| stage.run(client, &["list"]).status.success();
    assert!(lists(&stage.client("member-1.key", &coordinator, &[])));
    assert!(lists(&stage.client("observer.key", &coordinator, &[])));

    stage.agent(&["key", "new", "--out", "stranger.key"]);
    assert!(!lists(&stage.client("stranger.key", &coordinator, &[])));
    // A client that expects another coordinator does not talk to this one.
    let other = PublicKey::from(stage.network.observer.verifying_key()).to_string();
    assert!(!lists(&stage.client("member-2.key", &other, &[])));

    // Where the library can sign with Ed25519, the signing key itself does as well.
    let own = stage.client("member-3.key", &coordinator, &[]);
    for file in ["client.key", "client.crt"] {
        fs::remove_file(own.join(file)).unwrap();
    }
    fs::copy(stage.network.path().join("member-3.key"), own.join("client.key")).unwrap();
    let certificate = own.join("client.crt");
    stage.agent(&["key", "certificate", "member-3.key", "--out", certificate.to_str().unwrap()]);
    assert!(lists(&own));

    // A certificate ends by itself.
    let short = stage.client("member-4.key", &coordinator, &["--valid-for", "1s"]);
    let end = Instant::now() + LIMIT;
    while lists(&short) {
        assert!(Instant::now() < end, "a certificate for a second is still taken");
    }
}
