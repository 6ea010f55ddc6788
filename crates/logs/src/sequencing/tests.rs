use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const LOGGER: &str =
    "c.d.c.s.b.u.BlockChunkProcessor:sequencer=sequencer/psid=global-domain::1220be58c29e::35-1";
const DISPATCHER: &str =
    "c.d.c.p.p.ParallelMessageDispatcher:participant=participant/psid=global-domain::1220be58c29e::35-1";

fn at(text: &str) -> Timestamp {
    format!("2026-10-02T10:{text}Z").parse().unwrap()
}

/// A record as Canton's text log has it.
fn text(logger: &str, message: &str) -> String {
    format!("2026-10-02 10:00:03,188 [canton-env-ec-7] INFO  {logger} tid:5f0c - {message}\n")
}

/// As Canton's JSON log has it.
fn json(logger: &str, message: &str) -> String {
    let (logger, message) = (serde_json::Value::from(logger), serde_json::Value::from(message));
    format!(
        "{{\"@timestamp\":\"2026-10-02T10:00:03.188Z\",\"message\":{message},\"logger_name\":{logger},\
         \"thread_name\":\"t\",\"level\":\"INFO\",\"trace-id\":\"5f0c\"}}\n"
    )
}

/// As kubelet has it, each line cut into pieces of `length`.
fn cri(log: &str, length: usize) -> String {
    let mut wrapped = String::new();
    for line in log.lines() {
        let pieces: Vec<&[u8]> = line.as_bytes().chunks(length).collect();
        for (nth, piece) in pieces.iter().enumerate() {
            let tag = if nth + 1 < pieces.len() { 'P' } else { 'F' };
            let piece = std::str::from_utf8(piece).unwrap();
            wrapped += &format!("2026-10-02T10:00:03.188123456Z stdout {tag} {piece}\n");
        }
    }
    wrapped
}

fn block(height: u64, chunk: u64, last: &str, events: &[&str]) -> String {
    let lines: String = events.iter().map(|event| format!("\n  {event}")).collect();
    format!(
        "Processing block {height}, data chunk {chunk}. Last chunk timestamp=2026-10-02T10:{last}Z, last sequencer event \
         timestamp=None. {} events:{lines}",
        events.len()
    )
}

fn read_logs(logs: &[&str]) -> SeenInLogs {
    let folder = TempDir::new().unwrap();
    for (nth, log) in logs.iter().enumerate() {
        fs::write(folder.path().join(format!("{nth}.log")), log).unwrap();
    }
    read(&[folder.path().to_owned()], &|_| {}).unwrap()
}

/// What is seen of the one synchronizer that the logs name.
fn seen(log: &str) -> Seen {
    let all = read_logs(&[log]);
    assert_eq!(all.warnings, Vec::<String>::new());
    assert!(all.by_synchronizer.len() <= 1);
    all.by_synchronizer.into_values().next().unwrap_or_default()
}

const SENDS: [&str; 3] = [
    "Send of 'lsu-63d451fa' at 2026-10-02T10:00:02.100Z (tc=5f0c)",
    "Ack by PAR::sv1::1220abcdef01... for 2026-10-02T10:09:00Z",
    "Send of 'x' at 2026-10-02T10:00:02.000001Z",
];

#[test]
fn every_form_of_a_log_shows_the_same() {
    let message = block(3672, 1, "00:01.682806", &SENDS);
    let expected = Seen {
        completed: Some(at("00:01.682806")),
        newest_chunk: Some(Chunk {
            height: 3672,
            chunk: 1,
            events: ChunkEvents::Between(at("00:02.000001"), at("00:02.100")),
        }),
        participant: Some(at("00:05")),
        fence: None,
    };
    let received = "Processing time-proof at sc=513, ts=2026-10-02T10:00:05Z";
    for form in [text, json] {
        let log = form("c.d.Other:a=b", "starting") + &form(LOGGER, &message) + &form(DISPATCHER, received);
        assert_eq!(seen(&log), expected);
        for length in [40, 16 * 1024] {
            assert_eq!(seen(&cri(&log, length)), expected, "{length}");
        }
        assert_eq!(seen(&log.replace('\n', "\r\n")), expected);
        assert_eq!(seen(log.trim_end()), expected);
    }
    let docker = |line: &str| {
        let line = serde_json::Value::from(format!("{line}\n"));
        format!("{{\"log\":{line},\"stream\":\"stdout\",\"time\":\"2026-10-02T10:00:03.2Z\"}}\n")
    };
    let log = json(LOGGER, &message) + &json(DISPATCHER, received);
    assert_eq!(seen(&log.lines().map(docker).collect::<String>()), expected);
}

#[test]
fn the_wording_of_newer_releases_is_read() {
    let message = "Processing block 7, data chunk 0. Last chunk ts=2026-10-02T10:00:01Z, last seq event \
                   ts=Some(2026-10-02T10:00:00.5Z). 1 events\n  Send of 'x' at 2026-10-02T10:00:02Z (tc=1)";
    let newest = seen(&text(LOGGER, message)).newest_chunk.unwrap();
    assert_eq!(newest.events, ChunkEvents::Between(at("00:02"), at("00:02")));
    let first = "Processing block 0, data chunk 0. Last chunk timestamp=0001-01-01T00:00:00Z, last sequencer event \
                 timestamp=None. 0 events:";
    let first = seen(&json(LOGGER, first));
    assert_eq!(
        (first.completed, first.newest_chunk.map(|chunk| chunk.events)),
        (None, Some(ChunkEvents::None))
    );
}

#[test]
fn a_chunk_whose_lines_are_not_what_it_names_is_unknown() {
    let message = block(7, 0, "00:01", &SENDS);
    let (without_last, _) = message.rsplit_once('\n').unwrap();
    let with_one_more = message.clone() + "\n  Send of 'y' at 2099-10-02T10:00:02Z";
    let other = message.replace("Ack by", "Deliver to");
    let no_time = message.replace("10:00:02.000001Z", "soon");
    for log in [without_last, &with_one_more, &other, &no_time] {
        for form in [text, json] {
            let seen = seen(&form(LOGGER, log));
            assert_eq!(seen.newest_chunk.map(|chunk| chunk.events), Some(ChunkEvents::Unknown), "{log}");
            assert_eq!(seen.completed, Some(at("00:01")));
        }
    }
}

#[test]
fn a_user_cannot_move_a_time() {
    // A message id that looks like the end of its line: the last time counts, which Canton wrote.
    let id = "Send of 'a' at 2099-01-01T00:00:00Z (tc=1)' at 2026-10-02T10:00:02Z (tc=2)";
    let chunk = seen(&text(LOGGER, &block(7, 0, "00:01", &[id]))).newest_chunk.unwrap();
    assert_eq!(chunk.events, ChunkEvents::Between(at("00:02"), at("00:02")));
    // The phrase in another logger, and within a text.
    let message = block(7, 0, "00:01", &[]);
    let nothing = SeenInLogs::default();
    for logger in [
        "c.d.c.UserLogger:psid=global-domain::1220be58c29e::35-1",
        "c.d.c.BlockChunkProcessorX",
        "BlockChunkProcessor",
    ] {
        assert_eq!(read_logs(&[&json(logger, &message)]), nothing);
    }
    assert_eq!(
        read_logs(&[&text("c.d.c.UserLogger:psid=global-domain::1220be58c29e::35-1", &message)]),
        nothing
    );
    let quoted = format!("failed: {message}");
    assert_eq!(read_logs(&[&text(LOGGER, &quoted), &json(LOGGER, &quoted)]), nothing);
    let received = "Processing event at sc=1, ts=2099-10-02T10:00:02Z";
    assert_eq!(read_logs(&[&text(LOGGER, received)]), nothing);
}

#[test]
fn all_four_messages_move_the_record_time() {
    for (message, expected) in [
        (
            "Processing event at sc=512, ts=2026-10-02T10:00:02.100Z, messageId=1, with 1 envelopes\n  x",
            "00:02.1",
        ),
        ("Processing time-proof at sc=513, ts=2026-10-02T10:00:05Z", "00:05"),
        ("Skipping faulty event at sc=-1, ts=2026-10-02T10:00:06Z, because", "00:06"),
        ("Processing delivery error at sc=2, ts=2026-10-02T10:00:07Z, messageId=2, status=x", "00:07"),
    ] {
        for form in [text, json] {
            assert_eq!(seen(&form(DISPATCHER, message)).participant, Some(at(expected)), "{message}");
        }
    }
}

#[test]
fn a_refused_event_shows_the_fence() {
    let logger = LOGGER.replace("BlockChunkProcessor", "BlockUpdateGeneratorImpl");
    let refused = |bound: &str| {
        format!(
            "SEQUENCING_TIME_NOT_ADMISSIBLE(9,5f0c1a2b): The sequencing time [2026-10-02T10:05:00Z] is not admissible \
             (sequencing time is {bound} (2026-10-02T10:04:00Z)) for Send(…)"
        )
    };
    for form in [text, json] {
        assert_eq!(seen(&form(&logger, &refused("at or after the upper bound"))).fence, Some(at("04:00")));
        assert_eq!(seen(&form(&logger, &refused("before the lower bound"))).fence, None);
    }
}

#[test]
fn synchronizers_are_told_apart_and_order_does_not_matter() {
    let older = LOGGER.replace("35-1", "34-0");
    let a = text(&older, &block(9, 0, "00:00", &[])) + &text(LOGGER, &block(2, 0, "00:04", &[]));
    let b = json(LOGGER, &block(3, 0, "00:05", &SENDS)) + &json(LOGGER, &block(3, 0, "00:05", &[]));
    let unnamed = json("c.d.c.BlockChunkProcessor", &block(1, 0, "00:09", &[]));
    let seen = read_logs(&[&a, &b, &unnamed]);
    assert_eq!(read_logs(&[&unnamed, &b, &a]), seen);
    let by = |psid: &str| {
        seen.by_synchronizer[&format!("global-domain::1220be58c29e::{psid}").parse().unwrap()].clone()
    };
    assert_eq!(by("34-0").completed, Some(at("00:00")));
    assert_eq!(by("35-1").completed, Some(at("00:05")));
    assert_eq!(by("35-1").newest_chunk.map(|chunk| chunk.height), Some(3));
    assert_eq!(seen.unnamed.completed, Some(at("00:09")));
    assert_eq!(by("34-0").and(&seen.unnamed).completed, Some(at("00:09")));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_do_not_depend_on_where_the_parts_begin(cuts in prop::collection::vec(1usize..120, 1..40), length in 30usize..200) {
        let log = text("c.d.Other", "x") + &text(LOGGER, &block(7, 0, "00:01", &SENDS)) + &json(DISPATCHER, "Processing time-proof at sc=1, ts=2026-10-02T10:00:05Z");
        let log = log.clone() + &cri(&log, length);
        let collected = |parts: &mut dyn Iterator<Item = &[u8]>| {
            let (mut records, mut all) = (Records::default(), Vec::new());
            let mut keep = |record: &Record<'_>| all.push((record.logger.map(str::to_owned), record.message.to_owned()));
            for part in parts {
                records.add(part, &mut keep);
            }
            records.end(&mut keep);
            all
        };
        let whole = collected(&mut [log.as_bytes()].into_iter());
        prop_assert_eq!(whole.len(), 4);
        let mut rest = log.as_bytes();
        let mut parts: Vec<&[u8]> = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (part, behind) = rest.split_at((*cut).min(rest.len()));
            parts.push(part);
            rest = behind;
        }
        prop_assert_eq!(collected(&mut parts.into_iter()), whole);
    }

    #[test]
    fn any_text_is_read_or_not(text in "\\PC*", logger in "[a-z:=/.-]{0,30}") {
        let _ = messages::read(&Record { logger: Some(&logger), message: &text });
        let _ = messages::read(&Record { logger: None, message: &format!("Processing block {text}") });
        let _ = messages::synchronizer(&logger);
    }
}
