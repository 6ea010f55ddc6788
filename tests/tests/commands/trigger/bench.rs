//! An operator's folder beside a stand-in whose dump volume is mounted in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use svdr_tests::binaries;
use svdr_tests::sv_app::{DumpVolume, ExportFault, Log, Options, SnapshotShape, StandIn, document, export};
use tempfile::TempDir;

/// The timestamp that every test asks for.
pub(crate) const TIMESTAMP: &str = "2026-04-21T23:10:00.500Z";
/// The folder of its export.
pub(crate) const EXPORT: &str = "export_at_1776813000500";
/// Where the app says that its volume is.
pub(crate) const APP_DIR: &str = "/domain-upgrade-dump";
/// The limit for silence that tests set where they wait for it.
pub(crate) const IDLE: &str = "500ms";

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
}

pub(crate) struct Bench {
    pub(crate) stand_in: StandIn,
    folder: TempDir,
}

impl Bench {
    /// In mode `trigger`, with these faults of exports.
    pub(crate) fn new(faults: &[ExportFault]) -> Bench {
        let snapshot = SnapshotShape::with_acs(5, 300_001);
        Bench::with(Options { snapshot, export_faults: faults.to_vec(), ..Options::default() }, "trigger")
    }

    /// With an app that is set to be this, whose dump volume is mounted.
    pub(crate) fn with(options: Options, mode: &str) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let volume = folder.path().join("volume");
        let at = DumpVolume::At { folder: volume.clone(), app_dir: APP_DIR.to_owned() };
        Bench::on(folder, Options { volume: at, ..options }, mode)
    }

    /// With an app that is set to be this.
    pub(crate) fn on(folder: TempDir, options: Options, mode: &str) -> Bench {
        let bench = Bench { stand_in: StandIn::start(options).unwrap(), folder };
        for name in ["out", "volume"] {
            fs::create_dir_all(bench.path(name)).unwrap();
        }
        bench.write("token", &bench.stand_in.options().token);
        bench.write("identities.json", &bench.stand_in.options().identities.to_string());
        bench.write("ca.pem", bench.stand_in.ca_pem().unwrap_or_default());
        fs::set_permissions(bench.path("identities.json"), fs::Permissions::from_mode(0o600)).unwrap();
        let url = bench.stand_in.url();
        bench.write(
            "agent.toml",
            &format!(
                "[sv_app]\nurl = \"{url}\"\nca_file = \"ca.pem\"\ntoken_file = \"token\"\nmigration_id = 6\n\
                 mode = \"{mode}\"\ndump_dir = \"volume\"\n[node_identities]\nbackup = \"identities.json\"\n"
            ),
        );
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the export.
    pub(crate) fn export(&self, name: &str) -> PathBuf {
        self.path("volume").join(EXPORT).join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The names in a folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let names = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// `dump --out out/set`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_to("out/set", arguments)
    }

    /// `dump --out OUT`, with nothing of this process's environment that it would look at.
    pub(crate) fn command_to(&self, out: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries::agent());
        command.args(["dump", "--config"]).arg(self.path("agent.toml"));
        command.args(["--timestamp", TIMESTAMP, "--out"]).arg(self.path(out));
        command.args(arguments).current_dir(self.folder.path());
        for name in
            ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "RUST_LOG"]
        {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs to the end. Whatever came out, no secret is in it.
    #[track_caller]
    pub(crate) fn dump(&self, arguments: &[&str]) -> Ended {
        self.finish(self.command(arguments).spawn().unwrap())
    }

    #[track_caller]
    pub(crate) fn finish(&self, child: Child) -> Ended {
        let output = child.wait_with_output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        let options = self.stand_in.options();
        let secrets = document::private_keys(&options.identities);
        assert!(!secrets.is_empty());
        for secret in secrets.iter().chain([&options.token]) {
            assert!(!stdout.contains(secret) && !stderr.contains(secret), "a secret came out: {secret}");
        }
        Ended { code: output.status.code(), stdout, stderr }
    }

    /// Asserts that the set is complete, private, alone in its folder, and made of the export.
    #[track_caller]
    pub(crate) fn assert_set(&self) {
        assert_eq!(self.names("out"), ["set"]);
        let options = self.stand_in.options();
        let at = TIMESTAMP.parse().unwrap();
        let (dump, files) = export::taken(options.snapshot, &options.identities, at, 6, APP_DIR);
        let set = self.path("out/set");
        assert_set(&set, &dump, &files);
    }

    /// Asserts that a run came to nothing, and left nothing.
    #[track_caller]
    pub(crate) fn assert_nothing(&self) {
        assert_eq!(self.names("out"), [""; 0]);
    }

    /// Whether a set is being made.
    pub(crate) fn has_temporary(&self) -> bool {
        self.names("out").iter().any(|name| name.contains(".svdr-"))
    }

    /// Removes what a killed run has left beside the set.
    pub(crate) fn clear_temporaries(&self) {
        for name in self.names("out").iter().filter(|name| name.contains(".svdr-")) {
            fs::remove_dir_all(self.path("out").join(name)).unwrap();
        }
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, reached: impl Fn(&Log) -> bool) {
        assert!(self.stand_in.wait_until(Duration::from_secs(60), reached), "{:?}", self.stand_in.log());
    }
}

/// Asserts that a set holds this dump and the payloads of these files, privately, and nothing else.
#[track_caller]
pub(crate) fn assert_set(set: &Path, dump: &Value, files: &[(String, Vec<u8>)]) {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(set), 0o700);
    assert_eq!(fs::read_dir(set).unwrap().count(), files.len() + 1);
    let path = set.join(export::DUMP);
    assert_eq!(mode(&path), 0o600);
    let found: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(found == *dump, "{} is another document", path.display());
    for (name, content) in files {
        let path = set.join(name);
        assert_eq!(mode(&path), 0o600);
        let found = export::unchunked(&fs::read(&path).unwrap()).expect("whole chunks");
        assert!(found == *content, "{} has another content", path.display());
    }
}
