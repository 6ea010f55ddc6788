//! The program is stopped in the middle.

use std::fs;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use svdr_tests::sv_app::{Fault, Options};

use super::bench::{Bench, PATIENCE, decrypted, identities, mode};

/// Identities that take a while to write: 20 MB, with the private keys of ordinary ones.
fn large() -> Value {
    let mut document = identities(1);
    document["identities"]["zzz_history"] = "A".repeat(20_000_000).into();
    document
}

#[test]
fn a_kill_while_it_receives_leaves_nothing_at_all() {
    let bench = Bench::new(Options { identities_faults: vec![Fault::StallAt(5_000)], ..Options::default() });
    let mut child = bench.command(&["backup", "identities", "--out", "out/backup"]).spawn().unwrap();
    bench.wait_until(|log| log.stalled == 1);
    child.kill().unwrap();
    assert_eq!(bench.finish(child).code, None);
    assert_eq!(bench.left(), [""; 0]);
}

#[test]
fn a_kill_while_it_writes_leaves_no_backup_and_nothing_plain() {
    let bench = Bench::of(Options { identities: large(), ..Options::default() });
    let recipient = bench.recipient();
    let arguments = ["backup", "identities", "--out", "out/backup", "--recipient", &recipient];
    let mut caught = 0;
    for _ in 0..5 {
        let mut child = bench.command(&arguments).spawn().unwrap();
        let started = Instant::now();
        // Until something of it is on the disk; the loop ends too where it was too fast to be caught.
        let temporary = loop {
            let found = bench.left().into_iter().find(|name| name.contains(".svdr-"));
            let grown = found
                .filter(|name| fs::metadata(bench.path("out").join(name)).is_ok_and(|file| file.len() > 0));
            if grown.is_some() || child.try_wait().unwrap().is_some() {
                break grown;
            }
            assert!(started.elapsed() < PATIENCE, "nothing is written");
            std::thread::yield_now();
        };
        child.kill().unwrap();
        bench.finish(child);
        bench.assert_nothing_plain();
        if let Some(temporary) =
            temporary.map(|name| bench.path("out").join(name)).filter(|path| path.exists())
        {
            assert_eq!(mode(&temporary), 0o600);
            assert!(!bench.path("out/backup").exists());
            caught += 1;
        }
        // Complete, or not there.
        if bench.path("out/backup").exists() {
            assert!(decrypted(&bench.path("out/backup"), &bench.age) == bench.document());
            fs::remove_file(bench.path("out/backup")).unwrap();
        }
    }
    assert!(caught > 0, "this test is to see a file that was being written");
    bench.backup(&["--recipient", &recipient]).says(0, &[]);
    assert_eq!(bench.left(), ["backup"]);
    assert!(decrypted(&bench.path("out/backup"), &bench.age) == bench.document());
}

#[test]
fn a_signal_ends_it_in_good_order() {
    for signal in ["-INT", "-TERM"] {
        let bench =
            Bench::new(Options { identities_faults: vec![Fault::StallAt(5_000)], ..Options::default() });
        let child = bench.command(&["backup", "identities", "--out", "out/backup"]).spawn().unwrap();
        bench.wait_until(|log| log.stalled == 1);
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        bench.finish(child).says(1, &["stopped by a signal"]);
        assert_eq!(bench.left(), [""; 0]);
    }
}

#[test]
fn a_full_disk_is_said_to_be_full_and_leaves_nothing() {
    let bench = Bench::of(Options { identities: large(), ..Options::default() });
    let program = bench.command(&[]).get_program().to_owned();
    let recipient = bench.recipient();
    for recipients in [&["--recipient", &recipient][..], &[]] {
        // A limit on the size of files fails writes as a full disk does.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "sh"]).arg(&program);
        command.args(["backup", "identities", "--out", "out/backup"]).args(recipients);
        command
            .current_dir(bench.path(""))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        bench.finish(command.spawn().unwrap()).says(1, &["out/backup could not be written", "free space"]);
        assert_eq!(bench.left(), [""; 0]);
    }
}
