//! The body of a fuzz target, and its halves: arbitrary bytes as a line and as a whole log.

use crate::canton::Loggers;
use crate::canton::{CHECKING_NEEDLE, MATCH_NEEDLE, MISMATCH_NEEDLE};
use crate::feed::StreamReader;
use crate::form::Form;
use crate::line::{self, Element};
use crate::lines::{Found, NeedleSets};

/// Takes `FIRST SECOND LOG`, reads the log in parts of `FIRST` and of `SECOND` bytes, and each of its lines alone.
///
/// # Panics
/// If the result depends on the parts.
pub fn any_log(input: &[u8]) {
    let [first, second, bytes @ ..] = input else { return };
    log(bytes, usize::from(*first), usize::from(*second));
    bytes.split(|byte| matches!(byte, b'\n' | 0)).for_each(line);
    forged(input);
}

/// Takes `INNER OUTER TEXT`: a text that a user got into a message of another component, and two tools that pass the line
/// on. Nothing of the text may count.
///
/// # Panics
/// If any of it does.
pub fn forged(input: &[u8]) {
    let [inner, outer, text @ ..] = input else { return };
    let text = String::from_utf8_lossy(text);
    let wrap = |at: &u8, line: &str| {
        // In range: a remainder of the length.
        LINE_WRAPPERS[usize::from(*at) % LINE_WRAPPERS.len()].1(line)
    };
    let logger = "c.d.c.p.a.s.c.CommandService:participant=p/psid=global-domain::1220be58c29e::34-0";
    let record = serde_json::json!({
        "@timestamp": "2026-04-21T21:25:07.123Z",
        "message": text,
        "logger_name": logger,
        "level": "INFO",
    });
    // A line break in a text log begins a line: nobody can tell it from another.
    let one_line: String = text.split(['\n', '\0']).next().unwrap_or_default().to_owned();
    let header = format!("2026-04-21 21:25:07,123 [t] INFO  {logger} - ");
    for (usual, line) in [
        (record.to_string().replace(&quoted(&text), "\"m\""), record.to_string()),
        (format!("{header}m"), header + &one_line),
    ] {
        // What the other lines have in common is known.
        let log: String = [usual.clone(), usual.clone(), usual, line]
            .iter()
            .map(|line| wrap(outer, &wrap(inner, line)) + "\n")
            .collect();
        let form = Form::of(log.as_bytes());
        let mut messages = Vec::new();
        for line in log.lines() {
            line::read(Element::Line(line.as_bytes()), &form.habits, &mut Loggers::default(), &mut messages);
        }
        assert_eq!(messages, Vec::new(), "{log}");
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A tool's name, and what it does to each line.
pub(crate) type LineWrapper = (&'static str, fn(&str) -> String);

/// Tools that pass lines on.
pub(crate) const LINE_WRAPPERS: [LineWrapper; 15] = [
    ("nothing", |line| line.to_owned()),
    ("kubelet", |line| format!("2026-04-21T23:25:07.123456789Z stdout F {line}")),
    ("docker", |line| {
        format!(
            r#"{{"log":{},"stream":"stdout","time":"2026-04-21T21:25:07.2Z"}}"#,
            quoted(&format!("{line}\n"))
        )
    }),
    ("kubectl --prefix", |line| format!("[pod/participant-0-6d9f/participant] {line}")),
    ("kubectl --timestamps", |line| format!("2026-04-21T21:25:07.123456789Z {line}")),
    ("stern", |line| format!("participant-0-6d9f participant {line}")),
    ("compose", |line| format!("participant-1  | {line}")),
    ("syslog", |line| format!("<14>1 2026-04-21T21:25:07.120Z sv-node-7 canton 2291 - - {line}")),
    ("journalctl", |line| format!("Apr 21 21:25:07 sv-node-7 canton[2291]: {line}")),
    ("grep", |line| format!("/var/log/canton/participant.log:1000:{line}")),
    ("aws logs tail", |line| format!("2026-04-21T21:25:07.120000+00:00 participant/0af1 {line}")),
    ("loki", |line| format!(r#"{{"labels":{{"app":"participant"}},"line":{}}}"#, quoted(line))),
    ("splunk", |line| format!(r#"{{"preview":false,"result":{{"_raw":{}}}}}"#, quoted(line))),
    ("journald", |line| {
        format!(r#"{{"__REALTIME_TIMESTAMP":"1776808984120000","MESSAGE":{:?}}}"#, line.as_bytes())
    }),
    ("colour", |line| format!("\u{1b}[2K\u{1b}[34m{line}\u{1b}[0m")),
];

/// Reads `line` in every way there is. Nothing may panic.
pub fn line(line: &[u8]) {
    let habits = Form::of(line).habits;
    let line = Element::Line(line);
    let unreadable = line::read(line, &habits, &mut Loggers::default(), &mut Vec::new());
    let _ = (unreadable, line::time(line, &habits), line::origin(line, &habits));
}

/// Reads `log` in parts of `first` bytes, as of `second`; both must find the same.
///
/// # Panics
/// If they do not, or if the literals cannot be compiled.
#[allow(clippy::expect_used, reason = "a fuzz target reports by panicking")]
pub fn log(log: &[u8], first: usize, second: usize) {
    let needles =
        NeedleSets::new(&[MATCH_NEEDLE, MISMATCH_NEEDLE, CHECKING_NEEDLE]).expect("three short literals");
    assert_eq!(
        read(log, first, &needles),
        read(log, second, &needles),
        "parts of {first} and of {second} bytes"
    );
}

fn read(log: &[u8], part: usize, needles: &NeedleSets) -> Found {
    let mut reader = StreamReader::new(needles);
    let mut all = Found::default();
    let mut add = |mut found: Found| {
        all.lines += found.lines;
        all.unreadable += found.unreadable;
        all.overlong += found.overlong;
        all.is_recognised |= found.is_recognised;
        all.messages.append(&mut found.messages);
        all.first = all.first.or(found.first);
        all.last = found.last.or(all.last);
    };
    for part in log.chunks(part.max(1)) {
        let mut found = Found::default();
        reader.read(part, &mut found);
        add(found);
    }
    let mut found = Found::default();
    reader.finish(&mut found);
    add(found);
    all.messages.sort_by_cached_key(|message| format!("{message:?}"));
    all
}
