//! How much one coordinator carries, measured on the real programs: a table with an aim beside each figure.
//!
//! What is compared with each other is measured in turn, in one run, and the medians are printed. Everything runs on
//! one machine: the coordinator shares its processors with all clients and agents.

use std::io::{self, Write as _};

use clap::Parser;

use crate::network::Failure;

mod appends;
mod crew;
mod load;

use appends::{Append, Reach};
use crew::{Crew, Evidence};
use load::{Bring, Load, Measured};

/// Rounds in which clients and bare appends take turns.
const ROUNDS: usize = 3;
/// Sessions of the small crew.
const SMALL_SESSIONS: usize = 3;
/// Starts on the full journal.
const STARTS: usize = 3;

/// Measures how much one coordinator carries.
#[derive(Debug, Parser)]
#[command(about, after_help = "Prints a markdown table. Takes some minutes, and 1 GB in ${TMPDIR:-/tmp}.")]
pub struct Options {
    /// Clients that submit at once; each signs for another member
    #[arg(long, value_name = "N", default_value_t = 64)]
    clients: usize,
    /// Statements that the journal holds at the end
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    statements: usize,
    /// Members of the small session
    #[arg(long, value_name = "N", default_value_t = 16)]
    members: usize,
    /// Members of the large session
    #[arg(long, value_name = "N", default_value_t = 128)]
    most_members: usize,
    /// One-minute ticks in every member's evidence
    #[arg(long, value_name = "N", default_value_t = 2880)]
    ticks: usize,
}

/// Measures, and prints the table.
///
/// # Errors
/// Where a program cannot be started, or does not do what it should.
pub fn run(options: &Options) -> Result<(), Failure> {
    row("what", "measured", "aim")?;
    row("---", "---:", "---:")?;
    statements(options)?;
    let hours = options.ticks / 60;
    let agreed = |evidence| -> Result<f64, Failure> {
        let sessions =
            (0..SMALL_SESSIONS).map(|_| Crew::new(options.members, options.ticks, evidence)?.session());
        Ok(median(sessions.map(|ran| ran.map(|ran| ran.agreed.as_secs_f64())).collect::<Result<_, _>>()?))
    };
    let what = format!("{} members, {hours} h of evidence each at hand, open to agreement", options.members);
    row(&what, &seconds(agreed(Evidence::AtHand)?), "under 2 s")?;
    row("the same, all agents reading their logs", &seconds(agreed(Evidence::Logs)?), "")?;
    let ran = Crew::new(options.most_members, options.ticks, Evidence::AtHand)?.session()?;
    let members = options.most_members;
    let what = format!("{members} members, {hours} h of evidence each at hand, open to agreement");
    row(&what, &seconds(ran.agreed.as_secs_f64()), "under 20 s")?;
    let peak = format!("{:.0} MiB", ran.peak_memory as f64 / f64::from(1 << 20));
    row(&format!("peak memory of the coordinator, {members} agents connected"), &peak, "under 256 MiB")?;
    Ok(())
}

/// Statements a second, beside bare appends; then a start on the journal that they have filled.
fn statements(options: &Options) -> Result<(), Failure> {
    let mut load = Load::new(options.clients)?;
    let record = load.record()?;
    let each = options.statements.div_ceil(options.clients * ROUNDS * 2);
    let (mut streams, mut calls, mut ranges, mut disks) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        streams.push(load.submit(each, Bring::OnAStream)?);
        disks.push(Append::new(Reach::Disk)?.rate(&record)?);
        calls.push(load.submit(each, Bring::OneByOne)?);
        ranges.push(Append::new(Reach::AsSledFlushes)?.rate(&record)?);
    }
    let rate = |rate: f64| format!("{rate:.0}/s");
    let clients = options.clients;
    let of = |rounds: &[Measured], figure: fn(&Measured) -> f64| median(rounds.iter().map(figure).collect());
    let (disks, ranges) = (median(disks), median(ranges));
    for (what, rounds) in [("a stream each", &streams), ("one call after the other", &calls)] {
        let accepted = of(rounds, |one| one.rate);
        row(&format!("statements accepted, {clients} clients at once, {what}"), &rate(accepted), "")?;
        row("of them with one flush", &format!("{:.0}", of(rounds, |one| one.statements_a_flush)), "")?;
        let work = [of(rounds, |one| one.processor_micros), of(rounds, |one| one.client_micros)];
        row("processor time for each, coordinator and client", &work.map(micros).join(" + "), "")?;
    }
    row("bare sled appends, `fdatasync` after each `flush`", &rate(disks), "")?;
    row("bare sled appends, `flush` each, which does not reach the disk", &rate(ranges), "")?;
    let [streams, calls] = [streams, calls].map(|rounds| of(&rounds, |one| one.rate));
    row("statements on streams to appends on disk", &ratio(streams, disks), "at least 5")?;
    row("statements on streams to appends with `flush`", &ratio(streams, ranges), "")?;
    row("statements in calls to appends on disk", &ratio(calls, disks), "")?;
    let starts = (0..STARTS).map(|_| load.restart()).collect::<Result<Vec<_>, _>>()?;
    let total = starts.iter().map(|(statements, _)| *statements).max().unwrap_or_default();
    let took = median(starts.iter().map(|(_, took)| took.as_secs_f64()).collect());
    row(&format!("start on a journal of {total} statements"), &seconds(took), "under 10 s")
}

fn row(what: &str, measured: &str, aim: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout(), "| {what} | {measured} | {aim} |")?)
}

fn ratio(of: f64, to: f64) -> String {
    format!("{:.1}", of / to)
}

fn micros(took: f64) -> String {
    format!("{took:.0} µs")
}

fn seconds(took: f64) -> String {
    format!("{took:.2} s")
}

fn median(mut measured: Vec<f64>) -> f64 {
    measured.sort_by(f64::total_cmp);
    measured.get(measured.len() / 2).copied().unwrap_or(f64::NAN)
}
