//! The participant's admin API as a source of evidence: the real programs against a stand-in over real gRPC, with the
//! faults of nodes, networks and operators.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use svdr_canton::limits::MAX_LOOKUP_LEN;
use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::time::Timestamp;
use svdr_tests::binaries;
use svdr_tests::canton_node::{Fault, NodeOptions, NodeStandIn, NodeTls, ParticipantNode, State};
use svdr_tests::log_writer::{Entry, Format, LogWriter, Period, Style};
use svdr_tests::members::SYNCHRONIZER;
use svdr_tests::network::Network;

/// The first of the ticks, which are a minute apart: some hours ago, since the node is asked for its newest ones.
fn tick(minutes: u64) -> Timestamp {
    let start: Timestamp = "2026-04-21T19:00:00Z".parse().unwrap();
    start.checked_add(Duration::from_secs(minutes * 60)).unwrap()
}

/// A network of three, and the participant of the first with matches with both others at ticks 0 to 9.
fn node() -> (Network, ParticipantNode) {
    let network = Network::new(3).unwrap();
    let members = network.roster.members();
    let mut node = ParticipantNode {
        participant: members[0].participant.to_string(),
        synchronizer: SYNCHRONIZER.to_owned(),
        ..ParticipantNode::default()
    };
    for minutes in 0..10 {
        for other in &members[1..] {
            node.add(&other.participant.to_string(), tick(minutes), 60, State::Match);
        }
    }
    (network, node)
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binaries::agent());
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// `evidence` on the stand-in, whose ticks lie in April, and on `more`.
fn evidence(network: &Network, node: &NodeStandIn, more: &[&str]) -> Output {
    let url = node.url();
    let window = ["--until", "2026-04-21T20:00:00Z", "--participant", &url];
    let arguments = ["--output", "json", "evidence", "--roster", "roster.toml", "--member", "Example-SV-1"];
    run(network.path(), &[&arguments, &window[..], more].concat())
}

fn document(output: &Output) -> EvidenceDocument {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How many matches and mismatches there are with the second and the third member.
fn counts(document: &EvidenceDocument) -> [(usize, usize); 2] {
    [2, 3].map(|number| {
        let name = format!("Example-SV-{number}");
        let matches = document.matches.iter().filter(|one| one.counterparty.as_str() == name);
        let mismatches = document.mismatches.iter().filter(|one| one.counterparty.as_str() == name);
        (matches.map(|one| one.ticks.len()).sum(), mismatches.count())
    })
}

fn with_faults(faults: Vec<Fault>) -> NodeOptions {
    NodeOptions { faults, ..NodeOptions::default() }
}

#[test]
fn matches_count_where_both_calls_agree_and_mismatches_always() {
    let (network, mut node) = node();
    let third = network.roster.members()[2].participant.to_string();
    // Differs at tick 4, and nothing was received at tick 5.
    for period in node.periods.iter_mut().filter(|period| period.counterparty == third) {
        if period.to == tick(4) {
            period.state = State::Mismatch;
        } else if period.to == tick(5) {
            period.state = State::Outstanding;
        }
    }
    // A catch-up of the other side: the period begins with one that matched, and ends with one that differed.
    node.received.push(svdr_tests::canton_node::Period {
        counterparty: third.clone(),
        from: tick(2),
        to: tick(4),
        state: State::Match,
    });
    let node = NodeStandIn::participant(node, NodeOptions::default()).unwrap();
    let document = document(&evidence(&network, &node, &[]));
    assert_eq!(counts(&document), [(10, 0), (8, 1)]);
    assert_eq!(document.mismatches[0].tick.0, tick(4));
    assert_eq!(document.synchronizers.len(), 1);
    let [source] = document.sources.as_slice() else { panic!("{:?}", document.sources) };
    assert_eq!(source.path, node.url());
    assert!(source.lines > source.commitment_lines && source.commitment_lines >= 38, "{source:?}");
    assert_eq!(node.calls()[..2], ["ParticipantStatus", "LookupReceivedAcsCommitments"]);
}

#[test]
fn tls_client_certificates_and_tokens_are_used() {
    for tls in [NodeTls::Server, NodeTls::Mutual] {
        let (network, node) = node();
        let options = NodeOptions { tls, token: Some("t0ken".to_owned()), faults: Vec::new() };
        let node = NodeStandIn::participant(node, options).unwrap();
        let files = node.files();
        fs::write(network.path().join("token"), "t0ken\n").unwrap();
        fs::write(network.path().join("wrong-token"), "other\n").unwrap();
        let [ca, certificate, key] =
            [files.ca(), files.certificate(), files.key()].map(|path| path.display().to_string());
        let trusting = ["--participant-ca-file", &ca];
        let known = ["--participant-certificate", &certificate, "--participant-key", &key];
        let known = if tls == NodeTls::Mutual { &known[..] } else { &[] };
        let with = |token| [&trusting[..], known, &["--participant-token-file", token]].concat();
        assert_eq!(counts(&document(&evidence(&network, &node, &with("token")))), [(10, 0), (10, 0)]);
        let refused = |arguments: &[&str], words: &str| {
            let output = evidence(&network, &node, arguments);
            assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
            assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
            assert!(!text(&output.stderr).contains("t0ken"));
        };
        refused(&with("wrong-token"), "set token_file to a token that the node accepts");
        refused(known, "ca_file");
        if tls == NodeTls::Mutual {
            refused(&trusting, "set certificate and certificate_key");
        }
        // The other scheme than the node's.
        let plain = node.url().replace("https", "http");
        let output = run(
            network.path(),
            &["evidence", "--roster", "roster.toml", "--member", "Example-SV-1", "--participant", &plain],
        );
        assert!(text(&output.stderr).contains("the URL's scheme is right"), "{}", text(&output.stderr));
    }
    let (network, node) = node();
    let node = NodeStandIn::participant(node, NodeOptions::default()).unwrap();
    let encrypted = node.url().replace("http://127.0.0.1", "https://localhost");
    let output = run(
        network.path(),
        &["evidence", "--roster", "roster.toml", "--member", "Example-SV-1", "--participant", &encrypted],
    );
    assert!(text(&output.stderr).contains("write http:// if"), "{}", text(&output.stderr));
}

#[test]
fn a_node_that_is_slow_overloaded_or_restarts_is_read_to_the_end() {
    let (network, node) = node();
    let faults = vec![
        Fault::Slow(Duration::from_millis(300)),
        Fault::Dies(Duration::from_millis(700)),
        Fault::Canton(10, "SERVER_OVERLOADED(2,0): retry".to_owned()),
        Fault::Dies(Duration::from_millis(10)),
    ];
    let node = NodeStandIn::participant(node, with_faults(faults)).unwrap();
    assert_eq!(counts(&document(&evidence(&network, &node, &[]))), [(10, 0), (10, 0)]);
}

#[test]
fn an_answer_beyond_the_limit_is_asked_for_in_parts() {
    let (network, node) = node();
    let node = NodeStandIn::participant(node, with_faults(vec![Fault::Longer(MAX_LOOKUP_LEN)]));
    let node = node.unwrap();
    assert_eq!(counts(&document(&evidence(&network, &node, &[]))), [(10, 0), (10, 0)]);
    // One that is too long however short the window is.
    let (network, more) = self::node();
    let faults = vec![Fault::Longer(MAX_LOOKUP_LEN); 14];
    let node = NodeStandIn::participant(more, with_faults(faults)).unwrap();
    let output = evidence(&network, &node, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("with more bytes than svdr accepts"), "{}", text(&output.stderr));
}

#[test]
fn an_answer_that_cannot_be_used_is_refused_with_the_nodes_words() {
    for (fault, code, words) in [
        (Fault::OtherSynchronizer, 3, "expected synchronizer global-domain::"),
        (
            Fault::Internal("Connection is \u{1b}[31m closed".to_owned()),
            1,
            "Internal: Connection is \\\\u{1b}[31m closed",
        ),
        (
            Fault::Internal("No synchronizer alias found for x".to_owned()),
            1,
            "check that the roster names the synchronizer",
        ),
        (Fault::Canton(12, "unknown method".to_owned()), 1, "does not know LookupReceivedAcsCommitments"),
        (Fault::Canton(7, "PERMISSION_DENIED(7,0): no".to_owned()), 1, "set token_file"),
    ] {
        let (network, node) = node();
        let node = NodeStandIn::participant(node, with_faults(vec![fault.clone()])).unwrap();
        let output = evidence(&network, &node, &[]);
        assert_eq!(output.status.code(), Some(code), "{fault:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(words), "{fault:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn another_members_participant_is_refused() {
    let (network, mut node) = node();
    node.participant = network.roster.members()[1].participant.to_string();
    let node = NodeStandIn::participant(node, NodeOptions::default()).unwrap();
    let output = evidence(&network, &node, &[]);
    assert_eq!(output.status.code(), Some(3));
    let told = text(&output.stderr);
    assert!(told.contains("is PAR::Example-SV-2::") && told.contains("has PAR::Example-SV-1::"), "{told}");
    assert_eq!(node.calls(), ["ParticipantStatus"]);
}

#[test]
fn what_is_pruned_or_was_never_computed_is_unknown_and_said() {
    let (network, mut fresh) = node();
    fresh.is_fresh = true;
    let (_, mut pruned) = node();
    pruned.prune(tick(60));
    for (node, words) in
        [(fresh, "No computations done for"), (pruned, "Whether there were mismatches is unknown")]
    {
        let node = NodeStandIn::participant(node, NodeOptions::default()).unwrap();
        let document = document(&evidence(&network, &node, &[]));
        assert_eq!(counts(&document), [(0, 0), (0, 0)]);
        assert!(document.warnings.iter().any(|warning| warning.contains(words)), "{:?}", document.warnings);
    }
    let (_, half) = node();
    let node = NodeStandIn::participant(half, NodeOptions::default()).unwrap();
    let document = document(&evidence(&network, &node, &["--since", "2026-04-21T12:00:00Z"]));
    let said = "knows of no comparison before 2026-04-21T19:00:00Z";
    assert!(document.warnings.iter().any(|warning| warning.contains(said)), "{:?}", document.warnings);
}

/// Writes a log of the first member, with a match or a mismatch with the second at each of some ticks.
fn write_log(network: &Network, entries: &[(u64, bool)]) {
    let mut log = LogWriter::new(Vec::new(), Style::new(Format::Text));
    let [own, other] = [0, 1].map(|member| network.roster.members()[member].participant.to_string());
    for (minutes, is_match) in entries {
        let to = tick(*minutes).micros();
        let period = Period { from: to - 60_000_000, to };
        let entry = match is_match {
            true => Entry::matched(to + 1_000_000, SYNCHRONIZER, "00ff", &other, period),
            false => Entry::mismatched(to + 1_000_000, SYNCHRONIZER, "00ff", &other, &own, period),
        };
        log.write(&entry).unwrap();
    }
    fs::write(network.path().join("participant.log"), log.finish().unwrap()).unwrap();
}

#[test]
fn logs_and_participant_together_say_more_than_either() {
    let (network, mut node) = node();
    let second = network.roster.members()[1].participant.to_string();
    for period in node.periods.iter_mut().filter(|period| period.counterparty == second) {
        if period.to == tick(3) {
            period.state = State::Mismatch;
        }
    }
    // The mismatch at tick 2 was healed since, so the participant's store has forgotten it. The log is older, too.
    write_log(&network, &[(2, false), (3, true), (11, true)]);
    let stand_in = NodeStandIn::participant(node, NodeOptions::default()).unwrap();
    let document = document(&evidence(&network, &stand_in, &["participant.log"]));
    assert_eq!(counts(&document), [(11, 2), (10, 0)]);
    let paths: Vec<&str> = document.sources.iter().map(|source| source.path.as_str()).collect();
    assert_eq!(paths, ["participant.log", stand_in.url().as_str()]);
    let url = stand_in.url();
    for said in [
        format!("Example-SV-2 at {}: a mismatch in the logs, but a match in the participant {url}", tick(2)),
        format!("Example-SV-2 at {}: a mismatch in the participant {url}, but a match in the logs", tick(3)),
    ] {
        assert!(
            document.warnings.iter().any(|warning| warning.contains(&said)),
            "{said}: {:?}",
            document.warnings
        );
    }
}

#[test]
fn a_participant_that_is_gone_is_a_warning_beside_logs_and_an_error_without() {
    let (network, node) = node();
    write_log(&network, &[(2, true)]);
    let gone = NodeStandIn::participant(node, NodeOptions::default()).unwrap();
    let url = gone.url();
    drop(gone);
    let arguments = ["--output", "json", "evidence", "--roster", "roster.toml", "--member", "Example-SV-1"];
    let arguments = [&arguments[..], &["--participant", &url]].concat();
    let beside = document(&run(network.path(), &[&arguments[..], &["participant.log"]].concat()));
    assert_eq!(counts(&beside), [(1, 0), (0, 0)]);
    let said =
        format!("the participant {url} gave no evidence, so mismatches that only it knows are missing");
    assert!(beside.warnings.iter().any(|warning| warning.contains(&said)), "{:?}", beside.warnings);
    let alone = run(network.path(), &arguments);
    assert_eq!(alone.status.code(), Some(1));
    assert!(text(&alone.stderr).contains("cannot be reached"), "{}", text(&alone.stderr));
}
