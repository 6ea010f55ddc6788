//! What operators really have in their hands: each folder of `tests/cases` is one input of a kind that somebody has
//! reported in public, with the right answer. `tests/cases/README.md` explains the fields and the rules.
//!
//! The real program reads each input as `case.toml` says. A case of whose steps a person would do several by hand has a
//! function here.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::Value;
use svdr_protocol::time::Timestamp;
use svdr_tests::binaries;
use toml::Table;

/// Cases that are not right yet. The list may only become shorter: a case of it that passes fails the test.
const NOT_YET: [&str; 0] = [];

/// What came of a case.
struct Answer {
    exit: Option<i32>,
    /// The evidence, if there is any.
    document: Option<Value>,
    /// The warnings, and all that was written to stderr.
    said: String,
    /// Requests that the server received.
    requests: u64,
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

fn table(case: &Path) -> Table {
    fs::read_to_string(case.join("case.toml")).unwrap().parse().unwrap()
}

fn texts(table: &Table, key: &str) -> Vec<String> {
    let all = table.get(key).and_then(toml::Value::as_array);
    all.into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A copy of the case's folder beside a copy of the roster, with the links that the case wants.
fn copy(name: &str) -> tempfile::TempDir {
    let stage = tempfile::tempdir().unwrap();
    fs::copy(cases().join("roster.toml"), stage.path().join("roster.toml")).unwrap();
    let folder = stage.path().join(name);
    copy_folder(&cases().join(name), &folder);
    for link in table(&folder).get("links").and_then(toml::Value::as_array).into_iter().flatten() {
        let [link, target] = [0, 1].map(|at| link[at].as_str().unwrap());
        let link = folder.join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, link).unwrap();
    }
    stage
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
            // Backups and tokens are their owner's alone, as the programs want them.
            fs::set_permissions(to, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn agent(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(binaries::agent()).current_dir(folder).args(arguments).output().unwrap()
}

fn evidence(folder: &Path, arguments: &[&str]) -> Answer {
    let fixed = ["evidence", "--roster", "../roster.toml", "--member", "Digital-Asset-1", "--output", "json"];
    answer(&agent(folder, &[&fixed, arguments].concat()), 0)
}

fn answer(output: &Output, requests: u64) -> Answer {
    let document: Option<Value> = serde_json::from_slice(&output.stdout).ok();
    let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
    for warning in document.iter().flat_map(|it| it["warnings"].as_array()).flatten() {
        said.push_str(warning.as_str().unwrap());
        said.push('\n');
    }
    Answer { exit: output.status.code(), document, said, requests }
}

/// A server that answers every request with 401, and counts the requests. Its thread ends with the process.
fn refusing_server() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&requests);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            counted.fetch_add(u64::from(head.ends_with(b"\r\n\r\n")), Ordering::SeqCst);
            // The program may have gone meanwhile.
            let _ = stream
                .write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
        }
    });
    (url, requests)
}

fn run(name: &str) -> Answer {
    let stage = copy(name);
    let folder = stage.path().join(name);
    let table = table(&folder);
    let given = texts(&table, "args");
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let fixed = ["--timestamp", "2026-04-21T23:10:00Z", "--out", "dump.json"];
    match table.get("kind").and_then(toml::Value::as_str) {
        None => evidence(&folder, &given),
        Some("merge") => answer(&agent(&folder, &[&["merge"], &fixed[..], &given].concat()), 0),
        Some("dump") => {
            let (url, requests) = refusing_server();
            let to = ["--retry-for", "0s", "--url", &url];
            let output = agent(&folder, &[&["dump"], &fixed[..], &to, &given].concat());
            answer(&output, requests.load(Ordering::SeqCst))
        }
        Some(kind) => panic!("{name} is of the unknown kind {kind}"),
    }
}

/// Everything in which `answer` is not what `expected` says.
fn differences(answer: &Answer, expected: &Table) -> Vec<String> {
    let mut differences = Vec::new();
    let mut check = |holds: bool, what: String| {
        if !holds {
            differences.push(what);
        }
    };
    let exit = i64::from(answer.exit.unwrap_or(-1));
    let exits = match expected.get("exit") {
        None => vec![0],
        Some(toml::Value::Array(codes)) => codes.iter().filter_map(toml::Value::as_integer).collect(),
        Some(code) => vec![code.as_integer().unwrap()],
    };
    check(exits.contains(&exit), format!("the exit code is {exit}, not one of {exits:?}"));
    let said = answer.said.to_lowercase();
    for names in texts(expected, "warnings_name") {
        let occurs = names.to_lowercase().split('|').any(|name| said.contains(name));
        check(occurs, format!("no warning names {names}"));
    }
    for text in texts(expected, "warnings_not") {
        check(!said.contains(&text.to_lowercase()), format!("a warning says {text}"));
    }
    if expected.get("silent_ok").and_then(toml::Value::as_bool) == Some(false) {
        check(!said.is_empty(), "nothing is said".to_owned());
    }
    if let Some(requests) = integer(expected, "requests") {
        check(answer.requests == requests, format!("{} requests were sent", answer.requests));
    }
    let Some(document) = &answer.document else {
        let wanted = ["matches", "mismatches", "unattributed", "unreadable", "log_span"];
        check(!wanted.iter().any(|key| expected.contains_key(*key)), "there is no evidence".to_owned());
        return differences;
    };
    compare_ticks(&matches(document), expected.get("matches"), "matches", &mut check);
    compare_ticks(&mismatches(document), expected.get("mismatches"), "mismatches", &mut check);
    if let Some(expected) = integer(expected, "unattributed") {
        let found = &document["unattributed_mismatches"];
        check(found == expected, format!("{found} mismatches are unattributed, not {expected}"));
    }
    if let Some(expected) = integer(expected, "unreadable") {
        let sources = document["sources"].as_array().unwrap();
        let found: u64 = sources.iter().map(|it| it["unreadable_lines"].as_u64().unwrap()).sum();
        check(found == expected, format!("{found} lines are unreadable, not {expected}"));
    }
    for (end, expected) in expected.get("log_span").and_then(toml::Value::as_table).into_iter().flatten() {
        let found = document["log_span"][end].as_str().unwrap_or_default();
        let same = found.parse::<Timestamp>().ok() == expected.as_str().unwrap().parse().ok();
        check(same, format!("log_span.{end} is {found}, not {expected}"));
    }
    differences
}

fn integer(table: &Table, key: &str) -> Option<u64> {
    table.get(key).map(|number| u64::try_from(number.as_integer().unwrap()).unwrap())
}

type Ticks = BTreeMap<String, Vec<Timestamp>>;

fn matches(document: &Value) -> Ticks {
    let mut all = Ticks::new();
    for one in document["matches"].as_array().unwrap() {
        let ticks = one["ticks"].as_array().unwrap().iter().map(|tick| tick.as_str().unwrap());
        all.insert(
            one["counterparty"].as_str().unwrap().to_owned(),
            ticks.map(|it| it.parse().unwrap()).collect(),
        );
    }
    all
}

fn mismatches(document: &Value) -> Ticks {
    let mut all = Ticks::new();
    for one in document["mismatches"].as_array().unwrap() {
        let ticks = all.entry(one["counterparty"].as_str().unwrap().to_owned()).or_default();
        ticks.push(one["tick"].as_str().unwrap().parse().unwrap());
    }
    all
}

/// Compares ticks with a table of them or of their numbers, or with a list of pairs.
fn compare_ticks(
    found: &Ticks,
    expected: Option<&toml::Value>,
    what: &str,
    check: &mut impl FnMut(bool, String),
) {
    let at = |tick: &toml::Value| tick.as_str().unwrap().parse::<Timestamp>().unwrap();
    let mut wanted = Ticks::new();
    match expected {
        None => return,
        Some(toml::Value::Array(pairs)) => {
            for pair in pairs {
                wanted.entry(pair[0].as_str().unwrap().to_owned()).or_default().push(at(&pair[1]));
            }
        }
        Some(expected) => {
            for (name, ticks) in expected.as_table().unwrap() {
                let found = found.get(name).cloned().unwrap_or_default();
                let ticks = match ticks.as_integer() {
                    Some(number) if usize::try_from(number) == Ok(found.len()) => found,
                    Some(number) => {
                        check(false, format!("{} {what} with {name}, not {number}", found.len()));
                        found
                    }
                    None => ticks.as_array().unwrap().iter().map(at).collect(),
                };
                wanted.insert(name.clone(), ticks);
            }
        }
    }
    check(*found == wanted, format!("the {what} are {found:?}, not {wanted:?}"));
}

/// What is wrong with a case, if anything.
fn judge(name: &str) -> Vec<String> {
    let table = table(&cases().join(name));
    if table.contains_key("steps") {
        return match name {
            "two-participants-chosen" => two_participants_chosen(),
            // It needs a session: see `crash` among the tests of sessions.
            "state-file-zeroed" => Vec::new(),
            _ => panic!("{name} has steps, and no function takes them"),
        };
    }
    let answer = run(name);
    let expected = table.get("expect").and_then(toml::Value::as_table);
    let mut wrong = expected.map_or_else(Vec::new, |expected| differences(&answer, expected));
    if let Some(either) = table.get("either").and_then(toml::Value::as_array) {
        let ways: Vec<Vec<String>> =
            either.iter().map(|way| differences(&answer, way.as_table().unwrap())).collect();
        if ways.iter().all(|way| !way.is_empty()) {
            wrong.extend(ways.concat());
        }
    }
    if !wrong.is_empty() {
        wrong.push(answer.said);
    }
    wrong
}

fn two_participants_chosen() -> Vec<String> {
    let name = "two-participants-chosen";
    let stage = copy(name);
    let scan = |chosen: Option<&str>| {
        let chosen: Vec<&str> = chosen.iter().flat_map(|it| ["--logger-participant", it]).collect();
        evidence(&stage.path().join(name), &[&["canton_before_shutdown.clog"], &chosen[..]].concat())
    };
    let counts = |number: i64| {
        let all = ["Digital-Asset-2", "SV 3", "Zürich-4"].map(|it| (it.to_owned(), number.into()));
        let mut expected = Table::new();
        expected.insert("matches".to_owned(), toml::Value::Table(all.into_iter().collect()));
        expected.insert("mismatches".to_owned(), toml::Value::Array(Vec::new()));
        expected
    };
    let refused = |names: &[&str]| {
        let mut expected = Table::new();
        expected.insert("exit".to_owned(), 3.into());
        let names = names.iter().map(|it| toml::Value::from(*it)).collect();
        expected.insert("warnings_name".to_owned(), toml::Value::Array(names));
        expected
    };
    let all = ["sv1Participant", "bobParticipant", "--logger-participant"];
    [
        (None, refused(&all)),
        (Some("sv1Participant"), counts(2)),
        (Some("bobParticipant"), counts(3)),
        (Some("alice"), refused(&all[..2])),
    ]
    .into_iter()
    .flat_map(|(chosen, expected)| differences(&scan(chosen), &expected))
    .collect()
}

#[test]
fn every_case_has_its_answer() {
    let mut names: Vec<String> = fs::read_dir(cases())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(NOT_YET.iter().all(|name| names.iter().any(|it| it == name)), "a case of NOT_YET is gone");
    let mut wrong = Vec::new();
    for name in &names {
        let differences = judge(name);
        match (NOT_YET.contains(&name.as_str()), differences.is_empty()) {
            (false, false) => wrong.push(format!("{name}:\n  {}", differences.join("\n  "))),
            (true, true) => wrong.push(format!("{name} is right now: take it from NOT_YET")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), names.len(), wrong.join("\n"));
}
