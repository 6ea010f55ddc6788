//! Logs as operators bring them: stamped by a tool, quoted, in the wrong order, full of NULs, cut while they are read.

use super::windows::long_log;
use super::*;

#[test]
fn stamps_and_zones_of_tools() {
    let text = line("B", 1);
    let json = format!(
        r#"{{"@timestamp":"2026-04-21T23:25:07.123Z","message":"{}","logger_name":"c.d.AcsCommitmentProcessor"}}"#,
        phrase("B", 2)
    );
    let berlin = "2026-04-22T01:25:07.123456789+02:00";
    let log = [
        format!("{CRI}{text}"),
        format!("{CRI}{json}"),
        format!("{berlin} {}", line("B", 3)),
        format!("{berlin} stdout F {}", line("B", 4)),
        format!("{berlin} stdout P {}", line("B", 5).split_at(90).0),
        format!("{berlin} stdout F {}", line("B", 5).split_at(90).1),
    ];
    let document = Scan::new().log(log.join("\n"));
    assert_eq!(ticks(&document), ["B 01", "B 02", "B 03", "B 04", "B 05"]);
    let span = document.log_span.unwrap();
    // Of an object its own time counts.
    assert_eq!(span.first.to_string(), "2026-04-21T23:25:07.123Z");
    assert_eq!(span.last.to_string(), "2026-04-21T23:25:07.123456Z");
}

#[test]
fn a_stamp_makes_no_line_of_what_is_none() {
    // Behind a stamp a line has to begin; neither a bare message nor another logger's counts.
    let other = line("B", 2).replace("AcsCommitmentProcessor", "Other");
    let log = [
        format!("{CRI}{}", phrase("B", 1)),
        format!("{CRI}{other}"),
        format!("{CRI}participant-1 | {}", line("B", 3)),
        format!("2026-04-21T23:25:07.1+99:99 {}", line("B", 4)),
    ];
    assert_eq!(ticks(&Scan::new().log(log.join("\n"))), Vec::<String>::new());
}

#[test]
fn lines_that_are_json_strings() {
    let json = format!(
        r#"{{"@timestamp":"2026-04-21T23:25:07.123Z","message":"{}","logger_name":"c.d.AcsCommitmentProcessor"}}"#,
        phrase("B", 1)
    );
    let quoted = |line: &str| serde_json::to_string(line).unwrap();
    let lines = [quoted(&json), quoted(&json), quoted(&line("B", 2))];
    let document = Scan::new().log(lines.join("\n"));
    assert_eq!(ticks(&document), ["B 01", "B 02"]);
    assert_eq!(document.log_span.unwrap().last.to_string(), "2026-04-21T23:25:07.123Z");
    // As an array of strings, one a line.
    let document = Scan::new().log(format!("[\n  {}\n]\n", lines.join(",\n  ")));
    assert_eq!(ticks(&document), ["B 01", "B 02"]);
    // A string that is a message alone names nobody who wrote it.
    let document = Scan::new().log(quoted(&phrase("B", 3)));
    assert_eq!((ticks(&document).len(), document.sources[0].unreadable_lines), (0, 1));
}

#[test]
fn an_unknown_wrapper_is_not_taken_for_a_wrong_level() {
    let document = Scan::new().log(format!("{}\n", line("B", 1).replace("INFO", "NOTICE")).repeat(3));
    assert!(
        warned(&document, "3 of 3 lines are about commitments, but none has a known form"),
        "{:?}",
        document.warnings
    );
    assert!(!warned(&document, "level"), "{:?}", document.warnings);
    let object = |key: &str| format!("{{\"{key}\":\"{}\",\"labels\":{{\"pod\":\"p-0\"}}}}", line("B", 1));
    let unreadable = |key| Scan::new().log(object(key)).sources[0].unreadable_lines;
    assert_eq!((unreadable("line"), unreadable("notKnown")), (0, 0));
}

#[test]
fn a_window_over_logs_put_together_in_the_wrong_order() {
    let oldest_first = long_log(72, 0, 20_000, "B");
    let (old, new) = oldest_first.split_at(oldest_first.find("2026-04-22 00:00:03").unwrap());
    let mut scan = Scan::new();
    let path = [scan.file("all.log", format!("{new}{old}"))];
    let whole = scan.run(&path).unwrap();
    scan.since = Some(Bound::At("2026-04-21T20:00:00Z".parse().unwrap()));
    let window = scan.run(&path).unwrap();
    let Some(Bound::At(since)) = scan.since else { unreachable!() };
    let newest: Vec<Tick> = whole.matches[0].ticks.iter().filter(|tick| tick.0 >= since).copied().collect();
    assert_eq!(window.matches[0].ticks, newest);
}

#[test]
fn durations_that_leave_no_window() {
    let scan = Scan::new();
    let path = scan.file("a.log", [line("B", 1), line("B", 9)].join("\n"));
    let (roster, member) = (roster(), "Own".parse().unwrap());
    let back = |minutes: u64| Some(Bound::Back(Duration::from_secs(minutes * 60)));
    let request = |since, until| LogsRequest {
        roster: &roster,
        member: &member,
        since,
        until,
        logger_participant: None,
        pipes: &[],
        paths: std::slice::from_ref(&path),
        effort: Effort::default(),
        on_bytes: &|_| {},
    };
    assert!(read(&request(back(2), back(1))).is_ok());
    let refused = read(&request(back(1), back(2))).unwrap_err();
    assert!(matches!(refused, LogsError::BackwardWindow { .. }), "{refused}");
    let later = Some(Bound::At("2026-04-21T21:08:00Z".parse().unwrap()));
    assert!(matches!(read(&request(later, back(2))), Err(LogsError::BackwardWindow { .. })));
}

#[test]
fn an_empty_folder_is_an_error_wherever_it_is_named() {
    let scan = Scan::new();
    let empty = scan.folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let log = scan.file("a.log", line("B", 1));
    for paths in [[empty.clone(), log.clone()], [log.clone(), empty.clone()]] {
        assert!(matches!(scan.run(&paths), Err(LogsError::Path(PathError::EmptyFolder { .. }))));
    }
    // One that a pattern leads to was not named, and a folder whose files came before is not empty.
    let all = scan.folder.path().join("*");
    assert_eq!(ticks(&scan.run(&[all, scan.folder.path().to_owned()]).unwrap()), ["B 01"]);
    assert!(matches!(
        scan.run(&[scan.folder.path().join("emp*")]),
        Err(LogsError::Path(PathError::NoMatch { .. }))
    ));
}

#[test]
fn a_log_that_is_cut_while_it_is_read() {
    let scan = Scan::new();
    let log = format!("{}\n", line("B", 1)).repeat(50);
    let path = scan.file("live.log", &log);
    let file = fs::File::open(&path).unwrap();
    let feed = Feed {
        path: SourcePath::File(path),
        opened: Some(Input::Plain { file, size: log.len() as u64 + 5000 }),
        start: 0,
    };
    let needles = NeedleSets::new(&[MATCH_NEEDLE]).unwrap();
    let (mut messages, mut faults) = (0, Vec::new());
    feed::read(vec![feed], &needles, Effort { block_bytes: 1000, workers: 3, mapped: false }, |arrival| {
        match arrival {
            Arrival::Begin(_) | Arrival::Entry(_) => {}
            Arrival::Part(found) => messages += found.messages.len(),
            Arrival::Fault(fault) => faults.push(fault),
        }
    })
    .unwrap();
    assert_eq!(messages, 50);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].offset, log.len() as u64);
    assert!(faults[0].reason.contains("cut while it was read"), "{faults:?}");
}

/// `line`, as another participant's.
fn of(participant: &str, line: &str) -> String {
    line.replace("participant=p/", &format!("participant={participant}/"))
}

#[test]
fn two_participants_are_refused_until_one_is_chosen() {
    let mut scan = Scan::new();
    let path =
        [scan.file("two.log", [line("B", 1), of("q", &line("C", 2)), of("q", &line("C", 3))].join("\n"))];
    match scan.run(&path) {
        Err(LogsError::SeveralParticipants { participants, .. }) => assert_eq!(participants, ["p", "q"]),
        other => panic!("{other:?}"),
    }
    for (chosen, expected) in [("p", vec!["B 01"]), ("q", vec!["C 02", "C 03"])] {
        scan.logger_participant = Some(chosen);
        assert_eq!(ticks(&scan.run(&path).unwrap()), expected);
    }
    scan.logger_participant = Some("r");
    let refused = scan.run(&path).unwrap_err();
    assert!(matches!(refused, LogsError::NoSuchParticipant { .. }), "{refused}");
    // A line that names none counts only against it.
    let mismatch = format!("{HEADER}ACS_COMMITMENT_MISMATCH(5,3f2a9c1d): x").replace("participant=p/", "");
    let path = [scan
        .file("some.log", [line("B", 1), line("C", 2).replace("participant=p/", ""), mismatch].join("\n"))];
    scan.logger_participant = Some("p");
    let document = scan.run(&path).unwrap();
    assert_eq!((ticks(&document), document.unattributed_mismatches), (vec!["B 01".to_owned()], 1));
    assert!(warned(&document, "2 commitment lines name no participant"), "{:?}", document.warnings);
    let path = [scan.file("none.log", line("C", 2).replace("participant=p/", ""))];
    assert!(matches!(scan.run(&path), Err(LogsError::NoSuchParticipant { .. })));
}

#[test]
fn a_participant_that_receives_our_commitments_is_not_ours() {
    let mut scan = Scan::new();
    let log = [line("B", 1), of("q", &line("Own", 1)), of("q", &line("C", 2))].join("\n");
    let path = [scan.file("own.log", log)];
    match scan.run(&path) {
        Err(LogsError::OwnCommitments { receivers, others, lines: 1, .. }) => {
            assert_eq!((receivers, others), (vec!["q".to_owned()], vec!["p".to_owned()]));
        }
        other => panic!("{other:?}"),
    }
    scan.logger_participant = Some("p");
    assert_eq!(ticks(&scan.run(&path).unwrap()), ["B 01"]);
    scan.logger_participant = Some("q");
    assert!(matches!(scan.run(&path), Err(LogsError::OwnCommitments { .. })));
    // From protocol version 36 on a participant sees its own broadcast.
    scan.logger_participant = None;
    let path = [scan.file("new.log", [line("B", 1), line("Own", 1).replace("::34-0", "::36-0")].join("\n"))];
    assert_eq!(ticks(&scan.run(&path).unwrap()), ["B 01"]);
}

#[test]
fn logs_of_canton_3_6_state_no_matches() {
    let new = HEADER
        .replace("c.d.c.p.p.AcsCommitmentProcessor", "c.d.c.p.c.ReceivedAcsCommitmentMatcher")
        .replace("psid=global-domain::1220be58c29e::34-0", "synchronizer=global-domain::1220be58c29e");
    let period = "CommitmentPeriod(fromExclusive = 2026-04-21T21:04:00Z, toInclusive = 2026-04-21T21:05:00Z)";
    let sender = |name: &str| short(name).replace("PAR::", "");
    let compared = |name: &str| {
        format!(
            "{new}Matching received ACS commitment from {} at offset Offset(7) for period {period}",
            sender(name)
        )
    };
    let log = [line("B", 1), compared("B"), compared("Own")].join("\n");
    let document = Scan::new().log(&log);
    assert_eq!((ticks(&document), document.mismatches.len()), (vec!["B 01".to_owned()], 0));
    assert!(
        warned(&document, "from 2026-04-21T21:05:00Z on, ReceivedAcsCommitmentMatcher"),
        "{:?}",
        document.warnings
    );
    // An export that lost the record's keys: the trace says whose commitment differs.
    let mismatch = format!("{new}ACS_COMMITMENT_MISMATCH(5,3f2a9c1d): x");
    let document = Scan::new().log([compared("C"), mismatch].join("\n"));
    assert_eq!((document.mismatches.len(), document.unattributed_mismatches), (1, 0));
}

#[test]
fn every_log_in_which_nothing_is_recognised_is_named() {
    let scan = Scan::new();
    let good = scan.file("good.log", line("B", 1));
    let other = scan.file("notes.txt", "hello\nworld\n");
    let empty = scan.file("empty.log", "");
    let quiet = scan.file(
        "quiet.log",
        "2026-04-21 23:25:07,123 [t] INFO  c.d.c.p.sync.CantonSyncService:participant=p - x\n",
    );
    let document = scan.run(&[good, other, empty, quiet]).unwrap();
    assert_eq!(ticks(&document), ["B 01"]);
    let about = |name: &str| document.warnings.iter().filter(|warning| warning.contains(name)).count();
    assert_eq!((about("good.log"), about("notes.txt"), about("empty.log"), about("quiet.log")), (0, 1, 1, 0));
}
