//! An operator's folder beside a stand-in: configuration, token, CA, backup of the node identities, and a run of the program.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use svdr_protocol::time::Timestamp;
use svdr_tests::binaries;
use svdr_tests::sv_app::{Options, StandIn, document};
use tempfile::TempDir;

/// The timestamp that every test asks for, unless it says otherwise.
pub(crate) const TIMESTAMP: &str = "2026-04-21T23:10:00.500Z";

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
}

/// A stand-in and a folder to run in.
pub(crate) struct Bench {
    pub(crate) stand_in: StandIn,
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new(options: Options) -> Bench {
        let stand_in = StandIn::start(options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench { stand_in, folder };
        fs::create_dir(bench.path("out")).unwrap();
        bench.write("token", &format!("{}\n", bench.stand_in.options().token));
        bench.write("identities.json", &bench.stand_in.options().identities.to_string());
        fs::set_permissions(bench.path("identities.json"), fs::Permissions::from_mode(0o600)).unwrap();
        bench.configure("token_file = \"token\"");
        bench
    }

    /// Writes `agent.toml` with these lines in `[sv_app]`.
    pub(crate) fn configure(&self, lines: &str) {
        let mut ca_file = String::new();
        if let Some(ca_pem) = self.stand_in.ca_pem() {
            self.write("ca.pem", ca_pem);
            ca_file = "ca_file = \"ca.pem\"".to_owned();
        }
        let (url, next) = (self.stand_in.url(), self.stand_in.options().migration_id + 1);
        self.write(
            "agent.toml",
            &format!(
                "[sv_app]\nurl = \"{url}\"\n{ca_file}\nmigration_id = {next}\n{lines}\n\
                 [node_identities]\nbackup = \"identities.json\"\n"
            ),
        );
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The names in the folder of the dump.
    pub(crate) fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("out")).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The program, with the configuration and nothing of this process's environment that it would look at.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries::agent());
        command.args(["dump", "--config"]).arg(self.path("agent.toml"));
        command.args(["--timestamp", TIMESTAMP, "--out"]).arg(self.path("out/dump.json"));
        command.args(arguments);
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
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs to the end. Whatever came out, no secret is in it.
    #[track_caller]
    pub(crate) fn dump(&self, arguments: &[&str]) -> Ended {
        self.finish(self.command(arguments).spawn().unwrap())
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

    /// Asserts that the dump is complete, private, alone in its folder, and what `jq -s add` makes of its parts.
    #[track_caller]
    pub(crate) fn assert_dump(&self, timestamp: &str, migration_id: u64) {
        assert_eq!(self.left(), ["dump.json"]);
        let path = self.path("out/dump.json");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let options = self.stand_in.options();
        let at: Timestamp = timestamp.parse().unwrap();
        let pieces = document::snapshot(options.snapshot, at, migration_id, document::Flaw::Sound);
        let snapshot: Vec<u8> = pieces.flatten().collect();
        let mut expected = options.identities.clone();
        let snapshot: Value = serde_json::from_slice(&snapshot).unwrap();
        for (key, value) in snapshot.as_object().unwrap() {
            assert!(expected.as_object_mut().unwrap().insert(key.clone(), value.clone()).is_none());
        }
        let found: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert!(found == expected, "the dump at {} is another document", path.display());
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

/// Whether any file of `folder` looks like an unfinished dump.
pub(crate) fn has_temporary(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| entry.unwrap().file_name().to_string_lossy().contains(".svdr-"))
}
