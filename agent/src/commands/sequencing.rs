//! `sequencing`: what this SV's nodes have seen of the old synchronizer, as evidence of a roll-forward.
//!
//! What follows from the sources is [`svdr_protocol::sequencing::readings`]; here they are read.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output};
use svdr_cli::progress::Progress;
use svdr_files::{PrivateFile, Replace};
use svdr_logs::LogsError;
use svdr_logs::sequencing::{ChunkEvents, Seen, SeenInLogs};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::{MemberName, PhysicalSynchronizerId};
use svdr_protocol::roster::Roster;
use svdr_protocol::sequencing::document::SequencingDocument;
use svdr_protocol::sequencing::readings::{BegunChunk, Read, Readings};
use svdr_protocol::sequencing::{Fence, Sequencing, TopologyTimes};
use svdr_protocol::statement::Body;
use svdr_protocol::text::listed;
use svdr_protocol::time::Timestamp;

use crate::operator::outside;
use crate::roster_file;

/// The source of a value that the operator gives.
const GIVEN: &str = "the operator";
const SEQUENCER_LOG: &str = "sequencer log";
const PARTICIPANT_LOG: &str = "participant log";

/// Arguments of `sequencing`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent sequencing --roster roster.toml --member SV-1 --output json 'sequencer*.log*' 'participant*.log*' > sv-1.json\n  \
    svdr-agent sequencing --roster roster.toml --member SV-1 --sign signing.key --out sv-1.dsse /var/log/canton \\\n      \
    --topology-sequenced 2026-10-02T09:58:00.000001Z --topology-effective 2026-10-02T09:58:00.250001Z\n\n\
    The topology times are in the sequencer's database, as microseconds since 1970:\n  \
    select max(sequenced), max(valid_from) from common_topology_transactions\n    \
    where rejection_reason is null and not is_proposal and store_id =\n    \
    (select id from common_static_strings where source = 3 and string = 'NAME::1220…::VERSION-SERIAL')\n\n\
    No values can cover a member without topology times.")]
pub struct SequencingArgs {
    /// The roster
    #[arg(long, value_name = "FILE")]
    pub roster: PathBuf,
    /// The member whose nodes wrote the logs
    #[arg(long, value_name = "NAME")]
    pub member: MemberName,
    /// The old physical synchronizer, if the logs name several or none
    #[arg(long, value_name = "PSID")]
    pub old_psid: Option<PhysicalSynchronizerId>,
    /// Newest event that the sequencer has processed, as its database has it (seq_block_height.latest_event_ts)
    #[arg(long, value_name = "TIMESTAMP")]
    pub last_sequenced: Option<Timestamp>,
    /// Sequencing time of the newest topology transaction that was not rejected
    #[arg(long, value_name = "TIMESTAMP", requires = "topology_effective")]
    pub topology_sequenced: Option<Timestamp>,
    /// The newest time at which a topology transaction is effective
    #[arg(long, value_name = "TIMESTAMP", requires = "topology_sequenced")]
    pub topology_effective: Option<Timestamp>,
    /// The participant's record time, as its database has it
    #[arg(long, value_name = "TIMESTAMP")]
    pub participant_record_time: Option<Timestamp>,
    /// The max sequencing time that the sequencer is configured with
    #[arg(long, value_name = "TIMESTAMP")]
    pub fence: Option<Timestamp>,
    /// The participant is connected to this SV's sequencer alone, so that its log can stand in for the sequencer's
    #[arg(long)]
    pub own_sequencer_only: bool,
    /// Sign the evidence with this signing key, as a statement outside of any session
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
    /// The file to write, signed or as JSON; without it, --sign prints the signed statement
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the output if it exists
    #[arg(long, requires = "out")]
    pub force: bool,
    /// Logs of the sequencer and the participant: files, folders, patterns such as '*.log*'; - for standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// What only this command can say.
#[derive(Debug, thiserror::Error)]
enum SequencingCommandError {
    #[error("the logs name no physical synchronizer of {expected}\nhelp: name the old one with --old-psid")]
    NoSynchronizer { expected: String },
    #[error(
        "the logs name several physical synchronizers: {}\nhelp: name the old one with --old-psid",
        listed(found)
    )]
    SeveralSynchronizers { found: Vec<PhysicalSynchronizerId> },
    #[error(
        "{found} is not of the synchronizer {expected}, which the roster names\n\
         help: give the physical synchronizer id that the old sequencer reports"
    )]
    OtherSynchronizer { found: PhysicalSynchronizerId, expected: String },
    #[error("the evidence cannot be written as JSON\nhelp: report this as a fault of svdr")]
    Json(#[source] serde_json::Error),
}

impl CommandError for SequencingCommandError {
    fn exit(&self) -> Exit {
        match self {
            SequencingCommandError::Json(_) => Exit::Failed,
            _ => Exit::Refused,
        }
    }
}

/// Reads the sources, and prints or signs the evidence.
///
/// # Errors
/// If a source cannot be read, or nothing shows how far the sequencer is. Warnings are no errors, they go to stderr.
pub fn run(args: &SequencingArgs, output: Output) -> Result<(), Failure> {
    let roster = roster_file::read(&args.roster)?;
    if roster.member(&args.member).is_none() {
        return Err(LogsError::not_a_member(&args.member, &roster).into());
    }
    // What can go wrong without the logs goes wrong before they are read.
    let signer = args.sign.as_deref().map(|path| outside::signer(path, &args.member, &roster)).transpose()?;
    let replace = Replace::from_force(args.force);
    let file = args.out.as_ref().map(|path| PrivateFile::create(path, replace)).transpose()?;
    let seen = {
        let progress = Progress::bytes("reading logs", None);
        svdr_logs::sequencing::read(&args.paths, &|bytes| progress.advance(bytes))?
    };
    let evidence = readings(args, &roster, seen)?.sequencing()?;
    for warning in &evidence.warnings {
        eprintln!("warning: {warning}");
    }
    let document = SequencingDocument::from(&evidence);
    let signed =
        signer.map(|signer| outside::sign(&signer, Body::Sequencing(evidence.clone()))).transpose()?;
    match (file, &signed) {
        (None, Some(signed)) => return Ok(output::print(signed)?),
        (None, None) => {}
        (Some(file), signed) => {
            let text = match signed {
                Some(signed) => signed.clone(),
                None => serde_json::to_string(&document).map_err(SequencingCommandError::Json)?,
            };
            file.commit_with(format!("{text}\n").as_bytes())?;
        }
    }
    Ok(output.show(&document, || text(&evidence))?)
}

/// What the logs and the operator say about the old synchronizer.
fn readings(
    args: &SequencingArgs,
    roster: &Roster,
    logs: SeenInLogs,
) -> Result<Readings, SequencingCommandError> {
    let mut warnings = logs.warnings.clone();
    let (physical_synchronizer, seen) = synchronizer(args, roster, logs, &mut warnings)?;
    let log = |source: &str, value: Option<Timestamp>| value.map(|value| read(value, source));
    let given = |value: Option<Timestamp>| value.map(|value| read(value, GIVEN));
    let fences = [
        args.fence.map(|at| read(Fence { at, reached: false }, GIVEN)),
        seen.fence.map(|at| read(Fence { at, reached: true }, SEQUENCER_LOG)),
    ];
    let topology = args.topology_sequenced.zip(args.topology_effective);
    Ok(Readings {
        member: args.member.clone(),
        physical_synchronizer,
        sequencer: None,
        processed: log(SEQUENCER_LOG, seen.completed).into_iter().chain(given(args.last_sequenced)).collect(),
        begun: seen.newest_chunk.map(|chunk| {
            let (events, complete) = match chunk.events {
                ChunkEvents::None => (None, true),
                ChunkEvents::Unknown => (None, false),
                ChunkEvents::Between(first, last) => (Some((first, last)), true),
            };
            read(BegunChunk { height: chunk.height, events, complete }, SEQUENCER_LOG)
        }),
        topology: topology.map(|(sequenced, effective)| read(TopologyTimes { sequenced, effective }, GIVEN)),
        participant: log(PARTICIPANT_LOG, seen.participant)
            .into_iter()
            .chain(given(args.participant_record_time))
            .collect(),
        own_sequencer_only: args.own_sequencer_only,
        announcement: None,
        fences: fences.into_iter().flatten().collect(),
        warnings,
    })
}

fn read<T>(value: T, source: &str) -> Read<T> {
    Read { value, source: source.to_owned() }
}

/// The old synchronizer, and what the logs show of it.
fn synchronizer(
    args: &SequencingArgs,
    roster: &Roster,
    logs: SeenInLogs,
    warnings: &mut Vec<String>,
) -> Result<(Read<PhysicalSynchronizerId>, Seen), SequencingCommandError> {
    let expected = roster.synchronizer();
    let named = logs.by_synchronizer.keys().map(|named| named.completed(expected));
    // A set: one log may show an id in full, and another shortened.
    let named: BTreeSet<PhysicalSynchronizerId> = named.filter(|named| named.is_of(expected)).collect();
    let named: Vec<PhysicalSynchronizerId> = named.into_iter().collect();
    let old = match (&args.old_psid, named.as_slice()) {
        (Some(given), _) => {
            let given = given.completed(expected);
            if !given.is_of(expected) {
                let expected = expected.to_string();
                return Err(SequencingCommandError::OtherSynchronizer { found: given, expected });
            }
            read(given, GIVEN)
        }
        (None, [one]) => read(one.clone(), "logs"),
        (None, []) => {
            return Err(SequencingCommandError::NoSynchronizer { expected: expected.to_string() });
        }
        (None, _) => return Err(SequencingCommandError::SeveralSynchronizers { found: named }),
    };
    let of_old = logs.by_synchronizer.iter().filter(|(named, _)| named.completed(expected) == old.value);
    let mut seen = of_old.fold(Seen::default(), |seen, (_, more)| seen.and(more));
    if !logs.unnamed.is_empty() {
        // Lines without a name are the old synchronizer's if there is no other.
        if logs.by_synchronizer.keys().all(|named| named.completed(expected) == old.value) {
            seen = seen.and(&logs.unnamed);
        } else {
            warnings.push(
                "some lines name no physical synchronizer, and the logs are of several: these lines are not counted"
                    .to_owned(),
            );
        }
    }
    Ok((old, seen))
}

/// The evidence as a person reads it.
fn text(evidence: &Sequencing) -> String {
    let or_none = |value: Option<Timestamp>| value.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let source = |value: &str| evidence.sources.get(value).cloned().unwrap_or_default();
    let fence = evidence.fence.map_or_else(
        || "-".to_owned(),
        |fence| format!("{}{}", fence.at, if fence.reached { ", reached" } else { "" }),
    );
    let rows = [
        ("member", evidence.member.to_string(), String::new()),
        ("synchronizer", evidence.physical_synchronizer.to_string(), source("physical_synchronizer")),
        ("last sequenced", evidence.last_sequenced.to_string(), source("last_sequenced")),
        (
            "block height",
            evidence.block_height.map_or_else(|| "-".to_owned(), |height| height.to_string()),
            String::new(),
        ),
        ("topology sequenced", or_none(evidence.topology.map(|times| times.sequenced)), source("topology")),
        ("topology effective", or_none(evidence.topology.map(|times| times.effective)), source("topology")),
        (
            "participant record time",
            or_none(evidence.participant_record_time),
            source("participant_record_time"),
        ),
        ("fence", fence, source("fence")),
    ];
    let line = |(name, value, source): &(&str, String, String)| match source.as_str() {
        "" => format!("{name:<25}{value}"),
        source => format!("{name:<25}{value}  ({source})"),
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
