//! Whole scans of small logs: what is hard to read, damaged, or not there.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::time::{Tick, Timestamp};
use tempfile::TempDir;

use crate::canton::MATCH_NEEDLE;
use crate::feed::{self, Arrival, Feed};
use crate::input::Input;
use crate::lines::NeedleSets;

use super::*;

mod documents;
mod handed_over;
mod pieces;
mod windows;
mod wrapped;

const HEADER: &str = "2026-04-21 23:25:07,123 [canton-env-ec-36] INFO  c.d.c.p.p.AcsCommitmentProcessor:participant=p/psid=global-domain::1220be58c29e::34-0 tid:3f2a9c1d8a7b6c5d4e3f2a1b0c9d8e7f - ";
const CRI: &str = "2026-04-21T23:25:07.123456789Z ";

fn participant(name: &str) -> String {
    format!("PAR::{name}::1220{}", format!("{:x<1}", name.to_lowercase().len()).repeat(64))
}

fn roster() -> Roster {
    let mut text = String::from(
        "network = \"Test\"\nsynchronizer = \"global-domain::1220be58c29e65de40bf273be1dc2b266d43a9a002ea5b18955aeef7aac881bb471a\"\n",
    );
    for (seed, name) in (1..).zip(["Own", "B", "C"]) {
        let key = PublicKey::from(SigningKey::from_bytes(&[seed; 32]).verifying_key());
        let participant = participant(name);
        text.push_str(&format!(
            "[[member]]\nname = \"{name}\"\nparticipant = \"{participant}\"\nkey = \"{key}\"\nconvener = true\n"
        ));
    }
    Roster::parse(&text).unwrap()
}

fn short(name: &str) -> String {
    let full = participant(name);
    let (identifier, fingerprint) = full.rsplit_once("::").unwrap();
    format!("{identifier}::{}...", &fingerprint[..12])
}

fn phrase(name: &str, minute: u32) -> String {
    format!(
        "Commitment correct for sender {} and period CommitmentPeriod(fromExclusive = 2026-04-21T20:00:00Z, \
         toInclusive = 2026-04-21T21:{minute:02}:00Z)",
        short(name)
    )
}

fn line(name: &str, minute: u32) -> String {
    format!("{HEADER}{}", phrase(name, minute))
}

struct Scan {
    folder: TempDir,
    since: Option<Bound>,
    effort: Effort,
    logger_participant: Option<&'static str>,
}

impl Scan {
    fn new() -> Scan {
        Scan {
            folder: tempfile::tempdir().unwrap(),
            since: None,
            effort: Effort { block_bytes: 1 << 20, workers: 2, mapped: false },
            logger_participant: None,
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn run(&self, paths: &[PathBuf]) -> Result<EvidenceDocument, LogsError> {
        let (roster, member) = (roster(), "Own".parse().unwrap());
        let request = LogsRequest {
            roster: &roster,
            member: &member,
            since: self.since,
            until: None,
            logger_participant: self.logger_participant,
            pipes: &[],
            paths,
            effort: self.effort,
            on_bytes: &|_| {},
        };
        read(&request)
    }

    /// Reads `log` as a plain file in blocks of several sizes and as a stream, which all find the same.
    fn log(&self, log: impl AsRef<[u8]>) -> EvidenceDocument {
        let log = log.as_ref();
        let paths = [self.file("plain.log", log)];
        let whole = self.run(&paths).unwrap();
        for block_bytes in [1, 2, 77, 1000, 70_000] {
            if log.len() / block_bytes > 5000 {
                continue;
            }
            let scan = Scan {
                effort: Effort { block_bytes, workers: 3, mapped: false },
                since: self.since,
                logger_participant: self.logger_participant,
                ..Scan::new()
            };
            assert_eq!(scan.run(&paths).unwrap(), whole, "in blocks of {block_bytes}");
        }
        let packed = zstd(log);
        let mut stream = self.run(&[self.file("plain.log", packed)]).unwrap();
        stream.sources[0].bytes = whole.sources[0].bytes;
        assert_eq!(stream, whole, "as a stream");
        whole
    }
}

fn ticks(document: &EvidenceDocument) -> Vec<String> {
    let shown = |name: &MemberName, tick: &Tick| format!("{name} {}", tick.to_string().get(14..16).unwrap());
    let matches = document.matches.iter();
    matches.flat_map(|one| one.ticks.iter().map(|tick| shown(&one.counterparty, tick))).collect()
}

fn warned(document: &EvidenceDocument, about: &str) -> bool {
    document.warnings.iter().any(|warning| warning.contains(about))
}

#[test]
fn line_ends_of_every_kind() {
    let [first, second, third, fourth] = [1, 2, 3, 4].map(|minute| line("B", minute));
    let log = [
        &[0; 5000][..],
        first.as_bytes(),
        b"\r\n\0\0",
        second.as_bytes(),
        b"\n\n\n",
        b"\xef\xbb\xbf",
        third.as_bytes(),
        b"\xff\xfe\n",
        fourth.as_bytes(),
    ];
    let document = Scan::new().log(log.concat());
    assert_eq!(ticks(&document), ["B 01", "B 02", "B 03", "B 04"]);
    assert_eq!((document.sources[0].lines, document.sources[0].unreadable_lines), (6, 0));
}

#[test]
fn lines_that_are_too_long_are_passed_over_and_said() {
    let long = "y".repeat(limits::MAX_LINE_BYTES);
    let log = format!(
        "{}\n{long}{}\n{long}{long}\n{}{long}\n{}\n{long}",
        line("B", 1),
        line("B", 2),
        line("B", 3),
        line("B", 4)
    );
    let document = Scan::new().log(log);
    assert_eq!(ticks(&document), ["B 01", "B 04"]);
    assert_eq!((document.sources[0].lines, document.sources[0].unreadable_lines), (6, 2));
    assert!(warned(&document, "contains 2 lines about commitments longer than"));
    // One that a header makes look short at its start, and a phrase on the border of what is kept.
    let log = format!("{long}{}{long}{long}\n{}", line("B", 1), line("C", 1));
    let document = Scan::new().log(log);
    assert_eq!((ticks(&document), document.sources[0].unreadable_lines), (vec!["C 01".to_owned()], 1));
}

fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn corrupt_logs_count_as_far_as_they_can_be_read() {
    let filler: String =
        (0..40_000u64).map(|n| format!("{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let first = format!("{}\n{filler}", line("B", 1));
    let second = format!("{}\n{filler}", line("C", 2));
    let whole = [gzip(first.as_bytes()), gzip(second.as_bytes())].concat();
    let scan = Scan::new();
    let check = |name: &str, content: &[u8], expected: &[&str], about: &str| {
        let document = scan.run(&[scan.file(name, content)]).unwrap();
        assert_eq!(ticks(&document), expected, "{name}");
        let warned =
            document.warnings.iter().any(|warning| warning.contains(about) && warning.contains(name));
        assert_eq!(warned, !about.is_empty(), "{name}: {:?}", document.warnings);
        let readable = content.len() - if name == "trailing" { 4 } else { 0 };
        assert_eq!(document.sources[0].bytes, readable as u64, "{name}");
    };
    check("members.txt", &whole, &["B 01", "C 02"], "");
    check("padded", &[&whole[..], &[0; 512]].concat(), &["B 01", "C 02"], "");
    check(
        "trailing",
        &[&whole[..], b"junk"].concat(),
        &["B 01", "C 02"],
        &format!("byte {}: the bytes after the gzip data", whole.len()),
    );
    check("truncated", &whole[..whole.len() - 1000], &["B 01", "C 02"], "data is truncated");
    check("torn", &whole[..gzip(first.as_bytes()).len() + 3], &["B 01"], "data is truncated");
    let frames = [zstd(first.as_bytes()), zstd(second.as_bytes())].concat();
    check("frames.log", &frames, &["B 01", "C 02"], "");
    check("truncated.zst", &frames[..frames.len() - 1000], &["B 01", "C 02"], "data is truncated");
    let mut corrupt = gzip(first.as_bytes());
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 64].fill(0xff);
    let document = scan.run(&[scan.file("corrupt", corrupt)]).unwrap();
    assert_eq!(ticks(&document), ["B 01"]);
    assert!(warned(&document, "the gzip data is corrupt"), "{:?}", document.warnings);
    for (magic, hint) in
        [(&b"\xfd7zXZ\0..."[..], "xz -d"), (b"PK\x03\x04....", "unzip"), (b"\xff\xfe\0\0a\0\0\0", "iconv")]
    {
        let document = scan.run(&[scan.file("foreign", magic)]).unwrap();
        assert!(warned(&document, hint), "{:?}", document.warnings);
    }
}

#[test]
fn zstd_as_its_own_program_writes_it() {
    // A frame of 200 KB with a window of 64 KiB and a checksum, a match with B at its start and one with C at its end; a
    // frame to skip; another frame.
    let frames = include_bytes!("../fixtures/frames.zst");
    let scan = Scan::new();
    let read = |content: &[u8]| {
        let document = scan.run(&[scan.file("log.zst", content)]).unwrap();
        (ticks(&document), document.sources[0].lines, document.warnings.join("\n"))
    };
    let (found, lines, warnings) = read(frames);
    assert_eq!((found, lines), (["B 01", "B 03", "C 02"].map(str::to_owned).to_vec(), 4_003));
    assert!(!warnings.contains("zstd"), "{warnings}");
    // Cut anywhere, it counts what came before, and says so everywhere but between two frames.
    let first_frame = memchr::memmem::find(frames, &[0x53, 0x2a, 0x4d, 0x18]).unwrap();
    let mut before = 0;
    for end in (5..frames.len()).filter(|end| end % 5 == 0 || end.abs_diff(first_frame) < 12) {
        let (found, _, warnings) = read(&frames[..end]);
        assert!(found.len() >= before, "{end}");
        before = found.len();
        let is_whole = [first_frame, first_frame + 308].contains(&end);
        assert_eq!(warnings.contains("the zstd data is truncated"), !is_whole, "{end}: {warnings}");
    }
    let mut corrupt = frames.to_vec();
    corrupt[first_frame - 1] ^= 1;
    let (found, _, warnings) = read(&corrupt);
    assert_eq!(found, ["B 01", "C 02"]);
    assert!(warnings.contains("its checksum is wrong"), "{warnings}");
    let (found, _, warnings) = read(&[&frames[..first_frame], b"junk"].concat());
    assert_eq!(found, ["B 01", "C 02"]);
    assert!(warnings.contains("the bytes after the zstd data are not zstd"), "{warnings}");
    let (found, _, warnings) = read(include_bytes!("../fixtures/large-window.zst"));
    assert_eq!(found, Vec::<String>::new());
    assert!(warnings.contains("a window of 134217728 bytes") && warnings.contains("--long"), "{warnings}");
}

#[test]
fn paths_that_name_nothing_are_errors() {
    let scan = Scan::new();
    fs::create_dir(scan.folder.path().join("empty")).unwrap();
    let path = |name: &str| [scan.folder.path().join(name)];
    assert!(matches!(scan.run(&path("absent.log")), Err(LogsError::Path(PathError::Missing { .. }))));
    assert!(matches!(scan.run(&path("*.log")), Err(LogsError::Path(PathError::NoMatch { .. }))));
    assert!(matches!(scan.run(&path("a[.log")), Err(LogsError::Path(PathError::Pattern { .. }))));
    assert!(matches!(scan.run(&path("empty")), Err(LogsError::Path(PathError::EmptyFolder { .. }))));
}

#[test]
fn folders_patterns_and_copies() {
    let scan = Scan::new();
    fs::create_dir_all(scan.folder.path().join("a/b")).unwrap();
    scan.file("a/2.log", line("B", 2));
    scan.file("a/b/1.log", format!("{}\n{}", line("B", 1), line("B", 2)));
    scan.file("a/.hidden.log", line("B", 3));
    let odd = scan.file("odd[1].log", line("C", 4));
    let document =
        scan.run(&[scan.folder.path().join("a"), scan.folder.path().join("a/*.log"), odd]).unwrap();
    assert_eq!(ticks(&document), ["B 01", "B 02", "C 04"]);
    let names: Vec<&str> = document
        .sources
        .iter()
        .map(|source| Path::new(&source.path).file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["2.log", "1.log", "odd[1].log"]);
}

#[test]
fn what_is_not_counted_is_said() {
    let elsewhere = line("B", 2).replace("1220be58c29e", "1220aaaaaaaa");
    let unnamed = line("B", 3).replace("/psid=global-domain::1220be58c29e::34-0", "");
    let torn = &line("C", 4)[..HEADER.len() + 60];
    let escape = format!("{}\u{1b}[2J", elsewhere.replace("global-domain", "evil\u{1b}[2J"));
    let document = Scan::new().log([elsewhere.as_str(), &unnamed, torn, &escape].join("\n"));
    assert_eq!(ticks(&document), ["B 03"]);
    for about in [
        "about other synchronizers",
        "names no synchronizer",
        "truncated",
        "no commitment of these members: C",
    ] {
        assert!(warned(&document, about), "{about}: {:?}", document.warnings);
    }
    assert!(document.warnings.iter().all(|warning| !warning.contains('\u{1b}')), "{:?}", document.warnings);
    assert_eq!(document.synchronizers, Vec::<String>::new());
}

#[test]
fn a_log_without_commitments_says_what_is_likely_wrong() {
    let many = |logger: &str, level: &str| {
        format!("2026-04-21 23:25:07,123 [t] {level:<5} {logger} - text\n").repeat(1200)
    };
    for (log, about) in [
        (many("c.d.c.p.p.AcsCommitmentProcessor:participant=p", "INFO"), "its level is likely too coarse"),
        (many("c.d.c.p.sync.CantonSyncService:participant=p", "WARN"), "none is at INFO or DEBUG"),
        (many("o.l.s.sv.automation.SvApp", "INFO"), "wrong component"),
        ("hello\n".repeat(1200), "none has a form that Canton writes"),
        (String::new(), "the logs are empty"),
    ] {
        let document = Scan::new().log(log);
        assert!(warned(&document, about), "{about}: {:?}", document.warnings);
    }
}

#[test]
fn gaps_and_silence_are_said() {
    let minutes =
        |minutes: &[u32]| minutes.iter().map(|minute| line("B", *minute) + "\n").collect::<String>();
    let even: Vec<u32> = (1..30).collect();
    assert!(!warned(&Scan::new().log(minutes(&even)), "no ticks from"));
    let gap: Vec<u32> = (1..10).chain(20..30).collect();
    let document = Scan::new().log(minutes(&gap));
    assert!(
        warned(&document, "there are no ticks from 2026-04-21T21:09:00Z to 2026-04-21T21:20:00Z."),
        "{:?}",
        document.warnings
    );
    // The lines' zone is estimated; the newest line is an hour later than the others.
    let silent = minutes(&even)
        + &HEADER.replace("23:25:07", "23:59:07").replace("AcsCommitmentProcessor", "Other")
        + "x\n";
    let document = Scan::new().log(silent);
    assert!(warned(&document, "older than the newest line"), "{:?}", document.warnings);
}

#[test]
fn mismatches_by_trace_in_another_file_and_later() {
    let scan = Scan::new();
    let mismatch =
        format!("{HEADER}ACS_COMMITMENT_MISMATCH(5,3f2a9c1d): The local commitment does not match");
    let checking = line("C", 5)
        .replace("Commitment correct for sender", "Checking commitment (purportedly by)")
        .replace(" and period", " for period");
    let first = scan.file("1.log", &mismatch);
    let second = scan.file("2.log", format!("{checking}\n{checking}\n"));
    let document = scan.run(&[first.clone(), second.clone()]).unwrap();
    assert_eq!((document.mismatches.len(), document.unattributed_mismatches), (1, 0));
    assert_eq!(document.mismatches[0].counterparty.as_str(), "C");
    let copies = [first.clone(), scan.file("copy.log", &mismatch)];
    let document = scan.run(&copies).unwrap();
    assert_eq!((document.mismatches.len(), document.unattributed_mismatches), (0, 1));
    assert!(warned(&document, "1 mismatch is unattributed"));
    let third = scan.file("3.log", checking.replace("21:05", "21:06"));
    let document = scan.run(&[first, second, third]).unwrap();
    assert_eq!((document.mismatches.len(), document.unattributed_mismatches), (0, 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_of_any_size_find_the_same(
        words in prop::collection::vec(0usize..24, 0..60),
        first in 1usize..400,
        second in 1usize..4000,
    ) {
        let record = format!("{{\"message\":{:?},\"x\":1}}", phrase("B", 1));
        let (line, phrase) = (line("B", 2), phrase("C", 3));
        let (out, err) = (format!("{CRI}stdout P "), format!("{CRI}stderr F "));
        let half = line.len() / 2;
        let words: Vec<&str> = words.iter().map(|word| match word {
            0 | 1 => line.as_str(),
            2 => phrase.as_str(),
            3 => record.as_str(),
            4 | 5 => out.as_str(),
            6 => err.as_str(),
            7 => CRI,
            8 => "stdout F ",
            9 => &line[..half],
            10 => &line[half..],
            11..=16 => "\n",
            17 => "\0",
            18 => "\r\n",
            19 => "{",
            20 => "}",
            21 => "[",
            22 => "\"",
            _ => "Checking commitment",
        }).collect();
        let log = words.concat();
        fuzz::log(log.as_bytes(), first, second);
        // The same through a plain file, whose segments begin in the middle.
        let scan = Scan { effort: Effort { block_bytes: first, workers: 2, mapped: false }, ..Scan::new() };
        let plain = scan.run(&[scan.file("log", &log)]).unwrap();
        let scan = Scan { effort: Effort { block_bytes: second, workers: 1, mapped: true }, ..scan };
        prop_assert_eq!(&scan.run(&[scan.file("log", &log)]).unwrap(), &plain);
        let mut stream = scan.run(&[scan.file("log", gzip(log.as_bytes()))]).unwrap();
        stream.sources[0].bytes = plain.sources[0].bytes;
        prop_assert_eq!(stream, plain);
    }

    #[test]
    fn arbitrary_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..2000), part in 1usize..100) {
        fuzz::line(&bytes);
        fuzz::log(&bytes, part, usize::MAX);
    }
}
