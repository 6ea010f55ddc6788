//! `svdr-agent merge` as a process: what it leaves when it is killed, and what it makes of a large snapshot.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use svdr_protocol::time::Timestamp;
use svdr_tests::binaries;
use svdr_tests::members::SYNCHRONIZER;
use svdr_tests::sv_app::document::{self, Flaw, Noise, SnapshotShape};

const TIMESTAMP: &str = "2026-04-21T23:10:00Z";
const SHAPE: SnapshotShape = SnapshotShape::with_acs(7, 3_000_000);
/// How long a condition may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

struct Bench {
    folder: tempfile::TempDir,
    identities: Value,
    snapshot: Vec<u8>,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let identities = document::identities("SV-1", "PAR::SV-1::abc", SYNCHRONIZER, 1);
        fs::write(folder.path().join("identities.json"), identities.to_string()).unwrap();
        let at: Timestamp = TIMESTAMP.parse().unwrap();
        Bench {
            folder,
            identities,
            snapshot: document::snapshot(SHAPE, at, 6, Flaw::Sound).flatten().collect(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A merge that reads the snapshot from its standard input.
    fn start(&self) -> Child {
        Command::new(binaries::agent())
            .args(["merge", "--node-identities", "identities.json", "--data", "-"])
            .args(["--timestamp", TIMESTAMP, "--out", "dump.json"])
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn temporaries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "tmp")).collect()
    }

    fn finish(&self) {
        let mut child = self.start();
        child.stdin.take().unwrap().write_all(&self.snapshot).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The dump is private and what `jq -s add` makes of the two documents; nothing else has been left.
    fn assert_merged(&self) {
        let dump = self.path("dump.json");
        assert_eq!(fs::metadata(&dump).unwrap().permissions().mode() & 0o777, 0o600);
        let mut expected = self.identities.as_object().unwrap().clone();
        expected
            .extend(serde_json::from_slice::<Value>(&self.snapshot).unwrap().as_object().unwrap().clone());
        let found: Value = serde_json::from_slice(&fs::read(&dump).unwrap()).unwrap();
        assert!(found == Value::Object(expected), "the dump is not the union of the two documents");
        assert_eq!(self.temporaries(), Vec::<PathBuf>::new());
    }
}

/// Waits until `reached` gives something.
fn wait_for<T>(what: &str, mut reached: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(reached) = reached() {
            return reached;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[test]
fn a_kill_at_any_point_leaves_no_dump_and_nothing_the_next_run_does_not_clear() {
    let bench = Bench::new();
    let mut noise = Noise::new(42);
    for _ in 0..12 {
        let mut child = bench.start();
        let at = usize::try_from(noise.word() % bench.snapshot.len() as u64).unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&bench.snapshot[..at]).unwrap();
        // The pipe is read up to what fits into it, so all but its last 64 KiB are in the file by and by.
        let written = (at as u64).saturating_sub(400_000);
        let temporary = wait_for("the temporary file to grow", || {
            bench.temporaries().into_iter().find(|path| len(path) >= written.max(1))
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!bench.path("dump.json").exists());
        assert_eq!(fs::metadata(&temporary).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(!bench.temporaries().is_empty());
    bench.finish();
    bench.assert_merged();
}

#[test]
fn a_living_merge_keeps_its_temporary_file_when_another_runs() {
    let bench = Bench::new();
    let mut child = bench.start();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&bench.snapshot[..1_000_000]).unwrap();
    let temporary = wait_for("the temporary file", || bench.temporaries().pop());
    bench.finish();
    assert!(temporary.exists(), "the second run took the first one's file for a stale one");
    stdin.write_all(&bench.snapshot[1_000_000..]).unwrap();
    drop(stdin);
    // The first one comes too late, and does not replace what is there by now.
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("dump.json already exists"));
    bench.assert_merged();
}

#[test]
fn a_snapshot_that_ends_early_leaves_nothing() {
    let bench = Bench::new();
    let mut child = bench.start();
    child.stdin.take().unwrap().write_all(&bench.snapshot[..2_000_000]).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bench.temporaries(), Vec::<PathBuf>::new());
    assert!(!bench.path("dump.json").exists());
}
