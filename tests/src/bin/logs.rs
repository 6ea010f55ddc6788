//! Writes a participant's log of a given size, for benchmarks and for trying things out.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ed25519_dalek::SigningKey;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::time::Timestamp;
use svdr_tests::log_writer::traffic::{Outcome, Traffic};
use svdr_tests::log_writer::{Format, LogWriter, Style};
use svdr_tests::members::{SYNCHRONIZER, members, roster_toml};

/// Writes a participant's log, and the roster that fits it.
#[derive(Parser)]
struct Args {
    /// How it is written down
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Its size, in bytes; it ends with the first line beyond
    #[arg(long, default_value_t = 100_000_000)]
    bytes: u64,
    /// The same seed makes the same log
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Members of the roster; the log is the first one's
    #[arg(long, default_value_t = 13)]
    members: usize,
    /// Participants outside of the roster
    #[arg(long, default_value_t = 400)]
    others: usize,
    /// Reconciliation interval, in seconds
    #[arg(long, default_value_t = 600)]
    interval: i64,
    /// Other lines for each line about a commitment
    #[arg(long, default_value_t = 30)]
    chatter: usize,
    /// Spread over so many days, by the number of other lines; takes the place of --chatter
    #[arg(long)]
    days: Option<u64>,
    /// Where it starts
    #[arg(long, default_value = "2026-04-14T00:00:00Z")]
    start: Timestamp,
    /// The container's distance from UTC, in minutes
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    zone: i64,
    /// Where the roster is written, if anywhere
    #[arg(long)]
    roster: Option<PathBuf>,
    /// Where the log is written
    out: PathBuf,
}

/// A line of text has so many bytes in the mean.
const LINE_BYTES: u64 = 282;

fn main() -> ExitCode {
    match write(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Stops the traffic once the log is long enough.
enum Stop {
    Enough,
    Failed(io::Error),
}

/// Counts what goes through.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A public key for the member at `place`; nobody needs the private one.
fn key(place: usize) -> String {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&place.to_be_bytes());
    PublicKey::from(SigningKey::from_bytes(&seed).verifying_key()).to_string()
}

fn write(args: &Args) -> io::Result<()> {
    let everyone = members(args.members + args.others);
    let (own, others) = everyone.split_first().ok_or_else(|| io::Error::other("a log needs a member"))?;
    if let Some(path) = &args.roster {
        let keys: Vec<String> = (0..args.members).map(key).collect();
        // There are as many, and the others.
        std::fs::write(path, roster_toml(&everyone[..args.members], &keys))?;
    }
    let ticks = args.days.map(|days| days * 86_400 / args.interval.unsigned_abs().max(1));
    let chatter = match ticks {
        // Two lines about a commitment for each participant at each tick, and the rest between them.
        Some(ticks) => {
            let pairs = 2 * others.len() as u64 * ticks.max(1);
            usize::try_from(args.bytes / LINE_BYTES / pairs.max(1)).unwrap_or(usize::MAX)
        }
        None => args.chatter,
    };
    let traffic = Traffic {
        seed: args.seed,
        own: own.participant.clone(),
        synchronizer: SYNCHRONIZER.to_owned(),
        senders: others.iter().map(|other| other.participant.clone()).collect(),
        start: args.start.micros(),
        interval_seconds: args.interval,
        ticks: usize::MAX,
        chatter,
    };
    let out = Counted { out: BufWriter::with_capacity(1 << 20, File::create(&args.out)?), bytes: 0 };
    let style = Style { zone_minutes: args.zone, ..Style::new(args.format) };
    let mut log = LogWriter::new(out, style);
    let result = traffic.entries(
        |_, _| Outcome::Match,
        |entry| {
            log.write(entry).map_err(Stop::Failed)?;
            if log.get_ref().bytes >= args.bytes { Err(Stop::Enough) } else { Ok(()) }
        },
    );
    match result {
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::Enough) | Ok(()) => log.finish().map(|_| ()),
    }
}
