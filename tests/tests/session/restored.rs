//! From the completed session to the network that is known to work: the runbook, the milestones, the confirmations.

use std::process::Output;

use serde_json::Value;
use svdr_protocol::session::Phase;
use svdr_protocol::statement::SessionId;
use svdr_tests::log_writer::traffic::Outcome;
use svdr_tests::town::Town;

/// A session of four that is completed.
fn completed() -> (Town, SessionId) {
    let town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let agents: Vec<_> = (1..=4).map(|member| town.run(member)).collect();
    for agent in agents {
        let finished = agent.finish().unwrap();
        assert!(finished.status.success(), "{}", finished.log);
    }
    (town, session)
}

fn text(output: &Output) -> String {
    String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap()
}

/// Confirms what `outcome` makes of a member's logs; gives what was said.
fn confirm(
    town: &Town,
    session: SessionId,
    member: usize,
    outcome: impl Fn(usize, usize) -> Outcome,
) -> Output {
    let log = town.agents.write_restored_log(member, outcome).unwrap();
    let (id, log) = (session.to_string(), log.display().to_string());
    town.agents.command(member, &["confirm", &id, "--logs", &log, "--yes"]).unwrap()
}

fn status(town: &Town, member: usize, session: SessionId) -> Value {
    let output = town.agents.command(member, &["status", &session.to_string(), "--output", "json"]).unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The steps of a member that everybody sees.
fn steps(document: &Value, member: usize) -> Vec<&str> {
    document["members"][member - 1]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect()
}

#[test]
fn the_threshold_that_agrees_on_the_new_synchronizer_verifies_the_session() {
    let (town, session) = completed();
    for member in 1..=3 {
        assert_eq!(status(&town, member, session)["phase"], "completed");
        let output = confirm(&town, session, member, |_, _| Outcome::Match);
        assert!(output.status.success(), "{}", text(&output));
        assert!(text(&output).contains("about to sign what its logs report about the NEW synchronizer"));
    }
    let document = status(&town, 4, session);
    assert_eq!(document["phase"], "verified");
    assert_eq!(document["restoration"]["together"].as_array().unwrap().len(), 3);
    assert_eq!(document["restoration"]["matching_pairs"], 3);
    assert_eq!(steps(&document, 1), ["dump-made", "verified"]);
    assert_eq!(steps(&document, 4), ["dump-made"]);
    let report = town.transcript(session);
    assert!(report.holds(), "{report:?}");
    assert_eq!(report.sessions[0].phase, Phase::Verified(1));
    let listed: Value = serde_json::from_str(&town.agents.convene(&["list"]).unwrap()).unwrap();
    assert!(listed.to_string().contains("verified"), "{listed}");
}

#[test]
fn mismatches_on_the_new_synchronizer_are_listed_in_pairs() {
    let (town, session) = completed();
    for member in 1..=3 {
        // The second and the third agree at first, and then no more.
        let output = confirm(&town, session, member, |other, tick| match (member + other, tick) {
            (5, 1..) if member > 1 && other > 1 => Outcome::Mismatch,
            _ => Outcome::Match,
        });
        assert!(output.status.success(), "{}", text(&output));
    }
    let document = status(&town, 1, session);
    assert_eq!(document["phase"], "completed");
    let mismatches = document["restoration"]["mismatches"].as_array().unwrap();
    assert_eq!(mismatches.len(), 1, "{mismatches:?}");
    assert_eq!(mismatches[0]["members"], mismatches[0]["reported_by"]);
    let said = text(&town.agents.command(1, &["status", &session.to_string()]).unwrap());
    assert!(said.contains("MISMATCHES on the new synchronizer"), "{said}");
    // The contracts are repaired; what is said last counts.
    for member in [2, 3] {
        assert!(confirm(&town, session, member, |_, _| Outcome::Match).status.success());
    }
    assert_eq!(status(&town, 1, session)["phase"], "verified");
}

#[test]
fn nothing_is_confirmed_that_the_logs_do_not_show() {
    let (town, session) = completed();
    let id = session.to_string();
    // The old participant's logs end before the new synchronizer begins.
    let old = town.agents.folder(2).join("participant.log").display().to_string();
    let output = town.agents.command(2, &["confirm", &id, "--logs", &old, "--yes"]).unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(text(&output).contains("after 2026-04-21T21:40:00Z, the last tick of the old synchronizer"));
    let output = confirm(&town, session, 2, |_, _| Outcome::Silence);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    let output = town.agents.command(2, &["confirm", &id, "--yes"]).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("under [runbook]: logs = "), "{}", text(&output));
    let output = town.agents.command(2, &["confirm", &id, "--logs", "no such log", "--yes"]).unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert_eq!(status(&town, 2, session)["restoration"]["confirmed"], Value::Array(Vec::new()));
}

#[test]
fn nothing_is_confirmed_before_the_session_is_completed() {
    let town = Town::with_approval(4, "operator");
    let session = town.agents.open(&[]).unwrap();
    let output = confirm(&town, session, 1, |_, _| Outcome::Match);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("is not completed (gathering evidence)"), "{}", text(&output));
}

#[test]
fn a_confirmation_that_no_coordinator_took_is_sent_again() {
    let (mut town, session) = completed();
    town.relay.lead_to(None);
    let output = confirm(&town, session, 2, |_, _| Outcome::Match);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("No coordinator has this statement yet"), "{}", text(&output));
    town.restart_coordinator();
    assert_eq!(status(&town, 1, session)["restoration"]["confirmed"], Value::Array(Vec::new()));
    // Any later command of the operator takes what was left behind with it.
    let output = town.agents.command(2, &["done", &session.to_string(), "restored", "--yes"]).unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let confirmed = &status(&town, 1, session)["restoration"]["confirmed"];
    assert_eq!(confirmed.as_array().unwrap().len(), 1, "{confirmed}");
}

#[test]
fn the_runbook_has_what_remains_with_the_nodes_own_values() {
    let (town, session) = completed();
    let id = session.to_string();
    let printed = |args: &[&str]| {
        let output = town.agents.command(1, &[&["runbook", &id], args].concat()).unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let before = printed(&[]);
    let config = town.agents.config(1).display().to_string();
    assert!(before.contains(&format!("svdr-agent deliver {id} --yes --config {config}")), "{before}");
    assert!(before.contains("global-domain-5-cometbft") && before.contains("--set-string 'migration.id=6'"));
    assert!(!before.contains("4. dump-made"), "it is done: {before}");
    for step in ["stopped", "backed-up"] {
        let output = town.agents.command(1, &["done", &id, step, "--yes"]).unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
    let after = printed(&[]);
    assert!(!after.contains("1. stopped") && after.contains("3. identities-checked"), "{after}");
    assert!(printed(&["--all"]).contains("1. stopped: CometBFT is stopped (done)"));
    assert!(printed(&["--format", "markdown"]).starts_with("# Runbook of "));
    let document: Value = serde_json::from_str(&printed(&["--output", "json"])).unwrap();
    assert_eq!(document["steps"][0]["step"], "identities-checked");
    assert_eq!(document["steps"][1]["variables"], serde_json::json!(["SVDR_DELIVER_TO"]));
    let script = printed(&["--format", "script"]);
    let shell = std::process::Command::new("sh").args(["-n", "-c", &script]).output().unwrap();
    assert!(shell.status.success(), "{}", text(&shell));
}

#[test]
fn a_drill_stops_and_deploys_nothing() {
    let town = Town::new(4);
    let id = town.agents.open(&["--drill"]).unwrap().to_string();
    let output = town.agents.command(1, &["runbook", &id, "--format", "script"]).unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(output.stdout.is_empty());
    let output = town.agents.command(1, &["runbook", &id]).unwrap();
    assert!(text(&output).starts_with("DRILL: "), "{}", text(&output));
    assert!(text(&output).contains("svdr-agent run --session") && text(&output).contains("--drill"));
}

#[test]
fn a_misspelt_step_is_not_signed() {
    let town = Town::new(4);
    let session = town.agents.open(&[]).unwrap();
    let id = session.to_string();
    let output = town.agents.command(1, &["done", &id, "deliverd", "--yes"]).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("whose steps are stopped, backed-up"), "{}", text(&output));
    let output = town.agents.command(1, &["done", &id, "--unlisted", "pager handed over", "--yes"]).unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(status(&town, 2, session)["members"][0]["milestones"][0]["name"], "pager handed over");
}
