#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use proptest::prelude::*;

use super::shell::quoted;
use super::*;

fn values() -> Values {
    Values {
        session: "564a236cd2f997ec879851a92b84b95e".parse().unwrap(),
        drill: false,
        member: "Digital-Asset-2".parse().unwrap(),
        recovery_timestamp: Some("2026-04-21T23:10:00Z".parse().unwrap()),
        migration_id: 6,
        config: None,
        sv_app: None,
        sv_app_ca: None,
        identities: None,
        deliver: None,
        deployment: RunbookSection::default(),
        done: Vec::new(),
    }
}

/// A node about which `agent.toml` says everything.
fn configured() -> Values {
    let command = ["kubectl", "cp", "{dump}", "sv-1/{pod}:/domain-upgrade-dump/domain_migration_dump.json"];
    Values {
        config: Some("/etc/svdr/agent.toml".to_owned()),
        sv_app: Some("https://sv.sv.example.com/api/sv".to_owned()),
        sv_app_ca: Some("/etc/svdr/ca of the node.pem".to_owned()),
        identities: Some("/secure/identities.json".to_owned()),
        deliver: Some(Deliver::Command(command.map(str::to_owned).to_vec())),
        deployment: RunbookSection {
            namespace: Some("sv-1".to_owned()),
            context: Some("mainnet".to_owned()),
            chart_repository: Some("oci://charts.example.com/helm/".to_owned()),
            chart_version: Some("0.5.3".to_owned()),
            values: Some("/srv/sv-helm".into()),
            sv_identities: Some("/srv/configs/approved-sv-id-values.yaml".into()),
            ui_config: Some("/srv/configs/ui-config-values.yaml".into()),
            legacy_migration_id: Some(4),
            logs: vec!["/var/log/canton-6/*.log".to_owned()],
        },
        done: vec![Step::Stopped, Step::DumpMade],
        ..values()
    }
}

#[test]
fn a_node_of_which_nothing_is_said() {
    let values = values();
    svdr_snapshot::assert_snapshot!("no_values", text(&values, &tasks(&values).unwrap()));
}

#[test]
fn a_node_of_which_everything_is_said() {
    let values = configured();
    svdr_snapshot::assert_snapshot!("all_values", text(&values, &tasks(&values).unwrap()));
}

#[test]
fn as_markdown() {
    let values = configured();
    svdr_snapshot::assert_snapshot!("markdown", markdown(&values, &tasks(&values).unwrap()));
}

#[test]
fn as_a_script() {
    let values = values();
    svdr_snapshot::assert_snapshot!("script", script(&values, &tasks(&values).unwrap()));
}

#[test]
fn before_anything_is_agreed_no_time_is_named() {
    let values = Values { recovery_timestamp: None, ..values() };
    let text = text(&values, &tasks(&values).unwrap());
    assert!(!text.contains("2026") && text.contains("not agreed yet"), "{text}");
}

#[test]
fn migrations_that_cannot_be_are_refused() {
    let legacy = |migration_id, legacy_migration_id| {
        let deployment = RunbookSection { legacy_migration_id, ..RunbookSection::default() };
        tasks(&Values { migration_id, deployment, ..values() }).map_err(|error| error.to_string())
    };
    assert!(legacy(0, None).unwrap_err().contains("set runbook.legacy_migration_id"));
    assert!(legacy(6, Some(6)).unwrap_err().contains("are both 6"));
    assert!(legacy(0, Some(7)).is_ok(), "a network may count otherwise");
}

#[test]
fn every_step_is_there_in_order_and_says_how_it_is_marked() {
    for values in [values(), configured()] {
        let tasks = tasks(&values).unwrap();
        assert_eq!(tasks.iter().map(|task| task.step).collect::<Vec<_>>(), Step::ALL);
        for task in &tasks {
            assert_eq!(task.done, values.done.contains(&task.step));
            let marks = task.mark.as_ref().map(|mark| mark.to_string());
            match (task.step, marks) {
                (Step::DumpMade | Step::Verified, None) => {}
                (step, Some(mark)) => {
                    assert!(
                        mark.starts_with(&format!("svdr-agent done {} {step} --yes", values.session)),
                        "{mark}"
                    );
                }
                (step, None) => panic!("{step} is never marked"),
            }
        }
    }
}

/// Runs a script with programs that only write down how they were called, answering each question with `answer`.
fn run(folder: &Path, script: &str, answer: &str, variables: &[(&str, &str)]) -> (Output, String) {
    // The values files hold no MIGRATION_ID any more.
    run_with(folder, script, answer, variables, &[("grep", 1)])
}

/// Likewise; these programs end with the code that stands beside them.
fn run_with(
    folder: &Path,
    script: &str,
    answer: &str,
    variables: &[(&str, &str)],
    codes: &[(&str, u8)],
) -> (Output, String) {
    let [programs, calls, answers] = ["bin", "calls", "answers"].map(|name| folder.join(name));
    fs::create_dir_all(&programs).unwrap();
    for name in ["kubectl", "helm", "svdr-agent", "curl", "grep"] {
        let program = programs.join(name);
        let code = codes.iter().find(|(failing, _)| *failing == name).map_or(0, |(_, code)| *code);
        let text = format!(
            "#!/bin/sh\nprintf '%s' {name} >> {0}\nprintf '\\037%s' \"$@\" >> {0}\necho >> {0}\nexit {code}\n",
            quoted(&calls.display().to_string())
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let _ = fs::remove_file(&calls);
    fs::write(&answers, format!("{answer}\n")).unwrap();
    let answers = format!("<{}", quoted(&answers.display().to_string()));
    let script = script.replace("</dev/tty", &answers).replace(">/dev/tty", ">/dev/null");
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let mut shell = Command::new("sh");
    shell.env_clear().env("PATH", path).envs(variables.iter().copied()).arg("-c").arg(script);
    let output = shell.output().unwrap();
    (output, fs::read_to_string(&calls).unwrap_or_default())
}

#[test]
fn the_script_does_the_commands_word_for_word() {
    let folder = tempfile::tempdir().unwrap();
    let values = configured();
    let tasks = tasks(&values).unwrap();
    let script = script(&values, &tasks);
    let (output, calls) = run(folder.path(), &script, "y", &[("POD", "sv-app-0 'x'")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let calls: Vec<Vec<&str>> = calls.lines().map(|line| line.split('\u{1f}').collect()).collect();
    let lines =
        tasks.iter().map(|task| task.commands.len() + usize::from(task.mark.is_some())).sum::<usize>();
    assert_eq!(calls.len(), lines, "{calls:?}");
    let expected = ["kubectl", "--context", "mainnet", "-n", "sv-1", "scale", "deployment", "--replicas=0"];
    assert_eq!(calls[0][..8], expected);
    assert_eq!(calls[0][8], "global-domain-4-cometbft");
    let deliver = calls.iter().find(|call| call.get(1) == Some(&"deliver")).unwrap();
    assert!(deliver.ends_with(&["--set", "pod=sv-app-0 'x'"]), "{deliver:?}");
    let curl = calls.iter().find(|call| call[0] == "curl").unwrap();
    assert!(curl.ends_with(&[
        "--cacert",
        "/etc/svdr/ca of the node.pem",
        "https://sv.sv.example.com/api/sv/readyz"
    ]));
}

#[test]
fn the_script_does_nothing_without_its_variables_or_without_a_yes() {
    let folder = tempfile::tempdir().unwrap();
    let values = values();
    let script = script(&values, &tasks(&values).unwrap());
    let (output, calls) = run(folder.path(), &script, "y", &[]);
    assert!(!output.status.success() && calls.is_empty(), "{calls}");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("set it to"), "{stderr}");
    let all = [
        ("CHART_VERSION", "1"),
        ("VALUES", "v"),
        ("UI_CONFIG_VALUES_FILE", "u"),
        ("SV_IDENTITIES_FILE", "s"),
        ("SVDR_DELIVER_TO", "/d"),
        ("NEW_LOGS", "/l"),
    ];
    let (output, calls) = run(folder.path(), &script, "n", &all);
    assert!(!output.status.success() && calls.is_empty(), "{calls}");
    let (output, calls) = run(folder.path(), &script, "s", &all);
    assert!(output.status.success() && calls.is_empty(), "{calls}");
    let (output, calls) = run(folder.path(), &script, "y", &all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(calls.contains("confirm") && calls.contains("--logs\u{1f}/l"), "{calls}");
}

#[test]
fn the_script_ends_at_the_first_command_that_fails() {
    let values = configured();
    let script = script(&values, &tasks(&values).unwrap());
    let last = |codes: &[(&str, u8)]| {
        let folder = tempfile::tempdir().unwrap();
        let (output, calls) = run_with(folder.path(), &script, "y", &[("POD", "p")], codes);
        assert!(!output.status.success(), "{calls}");
        calls.lines().last().unwrap().to_owned()
    };
    assert!(last(&[("kubectl", 1), ("grep", 1)]).starts_with("kubectl"));
    assert!(last(&[("helm", 1), ("grep", 1)]).starts_with("helm"));
    assert!(last(&[("curl", 22), ("grep", 1)]).starts_with("curl"));
    // There is a MIGRATION_ID left in the values files.
    assert!(last(&[("grep", 0)]).starts_with("grep"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is configured, the shell sees it as one word, but for characters that may not reach a terminal.
    #[test]
    fn a_word_stays_a_word(word in any::<String>()) {
        let clean = svdr_protocol::text::without_hidden(&word);
        let shell = Command::new("sh").arg("-c").arg(format!("printf '%s' {}", quoted(&word))).output().unwrap();
        prop_assert_eq!(String::from_utf8_lossy(&shell.stdout), clean);
    }

    /// Nothing that is configured is run by the script.
    #[test]
    fn nothing_configured_is_run(word in "[ -~\\n]{1,24}") {
        let folder = tempfile::tempdir().unwrap();
        let deployment = RunbookSection {
            namespace: Some(word.clone()),
            context: Some(word.clone()),
            chart_repository: Some(word.clone()),
            chart_version: Some(word.clone()),
            values: Some(word.clone().into()),
            sv_identities: Some(word.clone().into()),
            ui_config: Some(word.clone().into()),
            logs: vec![word.clone()],
            legacy_migration_id: None,
        };
        let values = Values {
            identities: Some(word.clone()),
            sv_app: Some(word.clone()),
            config: Some(word),
            deliver: Some(Deliver::Path("/d".into())),
            deployment,
            ..values()
        };
        let tasks = tasks(&values).unwrap();
        let (output, calls) = run(folder.path(), &script(&values, &tasks), "y", &[]);
        prop_assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = tasks.iter().map(|task| task.commands.len() + usize::from(task.mark.is_some())).sum::<usize>();
        prop_assert_eq!(calls.lines().count(), lines);
    }
}
