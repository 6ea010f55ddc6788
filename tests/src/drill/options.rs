//! What can be chosen for a drill.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// A rehearsal of a network-wide recovery on this machine, with made-up SVs and the real programs.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "drill",
    max_term_width = 110,
    after_help = "Examples:\n  \
    drill                                   one SV lags behind, and two did not agree for a minute\n  \
    drill --pruned --svs 13                 the SV apps of some cannot serve the first proposal's time\n  \
    drill --vouch --lagging                 one SV's logs are lost, and another one lags behind\n  \
    drill --large --faults                  dumps come through the SV apps' own volumes, in spite of everything\n  \
    drill --validators 3                    validators make their dumps by the certificate that comes out\n  \
    drill --left-behind 2 --svs 7           two SVs are left behind, and recover with a donor's snapshot\n  \
    drill --chaos 7                         processes and connections die while the session goes on\n  \
    drill --serve --keep practice           SV apps and files to practise docs/session.md with, by hand\n\n\
    Without --lagging, --left-behind, --mismatch, --pruned and --vouch it is --lagging --mismatch=healed. Ends with 0 where the session \
    came out as the protocol promises, and with 1 where it did not."
)]
pub struct Options {
    /// How many SVs
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=40))]
    pub svs: u16,
    /// One SV's participant got stuck a while before the end: it is left behind
    #[arg(long)]
    pub lagging: bool,
    /// So many SVs' participants got stuck: they are left behind, and recover with the snapshot that another SV donates,
    /// over a connection that is cut in the middle
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=39), conflicts_with_all = ["offline", "lagging"])]
    pub left_behind: Option<u16>,
    /// The participants of two SVs did not agree shortly before the end: until the next tick, or from then on
    #[arg(long, value_name = "UNTIL", num_args = 0..=1, require_equals = true, default_missing_value = "healed")]
    pub mismatch: Option<Mismatch>,
    /// SV apps answer 400 for the first proposal's timestamp: as many as it takes for a second round
    #[arg(long, conflicts_with = "offline")]
    pub pruned: bool,
    /// One SV's logs are lost: the others' matches with it stand in for them
    #[arg(long, conflicts_with = "offline")]
    pub vouch: bool,
    /// The snapshots are too large for one answer: the SV apps write their dumps into their own volumes, and the agents
    /// take them from there
    #[arg(long)]
    pub large: bool,
    /// So many validators follow once the session is completed; of several, the last one's app is pruned beyond its time
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with_all = ["offline", "serve"],
        value_parser = clap::value_parser!(u16).range(0..=20))]
    pub validators: u16,
    /// Let the SV apps fail in every way that can be tried again: resets, torn bodies, 503, a proxy's HTML
    #[arg(long)]
    pub faults: bool,
    /// Kill and restart processes, cut and delay connections and let SV apps fail, from the opening of the session until
    /// it is verified, all decided by this seed
    #[arg(long, value_name = "SEED", conflicts_with = "offline")]
    pub chaos: Option<u64>,
    /// Do what each node can do by itself, without a coordinator: evidence, propose, dump and merge
    #[arg(long)]
    pub offline: bool,
    /// Only prepare everything and let the SV apps run until stopped, to practise a session by hand
    #[arg(long, conflicts_with_all = ["offline", "chaos"], requires = "keep")]
    pub serve: bool,
    /// With --serve: where the coordinator will listen; donors get the ports after it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7443", requires = "serve")]
    pub listen: SocketAddr,
    /// Start this program as svdr-agent, instead of the one that the drill contains
    #[arg(long, value_name = "PROGRAM")]
    pub agent: Option<PathBuf>,
    /// Start this program as svdr-coordinator, instead of the one that the drill contains
    #[arg(long, value_name = "PROGRAM", conflicts_with = "offline")]
    pub coordinator: Option<PathBuf>,
    /// Keep all files in this folder, which must be new or empty
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    /// Megabytes of log each SV's participant has written
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub log_megabytes: u32,
    /// Megabytes of active contracts in each SV app's snapshot
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub snapshot_megabytes: u32,
    /// The same seed makes the same snapshots, and the same logs but for their times, which end now
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print every line that the agents log, instead of a table or a choice of them
    #[arg(long)]
    pub lines: bool,
}

/// How long two participants did not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mismatch {
    /// For one tick: the next one was equal again.
    Healed,
    /// Until the end.
    Standing,
}
