//! The drill itself: every scenario ends as the drill itself judges that it should, and what it tells is what happened.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

/// Small logs and snapshots: what is tried here does not depend on their size.
fn drill(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_drill"))
        .args(["--log-megabytes", "1", "--snapshot-megabytes", "1"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What a drill that ends well tells in its summary, its lines put together.
fn told(args: &[&str]) -> String {
    let output = drill(args);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}\n{stdout}");
    let (before, summary) = stdout.split_once("== Summary").expect("a summary");
    assert!(args.contains(&"--offline") || before.contains("Everything holds: "), "{before}");
    summary.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_told(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
}

#[test]
fn untold_one_sv_lags_and_a_mismatch_was_healed() {
    assert_told(
        &told(&[]),
        &[
            "was completed in round 1",
            "3 of 4 SVs together",
            "Example-SV-2 and Example-SV-3 did not agree at",
            "and agreed again a minute later",
            "Example-SV-4 is left behind: its newest mutual match with the covered members is",
        ],
    );
}

#[test]
fn an_sv_that_lags_is_left_behind() {
    let told = told(&["--lagging", "--svs", "5"]);
    assert_told(&told, &["4 of 5 SVs together, 15m of history lost", "Example-SV-5 is left behind"]);
    assert!(!told.contains("did not agree"), "{told}");
}

#[test]
fn one_of_two_that_do_not_agree_any_more_is_left_behind() {
    let told = told(&["--mismatch=standing"]);
    assert_told(
        &told,
        &["and never again", "3 of 4 SVs together, 15m of history lost", "Example-SV-3 is left behind"],
    );
}

#[test]
fn svs_that_are_left_behind_recover_with_a_donors_snapshot() {
    let told = told(&["--left-behind", "2", "--svs", "7"]);
    assert_told(
        &told,
        &[
            "5 of 7 SVs together",
            "The participants of Example-SV-6, Example-SV-7 got stuck",
            "that Example-SV-1 donated over a connection that was cut in the middle",
            "Example-SV-7 received",
        ],
    );
    let refused = drill(&["--left-behind", "3", "--svs", "7"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("leaves out too many"));
}

#[test]
fn sv_apps_that_are_pruned_take_another_round() {
    assert_told(
        &told(&["--pruned"]),
        &[
            "was completed in round 2",
            "4 of 4 SVs together",
            "The SV apps of Example-SV-3, Example-SV-4 serve nothing",
        ],
    );
}

#[test]
fn dumps_too_large_for_an_answer_come_through_the_volumes_in_spite_of_everything() {
    let told = told(&["--large", "--faults", "--svs", "5", "--lagging"]);
    assert_told(&told, &["4 of 5 SVs together", "took them from there", "4 dumps were made and attested"]);
}

#[test]
fn each_node_by_itself_takes_such_a_dump_too() {
    told(&["--large", "--offline", "--mismatch=healed"]);
}

#[test]
fn an_sv_without_logs_is_vouched_for() {
    let told = told(&["--vouch"]);
    assert_told(&told, &["4 of 4 SVs together", "Example-SV-4's logs are lost", "4 dumps were made"]);
}

#[test]
fn everything_at_once_with_chaos_and_faults() {
    let all = ["--svs", "7", "--lagging", "--mismatch", "--pruned", "--vouch", "--faults", "--chaos", "3"];
    assert_told(&told(&all), &["was completed in round 2", "things went wrong on purpose meanwhile"]);
}

#[test]
fn validators_follow_and_one_of_them_has_to_be_re_onboarded() {
    let told = told(&["--validators", "3", "--faults"]);
    assert_told(
        &told,
        &[
            "2 of 3 validators followed to",
            "Example-Validator-3's participant is pruned beyond that time",
            "re-onboarded from the backup of its node identities",
        ],
    );
}

#[test]
fn chaos_alone_changes_nothing() {
    for seed in ["1", "2"] {
        assert_told(&told(&["--chaos", seed]), &["was completed in round 1", "3 of 4 SVs together"]);
    }
}

#[test]
fn each_node_by_itself() {
    assert_told(
        &told(&["--offline", "--mismatch=standing", "--svs", "6"]),
        &["by bytes seconds", "dump and merge"],
    );
}

#[test]
fn what_cannot_end_well_is_not_begun() {
    let output = drill(&["--pruned", "--lagging", "--mismatch=standing"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("leaves out too many for the session to end well")
            && stderr.contains("use more --svs"),
        "{stderr}"
    );
}

#[test]
fn everything_is_prepared_for_practice() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("practice");
    let mut serving = Command::new(env!("CARGO_BIN_EXE_drill"))
        .args(["--log-megabytes", "1", "--snapshot-megabytes", "1", "--serve", "--keep"])
        .arg(&kept)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("Everything is prepared")));
    // Its SV app answers: the dump is made with nothing but what was prepared.
    let end = fs::read_to_string(kept.join("Example-SV-1/agent.toml")).unwrap();
    assert!(end.contains("approval = \"operator\"") && end.contains("https://127.0.0.1:7443"), "{end}");
    let dump = Command::new(svdr_tests::binaries::agent())
        .args(["dump", "--timestamp", "2026-04-21T23:10:00Z", "--out", "dump.json"])
        .current_dir(kept.join("Example-SV-1"))
        .output()
        .unwrap();
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
}
