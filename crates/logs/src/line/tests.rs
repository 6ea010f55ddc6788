//! One line of every form, and lines that only look like one.

use svdr_protocol::time::{Tick, Timestamp};

use super::*;
use crate::canton::{Commitment, Fact, Message};

const PERIOD: &str =
    "CommitmentPeriod(fromExclusive = 2026-04-21T23:24:00Z, toInclusive = 2026-04-21T23:25:00Z)";
const SENDER: &str = "PAR::Digital-Asset-2::1220e5a29d39";
const LOGGER: &str =
    "c.d.c.p.p.AcsCommitmentProcessor:participant=participant/synchronizerId=global-domain::1220be58c29e";
const HEADER: &str = "2026-04-21 23:25:07,123 [canton-env-ec-36] INFO ";
const TRACE: &str = "3f2a9c1d8a7b6c5d4e3f2a1b0c9d8e7f";

fn at(text: &str) -> Timestamp {
    Timestamp::parse_truncating(text).unwrap()
}

fn tick(text: &str) -> Tick {
    Tick(at(text))
}

fn matched() -> String {
    format!("Commitment correct for sender {SENDER}... and period {PERIOD}")
}

fn expected() -> Commitment {
    Commitment { sender: SENDER.to_owned(), tick: tick("2026-04-21T23:25:00Z") }
}

/// What `line` is.
fn read(line: &[u8]) -> Line {
    let mut messages = Vec::new();
    let unreadable =
        super::read(Element::Line(line), &Habits::default(), &mut Loggers::default(), &mut messages);
    match messages.pop() {
        Some(message) => Line::Ours(message),
        None if unreadable > 0 => Line::Unreadable,
        None => Line::Foreign,
    }
}

fn time(line: &[u8]) -> Option<LineTime> {
    super::time(Element::Line(line), &Habits::default())
}

fn ours(line: &str) -> Message {
    match read(line.as_bytes()) {
        Line::Ours(message) => message,
        other => panic!("{other:?}: {line}"),
    }
}

fn fact(line: &str) -> Fact {
    ours(line).fact
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[test]
fn every_writer_and_wrapper() {
    let text = format!("{HEADER} {LOGGER} tid:{TRACE} - {}", matched());
    let record = format!(
        r#"{{"@timestamp":"2026-04-21T23:25:07.123Z","message":{},"logger_name":{},"thread_name":"t","level":"INFO","trace-id":"{TRACE}","span-id":"1"}}"#,
        json(&matched()),
        json(LOGGER)
    );
    let turned = format!(
        r#"{{"level_value":20000,"trace-id":"{TRACE}","logger_name":{},"@version":"1","message":{},"nested":{{"message":"x"}},"@timestamp":"2026-04-21T23:25:07.123Z"}}"#,
        json(LOGGER),
        json(&matched())
    );
    let escaped = json(&record);
    let twice = json(escaped.trim_matches('"'));
    let lines = [
        text.clone(),
        format!("{HEADER} {LOGGER} - {}", matched()),
        format!("{HEADER} {LOGGER} tid:{TRACE}-span - {}, context: {{a: b}}", matched()),
        format!("{text}\r"),
        format!("\u{feff}{text}"),
        record.clone(),
        turned.clone(),
        format!("[{record},"),
        format!("2026-04-21T23:25:07.123456789Z stdout F {text}"),
        format!("2026-04-21T23:25:07.123456789Z stderr F {turned}"),
        format!(
            r#"{{"log":{},"stream":"stdout","time":"2026-04-21T23:25:07.123456789Z"}}"#,
            json(&format!("{text}\n"))
        ),
        format!(
            r#"{{"stream":"stdout","log":{},"time":"2026-04-21T23:25:07.123456789Z"}}"#,
            json(&format!("{record}\n"))
        ),
        format!("2026-04-21T23:25:07.123Z [⋮] INFO - {LOGGER} ({TRACE}-run-1-2…) - {}", matched()),
        format!(r#"{{"insertId":"a","jsonPayload":{record},"resource":{{"type":"k8s"}}}}"#),
        format!(r#"{{"textPayload":{},"timestamp":"2026-04-21T23:25:07.2Z"}}"#, json(&text)),
        format!(r#"{{"line":{escaped},"labels":{{"app":"participant"}}}}"#),
        format!(r#"{{"line":{twice}}}"#),
        format!(r#"{{"line":{}}}"#, json(&escaped)),
        escaped.trim_matches('"').to_owned(),
        format!(r#"{{"_source":{{"message":{},"logger_name":{}}}}}"#, json(&matched()), json(LOGGER)),
        format!(r#"{{"preview":false,"result":{{"_raw":{}}}}}"#, json(&text)),
        format!(r#"{{"body":{},"attributes":{{"logger_name":{}}}}}"#, json(&matched()), json(LOGGER)),
        format!(r#"{{"custom":{{"message":{},"logger_name":{}}}}}"#, json(&matched()), json(LOGGER)),
        format!(r#"{{"LogEntry":{}}}"#, json(&text)),
        format!(r#"{{"any key":[[{}]]}}"#, json(&record)),
        format!(
            r#"{{"jsonPayload.message":{},"jsonPayload.logger_name":{}}}"#,
            json(&matched()),
            json(LOGGER)
        ),
        format!(r#"{{"body":{{"stringValue":{}}},"scope":{{"name":{}}}}}"#, json(&matched()), json(LOGGER)),
        format!(r#"[{{"field":"@ptr","value":"x"}},{{"field":"@message","value":{escaped}}}]"#),
        format!(r#"{{"columns":[{{"name":"T"}},{{"name":"LogMessage"}}],"rows":[["t",{escaped}]]}}"#),
        format!(r#"{{"MESSAGE":{:?}}}"#, text.as_bytes()),
        format!("{{}}{record}"),
        format!(r#"{{"fields":{{"message":[{}],"logger_name":[{}]}}}}"#, json(&matched()), json(LOGGER)),
        format!(r#"{{"line":{}}}"#, json(json(json(&record).trim_matches('"')).trim_matches('"'))),
        format!("\u{1b}[2K{}", text.replace("INFO", "\u{1b}[34mINFO\u{1b}[0;39m")),
    ];
    for line in lines {
        let message = ours(&line);
        assert_eq!(message.fact, Fact::Match(expected()), "{line}");
        assert_eq!(message.synchronizer(), Some("global-domain::1220be58c29e"), "{line}");
        assert!(message.logger.is_some(), "{line}");
    }
}

#[test]
fn a_bare_message_counts_and_says_so() {
    for line in [
        format!(r#"{{"message":{},"timestamp":"2026-04-21T23:25:07Z"}}"#, json(&matched())),
        format!(r#"{{"textPayload":{}}}"#, json(&matched())),
        format!(r#"{{"jsonPayload":{{"message":{}}}}}"#, json(&matched())),
    ] {
        let message = ours(&line);
        assert_eq!((message.logger.is_some(), message.synchronizer()), (false, None));
        assert_eq!(message.fact, Fact::Match(expected()));
    }
}

#[test]
fn text_that_a_user_got_into_another_line_does_not_count() {
    let phrase = matched();
    let other =
        "c.d.c.p.a.s.c.CommandSubmissionServiceImpl:participant=p/synchronizerId=global-domain::1220be58c29e";
    for line in [
        format!("{HEADER} {other} tid:{TRACE} - {phrase}"),
        format!("{HEADER} {other} tid:{TRACE} - party - {phrase}"),
        format!("{HEADER} {other} - c.d.c.p.p.AcsCommitmentProcessor - {phrase}"),
        format!("{HEADER} {other} - x {HEADER} {LOGGER} - {phrase}"),
        format!("{HEADER} {LOGGER} - Ignoring {phrase}"),
        format!("{HEADER} {LOGGER} -  {phrase}"),
        format!("2026-04-21T23:25:07.123Z [⋮] INFO - {other} ({TRACE}-AcsCommitmentProcessor…) - {phrase}"),
        format!("2026-04-21T23:25:07.123Z [⋮] INFO - {LOGGER} ({TRACE}) - workflow - {phrase}"),
        format!(r#"{{"message":{},"logger_name":{}}}"#, json(&phrase), json(other)),
        format!(
            r#"{{"message":{},"logger_name":{}}}"#,
            json(&format!("{HEADER} {LOGGER} - {phrase}")),
            json(other)
        ),
        format!(r#"{{"message":"user input","logger_name":{},"workflow":{}}}"#, json(LOGGER), json(&phrase)),
        format!(r#"{{"message":"user input","logger_name":{},"body":{}}}"#, json(LOGGER), json(&phrase)),
        format!(
            r#"{{"message":"user input","logger_name":{},"stack_trace":{{"message":{}}}}}"#,
            json(other),
            json(&phrase)
        ),
        format!(
            r#"{{"message":"see {{\"message\":\"x\"}}","thread_name":{},"logger_name":{}}}"#,
            json(&phrase),
            json(LOGGER)
        ),
        format!(r#"{{"log":{},"stream":"stdout"}}"#, json(&phrase)),
        format!(r#"{{"message":{}}}"#, json(&format!("a {phrase}"))),
    ] {
        assert_eq!(read(line.as_bytes()), Line::Foreign, "{line}");
    }
    for line in [
        phrase.clone(),
        format!(" {phrase}"),
        format!("\tat x: {HEADER} {LOGGER} - {phrase}"),
        format!("x{HEADER} {LOGGER} - {phrase}"),
    ] {
        assert_eq!(read(line.as_bytes()), Line::Unreadable, "{line}");
    }
}

#[test]
fn messages_that_are_not_about_one_comparison() {
    for message in [
        format!("Computed and stored 12 commitment messages for period {PERIOD}"),
        format!("Ignoring incoming commitment for a pruned period: {PERIOD}"),
        format!("Ignoring incoming commitment for a skipped period due to catch-up: {PERIOD}"),
        "Buffering a commitment for later processing".to_owned(),
        "Processing 3 remote commitments".to_owned(),
        "ACS_COMMITMENT_MISMATCH is what we look for".to_owned(),
    ] {
        assert_eq!(read(format!("{HEADER} {LOGGER} - {message}").as_bytes()), Line::Foreign, "{message}");
    }
}

#[test]
fn checks_are_no_matches() {
    for start in ["Checking commitment (purportedly by) ", "Checking commitment signature (purportedly by) "]
    {
        let message =
            ours(&format!("{HEADER} {LOGGER} tid:{TRACE} - {start}{SENDER}... for period {PERIOD}"));
        assert_eq!(message.fact, Fact::Checking(expected()));
        assert_eq!(message.trace.as_deref(), Some(TRACE));
    }
}

#[test]
fn mismatches_in_all_their_shapes() {
    for code in ["ACS_COMMITMENT_MISMATCH", "ACS_MISMATCH_NO_SHARED_CONTRACTS"] {
        for class in ["AcsCommitment", "AscCommitment", "BufferedAcsCommitment"] {
            for field in ["psid", "synchronizerId", "domainId"] {
                let local = "CommitmentPeriod(fromExclusive = 2026-04-21T20:00:00Z, toInclusive = 2026-04-21T20:01:00Z)";
                let line = format!(
                    "{HEADER} c.d.c.p.p.AcsCommitmentProcessor:participant=p tid:{TRACE} - {code}(5,3f2a9c1d): The local \
                     commitment does not match the remote commitment err-context:{{local=Vector(({local}, SHA-256:0f3a...)), \
                     location=AcsCommitmentProcessor.scala:1860, remote={class}({field} = global-domain::1220be58c29e::34-0, \
                     sender = PAR::a b:c::1220e5a29d39..., counterParticipant = PAR::Own::1220aaaaaaaa..., period = {PERIOD}, \
                     commitment = SHA-256:77ab...)}}"
                );
                let message = ours(&line);
                let remote = Commitment { sender: "PAR::a b:c::1220e5a29d39".to_owned(), ..expected() };
                let code = format!("{code}(5,3f2a9c1d)");
                assert_eq!(message.fact, Fact::Mismatch { code, remote: Some(remote) });
                assert_eq!(message.synchronizer(), Some("global-domain::1220be58c29e"));
            }
        }
    }
}

#[test]
fn mismatches_in_json_name_the_sender_in_the_record() {
    let code = "ACS_COMMITMENT_MISMATCH(5,3f2a9c1d)";
    let own = "PAR::Own::1220aaaaaaaa...";
    let old = |class: &str| {
        format!(
            "{class}(psid = global-domain::1220be58c29e::34-0, sender = {SENDER}..., counterParticipant = {own}, \
             period = {PERIOD}, commitment = SHA-256:77ab...)"
        )
    };
    let new = format!(
        "RemoteAcsCommitmentData(sender = {}..., counterparticipant = Own::1220aaaaaaaa..., period = {PERIOD}, digest = \
         1220ab...)",
        SENDER.trim_start_matches("PAR::")
    );
    let over_lines = |text: &str| {
        let text =
            text.replace("(psid", "(\n  psid").replace("(sender", "(\n  sender").replace(", ", ",\n    ");
        text.replace("(from", "(\n    from").replace("Z)", "Z\n  )").replace("...)", "...\n)")
    };
    let matcher =
        "c.d.c.p.c.ReceivedAcsCommitmentMatcher:participant=p/synchronizer=global-domain::1220be58c29e";
    for (logger, remote) in [
        (LOGGER, old("AcsCommitment")),
        (LOGGER, old("AscCommitment")),
        (LOGGER, old("BufferedAcsCommitment")),
        (matcher, new),
    ] {
        for remote in [over_lines(&remote), remote] {
            for local in ["Vector()", &old("AcsCommitment").replace("Digital-Asset-2", "Other")] {
                let line = format!(
                    r#"{{"local":{},"message":"{code}: The local commitment does not match","logger_name":{},"remote":{}}}"#,
                    json(local),
                    json(logger),
                    json(&remote)
                );
                let message = ours(&line);
                assert_eq!(message.synchronizer(), Some("global-domain::1220be58c29e"), "{line}");
                let expected = Fact::Mismatch { code: code.to_owned(), remote: Some(expected()) };
                assert_eq!(message.fact, expected, "{line}");
            }
        }
    }
}

#[test]
fn what_the_matcher_of_canton_3_6_says() {
    let matcher =
        "c.d.c.p.c.ReceivedAcsCommitmentMatcher:participant=p/synchronizer=global-domain::1220be58c29e";
    let sender = SENDER.trim_start_matches("PAR::");
    let line = |message: &str| format!("{HEADER} {matcher} tid:{TRACE} - {message}");
    let compared =
        format!("Matching received ACS commitment from {sender}... at offset Offset(1) for period {PERIOD}");
    assert_eq!(fact(&line(&compared)), Fact::Compared(expected()));
    assert_eq!(read(line(&matched()).as_bytes()), Line::Foreign, "it states no matches");
    assert_eq!(fact(&line("ACS_COMMITMENT_ALARM(5,1): x")), Fact::Alarm);
}

#[test]
fn a_line_is_not_credible_if_what_is_around_it_contradicts() {
    let text = format!("{HEADER} {LOGGER} tid:{TRACE} - {}", matched());
    let other = "c.d.c.p.a.s.c.CommandSubmissionServiceImpl:participant=p";
    for line in [
        format!(r#"{{"message":{},"logger":{}}}"#, json(&text), json(other)),
        format!(r#"{{"message":{},"attributes":{{"logger":{{"name":{}}}}}}}"#, json(&text), json(other)),
        format!(r#"{{"message":"user input","request":{}}}"#, json(&text)),
        format!(r#"{{"message":{},"message":{}}}"#, json("x"), json(&matched())),
    ] {
        assert_eq!(read(line.as_bytes()), Line::Unreadable, "{line}");
    }
    let with_texts = |texts: Texts, line: &str| {
        let habits = Habits { texts, ..Habits::default() };
        let mut messages = Vec::new();
        let unreadable =
            super::read(Element::Line(line.as_bytes()), &habits, &mut Loggers::default(), &mut messages);
        (messages.len(), unreadable)
    };
    let whole = format!(r#"{{"line":{}}}"#, json(&text));
    let alone = format!(r#"{{"line":{}}}"#, json(&matched()));
    assert_eq!((with_texts(Texts::Lines, &whole), with_texts(Texts::Lines, &alone)), ((1, 0), (0, 1)));
    assert_eq!((with_texts(Texts::Messages, &whole), with_texts(Texts::Messages, &alone)), ((0, 1), (1, 0)));
}

#[test]
fn a_mismatch_without_a_readable_context_is_still_one() {
    let code = "ACS_COMMITMENT_MISMATCH(5,3f2a9c1d)";
    let record = format!(
        r#"{{"message":"{code}: The local commitment does not match","logger_name":{},"trace-id":"{TRACE}"}}"#,
        json(LOGGER)
    );
    let torn = format!(
        "{HEADER} {LOGGER} tid:{TRACE} - {code}: x err-context:{{local=Vector(), remote=AcsCommitment(psid = a::b, \
         sender = {SENDER}..., period = CommitmentPeriod(fromExclusive = 2026-04-21T23:24:00Z, toInclusive = 2026-04-21T23:2"
    );
    let foreign = format!(
        "{HEADER} {LOGGER} tid:{TRACE} - {code}: x err-context:{{remote=Other(sender = {SENDER}...)}}"
    );
    let user = format!(
        "{HEADER} {LOGGER} tid:{TRACE} - {code}: x err-context:{{local=Vector(remote=AcsCommitment(sender = {SENDER}..., \
         period = {PERIOD}))}}"
    );
    for line in [record, torn, foreign, user] {
        let message = ours(&line);
        assert_eq!(message.fact, Fact::Mismatch { code: code.to_owned(), remote: None }, "{line}");
        assert_eq!(message.trace.as_deref(), Some(TRACE));
    }
}

#[test]
fn senders_as_canton_prints_them() {
    let long = "x".repeat(185);
    for (shown, sender) in [
        ("PAR::A::1220e5a29d39...", Some("PAR::A::1220e5a29d39")),
        ("PAR::A::1220e5a29d39…", Some("PAR::A::1220e5a29d39")),
        ("PAR::A::short", Some("PAR::A::short")),
        ("PAR::a and period b:c ::1220e5a29d39...", Some("PAR::a and period b:c ::1220e5a29d39")),
        (&format!("PAR::A::1220{}", "ab".repeat(32)), Some("PAR::A::1220abababab")),
        (&format!("PAR::{long}::1220e5a29d39..."), Some(&*format!("PAR::{long}::1220e5a29d39"))),
        (&format!("PAR::{long}x::1220e5a29d39..."), None),
        ("PAR::::1220e5a29d39...", None),
        ("PAR::A", None),
        ("A::1220e5a29d39...", None),
        ("PAR::Ä::1220e5a29d39...", None),
    ] {
        let line = format!("{HEADER} {LOGGER} - Commitment correct for sender {shown} and period {PERIOD}");
        match sender {
            Some(sender) => {
                let commitment = Commitment { sender: sender.to_owned(), ..expected() };
                assert_eq!(fact(&line), Fact::Match(commitment));
            }
            None => assert_eq!(read(line.as_bytes()), Line::Unreadable, "{line}"),
        }
    }
}

#[test]
fn periods_as_canton_prints_them() {
    for (from, to, valid) in [
        ("0001-01-01T00:00:00Z", "2026-04-21T23:25:00Z", true),
        ("2026-04-21T23:24:00.000Z", "2026-04-21T23:25:00.000Z", true),
        ("2026-04-21T23:24:00.000000Z", "2026-04-21T23:25:00.000000000Z", true),
        ("2026-04-21T23:24:00Z", "2026-04-21T23:25:00.000000001Z", false),
        ("2026-04-21T23:25:00Z", "2026-04-21T23:25:00Z", false),
        ("2026-04-21T23:24:00Z", "2026-04-31T23:25:00Z", false),
        ("2026-04-21T23:24:00Z", "2026-04-21T23:25", false),
    ] {
        let line = format!(
            "{HEADER} {LOGGER} - Commitment correct for sender {SENDER}... and period \
             CommitmentPeriod(fromExclusive = {from}, toInclusive = {to})"
        );
        match valid {
            true => assert_eq!(fact(&line), Fact::Match(expected())),
            false => assert_eq!(read(line.as_bytes()), Line::Unreadable, "{line}"),
        }
    }
}

#[test]
fn loggers_name_the_synchronizer_in_several_ways() {
    for (parameters, short) in [
        ("participant=p/synchronizerId=global-domain::1220be58c29e", Some("global-domain::1220be58c29e")),
        ("participant=p/psid=global-domain::1220be58c29e::34-0", Some("global-domain::1220be58c29e")),
        ("participant=p/domainId=global domain:x::1220be58c29e...", Some("global domain:x::1220be58c29e")),
        ("psid=d::1220be58c29e…::35-1/participant=p", Some("d::1220be58c29e")),
        ("participant=p", None),
        ("participant=p/psid=nonsense", None),
    ] {
        let logger = format!("c.d.c.p.p.AcsCommitmentProcessor:{parameters}");
        let message = ours(&format!("{HEADER} {logger} - {}", matched()));
        assert_eq!(message.synchronizer(), short, "{parameters}");
    }
}

#[test]
fn times_come_from_the_outermost_utc() {
    let text = format!("{HEADER} {LOGGER} - {}", matched());
    let local = LineTime::Local(at("2026-04-21T23:25:07.123Z"));
    assert_eq!(time(text.as_bytes()), Some(local));
    let outer = LineTime::Utc(at("2026-04-21T21:25:07.2Z"));
    let wrapped = format!("2026-04-21T21:25:07.2Z stdout F {text}");
    assert_eq!(time(wrapped.as_bytes()), Some(outer));
    let message = ours(&wrapped);
    assert_eq!((message.at, message.stamp), (Some(outer), Some(local)));
    let docker = format!(r#"{{"log":{},"time":"2026-04-21T21:25:07.2Z"}}"#, json(&text));
    assert_eq!(time(docker.as_bytes()), Some(outer));
    assert_eq!(time(b"\tat java.lang.Thread.run"), None);
}

#[test]
fn wrappers_are_not_unwrapped_for_ever() {
    let mut line = format!("{HEADER} {LOGGER} - {}", matched());
    for _ in 0..20 {
        line = format!(r#"{{"line":{}}}"#, json(&line));
    }
    assert_eq!(read(line.as_bytes()), Line::Unreadable);
    let deep = format!("{}{}", r#"{"attributes":"#.repeat(5000), json(&matched()));
    assert_eq!(read(deep.as_bytes()), Line::Unreadable);
}

#[test]
fn every_cut_of_a_line_is_read_without_panic() {
    let record = format!(r#"{{"message":{},"logger_name":{}}}"#, json(&matched()), json(LOGGER));
    let text = format!("{HEADER} {LOGGER} tid:{TRACE} - {} é", matched());
    for line in [record, text] {
        for end in 0..line.len() {
            crate::fuzz::line(line.as_bytes().get(..end).unwrap());
            crate::fuzz::line(line.as_bytes().get(end..).unwrap());
        }
    }
}
