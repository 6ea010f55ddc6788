//! Scan against what is known to stand in the logs, in every format, cut, copied, packed and shuffled.

mod command;
mod script;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use script::{Packing, Script, Step, expected, pack, request_roster, script_entries};
use svdr_logs::{Bound, Effort, LogsRequest};
use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::roster::Roster;
use svdr_tests::log_writer::{Format, LogWriter, Style};

fn run(roster: &Roster, paths: &[PathBuf], effort: Effort, since: Option<Bound>) -> EvidenceDocument {
    let member = "Example-SV-1".parse().unwrap();
    let request = LogsRequest {
        roster,
        member: &member,
        since,
        until: None,
        logger_participant: None,
        pipes: &[],
        paths,
        effort,
        on_bytes: &|_| {},
    };
    svdr_logs::read(&request).unwrap()
}

/// One file of a log: which entries, how written, how packed.
#[derive(Clone, Debug)]
struct Part {
    from: usize,
    to: usize,
    format: usize,
    zone: i64,
    crlf: bool,
    key_order: usize,
    piece_bytes: usize,
    packing: Packing,
}

fn parts() -> impl Strategy<Value = (bool, Vec<Part>)> {
    let cut = (
        0usize..=60,
        0usize..20,
        0usize..Format::ALL.len(),
        prop_oneof![Just(0i64), Just(120), Just(-300)],
        any::<bool>(),
    );
    let style = (
        0usize..9,
        60usize..600,
        prop_oneof![Just(Packing::Plain), Just(Packing::Gzip), Just(Packing::Members), Just(Packing::Zstd)],
    );
    let part =
        (cut, style).prop_map(|((to, overlap, format, zone, crlf), (key_order, piece_bytes, packing))| {
            Part { from: overlap, to, format, zone, crlf, key_order, piece_bytes, packing }
        });
    (any::<bool>(), prop::collection::vec(part, 1..5))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn finds_what_was_logged_whatever_the_form(
        steps in prop::collection::vec(any::<Step>(), 1..60),
        (bare, mut parts) in parts(),
        blocks in prop::collection::vec(1usize..5000, 2),
        order in any::<prop::sample::Index>(),
    ) {
        let script = Script { steps };
        let entries = script_entries(&script, bare);
        // Cuts in ascending order; together the parts hold everything, and each begins a little before its cut.
        let mut cuts: Vec<usize> = parts.iter().map(|part| part.to.min(entries.len())).collect();
        cuts.sort_unstable();
        let mut begin = 0;
        for (part, cut) in parts.iter_mut().zip(&cuts) {
            (part.from, part.to) = (begin - part.from.min(begin), *cut);
            begin = *cut;
        }
        if let Some(last) = parts.last_mut() {
            last.to = entries.len();
        }
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        let mut formats = BTreeMap::new();
        for (nth, part) in parts.iter().enumerate() {
            let format = if bare { Format::BareMessage } else { Format::ALL[part.format % (Format::ALL.len() - 1)] };
            let style = Style { zone_minutes: part.zone, crlf: part.crlf, key_order: part.key_order, piece_bytes: part.piece_bytes, ..Style::new(format) };
            let mut log = LogWriter::new(Vec::new(), style);
            for entry in &entries[part.from..part.to] {
                log.write(entry).unwrap();
            }
            for at in part.from..part.to {
                formats.entry(at).or_insert_with(Vec::new).push(format);
            }
            let path = folder.path().join(format!("participant.{nth}.log.gz"));
            fs::write(&path, pack(&log.finish().unwrap(), part.packing)).unwrap();
            paths.push(path);
        }
        let turn = order.index(paths.len());
        paths.rotate_left(turn);
        let roster = request_roster();
        let first = run(&roster, &paths, Effort { block_bytes: blocks[0], workers: 1, mapped: false }, None);
        let second = run(&roster, &paths, Effort { block_bytes: blocks[1], workers: 3, mapped: true }, None);
        prop_assert_eq!(&first, &second);

        let expected = expected(&entries, &formats);
        prop_assert_eq!(first.unattributed_mismatches, expected.unattributed);
        prop_assert_eq!(first.outside_roster, expected.outside);
        let evidence = first.evidence(&roster).unwrap();
        let about: BTreeMap<String, _> = evidence.about.iter().map(|(name, about)| {
            let micros = |ticks: &svdr_protocol::evidence::Ticks| ticks.iter().map(|tick| tick.0.micros()).collect::<Vec<_>>();
            (name.to_string(), (micros(&about.matches), micros(&about.mismatches)))
        }).collect();
        prop_assert_eq!(about, expected.about);
        prop_assert!(first.sources.iter().all(|source| source.unreadable_lines == 0), "{:?}", first.sources);
    }

    #[test]
    fn reads_like_a_plain_reader_that_takes_line_after_line(
        steps in prop::collection::vec(any::<Step>(), 1..40),
        format in prop_oneof![Just(Format::Text), Just(Format::Json), Just(Format::CriText), Just(Format::DockerJson), Just(Format::EscapedLine)],
        cut in any::<prop::sample::Index>(),
        hole in any::<prop::sample::Index>(),
        block in 1usize..3000,
    ) {
        // Torn at both ends, and with a hole of NULs as a crash leaves it.
        let entries = script_entries(&Script { steps }, false);
        let style = Style { piece_bytes: usize::MAX, ..Style::new(format) };
        let mut log = LogWriter::new(Vec::new(), style);
        for entry in &entries {
            log.write(entry).unwrap();
        }
        let mut log = log.finish().unwrap();
        let length = log.len();
        log.truncate(length - cut.index(length.min(300)));
        log.drain(..cut.index(length.min(90)).min(log.len()));
        if !log.is_empty() {
            let at = hole.index(log.len());
            let end = (at + 40).min(log.len());
            log[at..end].fill(0);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("participant.log");
        fs::write(&path, &log).unwrap();
        let found = run(&request_roster(), &[path], Effort { block_bytes: block, workers: 2, mapped: block % 2 == 0 }, None);
        let breaks = log.iter().filter(|byte| **byte == b'\n').count() as u64;
        let lines = breaks + u64::from(log.last().is_some_and(|last| *last != b'\n'));
        prop_assert_eq!(found.sources[0].lines, lines);
        let expected = script::plain_reader(&log);
        let matches: Vec<(String, String)> = found.matches.iter()
            .flat_map(|matches| matches.ticks.iter().map(|tick| (matches.counterparty.to_string(), tick.to_string())))
            .collect();
        let expected_matches: Vec<(String, String)> = expected.into_iter().collect();
        let mut matches = matches;
        matches.sort();
        prop_assert_eq!(matches, expected_matches);
    }
}
