//! `propose`: where would the network go back to, by the evidence at hand?
//!
//! The rule is [`svdr_protocol::proposal`]; here files are read and the outcome is shown. Nothing is decided by
//! it: in a session every agent computes the same from signed evidence alone.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::plan::dump::document::ProposalDocument;
use svdr_protocol::plan::dump::{Choice, Outcome, Parameters, propose};
use svdr_protocol::roster::Roster;
use svdr_protocol::span;
use svdr_protocol::text::listed;
use svdr_protocol::time::Timestamp;

use crate::roster_file;

mod chart;
mod input;
mod table;

use input::Inputs;

/// Arguments of `propose`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent propose --roster roster.toml evidence/*.json\n  \
    svdr-agent propose --roster roster.toml --vouch SV-3 --not-before 2026-04-21T22:00:00Z evidence/*.json\n\n\
    Exit code 4 if no candidate reaches the threshold.")]
pub struct ProposeArgs {
    /// The roster of the members whose evidence counts
    #[arg(long, value_name = "FILE")]
    pub roster: PathBuf,
    /// Time from the recovery timestamp to its tick
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = span::parse)]
    pub margin: Duration,
    /// How many members must be covered [default: the threshold of the roster]
    #[arg(long, value_name = "N")]
    pub threshold: Option<usize>,
    /// The earliest recovery timestamp allowed
    #[arg(long, value_name = "TIMESTAMP")]
    pub not_before: Option<Timestamp>,
    /// The latest recovery timestamp allowed
    #[arg(long, value_name = "TIMESTAMP")]
    pub not_after: Option<Timestamp>,
    /// A member to exclude; may be given several times
    #[arg(long, value_name = "NAME")]
    pub exclude: Vec<MemberName>,
    /// A member without logs, for which the matches of the others count instead; may be given several times
    #[arg(long, value_name = "NAME")]
    pub vouch: Vec<MemberName>,
    /// Evidence: JSON documents and signed statements, in any mix; - for standard input
    #[arg(required = true, value_name = "EVIDENCE")]
    pub evidence: Vec<PathBuf>,
}

/// No candidate reaches the threshold; the candidates have been printed.
#[derive(Debug, thiserror::Error)]
#[error("no candidate reaches the threshold: {reason}")]
struct NotPossible {
    reason: String,
}

impl CommandError for NotPossible {
    fn exit(&self) -> Exit {
        Exit::Impossible
    }
}

/// Reads the evidence, applies the rule, and prints candidates and choice.
///
/// # Errors
/// Where the input is refused, and, after printing, where no candidate reaches the threshold.
pub fn run(args: &ProposeArgs, output: Output) -> Result<(), Failure> {
    let roster = roster_file::read(&args.roster)?;
    let inputs = Inputs::read(&args.evidence, &roster)?;
    let outcome = propose(&roster, inputs.evidence(), &parameters(args, &roster))?;
    let mut document = ProposalDocument::from(&outcome);
    document.warnings.extend(warnings(&inputs));
    output.show(&document, || text(&outcome, &document))?;
    match outcome.choice {
        Choice::Candidate(_) => Ok(()),
        Choice::NotPossible(_) => Err(NotPossible { reason: outcome.reason() }.into()),
    }
}

fn parameters(args: &ProposeArgs, roster: &Roster) -> Parameters {
    Parameters {
        margin: args.margin,
        threshold: args.threshold.unwrap_or(roster.threshold()),
        not_before: args.not_before,
        not_after: args.not_after,
        excluded: args.exclude.iter().cloned().collect(),
        vouched: args.vouch.iter().cloned().collect(),
    }
}

/// What the files themselves give reason to say.
fn warnings(inputs: &Inputs) -> Vec<String> {
    let mut warnings = Vec::new();
    let unsigned: Vec<MemberName> = inputs.unsigned().cloned().collect();
    if !unsigned.is_empty() {
        warnings.push(format!(
            "the evidence of {} is unsigned, so anybody may have written it. Only signed evidence counts in \
             a session",
            listed(&unsigned)
        ));
    }
    if inputs.is_drill() {
        warnings.push(
            "the evidence was signed for a drill. Do not use the result for a real recovery".to_owned(),
        );
    }
    warnings
}

/// The outcome for a person: the answer first, then the table, the reasons, the chart, and what to beware of.
fn text(outcome: &Outcome, document: &ProposalDocument) -> String {
    let mut parts = vec![table::answer(outcome)];
    if !outcome.candidates.is_empty() {
        parts.push(table::candidates(outcome));
        parts.extend(table::left_behind(outcome));
        parts.push(chart::chart(outcome, output::width().into(), chart::ChartStyle::of_environment()));
    }
    if !document.warnings.is_empty() {
        let warnings: Vec<String> = document.warnings.iter().map(|text| format!("warning: {text}")).collect();
        parts.push(warnings.join("\n"));
    }
    parts.join("\n\n")
}

#[cfg(test)]
mod tests;
