//! An operator's folder beside a stand-in: roster, key, configuration, age identity, and runs of the program.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use serde_json::Value;
use svdr_protocol::keys::PublicKey;
use svdr_tests::binaries;
use svdr_tests::members::{SYNCHRONIZER, TestMember, members, roster_toml};
use svdr_tests::sv_app::{Log, Options, StandIn, document};
use tempfile::TempDir;

/// The longest that anything is waited for: far more than a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// The member whose folder it is; the others are 2 to 4.
pub(crate) const ME: usize = 1;

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

    /// The document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }

    /// How many tries were announced to be repeated.
    pub(crate) fn retries(&self) -> usize {
        self.stderr.matches("trying again in").count()
    }
}

/// A stand-in and a folder to run in.
pub(crate) struct Bench {
    pub(crate) stand_in: StandIn,
    pub(crate) age: Identity,
    folder: TempDir,
}

/// The identities of a member of the roster, as its SV app gives them.
pub(crate) fn identities(member: usize) -> Value {
    let TestMember { name, participant } = &members(4)[member - 1];
    document::identities(name, participant, SYNCHRONIZER, member as u64)
}

impl Bench {
    /// With the stand-in's identities being this member's.
    pub(crate) fn new(options: Options) -> Bench {
        Bench::of(Options { identities: identities(ME), ..options })
    }

    pub(crate) fn of(options: Options) -> Bench {
        let stand_in = StandIn::start(options).unwrap();
        let bench = Bench { stand_in, age: Identity::generate(), folder: tempfile::tempdir().unwrap() };
        fs::create_dir(bench.path("out")).unwrap();
        let key =
            |name: String| PublicKey::to_string(&svdr_cli::signing_key::create(&bench.path(&name)).unwrap());
        let keys: Vec<String> = (1..=4).map(|member| key(format!("member-{member}.key"))).collect();
        bench.write("roster.toml", roster_toml(&members(4), &keys));
        bench.write("token", &bench.stand_in.options().token);
        bench.write("age.key", format!("# made for a test\n{}\n", bench.age.to_string().expose_secret()));
        bench.write("ca.pem", bench.stand_in.ca_pem().unwrap());
        bench.write(
            "agent.toml",
            format!(
                "roster = \"roster.toml\"\n[signing]\nkey = \"member-{ME}.key\"\n[sv_app]\nurl = \"{}\"\n\
                 ca_file = \"ca.pem\"\ntoken_file = \"token\"\nmigration_id = {}\n\
                 [node_identities]\nbackup = \"out/backup\"\nage_identity = \"age.key\"\n",
                bench.stand_in.url(),
                bench.stand_in.options().migration_id + 1
            ),
        );
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn recipient(&self) -> String {
        self.age.to_public().to_string()
    }

    /// What the stand-in answers, to the byte.
    pub(crate) fn document(&self) -> Vec<u8> {
        self.stand_in.options().identities.to_string().into_bytes()
    }

    /// The names in the folder that backups and dumps go to.
    pub(crate) fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("out")).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The program, in the folder, with nothing of this process's environment that it would look at.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries::agent());
        for name in
            ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "RUST_LOG"]
        {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs to the end. Whatever came out, no secret is in it.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.finish(self.command(arguments).spawn().unwrap())
    }

    /// `backup identities --out out/backup` with these arguments.
    #[track_caller]
    pub(crate) fn backup(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["backup", "identities", "--out", "out/backup"], arguments].concat())
    }

    #[track_caller]
    pub(crate) fn finish(&self, mut child: Child) -> Ended {
        let stdout = child.stdout.take().map(read_all);
        let stderr = child.stderr.take().map(read_all);
        let status = child.wait().unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|reader| reader.unwrap().join().unwrap());
        let ended = Ended { code: status.code(), stdout, stderr };
        let mut secrets = self.secrets();
        secrets.push(self.stand_in.options().token.clone());
        secrets.push(self.age.to_string().expose_secret().to_owned());
        for secret in secrets {
            assert!(
                !ended.stdout.contains(&secret) && !ended.stderr.contains(&secret),
                "a secret came out: {secret}"
            );
        }
        ended
    }

    /// The private keys of the identities.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let secrets = document::private_keys(&self.stand_in.options().identities);
        assert!(!secrets.is_empty());
        secrets
    }

    /// Asserts that no file of the folder that is written to holds a private key.
    #[track_caller]
    pub(crate) fn assert_nothing_plain(&self) {
        for name in self.left() {
            let text = fs::read(self.path("out").join(&name)).unwrap();
            for secret in self.secrets() {
                let found = text.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{name} holds a private key in the clear");
            }
        }
    }

    /// Encrypts with the crate `age` alone.
    pub(crate) fn encrypted(&self, text: &[u8]) -> Vec<u8> {
        let recipient = self.age.to_public();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as _)).unwrap();
        let mut out = Vec::new();
        let mut writer = encryptor.wrap_output(&mut out).unwrap();
        writer.write_all(text).unwrap();
        writer.finish().unwrap();
        out
    }

    /// Waits, without a limit that a loaded machine could reach, until the stand-in has seen what `reached` asks.
    #[track_caller]
    pub(crate) fn wait_until(&self, reached: impl Fn(&Log) -> bool) {
        assert!(self.stand_in.wait_until(PATIENCE, reached), "{:?}", self.stand_in.log());
    }
}

/// Decrypts a file with the crate `age` alone.
pub(crate) fn decrypted(path: &Path, identity: &Identity) -> Vec<u8> {
    let file = age::armor::ArmoredReader::new(fs::File::open(path).unwrap());
    let decryptor = age::Decryptor::new(file).unwrap();
    let mut text = Vec::new();
    let mut reader = decryptor.decrypt(std::iter::once(identity as &dyn age::Identity)).unwrap();
    reader.read_to_end(&mut text).unwrap();
    text
}

/// The permissions of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn read_all(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}
