//! How fast the proposal rule is: prints a markdown table. See `benches/propose.sh`.
//!
//! `propose_speed [AGENT]`: evidence of 128 members at 2,880 ticks, from signed statements in JSON to the
//! outcome, and the classic graphs. With the path of an `svdr-agent`, its `propose` on the same evidence too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use svdr_protocol::clique::{Budget, Graph, MAX_VERTICES, VertexSet};
use svdr_protocol::dsse::Envelope;
use svdr_protocol::evidence::{Evidence, Observations};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::plan::dump::{Parameters, SEARCH_STEPS, propose};
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{Body, Header, Statement};
use svdr_protocol::time::{Tick, Timestamp};

const MEMBERS: usize = 128;
const TICKS: i64 = 2880;
/// 2026-04-21T00:00:00Z, in minutes.
const START: i64 = 29_612_160;
const REPEATS: usize = 5;

/// xorshift64*: the same evidence everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

fn key(member: usize) -> SigningKey {
    SigningKey::from_bytes(&[member as u8 + 1; 32])
}

fn roster() -> String {
    let head = "network = \"Bench\"\nsynchronizer = \"global-domain::abcdefabcdef\"\n".to_owned();
    (0..MEMBERS).fold(head, |text, member| {
        let key = PublicKey::from(key(member).verifying_key());
        let convener = member == 0;
        text + &format!(
            "[[member]]\nname = \"SV-{member:03}\"\nparticipant = \"PAR::sv-{member}::fingerprint\"\n\
             key = \"{key}\"\nconvener = {convener}\n"
        )
    })
}

fn name(member: usize) -> MemberName {
    format!("SV-{member:03}").parse().unwrap()
}

/// Evidence in which `reported` says what `by` says about `about` at a minute: a match, a mismatch or nothing.
fn statements(roster: &Roster, mut reported: impl FnMut(usize, usize, i64) -> Option<bool>) -> Vec<String> {
    let statement = |by: usize| {
        let about = (0..MEMBERS).filter(|about| *about != by).map(|about| {
            let mut ticks = [Vec::new(), Vec::new()];
            for minute in 0..TICKS {
                if let Some(matched) = reported(by, about, minute) {
                    let at = Timestamp::from_micros((START + minute) * 60_000_000).unwrap();
                    ticks[usize::from(matched)].push(Tick(at));
                }
            }
            let [mismatches, matches] = ticks.map(|ticks| ticks.into_iter().collect());
            (name(about), Observations { matches, mismatches })
        });
        let evidence = Evidence {
            member: name(by),
            participant: roster.members()[by].participant.clone(),
            synchronizers: BTreeSet::from(["global-domain::abcdefabcdef".to_owned()]),
            log_span: None,
            about: about.collect::<BTreeMap<_, _>>(),
            unattributed_mismatches: 0,
        };
        let header = Header {
            session: None,
            roster: roster.fingerprint(),
            drill: false,
            signer: name(by),
            sequence: 1,
            software: "propose_speed".to_owned(),
        };
        Statement { header, body: Body::Evidence(evidence) }.sign(&key(by)).unwrap().to_json()
    };
    (0..MEMBERS).map(statement).collect()
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[REPEATS / 2]
}

fn read(json: &[String], roster: &Roster) -> Vec<Evidence> {
    let read = |json: &String| {
        let envelope = Envelope::from_json(json.as_bytes()).unwrap();
        match Statement::read(&envelope, roster).unwrap().body {
            Body::Evidence(evidence) => evidence,
            other => panic!("a statement of kind {}", other.kind()),
        }
    };
    json.iter().map(read).collect()
}

fn measure_evidence(what: &str, text: &str, roster: &Roster, json: &[String], agent: Option<&str>) {
    let parameters = Parameters::new(roster);
    let evidence = read(json, roster);
    let candidates = propose(roster, &evidence, &parameters).unwrap().candidates.len();
    let rule = median(|| {
        propose(roster, &evidence, &parameters).unwrap();
    });
    drop(evidence);
    let all = median(|| {
        propose(roster, &read(json, roster), &parameters).unwrap();
    });
    let command = agent.map(|agent| {
        let folder = std::env::temp_dir().join(format!("svdr-propose-speed-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("roster.toml"), text).unwrap();
        fs::write(folder.join("evidence.jsonl"), json.join("\n")).unwrap();
        let time = median(|| {
            let mut propose = Command::new(agent);
            propose.args(["propose", "--roster"]).arg(folder.join("roster.toml"));
            propose.arg(folder.join("evidence.jsonl")).stdout(Stdio::null()).stderr(Stdio::null());
            // 4: no candidate reaches the threshold.
            assert!(matches!(propose.status().unwrap().code(), Some(0 | 4)));
        });
        fs::remove_dir_all(&folder).unwrap();
        format!("{} ms", time.as_millis())
    });
    let size = json.iter().map(String::len).sum::<usize>() / MEMBERS / 1024;
    println!(
        "| {what} | {size} KiB | {candidates} | {} ms | {} ms | {} |",
        rule.as_millis(),
        all.as_millis(),
        command.as_deref().unwrap_or("–")
    );
}

fn graph(vertices: usize, mut connected: impl FnMut(usize, usize) -> bool) -> (usize, Graph) {
    let mut graph = Graph::new();
    for b in 0..vertices {
        for a in 0..b {
            if connected(a, b) {
                graph.connect(a, b);
            }
        }
    }
    (vertices, graph)
}

fn code(length: u32, weight: Option<u32>, distance: u32) -> (usize, Graph) {
    let words: Vec<u32> = (0..1 << length)
        .filter(|word: &u32| weight.is_none_or(|weight| word.count_ones() == weight))
        .collect();
    graph(words.len(), |a, b| (words[a] ^ words[b]).count_ones() >= distance)
}

/// Each vertex lacks some `missing` others, as evenly as can be: the hardest kind known at this size.
fn almost_regular(missing: usize) -> (usize, Graph) {
    let mut random = Random(missing as u64);
    let mut lacks = [[false; MAX_VERTICES]; MAX_VERTICES];
    for _ in 0..missing {
        let mut order: Vec<usize> = (0..MAX_VERTICES).collect();
        for at in (1..MAX_VERTICES).rev() {
            order.swap(at, random.below(at as u64 + 1) as usize);
        }
        for pair in order.chunks(2) {
            lacks[pair[0]][pair[1]] = true;
            lacks[pair[1]][pair[0]] = true;
        }
    }
    graph(MAX_VERTICES, |a, b| !lacks[a][b])
}

fn measure_graph(what: &str, (vertices, graph): &(usize, Graph)) {
    let all = VertexSet::first(*vertices);
    let mut budget = Budget::new(SEARCH_STEPS);
    let size = graph.maximum_clique(all, 0, &mut budget).unwrap().map_or(0, VertexSet::len);
    let steps = SEARCH_STEPS - budget.left();
    let time = median(|| {
        graph.maximum_clique(all, 0, &mut Budget::new(SEARCH_STEPS)).unwrap();
    });
    println!("| {what} | {vertices} | {size} | {steps} | {:.1} ms |", time.as_secs_f64() * 1e3);
}

fn main() {
    let agent = std::env::args().nth(1);
    let text = roster();
    let roster = Roster::parse(&text).unwrap();

    println!(
        "| evidence of {MEMBERS} members × {TICKS} ticks | signed, each | candidates | rule alone | from signed statements | `svdr-agent propose` |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut random = Random(1);
    let healthy = statements(&roster, |_, _, _| Some(true));
    measure_evidence("complete", &text, &roster, &healthy, agent.as_deref());
    let late = statements(&roster, |by, about, at| (at < 60 || by.min(about) > 0).then_some(true));
    measure_evidence("one member 47 h behind", &text, &roster, &late, agent.as_deref());
    let torn = statements(&roster, |by, about, at| {
        let behind = at + 60 * (by.max(about) as i64 - 120).max(0) >= TICKS;
        let mismatch = (by, about) == (3, 4) && at % 700 == 0;
        (!behind && random.below(1000) >= 1).then_some(!mismatch)
    });
    measure_evidence(
        "1 line in 1,000 lost, 7 members behind, mismatches",
        &text,
        &roster,
        &torn,
        agent.as_deref(),
    );
    let lossy = statements(&roster, |_, _, _| (random.below(100) >= 1).then_some(true));
    measure_evidence("1 line in 100 lost", &text, &roster, &lossy, agent.as_deref());

    println!("\n| graph | vertices | largest clique | steps | time |");
    println!("| --- | --- | --- | --- | --- |");
    measure_graph("`johnson16-2-4`", &code(16, Some(2), 4));
    measure_graph("`hamming7-4`", &code(7, None, 4));
    for density in [70, 90, 95] {
        let mut random = Random(density);
        let graph = graph(MAX_VERTICES, |_, _| random.below(100) < density);
        measure_graph(&format!("random, density 0.{density}"), &graph);
    }
    measure_graph("25 joined rings of 5", &graph(125, |a, b| a / 5 != b / 5 || matches!(b - a, 1 | 4)));
    for missing in [4, 7] {
        measure_graph(&format!("each lacks {missing} others at random"), &almost_regular(missing));
    }
}
