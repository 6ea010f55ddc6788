//! The session commands against a running coordinator, and what the agent's `verify` says of what they export.

use std::process::{Command, Output};

use serde_json::Value;
use svdr_tests::binaries;

use super::*;

fn session_command(network: &Network, member: usize, arguments: &[&str]) -> Output {
    Command::new(binaries::coordinator())
        .args(["session", "--config", &format!("agent-{member}.toml"), "--output", "json"])
        .args(arguments)
        .current_dir(network.path())
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn failure(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_convener_opens_follows_steers_ends_and_exports_a_session() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    for member in 1..=2 {
        network.write_config(member, &coordinator.url(), &coordinator.started.public_key).unwrap();
    }
    assert_eq!(json(&session_command(&network, 2, &["list"]))["sessions"], Value::Array(Vec::new()));
    let opened = json(&session_command(&network, 1, &["open", "--reason", "no quorum", "--drill"]));
    let id = opened["session"].as_str().unwrap().to_owned();
    assert_eq!(opened["position"], 0);
    let session: SessionId = id.parse().unwrap();

    let listed = json(&session_command(&network, 2, &["list"]));
    assert_eq!(listed["sessions"][0]["session"], id.as_str());
    assert_eq!(listed["sessions"][0]["drill"], true);
    assert_eq!(listed["sessions"][0]["state"], "gathering");

    let (code, message) = failure(&session_command(&network, 1, &["propose", &id]));
    assert_eq!(code, Some(4), "{message}");

    let mut client = connect(&coordinator, network.key(1)).await;
    for member in 1..=3 {
        let envelope = network.sign_drill(member, Some(session), 2, network.evidence(member)).unwrap();
        submit(&mut client, &envelope).await.unwrap();
    }
    let (code, message) = failure(&session_command(&network, 2, &["propose", &id]));
    assert_eq!(code, Some(3), "{message}");
    let proposed = json(&session_command(&network, 1, &["propose", &id, "--exclude", "Example-SV-4"]));
    assert_eq!(proposed["position"], 4);
    let shown = json(&session_command(&network, 2, &["show", &id[..6]]));
    assert_eq!((&shown["phase"], &shown["round"]), (&"proposed".into(), &1.into()));
    assert_eq!(shown["proposal"]["left_behind"][0], "Example-SV-4");

    let aborted = json(&session_command(&network, 1, &["abort", &id, "--reason", "the rehearsal is over"]));
    assert_eq!(aborted["position"], 5);
    let watched = session_command(&network, 2, &["watch", &id.to_uppercase()[..4]]);
    let lines = String::from_utf8(watched.stdout).unwrap();
    assert_eq!(lines.lines().count(), 6, "{lines}");
    assert!(lines.lines().last().unwrap().contains("\"aborted\""), "{lines}");

    let exported = json(&session_command(&network, 2, &["export", &id, "--out", "session.jsonl"]));
    assert_eq!(exported["statements"], 6);
    let (code, message) = failure(&session_command(&network, 2, &["export", &id, "--out", "session.jsonl"]));
    assert_eq!(code, Some(1), "{message}");
    let text = std::fs::read(network.path().join("session.jsonl")).unwrap();
    let lines = text.split(|&byte| byte == b'\n').enumerate().map(|(at, line)| (at + 1, line));
    let report = svdr_protocol::transcript::verify(lines, &std::sync::Arc::new(network.roster.clone()));
    assert!(report.holds(), "{report:?}");
}

/// The coordinator that a session was opened with is lost. Its replacement has another key, and proposes once a convener
/// has appointed it.
#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_proposes_once_it_is_appointed() {
    let network = Network::new(4).unwrap();
    let lost = Coordinator::start(network.path(), &[]).unwrap();
    for member in 1..=2 {
        network.write_config(member, &lost.url(), &lost.started.public_key).unwrap();
    }
    let opened = json(&session_command(&network, 1, &["open", "--reason", "no quorum"]));
    let id = opened["session"].as_str().unwrap().to_owned();
    let session: SessionId = id.parse().unwrap();
    let shown = json(&session_command(&network, 2, &["show", &id]));
    assert_eq!(shown["coordinators"], serde_json::json!([lost.started.public_key]));
    let mut client = connect(&lost, network.key(1)).await;
    let entries = transcript(&mut client, &lost, session, 0).await;
    lost.kill().unwrap();
    std::fs::remove_file(network.path().join("coordinator.key")).unwrap();
    svdr_cli::signing_key::create(&network.path().join("coordinator.key")).unwrap();
    std::fs::rename(network.path().join("data"), network.path().join("data-of-the-lost")).unwrap();
    let replacement = Coordinator::start(network.path(), &[]).unwrap();
    let key = replacement.started.public_key.clone();
    for member in 1..=2 {
        network.write_config(member, &replacement.url(), &key).unwrap();
    }
    let mut client = connect(&replacement, network.key(1)).await;
    submit(&mut client, &entries[0].0).await.unwrap();
    for member in 1..=4 {
        let envelope = network.sign(member, Some(session), 2, network.evidence(member)).unwrap();
        submit(&mut client, &envelope).await.unwrap();
    }
    let appoint = |member: usize, key: &str, yes: &[&str]| {
        let arguments = [&["appoint", &id, "--coordinator", key], yes].concat();
        session_command(&network, member, &arguments)
    };
    let (code, message) = failure(&appoint(1, &key, &[]));
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("APPOINTMENT of a coordinator") && message.contains(&key), "{message}");
    let (code, message) = failure(&appoint(2, &key, &["--yes"]));
    assert_eq!(code, Some(3), "{message}");
    // Nobody signed anything, so nothing was proposed since.
    assert_eq!(transcript(&mut client, &replacement, session, 0).await.len(), 5);
    let appointed = json(&appoint(1, &key, &["--yes"]));
    assert_eq!(appointed["position"], 5);
    let request = v1::WatchRequest { session: id.clone(), from: 6 };
    let mut stream = client.watch(request).await.unwrap().into_inner();
    let proposal = loop {
        if let Event::Entry(entry) = stream.message().await.unwrap().unwrap().event.unwrap() {
            break entry.statement.unwrap();
        }
    };
    assert_eq!(proposal.payload_type, "application/vnd.svdr.v1.proposal+protobuf");
    let shown = json(&session_command(&network, 2, &["show", &id]));
    assert_eq!(shown["coordinators"][1], key.as_str());
    assert_eq!((&shown["phase"], &shown["proposal"]["key"]), (&"proposed".into(), &key.as_str().into()));
    let (code, message) = failure(&appoint(1, &key, &["--yes"]));
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("may already propose"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_reached_or_is_not_known_is_said() {
    let network = Network::new(4).unwrap();
    let coordinator = Coordinator::start(network.path(), &[]).unwrap();
    network.write_config(1, "https://127.0.0.1:1", &coordinator.started.public_key).unwrap();
    let (code, message) = failure(&session_command(&network, 1, &["list"]));
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("127.0.0.1:1 cannot be reached"), "{message}");
    network.write_config(1, &coordinator.url(), &coordinator.started.public_key).unwrap();
    let unknown = "0123456789abcdef0123456789abcdef";
    for (command, code, said) in [
        (["show", unknown], 1, "has no statement of session 0123456789abcdef"),
        (["watch", unknown], 1, "this coordinator has no session 0123456789abcdef"),
    ] {
        let (exit, message) = failure(&session_command(&network, 1, &command));
        assert_eq!(exit, Some(code), "{message}");
        assert!(message.contains(said), "{message}");
    }
    let (code, message) =
        failure(&session_command(&network, 1, &["export", "beef", "--out", "session.jsonl"]));
    assert_eq!(code, Some(2), "{message}");
    assert!(
        message.contains("no session's id begins with") && message.contains("known are: none"),
        "{message}"
    );
    let (code, message) = failure(&session_command(&network, 3, &["list"]));
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("agent-3.toml cannot be read"), "{message}");
}
