//! The drill itself: every scenario ends as the drill itself judges that it should, and what it tells is what happened.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

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
    let is_offline = args.contains(&"--offline");
    assert!(is_offline || before.contains("Everything is valid. Statements: "), "{before}");
    let last = stdout.lines().last().unwrap();
    assert!(last.starts_with("The drill ended well: "), "{last}");
    assert!(is_offline || last.contains(" is verified, by "), "{last}");
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
    assert!(String::from_utf8_lossy(&refused.stderr).contains("leave out too many"));
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
            "from the backup of its node identities",
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
        stderr.contains("leave out too many for the session to end well")
            && stderr.contains("help: use more --svs"),
        "{stderr}"
    );
}

/// A practice network that runs until it is dropped.
struct Practice {
    _serving: Process,
    folder: TempDir,
}

impl Practice {
    fn start() -> Practice {
        let folder = tempfile::tempdir().unwrap();
        // Nobody listens there until the coordinator is started, and donors are not.
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut serving = Command::new(env!("CARGO_BIN_EXE_drill"))
            .args(["--log-megabytes", "1", "--snapshot-megabytes", "1", "--serve"])
            .args(["--listen", &listen.to_string(), "--keep"])
            .arg(folder.path().join("practice"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("Everything is prepared")));
        // The instructions, which nobody reads here, must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Practice { _serving: Process(serving), folder }
    }

    /// A command line, as it is typed in a folder of the network, with its `bin` first in the PATH.
    fn command(&self, folder: &str, line: &str) -> Command {
        let practice = self.folder.path().join("practice");
        let mut words = line.split_whitespace();
        let mut command = Command::new(practice.join("bin").join(words.next().unwrap()));
        command.args(words).current_dir(practice.join(folder)).stdin(Stdio::null()).env_remove("RUST_LOG");
        command
    }

    /// Starts what keeps its terminal, with its stdout to be read.
    fn started(&self, folder: &str, line: &str) -> Process {
        let mut command = self.command(folder, line);
        Process(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn typed(&self, folder: &str, line: &str) -> String {
        let output = self.command(folder, line).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{folder}: {line}: {text}");
        text
    }

    fn config(&self, folder: &str) -> String {
        fs::read_to_string(self.folder.path().join("practice").join(folder).join("agent.toml")).unwrap()
    }
}

/// A process that is killed when dropped, so that no failure leaves it behind.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_session_is_practised_by_hand_until_it_is_verified() {
    let practice = Practice::start();
    let config = practice.config("Example-SV-1");
    // Its runbook must not reach anybody's cluster.
    assert!(config.contains("context = \"svdr-practice-without-a-cluster\""), "{config}");
    let serve = config.split("https://").nth(1).unwrap().split('"').next().unwrap();
    let serve = format!(
        "svdr-coordinator serve --roster roster.toml --signing-key coordinator.key --listen {serve} --data data"
    );
    let mut coordinator = practice.started(".", &serve);
    BufReader::new(coordinator.0.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
    let convener = "Example-SV-1";
    practice.typed(convener, "svdr-agent check");
    let opened = practice.typed(convener, "svdr-coordinator session open --reason practice --output json");
    let opened: serde_json::Value = serde_json::from_str(&opened).unwrap();
    let session = &opened["session"].as_str().unwrap()[..4];
    let svs = ["Example-SV-1", "Example-SV-2", "Example-SV-3"];
    let mut agents: Vec<Process> =
        ["Example-SV-4"].iter().chain(&svs).map(|sv| practice.started(sv, "svdr-agent run")).collect();
    let watch = format!("svdr-coordinator session watch {session} --output json");
    let mut watch = practice.started(convener, &watch);
    let mut seen = BufReader::new(watch.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(seen.any(|line| line.contains("\"kind\":\"proposal\"")));
    for sv in svs {
        practice.typed(sv, &format!("svdr-agent agree {session} --yes"));
    }
    assert!(agents.iter_mut().all(|agent| agent.0.wait().unwrap().success()));
    for line in
        ["deliver {}", "done {} delivered", "done {} synchronizer-deployed", "done {} restored", "confirm {}"]
    {
        for sv in svs {
            practice.typed(sv, &format!("svdr-agent {} --yes", line.replace("{}", session)));
        }
    }
    let status = practice.typed(convener, &format!("svdr-agent status {session} --output json"));
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["phase"], "verified");
    practice.typed(convener, &format!("svdr-coordinator session export {session} --out transcript.jsonl"));
    practice.typed(convener, "svdr-agent verify --roster ../roster.toml transcript.jsonl");
}

#[test]
fn a_program_that_does_not_start_is_not_used() {
    let refused = drill(&["--agent", "/nowhere/svdr-agent"]);
    assert_eq!(refused.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("the program /nowhere/svdr-agent cannot be started"), "{stderr}");
}
