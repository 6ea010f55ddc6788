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
use load::Load;

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
    let each = options.statements.div_ceil(options.clients * ROUNDS);
    let (mut accepted, mut ranges, mut disks, mut flushes, mut work) =
        (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let measured = load.submit(each)?;
        accepted.push(measured.rate);
        flushes.push(measured.statements_a_flush);
        work.push(measured.processor_micros);
        ranges.push(Append::new(Reach::AsSledFlushes)?.rate(&record)?);
        disks.push(Append::new(Reach::Disk)?.rate(&record)?);
    }
    let [accepted, ranges, disks, flushes, work] = [accepted, ranges, disks, flushes, work].map(median);
    let rate = |rate: f64| format!("{rate:.0}/s");
    let clients = options.clients;
    row(&format!("statements accepted, {clients} clients at once"), &rate(accepted), "")?;
    row("of them with one flush", &format!("{flushes:.0}"), "")?;
    row("processor time of the coordinator for each", &format!("{work:.0} µs"), "")?;
    row("bare sled appends, `fdatasync` after each `flush`", &rate(disks), "")?;
    row("bare sled appends, `flush` each, which does not reach the disk", &rate(ranges), "")?;
    row("statements to appends on disk", &format!("{:.1}", accepted / disks), "at least 5")?;
    row("statements to appends with `flush`", &format!("{:.1}", accepted / ranges), "")?;
    let starts = (0..STARTS).map(|_| load.restart()).collect::<Result<Vec<_>, _>>()?;
    let total = starts.iter().map(|(statements, _)| *statements).max().unwrap_or_default();
    let took = median(starts.iter().map(|(_, took)| took.as_secs_f64()).collect());
    row(&format!("start on a journal of {total} statements"), &seconds(took), "under 10 s")
}

fn row(what: &str, measured: &str, aim: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout(), "| {what} | {measured} | {aim} |")?)
}

fn seconds(took: f64) -> String {
    format!("{took:.2} s")
}

fn median(mut measured: Vec<f64>) -> f64 {
    measured.sort_by(f64::total_cmp);
    measured.get(measured.len() / 2).copied().unwrap_or(f64::NAN)
}
