//! A validator operator's folder beside a stand-in: roster, certificate, configuration, token, CA, and runs of the program.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use svdr_protocol::time::Timestamp;
use svdr_tests::binaries;
use svdr_tests::completed::Completed;
use svdr_tests::network::Network;
use svdr_tests::sv_app::document::{self, Flaw};
use svdr_tests::sv_app::{Kind, Options, StandIn, validator};

/// Where the sessions of these tests go back to: a quarter of an hour before the newest tick of their evidence.
pub(crate) const TIMESTAMP: &str = "2026-04-22T00:44:00Z";

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Asserts the exit code and that stderr holds all of `texts`.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, texts: &[&str]) -> &Ended {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is missing in {self:#?}");
        }
        self
    }

    /// How many tries were announced to be repeated.
    pub(crate) fn retries(&self) -> usize {
        self.stderr.matches("trying again in").count()
    }

    /// The document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:#?}");
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// A network, a validator's stand-in, and a folder to run in, which is the network's.
pub(crate) struct Bench {
    pub(crate) network: Network,
    pub(crate) stand_in: StandIn,
}

/// An app that stands in for a validator's.
pub(crate) fn app(options: Options) -> Options {
    let identities = document::identities("Some-Validator", "PAR::v::1220ab", "global-domain::1220cd", 9);
    Options { kind: Kind::Validator, identities, ..options }
}

impl Bench {
    /// With the certificate of a real session in `certificate.jsonl`.
    pub(crate) fn new(options: Options) -> Bench {
        let bench = Bench::empty(options);
        let completed = Completed::attested(&bench.network, false, 3).unwrap();
        let at = completed.certificate().unwrap().recovery_timestamp();
        assert_eq!(at.to_string(), TIMESTAMP);
        bench.write_lines("certificate.jsonl", &completed.certificate_lines());
        bench
    }

    /// Without a certificate.
    pub(crate) fn empty(options: Options) -> Bench {
        let network = Network::new(4).unwrap();
        let bench = Bench { network, stand_in: StandIn::start(app(options)).unwrap() };
        fs::create_dir(bench.path("out")).unwrap();
        bench.write("token", &format!("{}\n", bench.stand_in.options().token));
        bench.configure("token_file = \"token\"", "");
        bench
    }

    /// Writes `agent.toml` with these lines in `[validator_app]`, and these after it.
    pub(crate) fn configure(&self, lines: &str, more: &str) {
        let mut ca_file = String::new();
        if let Some(ca_pem) = self.stand_in.ca_pem() {
            self.write("ca.pem", ca_pem);
            ca_file = "ca_file = \"ca.pem\"".to_owned();
        }
        let url = self.stand_in.url();
        self.write(
            "agent.toml",
            &format!(
                "roster = \"roster.toml\"\n[validator_app]\nurl = \"{url}\"\n{ca_file}\n{lines}\n{more}\n"
            ),
        );
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.network.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn write_lines(&self, name: &str, lines: &[String]) {
        self.write(name, &(lines.join("\n") + "\n"));
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.path(name)).unwrap().lines().map(str::to_owned).collect()
    }

    /// The names in the folder of the dump.
    pub(crate) fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("out")).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn fingerprint(&self) -> String {
        self.network.roster.fingerprint().to_string()
    }

    /// `validator dump` into `out/dump.json` by `certificate.jsonl`, with the fingerprint given.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let fingerprint = self.fingerprint();
        let by = ["--certificate", "certificate.jsonl", "--fingerprint", &fingerprint];
        self.unconfirmed(&[&by, arguments].concat())
    }

    /// `validator dump` into `out/dump.json`, with these arguments alone.
    pub(crate) fn unconfirmed(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries::agent());
        command.args(["validator", "dump", "--out", "out/dump.json"]).args(arguments);
        self.prepared(command)
    }

    /// `command`, with an environment in which nothing leads elsewhere.
    pub(crate) fn prepared(&self, mut command: Command) -> Command {
        for name in
            ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "RUST_LOG"]
        {
            command.env_remove(name);
        }
        command
            .current_dir(self.network.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `validator dump` to the end. Whatever came out, no secret is in it.
    #[track_caller]
    pub(crate) fn dump(&self, arguments: &[&str]) -> Ended {
        self.finish(self.command(arguments).spawn().unwrap())
    }

    /// Runs another command of `svdr-agent` to the end.
    #[track_caller]
    pub(crate) fn agent(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(binaries::agent());
        command.args(arguments);
        self.finish(self.prepared(command).spawn().unwrap())
    }

    #[track_caller]
    pub(crate) fn finish(&self, mut child: Child) -> Ended {
        let stdout = child.stdout.take().map(read_all);
        let stderr = child.stderr.take().map(read_all);
        let status = child.wait().unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|reader| reader.unwrap().join().unwrap());
        let ended = Ended { code: status.code(), stdout, stderr };
        self.assert_secretless(&ended);
        ended
    }

    #[track_caller]
    fn assert_secretless(&self, ended: &Ended) {
        let options = self.stand_in.options();
        let mut secrets = document::private_keys(&options.identities);
        assert!(!secrets.is_empty());
        secrets.extend([
            options.token.clone(),
            options.client_secret.clone(),
            "stand-in-issued-token".to_owned(),
        ]);
        for secret in secrets {
            for text in [&ended.stdout, &ended.stderr] {
                assert!(!text.contains(&secret), "a secret came out: {secret}");
            }
        }
    }

    /// The dump as it has to be, as JSON.
    pub(crate) fn expected(&self, migration_id: u64) -> Value {
        let options = self.stand_in.options();
        let at: Timestamp = TIMESTAMP.parse().unwrap();
        let pieces = validator::dump(options.snapshot, at, migration_id, Flaw::Sound, &options.identities);
        serde_json::from_slice(&pieces.flatten().collect::<Vec<u8>>()).unwrap()
    }

    /// Asserts that the dump is complete, private, alone in its folder, and the value of `data_snapshot`.
    #[track_caller]
    pub(crate) fn assert_dump(&self) {
        assert_eq!(self.left(), ["dump.json"]);
        self.assert_is_dump(&self.path("out/dump.json"));
    }

    #[track_caller]
    pub(crate) fn assert_is_dump(&self, path: &Path) {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o600);
        let found: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert!(found == self.expected(6), "the dump at {} is another document", path.display());
    }

    /// Waits, without a limit that a loaded machine could reach, until the stand-in has seen what `reached` asks.
    #[track_caller]
    pub(crate) fn wait_until(&self, reached: impl Fn(&svdr_tests::sv_app::Log) -> bool) {
        assert!(self.stand_in.wait_until(Duration::from_secs(60), reached), "{:?}", self.stand_in.log());
    }
}

fn read_all(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}
