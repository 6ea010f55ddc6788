//! `propose`: what follows from the evidence at hand: where the network would go back to, or with which values it would
//! roll forward.
//!
//! The rules are in [`svdr_protocol::plan`]; here files are read and the outcome is shown. Nothing is decided by
//! it: in a session every agent computes the same from signed evidence alone.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output};
use svdr_protocol::evidence::Evidence;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::plan::dump::document::ProposalDocument;
use svdr_protocol::plan::dump::{Choice, DEFAULT_MARGIN, Outcome, Parameters, propose};
use svdr_protocol::roster::Roster;
use svdr_protocol::span;
use svdr_protocol::text::listed;
use svdr_protocol::time::Timestamp;

use crate::roster_file;

mod chart;
mod input;
mod roll_forward;
mod table;

use input::{Inputs, Report};

/// Arguments of `propose`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent propose --roster roster.toml evidence/*.json\n  \
    svdr-agent propose --roster roster.toml --vouch SV-3 --not-before 2026-04-21T22:00:00Z evidence/*.json\n  \
    svdr-agent propose --plan roll-forward --roster roster.toml --old-psid global-domain::1220…::35-1 --new-serial 2 \
    --new-protocol-version 35 sequencing/*.json\n\n\
    Exit code 4 if no candidate reaches the threshold.")]
pub struct ProposeArgs {
    /// The roster of the members whose evidence counts
    #[arg(long, value_name = "FILE")]
    pub roster: PathBuf,
    /// What the members would do: go back in time with dumps, or start a new physical synchronizer
    #[arg(long, value_enum, default_value_t)]
    pub plan: PlanKind,
    /// A member to exclude; may be given several times
    #[arg(long, value_name = "NAME")]
    pub exclude: Vec<MemberName>,
    /// Time from the recovery timestamp to its tick [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = span::parse, help_heading = DUMP)]
    pub margin: Option<Duration>,
    /// How many members must be covered [default: the threshold of the roster]
    #[arg(long, value_name = "N", help_heading = DUMP)]
    pub threshold: Option<usize>,
    /// The earliest recovery timestamp allowed
    #[arg(long, value_name = "TIMESTAMP", help_heading = DUMP)]
    pub not_before: Option<Timestamp>,
    /// The latest recovery timestamp allowed
    #[arg(long, value_name = "TIMESTAMP", help_heading = DUMP)]
    pub not_after: Option<Timestamp>,
    /// A member without logs, for which the matches of the others count instead; may be given several times
    #[arg(long, value_name = "NAME", help_heading = DUMP)]
    pub vouch: Vec<MemberName>,
    /// What only the plan roll-forward has
    #[command(flatten)]
    pub roll_forward: roll_forward::RollForwardArgs,
    /// Evidence of `svdr-agent evidence` or, to roll forward, of `svdr-agent sequencing`: JSON documents and signed
    /// statements, in any mix; - for standard input
    #[arg(required = true, value_name = "EVIDENCE")]
    pub evidence: Vec<PathBuf>,
}

/// The heading of the flags that only the dump plan has.
const DUMP: &str = "Options of the plan dump";

/// What the members would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanKind {
    /// Go back to one time, from migration dumps: networks of Splice 0.5.18 or older.
    #[default]
    Dump,
    /// Start a new physical synchronizer; participants keep their state: networks of Splice 0.6.2 or newer.
    #[value(alias = "roll_forward")]
    RollForward,
}

/// Flags of another plan.
#[derive(Debug, thiserror::Error)]
#[error("{} {} no meaning with --plan {plan}\nhelp: remove {}, or choose the other plan",
    listed(flags), if flags.len() == 1 { "has" } else { "have" }, if flags.len() == 1 { "it" } else { "them" })]
struct OtherPlansFlags {
    plan: &'static str,
    flags: Vec<&'static str>,
}

impl CommandError for OtherPlansFlags {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
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
    args.check()?;
    let roster = roster_file::read(&args.roster)?;
    if args.plan == PlanKind::RollForward {
        return roll_forward::run(args, &roster, output);
    }
    let inputs = Inputs::<Evidence>::read(&args.evidence, &roster)?;
    let outcome = propose(&roster, inputs.evidence(), &parameters(args, &roster))?;
    let mut document = ProposalDocument::from(&outcome);
    document.warnings.extend(warnings(&inputs));
    output.show(&document, || text(&outcome, &document))?;
    match outcome.choice {
        Choice::Candidate(_) => Ok(()),
        Choice::NotPossible(_) => Err(NotPossible { reason: outcome.reason() }.into()),
    }
}

impl ProposeArgs {
    /// Refuses flags that the plan does not have.
    fn check(&self) -> Result<(), OtherPlansFlags> {
        let (plan, given) = match self.plan {
            PlanKind::Dump => ("dump", self.roll_forward.given()),
            PlanKind::RollForward => ("roll-forward", self.given_for_dump()),
        };
        let flags: Vec<&str> = given.into_iter().filter_map(|(flag, given)| given.then_some(flag)).collect();
        if flags.is_empty() { Ok(()) } else { Err(OtherPlansFlags { plan, flags }) }
    }

    fn given_for_dump(&self) -> Vec<(&'static str, bool)> {
        vec![
            ("--margin", self.margin.is_some()),
            ("--threshold", self.threshold.is_some()),
            ("--not-before", self.not_before.is_some()),
            ("--not-after", self.not_after.is_some()),
            ("--vouch", !self.vouch.is_empty()),
        ]
    }
}

fn parameters(args: &ProposeArgs, roster: &Roster) -> Parameters {
    Parameters {
        margin: args.margin.unwrap_or(DEFAULT_MARGIN),
        threshold: args.threshold.unwrap_or(roster.threshold()),
        not_before: args.not_before,
        not_after: args.not_after,
        excluded: args.exclude.iter().cloned().collect(),
        vouched: args.vouch.iter().cloned().collect(),
    }
}

/// What the files themselves give reason to say.
fn warnings<R: Report>(inputs: &Inputs<R>) -> Vec<String> {
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
    parts.extend(warning_lines(&document.warnings));
    parts.join("\n\n")
}

/// One line a warning, if there are any.
fn warning_lines(warnings: &[String]) -> Option<String> {
    let lines: Vec<String> = warnings.iter().map(|text| format!("warning: {text}")).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests;
