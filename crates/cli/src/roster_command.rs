//! `roster check`: is this roster usable, and is it the one that everybody has?

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::output::{self, Output};
use clap::{Args, Subcommand};
use serde::Serialize;
use svdr_protocol::roster::{Roster, governance_threshold};

use crate::failure::Failure;
use crate::roster_file;

/// What can be done with a roster.
#[derive(Debug, Subcommand)]
pub enum RosterCommand {
    /// Report every mistake in a roster, or its members, threshold and fingerprint
    Check(RosterCheckArgs),
}

/// Arguments of `roster check`.
#[derive(Debug, Args)]
#[command(after_help = "Example: roster check roster.toml\n\n\
    Every operator runs this before joining a session; all must read out the same twelve words.")]
pub struct RosterCheckArgs {
    /// The roster
    pub roster: PathBuf,
}

#[derive(Serialize)]
struct RosterDocument<'a> {
    network: &'a str,
    synchronizer: String,
    threshold: usize,
    governance_threshold: usize,
    fingerprint: String,
    spoken_fingerprint: String,
    members: Vec<DocumentMember>,
    observers: Vec<DocumentObserver>,
}

#[derive(Serialize)]
struct DocumentMember {
    name: String,
    participant: String,
    key: String,
    convener: bool,
}

#[derive(Serialize)]
struct DocumentObserver {
    name: String,
    key: String,
}

/// Checks a roster and prints it.
///
/// # Errors
/// Every mistake in it.
pub fn run(command: &RosterCommand, output: Output) -> Result<(), Failure> {
    let RosterCommand::Check(args) = command;
    let roster = roster_file::read(&args.roster)?;
    Ok(output.show(&document(&roster), || text(&roster))?)
}

fn document(roster: &Roster) -> RosterDocument<'_> {
    RosterDocument {
        network: roster.network(),
        synchronizer: roster.synchronizer().to_string(),
        threshold: roster.threshold(),
        governance_threshold: governance_threshold(roster.members().len()),
        fingerprint: roster.fingerprint().to_string(),
        spoken_fingerprint: roster.spoken_fingerprint().join(" "),
        members: roster
            .members()
            .iter()
            .map(|member| DocumentMember {
                name: member.name.to_string(),
                participant: member.participant.to_string(),
                key: member.key.to_string(),
                convener: member.convener,
            })
            .collect(),
        observers: roster
            .observers()
            .iter()
            .map(|one| DocumentObserver { name: one.name.to_string(), key: one.key.to_string() })
            .collect(),
    }
}

fn text(roster: &Roster) -> String {
    let members = roster.members();
    let mut table = output::table(&["member", "participant, as logs show it", "convener"]);
    for member in members {
        let convener = if member.convener { "yes" } else { "" };
        table.add_row([member.name.to_string(), member.participant.in_logs(), convener.to_owned()]);
    }
    let least = governance_threshold(members.len());
    let kind = if roster.threshold() == least { "the governance threshold" } else { "set in the roster" };
    // Writing to a string cannot fail, here and below.
    let mut text = String::new();
    let _ = writeln!(text, "network       {}", roster.network());
    let _ = writeln!(text, "synchronizer  {}", roster.synchronizer());
    let _ = writeln!(text, "threshold     {} of {} members ({kind})", roster.threshold(), members.len());
    let _ = writeln!(text, "observers     {}", roster.observers().len());
    let _ = writeln!(text, "\n{table}\n");
    let _ = writeln!(text, "fingerprint   {}", roster.fingerprint());
    let _ = writeln!(text, "read aloud:\n");
    for line in roster.spoken_fingerprint().chunks(6) {
        let _ = writeln!(text, "    {}", line.join(" "));
    }
    text
}
