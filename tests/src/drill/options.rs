//! What can be chosen for a drill.

use std::path::PathBuf;

use clap::Parser;

/// A rehearsal of a network-wide recovery on this machine, with made-up SVs and the real svdr-agent.
#[derive(Clone, Debug, Parser)]
#[command(name = "drill", max_term_width = 110)]
pub struct Options {
    /// How many SVs
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=40))]
    pub svs: u16,
    /// Megabytes of log each SV's participant has written
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub log_megabytes: u32,
    /// Megabytes of active contracts in each SV app's snapshot
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub snapshot_megabytes: u32,
    /// Let the SV apps fail in every way that can be tried again: resets, torn bodies, 503, a proxy's HTML
    #[arg(long)]
    pub faults: bool,
    /// Do what each node can do by itself, without a coordinator: scan, propose, dump and merge
    #[arg(long)]
    pub offline: bool,
    /// Kill and restart processes and cut connections while the session goes on, all decided by this seed
    #[arg(long, value_name = "SEED", conflicts_with = "offline")]
    pub chaos: Option<u64>,
    /// Keep all files in this folder, which must be new or empty
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    /// The same seed makes the same logs and snapshots
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}
