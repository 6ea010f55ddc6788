//! `propose`: where would the network go back to, by the evidence at hand?
//!
//! The rule is [`svdr_protocol::proposal`]; here files are read and the outcome is shown. Nothing is decided by
//! it: in a session every agent computes the same from signed evidence alone.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use svdr_cli::output::{self, Output};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::proposal::document::ProposalDocument;
use svdr_protocol::proposal::{Choice, Outcome, Parameters, ProposalError, Shortfall, listed, propose};
use svdr_protocol::roster::Roster;
use svdr_protocol::span;
use svdr_protocol::time::Timestamp;

use crate::roster_file::{self, RosterFileError};

mod chart;
mod input;
mod table;

use input::Inputs;
pub use input::{InputError, Place};

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

/// Why there is no choice.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// The roster cannot be used.
    #[error(transparent)]
    Roster(#[from] RosterFileError),
    /// The evidence cannot be used.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The rule refuses its input.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// No candidate reaches the threshold; the candidates have been printed.
    #[error("no candidate reaches the threshold")]
    NotPossible(#[source] Box<Shortfall>),
    /// Stdout cannot be written.
    #[error("the result cannot be printed")]
    Print(#[source] io::Error),
}

impl CommandError for ProposeError {
    fn exit(&self) -> Exit {
        match self {
            ProposeError::Roster(error) => error.exit(),
            ProposeError::Input(InputError::Read { .. }) | ProposeError::Print(_) => Exit::Failed,
            ProposeError::Proposal(ProposalError::Parameter(_)) => Exit::Usage,
            ProposeError::Input(_) | ProposeError::Proposal(_) => Exit::Refused,
            ProposeError::NotPossible(_) => Exit::Impossible,
        }
    }
}

/// Reads the evidence, applies the rule, and prints candidates and choice.
///
/// # Errors
/// Where the input is refused, and, after printing, where no candidate reaches the threshold.
pub fn run(args: &ProposeArgs, output: Output) -> Result<(), ProposeError> {
    let roster = roster_file::read(&args.roster)?;
    let inputs = Inputs::read(&args.evidence, &roster)?;
    let outcome = propose(&roster, inputs.evidence(), &parameters(args, &roster))?;
    let mut document = ProposalDocument::from(&outcome);
    document.warnings.extend(warnings(&inputs));
    let printed = match output {
        Output::Json => output::print_json(&document),
        Output::Table => output::print(&text(&outcome, &document)),
    };
    printed.map_err(ProposeError::Print)?;
    match outcome.choice {
        Choice::Candidate(_) => Ok(()),
        Choice::NotPossible(shortfall) => Err(ProposeError::NotPossible(Box::new(shortfall))),
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
        parts.push(chart::chart(outcome, output::width().into(), chart::Style::of_environment()));
    }
    if !document.warnings.is_empty() {
        let warnings: Vec<String> = document.warnings.iter().map(|text| format!("warning: {text}")).collect();
        parts.push(warnings.join("\n"));
    }
    parts.join("\n\n")
}

#[cfg(test)]
mod tests;
