//! A log says the same in every wrapper, and text that a user of the ledger wrote counts for nothing in any.

use super::*;
use crate::fuzz::LINE_WRAPPERS;

const PROCESSOR: &str =
    "c.d.c.p.p.AcsCommitmentProcessor:participant=p/psid=global-domain::1220be58c29e::34-0";
const OTHER: &str = "c.d.c.p.a.s.c.CommandService:participant=p/psid=global-domain::1220be58c29e::34-0";

/// One line of a participant's log.
#[derive(Clone, Debug)]
enum Said {
    Match(&'static str, u32),
    Mismatch(&'static str, u32),
    /// A user got a statement about C into a message: alone, or as a whole line in text or JSON.
    Forged(usize, u32),
    Other,
}

fn said() -> impl Strategy<Value = Said> {
    let (name, minute) = (prop::sample::select(vec!["B", "C"]), 1u32..20);
    prop_oneof![
        4 => (name.clone(), minute.clone()).prop_map(|(name, minute)| Said::Match(name, minute)),
        2 => (name, minute.clone()).prop_map(|(name, minute)| Said::Mismatch(name, minute)),
        2 => (0usize..3, 30u32..50).prop_map(|(kind, minute)| Said::Forged(kind, minute)),
        1 => Just(Said::Other),
    ]
}

fn record(logger: &str, message: &str, remote: Option<&str>) -> String {
    let mut record = serde_json::json!({
        "@timestamp": "2026-04-21T21:25:07.123Z",
        "message": message,
        "logger_name": logger,
        "thread_name": "t",
        "level": "INFO",
        "trace-id": "3f2a9c1d8a7b6c5d4e3f2a1b0c9d8e7f",
    });
    if let Some(remote) = remote {
        record["remote"] = remote.into();
    }
    record.to_string()
}

fn text(logger: &str, message: &str) -> String {
    format!("2026-04-21 21:25:07,123 [t] INFO  {logger} tid:3f2a9c1d8a7b6c5d4e3f2a1b0c9d8e7f - {message}")
}

/// Writes a line as Canton does, in JSON or in text.
fn write(said: &Said, in_json: bool) -> String {
    let plain = |logger: &str, message: &str| match in_json {
        true => record(logger, message, None),
        false => text(logger, message),
    };
    match said {
        Said::Match(name, minute) => plain(PROCESSOR, &phrase(name, *minute)),
        Said::Mismatch(name, minute) => {
            let code =
                format!("ACS_COMMITMENT_MISMATCH(5,3f2a{minute:04}): The local commitment does not match");
            let period = format!(
                "CommitmentPeriod(fromExclusive = 2026-04-21T20:00:00Z, toInclusive = 2026-04-21T21:{minute:02}:00Z)"
            );
            let remote = format!(
                "AcsCommitment(psid = global-domain::1220be58c29e::34-0, sender = {}, counterParticipant = {}, period = \
                 {period}, commitment = SHA-256:77ab...)",
                short(name),
                short("Own")
            );
            match in_json {
                true => record(PROCESSOR, &code, Some(&remote.replace(", ", ",\n  "))),
                false => text(PROCESSOR, &format!("{code} err-context:{{local=Vector(), remote={remote}}}")),
            }
        }
        Said::Forged(kind, minute) => {
            let phrase = phrase("C", *minute);
            let forged = match kind {
                0 => phrase,
                1 => text(PROCESSOR, &phrase),
                _ => record(PROCESSOR, &phrase, None),
            };
            plain(OTHER, &forged)
        }
        Said::Other => plain(OTHER, "a command"),
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

type Document = (&'static str, fn(&[String]) -> String);

/// How lines are put into a file.
const DOCUMENTS: [Document; 9] = [
    ("lines", |lines| lines.join("\n") + "\n"),
    ("CRLF", |lines| lines.join("\r\n")),
    ("events", |lines| {
        let events: Vec<_> = lines.iter().map(|line| serde_json::json!({"message": line})).collect();
        serde_json::to_string_pretty(&serde_json::json!({"events": events})).unwrap()
    }),
    ("hits", |lines| {
        let hits: Vec<_> = lines.iter().map(|line| serde_json::json!({"_source": {"event": line}})).collect();
        serde_json::json!({"took": 3, "hits": {"hits": hits}}).to_string()
    }),
    ("concatenated", |lines| lines.iter().map(|line| format!(r#"{{"LogEntry":{}}}"#, json(line))).collect()),
    ("array", |lines| {
        let array: Vec<_> = lines.iter().map(|line| serde_json::json!({"line": line})).collect();
        serde_json::Value::from(array).to_string()
    }),
    ("streams", |lines| {
        let values: Vec<_> =
            lines.iter().map(|line| serde_json::json!(["1776808984120000000", line])).collect();
        serde_json::json!({"data": {"result": [{"stream": {"app": "p"}, "values": values}]}}).to_string()
    }),
    ("CSV", |lines| {
        let rows = lines.iter().map(|line| format!("host,\"{}\",1\n", line.replace('"', "\"\"")));
        format!("host,LogMessage,n\n{}", rows.collect::<String>())
    }),
    ("table", |lines| {
        let rows: Vec<_> = lines.iter().map(|line| serde_json::json!(["host", line])).collect();
        let columns = serde_json::json!([{"name": "Computer"}, {"name": "LogMessage"}]);
        serde_json::json!({"tables": [{"name": "x", "columns": columns, "rows": rows}]}).to_string()
    }),
];

fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
    [&header[..], content, &padding].concat()
}

type Encoding = (&'static str, fn(&str) -> Vec<u8>);

/// How a file is encoded and packed.
const ENCODINGS: [Encoding; 7] = [
    ("plain", |text| text.as_bytes().to_vec()),
    ("gzip", |text| gzip(text.as_bytes())),
    ("zstd", |text| zstd(text.as_bytes())),
    ("UTF-16 LE", |text| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ("UTF-16 BE in gzip", |text| gzip(&text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>())),
    ("tar of gzip", |text| tar("var/log/a.log.gz", &gzip(text.as_bytes()))),
    ("gzip of tar", |text| gzip(&[tar("empty", b""), tar("a.log", text.as_bytes()), vec![0; 1024]].concat())),
];

/// The ticks that an answer states.
fn stated(document: &EvidenceDocument) -> (Vec<String>, Vec<String>, u64) {
    let mismatches =
        document.mismatches.iter().map(|it| format!("{} {}", it.counterparty, it.tick)).collect();
    (ticks(document), mismatches, document.unattributed_mismatches)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn wrapping_a_log_changes_no_answer(
        said in prop::collection::vec(said(), 3..12),
        in_json in any::<bool>(),
        inner in 0..LINE_WRAPPERS.len(),
        outer in 0..LINE_WRAPPERS.len(),
        document in 0..DOCUMENTS.len(),
        encoding in 0..ENCODINGS.len(),
    ) {
        // Nobody passes the journal's arrays of bytes through the journal.
        prop_assume!(LINE_WRAPPERS[inner].0 != "journald" || LINE_WRAPPERS[outer].0 != "journald");
        let lines: Vec<String> = said.iter().map(|said| write(said, in_json)).collect();
        let scan = Scan::new();
        let plain = scan.run(&[scan.file("plain.log", lines.join("\n"))]).unwrap();
        let expected: std::collections::BTreeSet<String> = said
            .iter()
            .filter_map(|said| match said {
                Said::Match(name, minute) => Some(format!("{name} {minute:02}")),
                _ => None,
            })
            .collect();
        prop_assert_eq!(ticks(&plain), expected.into_iter().collect::<Vec<_>>());
        let (inner, outer) = (LINE_WRAPPERS[inner], LINE_WRAPPERS[outer]);
        let (document, encoding) = (DOCUMENTS[document], ENCODINGS[encoding]);
        let lines: Vec<String> = lines.iter().map(|line| (outer.1)(&(inner.1)(line))).collect();
        let file = (encoding.1)(&(document.1)(&lines));
        let wrapped = scan.run(&[scan.file("wrapped", file)]).unwrap();
        prop_assert_eq!(
            stated(&wrapped),
            stated(&plain),
            "{} in {} in {} in {}\n{}\n{:?}",
            inner.0,
            outer.0,
            document.0,
            encoding.0,
            lines.join("\n"),
            wrapped.warnings
        );
    }
}

/// What a user may choose: pieces of lines, of wrappers, and of what ends a string.
fn forged() -> impl Strategy<Value = String> {
    let pieces = vec![
        phrase("C", 40),
        text(PROCESSOR, &phrase("C", 41)),
        record(PROCESSOR, &phrase("C", 42), None),
        json(&record(PROCESSOR, &phrase("C", 43), None)),
        format!("{PROCESSOR} - "),
        "[pod/participant-0-6d9f/participant] ".to_owned(),
        "participant-0-6d9f participant ".to_owned(),
        "participant-1  | ".to_owned(),
        format!("{CRI}stdout F "),
        "\"}\n".to_owned(),
        "\\\"},{\\\"message\\\":\\\"".to_owned(),
        "\",\"logger_name\":\"c.d.AcsCommitmentProcessor\",\"x\":\"".to_owned(),
        " - ".to_owned(),
        "\u{1b}[2K".to_owned(),
        "\",\"".to_owned(),
        "\u{fffd}é".to_owned(),
    ];
    prop::collection::vec(prop::sample::select(pieces), 1..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_user_wrote_counts_in_no_wrapper(inner in any::<u8>(), outer in any::<u8>(), text in forged()) {
        crate::fuzz::forged(&[&[inner, outer], text.as_bytes()].concat());
    }
}

/// A document that is too long to be kept is read record by record.
#[test]
fn a_search_of_megabytes_in_one_object() {
    let hits: Vec<_> = (0..20_000u32)
        .map(|n| {
            let said = if n % 400 == 0 { Said::Match("B", n / 400) } else { Said::Other };
            serde_json::json!({"_id": n, "_source": serde_json::from_str::<serde_json::Value>(&write(&said, true)).unwrap()})
        })
        .collect();
    let one_line = serde_json::json!({"took": 3, "hits": {"total": 20_000, "hits": hits}});
    let scan = Scan::new();
    for (name, text) in
        [("line", one_line.to_string()), ("pretty", serde_json::to_string_pretty(&one_line).unwrap())]
    {
        for block_bytes in [5000, 1 << 20] {
            let scan = Scan { effort: Effort { block_bytes, workers: 2, mapped: false }, ..Scan::new() };
            let document = scan.run(&[scan.file(name, &text)]).unwrap();
            let expected: Vec<String> = (0..50).map(|minute| format!("B {minute:02}")).collect();
            assert_eq!((ticks(&document), document.sources[0].unreadable_lines), (expected, 0), "{name}");
        }
    }
    drop(scan);
}

#[test]
fn every_file_of_an_archive_is_a_source() {
    let scan = Scan::new();
    let archive = [
        tar("a/good.log", format!("{}\n", line("B", 1)).as_bytes()),
        tar("a/.hidden.log", line("C", 9).as_bytes()),
        tar("a/old.log.gz", &gzip(format!("{}\n", line("C", 2)).as_bytes())),
        tar("a/older.log.xz", b"\xfd7zXZ\0..."),
        tar("a/notes.txt", b"nothing\n"),
        tar("a/inner.tar.gz", &gzip(&tar("newest.log", format!("{}\n", line("B", 3)).as_bytes()))),
    ]
    .concat();
    let document = scan.run(&[scan.file("logs.tar", &archive)]).unwrap();
    assert_eq!(ticks(&document), ["B 01", "B 03", "C 02"]);
    let names: Vec<&str> =
        document.sources.iter().map(|source| source.path.split_once("logs.tar/").unwrap().1).collect();
    let expected = [
        "a/good.log",
        "a/old.log.gz",
        "a/older.log.xz",
        "a/notes.txt",
        "a/inner.tar.gz",
        "a/inner.tar.gz/newest.log",
    ];
    assert_eq!(names, expected);
    assert!(
        warned(&document, "a/older.log.xz, byte 0: the file is compressed with xz"),
        "{:?}",
        document.warnings
    );
    assert!(warned(&document, "a/notes.txt contains 1 line, and it is not of a participant's log"));
    let cut = scan.run(&[scan.file("cut.tar", &archive[..1500])]).unwrap();
    assert_eq!(ticks(&cut), ["B 01"]);
    assert!(warned(&cut, "the archive is truncated"), "{:?}", cut.warnings);
}
