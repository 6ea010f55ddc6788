//! `evidence`: what do this participant's logs, and its store, say about the other members?

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output};
use svdr_cli::runtime;
use svdr_files::{PrivateFile, Replace};
use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::span::{self, SpanError};
use svdr_protocol::statement::Body;
use svdr_protocol::time::{Tick, Timestamp};

use super::args::participant::ParticipantArgs;
use crate::evidence::{self, EvidenceOrder};
use crate::operator::outside;
use crate::roster_file;
use svdr_logs::{Bound, Effort};

/// Arguments of `evidence`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent evidence --roster roster.toml --member SV-1 --since 48h /var/log/canton\n  \
    svdr-agent evidence --roster roster.toml --member SV-1 --output json 'participant*.log*' > sv-1.json\n  \
    svdr-agent evidence --roster roster.toml --member SV-1 --sign signing.key --out sv-1.dsse /var/log/canton\n  \
    kubectl logs participant-0 | svdr-agent evidence --roster roster.toml --member SV-1 -\n  \
    svdr-agent evidence --roster roster.toml --member SV-1 --participant http://participant:5002\n\n\
    The format is detected automatically: text and JSON of Canton, with any prefix that a tool prints before each line, \
    in the exports of log platforms as JSON or CSV, in UTF-8 or UTF-16, plain, gzip, zstd or tar.")]
pub struct EvidenceArgs {
    /// The roster
    #[arg(long, value_name = "FILE")]
    pub roster: PathBuf,
    /// The member whose participant wrote the logs
    #[arg(long, value_name = "NAME")]
    pub member: MemberName,
    /// Oldest tick that counts: RFC 3339, or a duration back from the newest tick, such as 48h
    #[arg(long, value_name = "T", value_parser = bound)]
    pub since: Option<Bound>,
    /// Newest tick that counts, in the same forms
    #[arg(long, value_name = "T", value_parser = bound)]
    pub until: Option<Bound>,
    /// The participant whose lines count, as the logs name it in participant=NAME, if several write into these logs
    #[arg(long, value_name = "NAME")]
    pub logger_participant: Option<String>,
    /// Sign the evidence with this signing key, as a statement outside of any session
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
    /// The file to write, signed or as JSON; without it, --sign prints the signed statement
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the output if it exists
    #[arg(long, requires = "out")]
    pub force: bool,
    /// The participant's admin API
    #[command(flatten)]
    pub participant: ParticipantArgs,
    /// Logs: files, folders, patterns such as '*.log*'; - for standard input
    #[arg(required_unless_present = "participant", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// The text bounds no window.
#[derive(Debug, thiserror::Error)]
#[error("neither a point in time nor a duration\nhelp: write for example 2026-04-21T23:10:00Z, or 48h")]
struct BoundError(#[source] SpanError);

/// Reads a bound of the window; for use as a clap value parser.
///
/// # Errors
/// Where the text is neither a timestamp nor a duration.
fn bound(text: &str) -> Result<Bound, BoundError> {
    match text.parse::<Timestamp>() {
        Ok(at) => Ok(Bound::At(at)),
        Err(_) => span::parse(text).map(Bound::Back).map_err(BoundError),
    }
}

/// The evidence has no JSON.
#[derive(Debug, thiserror::Error)]
#[error("the evidence cannot be written as JSON\nhelp: report this as a fault of svdr")]
struct JsonError(#[source] serde_json::Error);

impl CommandError for JsonError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// Reads the sources and prints the evidence.
///
/// # Errors
/// If there is no evidence. Warnings are no errors, they go to stderr.
pub fn run(args: &EvidenceArgs, output: Output) -> Result<(), Failure> {
    let roster = roster_file::read(&args.roster)?;
    // What can go wrong without the logs goes wrong before they are read.
    let signer = args.sign.as_deref().map(|path| outside::signer(path, &args.member, &roster)).transpose()?;
    let replace = Replace::from_force(args.force);
    let file = args.out.as_ref().map(|path| PrivateFile::create(path, replace)).transpose()?;
    let order = EvidenceOrder {
        logs: args.paths.clone(),
        commands: Vec::new(),
        participant: args.participant.settings(),
        since: args.since,
        until: args.until,
        logger_participant: args.logger_participant.clone(),
        effort: Effort::mapped(),
    };
    let roster = Arc::new(roster);
    let document = runtime::block_on(async {
        Ok(evidence::gather(order, Arc::clone(&roster), args.member.clone(), "reading logs").await?)
    })?;
    for warning in &document.warnings {
        eprintln!("warning: {warning}");
    }
    let signed = match signer {
        Some(signer) => Some(outside::sign(&signer, Body::Evidence(document.evidence(&roster)?))?),
        None => None,
    };
    match (file, &signed) {
        (None, Some(signed)) => return Ok(output::print(signed)?),
        (None, None) => {}
        (Some(file), signed) => {
            let text = match signed {
                Some(signed) => signed.clone(),
                None => serde_json::to_string(&document).map_err(JsonError)?,
            };
            file.commit_with(format!("{text}\n").as_bytes())?;
        }
    }
    Ok(output.show(&document, || text(&document, &roster))?)
}

/// The document as a person reads it.
fn text(document: &EvidenceDocument, roster: &Roster) -> String {
    let mut members =
        output::table(&["member", "matches", "oldest", "newest", "mismatches", "newest mismatch"]);
    for member in roster.members().iter().filter(|member| member.name != document.member) {
        let matches = document.matches.iter().find(|matches| matches.counterparty == member.name);
        let ticks = matches.map(|matches| matches.ticks.as_slice()).unwrap_or_default();
        let mismatches: Vec<Tick> = document
            .mismatches
            .iter()
            .filter(|mismatch| mismatch.counterparty == member.name)
            .map(|mismatch| mismatch.tick)
            .collect();
        let shown = |tick: Option<&Tick>| tick.map_or_else(|| "-".to_owned(), ToString::to_string);
        members.add_row([
            member.name.to_string(),
            ticks.len().to_string(),
            shown(ticks.first()),
            shown(ticks.last()),
            mismatches.len().to_string(),
            shown(mismatches.last()),
        ]);
    }
    let mut sources = output::table(&["source", "bytes read", "lines", "about commitments", "unreadable"]);
    for source in &document.sources {
        sources.add_row([
            source.path.clone(),
            source.bytes.to_string(),
            source.lines.to_string(),
            source.commitment_lines.to_string(),
            source.unreadable_lines.to_string(),
        ]);
    }
    let span = document.log_span.map_or_else(
        || "unknown: no line has a time in a known zone".to_owned(),
        |span| format!("{} to {}", span.first, span.last),
    );
    let synchronizers = match document.synchronizers.as_slice() {
        [] => "none named".to_owned(),
        named => named.join(", "),
    };
    format!(
        "member         {}\nparticipant    {}\nsynchronizer   {synchronizers}\nlog lines      {span}\n\n\
         {members}\n\n{sources}\n\n\
         unattributed mismatches  {}\noutside of the roster    {} matches with {} participants\n",
        document.member,
        document.participant,
        document.unattributed_mismatches,
        document.outside_roster.matches,
        document.outside_roster.participants,
    )
}
