//! `propose --plan roll-forward`: the values with which a new physical synchronizer would start.
//!
//! The rule is [`svdr_protocol::plan::roll_forward`]; here files are read and the outcome is shown.

use std::time::Duration;

use clap::Args;
use svdr_cli::failure::Failure;
use svdr_cli::output::{self, Output};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::{MemberName, PhysicalSynchronizerId};
use svdr_protocol::plan::roll_forward::document::RollForwardDocument;
use svdr_protocol::plan::roll_forward::{
    Candidate, Choice, DEFAULT_CORROBORATION, Divergence, Outcome, Parameters, Shortfall, propose,
};
use svdr_protocol::roster::Roster;
use svdr_protocol::sequencing::Sequencing;
use svdr_protocol::span;
use svdr_protocol::text::listed;
use svdr_protocol::time::Timestamp;

use super::input::Inputs;
use super::table::{CHOSEN, all};
use super::{ProposeArgs, warning_lines, warnings};

/// The heading of the flags that only this plan has.
const HEADING: &str = "Options of the plan roll-forward";
/// The value of `--plan` that needs the required ones.
const PLAN: &str = "roll-forward";

/// Flags that only the plan roll-forward has.
#[derive(Debug, Args)]
pub struct RollForwardArgs {
    /// The physical synchronizer that is broken: NAME::1220…::VERSION-SERIAL
    #[arg(long, value_name = "PSID", required_if_eq("plan", PLAN), help_heading = HEADING)]
    pub old_psid: Option<PhysicalSynchronizerId>,
    /// Serial of the new physical synchronizer
    #[arg(long, value_name = "N", required_if_eq("plan", PLAN), value_parser = number(), help_heading = HEADING)]
    pub new_serial: Option<u32>,
    /// Protocol version of the new physical synchronizer
    #[arg(long, value_name = "V", required_if_eq("plan", PLAN), value_parser = number(), help_heading = HEADING)]
    pub new_protocol_version: Option<u32>,
    /// The time from which on the old sequencers sequence nothing [default: right after everything that was seen]
    #[arg(long, value_name = "TIMESTAMP", help_heading = HEADING)]
    pub max_sequencing_time: Option<Timestamp>,
    /// The time up to which the new sequencers sequence nothing [default: the earliest that is safe]
    #[arg(long, value_name = "TIMESTAMP", help_heading = HEADING)]
    pub lower_bound: Option<Timestamp>,
    /// The time after which the new sequencers sequence everything, and the deadline for the traffic state
    /// [default: the lower bound, for a first look only]
    #[arg(long, value_name = "TIMESTAMP", help_heading = HEADING)]
    pub upgrade_time: Option<Timestamp>,
    /// How far a member's times may be ahead of the others' before they are marked [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = span::parse, help_heading = HEADING)]
    pub corroboration: Option<Duration>,
    /// An announced upgrade failed, and nothing was sequenced on its successor
    #[arg(long, help_heading = HEADING)]
    pub announced: bool,
}

fn number() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(0..=i64::from(PhysicalSynchronizerId::MAX_NUMBER))
}

impl RollForwardArgs {
    /// Each flag, and whether it is given.
    pub(super) fn given(&self) -> Vec<(&'static str, bool)> {
        vec![
            ("--old-psid", self.old_psid.is_some()),
            ("--new-serial", self.new_serial.is_some()),
            ("--new-protocol-version", self.new_protocol_version.is_some()),
            ("--max-sequencing-time", self.max_sequencing_time.is_some()),
            ("--lower-bound", self.lower_bound.is_some()),
            ("--upgrade-time", self.upgrade_time.is_some()),
            ("--corroboration", self.corroboration.is_some()),
            ("--announced", self.announced),
        ]
    }
}

/// What only this command can say.
#[derive(Debug, thiserror::Error)]
enum RollForwardCommandError {
    /// The candidates have been printed.
    #[error("no candidate reaches the threshold: {0}")]
    NotPossible(Shortfall),
    #[error(
        "--plan roll-forward needs --old-psid, --new-serial and --new-protocol-version\nhelp: give all three"
    )]
    Incomplete,
}

impl CommandError for RollForwardCommandError {
    fn exit(&self) -> Exit {
        match self {
            RollForwardCommandError::NotPossible(_) => Exit::Impossible,
            RollForwardCommandError::Incomplete => Exit::Usage,
        }
    }
}

/// Reads the evidence, applies the rule, and prints candidates and choice.
pub(super) fn run(args: &ProposeArgs, roster: &Roster, output: Output) -> Result<(), Failure> {
    let (old, parameters) = parameters(args)?;
    let inputs = Inputs::<Sequencing>::read(&args.evidence, roster)?;
    let outcome = propose(roster, inputs.evidence(), old, &parameters)?;
    let mut document = RollForwardDocument::from(&outcome);
    document.warnings.extend(warnings(&inputs));
    output.show(&document, || text(&outcome, &document.warnings))?;
    match outcome.choice {
        Choice::Candidate(_) => Ok(()),
        Choice::NotPossible(shortfall) => Err(RollForwardCommandError::NotPossible(shortfall).into()),
    }
}

fn parameters(args: &ProposeArgs) -> Result<(&PhysicalSynchronizerId, Parameters), RollForwardCommandError> {
    let given = &args.roll_forward;
    // Clap has required them.
    let (Some(old), Some(new_serial), Some(new_protocol_version)) =
        (&given.old_psid, given.new_serial, given.new_protocol_version)
    else {
        return Err(RollForwardCommandError::Incomplete);
    };
    let parameters = Parameters {
        excluded: args.exclude.iter().cloned().collect(),
        max_sequencing_time: given.max_sequencing_time,
        lower_bound: given.lower_bound,
        upgrade_time: given.upgrade_time,
        corroboration: given.corroboration.unwrap_or(DEFAULT_CORROBORATION),
        announced: given.announced,
        ..Parameters::new(new_serial, new_protocol_version)
    };
    Ok((old, parameters))
}

/// The outcome for a person: the answer and its values first, then the candidates, the reasons, and what to beware of.
fn text(outcome: &Outcome, warnings: &[String]) -> String {
    let asked = format!("threshold {} of {} members", outcome.threshold, outcome.members);
    let mut parts = Vec::new();
    match outcome.chosen() {
        Some(chosen) => {
            parts.push(format!(
                "Roll forward from {} to {}: {} ({asked}).\nCovered: {}.",
                outcome.old,
                outcome.new,
                outcome.reason(),
                all(&chosen.covered)
            ));
            parts.push(values(chosen));
        }
        None => parts.push(format!("No values to roll forward with ({asked}): {}.", outcome.reason())),
    }
    if !outcome.candidates.is_empty() {
        parts.push(candidates(outcome));
    }
    parts.extend(left_behind(outcome));
    parts.extend(outcome.chosen().and_then(|chosen| chosen.divergence.as_ref()).map(divergence));
    parts.extend(warning_lines(warnings));
    parts.join("\n\n")
}

fn or_announced(export: Option<Timestamp>) -> String {
    export.map_or_else(|| "follows from the announcement".to_owned(), |at| at.to_string())
}

/// The times to configure.
fn values(chosen: &Candidate) -> String {
    let values = chosen.values;
    let exports = values.exports();
    let rows = [
        ("topology export time", or_announced(exports.map(|exports| exports.topology)), ""),
        ("traffic export time", or_announced(exports.map(|exports| exports.traffic)), ""),
        ("max sequencing time", values.max_sequencing_time().to_string(), "exclusive, on the old sequencers"),
        ("lower bound", values.lower_bound().to_string(), "exclusive, on the new sequencers"),
        ("upgrade time", values.upgrade_time().to_string(), "on the new sequencers"),
    ];
    let rows = rows.map(|(name, value, note)| format!("{name:<22}{value:<29}{note}"));
    rows.map(|row| row.trim_end().to_owned()).join("\n")
}

/// One row a candidate.
fn candidates(outcome: &Outcome) -> String {
    let mut table =
        output::table(&["", "topology export time", "covered", "traffic export time", "left behind"]);
    for (at, candidate) in outcome.candidates.iter().enumerate() {
        let exports = candidate.values.exports();
        let left: Vec<MemberName> = candidate.left_behind.iter().map(|left| left.member.clone()).collect();
        table.add_row([
            mark(outcome, at).to_owned(),
            or_announced(exports.map(|exports| exports.topology)),
            format!("{}/{}", candidate.covered.len(), outcome.members),
            or_announced(exports.map(|exports| exports.traffic)),
            if left.is_empty() { "nobody".to_owned() } else { listed(&left) },
        ]);
    }
    table.trim_fmt()
}

fn mark(outcome: &Outcome, at: usize) -> &'static str {
    if outcome.choice == Choice::Candidate(at) { CHOSEN } else { "  " }
}

/// For each candidate who is left behind, and what topology is lost.
fn left_behind(outcome: &Outcome) -> Option<String> {
    let mut text = String::from("Left behind");
    let mut any = false;
    for (at, candidate) in outcome.candidates.iter().enumerate() {
        let export = candidate.values.exports().map(|exports| exports.topology);
        if candidate.left_behind.is_empty() && candidate.lost_topology_until.is_none() {
            continue;
        }
        any = true;
        text += &format!("\n{} {}", mark(outcome, at), or_announced(export));
        for left in &candidate.left_behind {
            text += &format!("\n     {}: {}", left.member, left.reason);
        }
        if let Some(until) = candidate.lost_topology_until {
            text +=
                &format!("\n     lost: topology transactions until {until}, which some members have seen");
        }
    }
    any.then_some(text)
}

fn divergence(Divergence { from, until, members }: &Divergence) -> String {
    format!(
        "Divergence: {} processed events after {from}, until {until}, that others have not. Expect ACS commitment \
         mismatches with their participants.",
        all(members)
    )
}
