//! Logs with a known meaning, and a plain reader to compare with.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use svdr_protocol::evidence::document::OutsideRoster;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::roster::Roster;
use svdr_tests::log_writer::{Entry, Format, Level, Period, short_participant};
use svdr_tests::members::{SYNCHRONIZER, TestMember, members, roster_toml};

const OTHER_SYNCHRONIZER: &str =
    "global-domain::1220aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// 2026-04-21T19:33:20Z, in microseconds.
const START: i64 = 1_776_800_000_000_000;
const MINUTE: i64 = 60_000_000;
/// Members of the roster, the one whose logs these are first; further participants are outside of it.
const MEMBERS: usize = 4;

/// One thing that happens to a participant.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A commitment is compared.
    Compare { sender: usize, tick: i64, differs: bool, checked: bool, elsewhere: bool },
    /// Two commitments are checked under one trace, and one differs.
    Ambiguous { sender: usize, tick: i64 },
    /// A user gets text into some other line.
    Injection { kind: usize, sender: usize, tick: i64 },
    /// Our own commitments are computed.
    Computed { tick: i64 },
}

impl Arbitrary for Step {
    type Parameters = ();
    type Strategy = BoxedStrategy<Step>;

    fn arbitrary_with((): ()) -> BoxedStrategy<Step> {
        let (sender, tick) = (1usize..8, 0i64..12);
        prop_oneof![
            6 => (sender.clone(), tick.clone(), prop::bool::weighted(0.2), any::<bool>(), prop::bool::weighted(0.1)).prop_map(
                |(sender, tick, differs, checked, elsewhere)| Step::Compare { sender, tick, differs, checked, elsewhere }
            ),
            1 => (sender.clone(), tick.clone()).prop_map(|(sender, tick)| Step::Ambiguous { sender, tick }),
            2 => (0usize..3, sender, tick.clone()).prop_map(|(kind, sender, tick)| Step::Injection { kind, sender, tick }),
            1 => tick.prop_map(|tick| Step::Computed { tick }),
        ]
        .boxed()
    }
}

/// What happens, in order.
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
}

/// How a file is packed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Members,
    Zstd,
}

/// Packs `log`.
pub(crate) fn pack(log: &[u8], packing: Packing) -> Vec<u8> {
    let gzip = |part: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    };
    match packing {
        Packing::Plain => log.to_vec(),
        Packing::Gzip => gzip(log),
        Packing::Members => {
            let (first, second) = log.split_at(log.len() / 3);
            [gzip(first), gzip(second), vec![0; 100]].concat()
        }
        Packing::Zstd => ruzstd::encoding::compress_to_vec(log, ruzstd::encoding::CompressionLevel::Fastest),
    }
}

/// Eight participants, one with an identifier that is hard to read.
fn participants() -> Vec<TestMember> {
    let mut all = members(8);
    all[2].participant = all[2].participant.replace("Example-SV-3", "Example SV 3 and period:a - b");
    all
}

/// The roster of the first of them.
pub(crate) fn request_roster() -> Roster {
    let key = |seed: u8| PublicKey::from(SigningKey::from_bytes(&[seed; 32]).verifying_key()).to_string();
    let keys: Vec<String> = (1..=4).map(key).collect();
    Roster::parse(&roster_toml(&participants()[..MEMBERS], &keys)).unwrap()
}

/// What the participant logs. Where `bare`, no line of another synchronizer is among it, because nothing could tell.
pub(crate) fn script_entries(script: &Script, bare: bool) -> Vec<Entry> {
    let people = participants();
    let name = |place: usize| people[place].participant.as_str();
    let own = name(0);
    let mut entries = Vec::new();
    for (nth, step) in script.steps.iter().enumerate() {
        let nth = i64::try_from(nth).unwrap();
        let trace = format!("{:08x}{:024x}", nth * 7 + 1, nth);
        let period = |tick: i64| {
            let to = (START / MINUTE + tick) * MINUTE;
            Period { from: to - MINUTE, to }
        };
        // Later than every tick, and in order.
        let at = START + 12 * MINUTE + nth * 10_000;
        match *step {
            Step::Compare { sender, tick, differs, checked, elsewhere } => {
                let synchronizer = if elsewhere && !bare { OTHER_SYNCHRONIZER } else { SYNCHRONIZER };
                if checked {
                    entries.push(Entry::checking(at, synchronizer, &trace, name(sender), period(tick)));
                }
                entries.push(match differs {
                    false => Entry::matched(at + 1000, synchronizer, &trace, name(sender), period(tick)),
                    true => {
                        Entry::mismatched(at + 1000, synchronizer, &trace, name(sender), own, period(tick))
                    }
                });
            }
            Step::Ambiguous { sender, tick } => {
                entries.push(Entry::checking(at, SYNCHRONIZER, &trace, name(sender), period(tick)));
                entries.push(Entry::checking(at, SYNCHRONIZER, &trace, name(sender), period(tick + 1)));
                entries.push(Entry::mismatched(
                    at + 1000,
                    SYNCHRONIZER,
                    &trace,
                    name(sender),
                    own,
                    period(tick),
                ));
            }
            Step::Injection { kind, sender, tick } => {
                let mut entry = Entry::matched(at, SYNCHRONIZER, &trace, name(sender), period(tick));
                // Where the export dropped the logger, nothing tells a message that is a whole line from a line.
                match if bare { kind.min(1) } else { kind } {
                    0 => entry.message = format!("Party allocated: {}", entry.message),
                    1 => entry.message = format!("x - {} {} - {}", entry.logger, "INFO", entry.message),
                    // Pads the text so that the phrase begins a piece of a split line for some piece length.
                    _ => {
                        let header = "2026-04-21 23:25:07,123 [t] INFO  ";
                        let real = format!("{header}{} - {}", entry.logger, entry.message);
                        entry.message = format!("{}{real}", "p".repeat(usize::try_from(tick).unwrap() * 7));
                    }
                }
                entry.logger = "c.d.c.p.a.PartyService:participant=participant".to_owned();
                entry.level = Level::Info;
                entries.push(entry);
            }
            Step::Computed { tick } => {
                entries.push(Entry::computed(at, SYNCHRONIZER, &trace, 7, period(tick)));
            }
        }
    }
    entries
}

/// What a scan of the entries has to find.
pub(crate) struct Expected {
    pub(crate) about: BTreeMap<String, (Vec<i64>, Vec<i64>)>,
    pub(crate) unattributed: u64,
    pub(crate) outside: OutsideRoster,
}

/// The meaning of the entries, each written down in all of `formats`.
pub(crate) fn expected(entries: &[Entry], formats: &BTreeMap<usize, Vec<Format>>) -> Expected {
    let people = participants();
    let sender_of = |text: &str| {
        people.iter().position(|one| text.contains(&format!("{} ", short_participant(&one.participant))))
    };
    let in_context = |text: &str| {
        people
            .iter()
            .position(|one| text.contains(&format!("sender = {},", short_participant(&one.participant))))
    };
    let tick_of = |text: &str| {
        let (_, end) = text.rsplit_once("toInclusive = ").unwrap();
        let (end, _) = end.split_once(')').unwrap();
        end.parse::<svdr_protocol::time::Timestamp>().unwrap().micros()
    };
    let ours = |entry: &Entry| {
        entry.logger.contains("AcsCommitmentProcessor") && entry.logger.contains(&SYNCHRONIZER[..27])
    };
    let mut checks: BTreeMap<String, BTreeSet<(usize, i64)>> = BTreeMap::new();
    let mut observed: BTreeSet<(usize, i64, bool)> = BTreeSet::new();
    for entry in entries.iter().filter(|entry| ours(entry)) {
        if entry.message.starts_with("Checking") {
            let check = (sender_of(&entry.message).unwrap(), tick_of(&entry.message));
            checks.entry(entry.trace.clone().unwrap()).or_default().insert(check);
        } else if entry.message.starts_with("Commitment correct") {
            observed.insert((sender_of(&entry.message).unwrap(), tick_of(&entry.message), false));
        }
    }
    let mut unattributed = 0;
    for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| ours(entry)) {
        let Some(context) = &entry.context else { continue };
        let forms = &formats[&at];
        if forms.iter().any(|form| form.has_context()) {
            observed.insert((in_context(context).unwrap(), tick_of(context), true));
            continue;
        }
        let checked = entry.trace.as_ref().and_then(|trace| checks.get(trace));
        match checked.filter(|checked| checked.len() == 1 && forms.iter().any(|form| form.has_trace())) {
            Some(checked) => {
                let &(sender, tick) = checked.first().unwrap();
                observed.insert((sender, tick, true));
            }
            None => unattributed += 1,
        }
    }
    let mut about: BTreeMap<String, (Vec<i64>, Vec<i64>)> = BTreeMap::new();
    let mut outside = OutsideRoster::default();
    let mut strangers = BTreeSet::new();
    for (sender, tick, differs) in observed {
        if sender < MEMBERS {
            let (matches, mismatches) = about.entry(people[sender].name.clone()).or_default();
            if differs { mismatches.push(tick) } else { matches.push(tick) }
        } else if !differs {
            outside.matches += 1;
            strangers.insert(sender);
        }
    }
    outside.participants = strangers.len() as u64;
    Expected { about, unattributed, outside }
}

/// Members and ticks that match, read without any art: whole lines, a JSON library, string operations.
pub(crate) fn plain_reader(log: &[u8]) -> BTreeSet<(String, String)> {
    let people = participants();
    let mut found = BTreeSet::new();
    for line in log.split(|byte| matches!(byte, b'\n' | 0)) {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let Some((sender, tick)) = plain_line(line) else { continue };
        let known = |one: &&TestMember| short_participant(&one.participant) == sender;
        if let Some(member) = people[1..MEMBERS].iter().find(known) {
            found.insert((member.name.clone(), tick));
        }
    }
    found
}

fn plain_line(line: &str) -> Option<(String, String)> {
    if line.starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        if let Some(inner) = value.get("log").or(value.get("line")) {
            return plain_line(inner.as_str()?.trim_end());
        }
        return plain_message(value.get("logger_name")?.as_str()?, value.get("message")?.as_str()?);
    }
    let line = match line.split_once(" stdout F ") {
        Some((time, rest)) if time.ends_with('Z') && time.len() == 30 => rest,
        _ => line,
    };
    if !line.starts_with("2026-04-2") || line.as_bytes().get(24) != Some(&b'[') {
        return None;
    }
    let (header, message) = line.split_once(" - ")?;
    plain_message(header, message)
}

fn plain_message(logger: &str, message: &str) -> Option<(String, String)> {
    if !logger.contains("AcsCommitmentProcessor") || !logger.contains(&SYNCHRONIZER[..27]) {
        return None;
    }
    let rest = message.strip_prefix("Commitment correct for sender ")?;
    let (sender, rest) = rest.split_once(" and period CommitmentPeriod(fromExclusive = ")?;
    let (_, rest) = rest.split_once(", toInclusive = ")?;
    let (tick, _) = rest.split_once(')')?;
    Some((sender.to_owned(), tick.to_owned()))
}
