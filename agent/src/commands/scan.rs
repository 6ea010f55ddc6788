//! `scan`: what do this participant's logs say about the other members?

use std::io;
use std::path::PathBuf;

use clap::Args;
use svdr_cli::exit::{CommandError, Exit};
use svdr_cli::output::{self, Output};
use svdr_cli::progress::Progress;
use svdr_cli::span::{self, SpanError};
use svdr_protocol::evidence::document::EvidenceDocument;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::time::{Tick, Timestamp};

use crate::roster_file::{self, RosterFileError};
use crate::scan::feed::Effort;
use crate::scan::{self, Bound, ScanError, ScanRequest};

/// Arguments of `scan`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent scan --roster roster.toml --member SV-1 --since 48h /var/log/canton\n  \
    svdr-agent scan --roster roster.toml --member SV-1 --output json 'participant*.log*' > sv-1.json\n  \
    kubectl logs participant-0 | svdr-agent scan --roster roster.toml --member SV-1 -\n\n\
    Formats are told by content: Canton's text and JSON, as kubelet, docker, lnav or a log platform hand them over, \
    plain, gzip or zstd.")]
pub struct ScanArgs {
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
    /// Logs: files, folders, patterns such as '*.log*', and - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// The text bounds no window.
#[derive(Debug, thiserror::Error)]
#[error("neither a point in time nor a duration; write for example 2026-04-21T23:10:00Z, or 48h")]
pub struct BoundError(#[source] SpanError);

/// Reads a bound of the window; for use as a clap value parser.
///
/// # Errors
/// Where the text is neither a timestamp nor a duration.
pub fn bound(text: &str) -> Result<Bound, BoundError> {
    match text.parse::<Timestamp>() {
        Ok(at) => Ok(Bound::At(at)),
        Err(_) => span::parse(text).map(Bound::Back).map_err(BoundError),
    }
}

/// Why the scan printed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ScanCommandError {
    /// The roster cannot be used.
    #[error(transparent)]
    Roster(#[from] RosterFileError),
    /// The logs cannot be scanned.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Stdout cannot be written.
    #[error("the result cannot be printed")]
    Print(#[source] io::Error),
}

impl CommandError for ScanCommandError {
    fn exit(&self) -> Exit {
        match self {
            ScanCommandError::Roster(error) => error.exit(),
            ScanCommandError::Scan(ScanError::NotAMember { .. } | ScanError::BackwardWindow { .. }) => {
                Exit::Usage
            }
            ScanCommandError::Scan(_) | ScanCommandError::Print(_) => Exit::Failed,
        }
    }
}

/// Scans the logs and prints the evidence.
///
/// # Errors
/// [`ScanCommandError`]; warnings are none, they go to stderr.
pub fn run(args: &ScanArgs, output: Output) -> Result<(), ScanCommandError> {
    let roster = roster_file::read(&args.roster)?;
    let document = {
        let progress = Progress::bytes("scanning", None);
        let request = ScanRequest {
            roster: &roster,
            member: &args.member,
            since: args.since,
            until: args.until,
            paths: &args.paths,
            effort: Effort::default(),
            on_bytes: &|bytes| progress.advance(bytes),
        };
        scan::scan(&request)?
    };
    for warning in &document.warnings {
        eprintln!("warning: {warning}");
    }
    let printed = match output {
        Output::Json => output::print_json(&document),
        Output::Table => output::print(&text(&document, &roster)),
    };
    printed.map_err(ScanCommandError::Print)
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
        || "no line tells the time".to_owned(),
        |span| format!("lines from {} to {}", span.first, span.last),
    );
    format!(
        "{} as {} saw it on {}; {span}\n\n{members}\n\n{sources}\n\n\
         unattributed mismatches  {}\noutside of the roster    {} matches with {} participants\n",
        document.member,
        document.participant,
        if document.synchronizers.is_empty() {
            "no named synchronizer".to_owned()
        } else {
            document.synchronizers.join(", ")
        },
        document.unattributed_mismatches,
        document.outside_roster.matches,
        document.outside_roster.participants,
    )
}
