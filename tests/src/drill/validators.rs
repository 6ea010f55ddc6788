//! Validators follow what the SVs have completed: with stand-ins for their apps, and the real program.
//!
//! Each is an observer of the roster. The first one fetches the certificate from the coordinator, the others take the
//! file that it publishes. Of several, the last one's app is pruned beyond the time, and has to be told what to do.

use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use svdr_protocol::time::Timestamp;

use super::board::{Board, PUBLISHED};
use super::command::{Program, heading};
use super::network::{MIGRATION_ID, Network, failed, fault};
use super::session::{Held, roster};
use super::steps::{Chosen, RETRY_FOR, text, unexpected};
use super::{DrillError, Options};
use crate::members::SYNCHRONIZER;
use crate::sv_app::document::{self, Flaw, SnapshotShape};
use crate::sv_app::{self, Kind, StandIn, validator};

/// Between two looks whether the certificate is published.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest that it may take: far more than the second that it takes.
const LIMIT: Duration = Duration::from_secs(120);
/// Dumps of snapshots up to this size, in megabytes, are compared as JSON documents, in memory.
const COMPARED_MEGABYTES: u32 = 64;

fn name(number: u16) -> String {
    format!("Example-Validator-{number}")
}

/// Every validator makes a key; their entries for the roster.
pub(super) fn observers(network: &Network, options: &Options) -> Result<String, DrillError> {
    let mut entries = String::new();
    for name in (1..=options.validators).map(name) {
        let folder = network.folder.join(&name);
        fs::create_dir_all(&folder).map_err(failed(&folder, "making the folder"))?;
        let key = format!("{name}/observer.key");
        let new = ["key", "new", "--out", &key, "--output", "json"];
        Program::agent(&network.folder, &new).run(0)?;
        let shown = Program::agent(&network.folder, &["key", "show", &key]).json(0)?;
        let key = text(&shown, "/public_key")?;
        entries += &format!("\n[[observer]]\nname = \"{name}\"\nkey = \"{key}\"\n");
    }
    Ok(entries)
}

/// One validator, with its app.
struct Follower {
    name: String,
    app: StandIn,
    is_pruned: bool,
}

/// Every validator makes its dump by the certificate; what happened, in words.
pub(super) fn follow(
    network: &Network,
    board: &Board,
    options: &Options,
    held: &Held,
    chosen: &Chosen,
) -> Result<String, DrillError> {
    heading("The validators follow what the SVs have completed");
    let roster = roster(network)?;
    say!("    the SVs read out: {}", roster.spoken_fingerprint().join(" "));
    let certificate = published(network, &held.session)?;
    let fingerprint = roster.fingerprint().to_string();
    let mut pruned = None;
    for number in 1..=options.validators {
        let follower = start(network, board, options, number, chosen.recovery_timestamp)?;
        let [config, out] = ["agent.toml", "dump.json"].map(|file| format!("{}/{file}", follower.name));
        let mut args = vec!["validator", "dump", "--config", &config, "--out", &out];
        args.extend(["--fingerprint", &fingerprint, "--retry-for", RETRY_FOR]);
        match number {
            1 => args.extend(["--session", &held.session]),
            _ => args.extend(["--certificate", &certificate]),
        }
        let agent = Program::agent(&network.folder, &args);
        if follower.is_pruned {
            let said = agent.show(4)?.stderr;
            if !said.contains("from the backup of its node identities") {
                return Err(unexpected(
                    "what a pruned validator is told",
                    "re-onboard this validator",
                    &said,
                ));
            }
            pruned = Some(follower.name);
            continue;
        }
        let report = agent.show_json(0)?;
        check(network, options, chosen, &follower, &out, &report)?;
        say!("    {out}  private, complete, and the value that its app answered with");
    }
    Ok(told(options, pruned.as_deref(), chosen.recovery_timestamp))
}

/// Waits for the certificate that the coordinator publishes; its path from the drill's folder.
fn published(network: &Network, session: &str) -> Result<String, DrillError> {
    let path = format!("{PUBLISHED}/{session}.certificate.jsonl");
    let began = Instant::now();
    while !network.folder.join(&path).exists() {
        if began.elapsed() > LIMIT {
            return Err(unexpected("what the coordinator publishes", &path, "nothing"));
        }
        thread::sleep(PAUSE);
    }
    say!("    the coordinator publishes {path}");
    Ok(path)
}

/// Starts a validator's app, and writes its configuration.
fn start(
    network: &Network,
    board: &Board,
    options: &Options,
    number: u16,
    timestamp: Timestamp,
) -> Result<Follower, DrillError> {
    let name = name(number);
    let is_pruned = number > 1 && number == options.validators;
    let hash = hex::encode(Sha256::digest(name.as_bytes()));
    let participant = format!("PAR::{name}::1220{hash}");
    let seed = options.seed.wrapping_add(1000 + u64::from(number));
    let later = Timestamp::from_micros(timestamp.micros() + 1_000_000);
    let app = StandIn::start(sv_app::Options {
        kind: Kind::Validator,
        snapshot: SnapshotShape::with_acs(seed, u64::from(options.snapshot_megabytes) * 1_000_000),
        identities: document::identities(&name, &participant, SYNCHRONIZER, seed),
        migration_id: MIGRATION_ID,
        pruned_until: later.filter(|_| is_pruned),
        faults: if options.faults && !is_pruned { vec![fault(usize::from(number))] } else { Vec::new() },
        ..sv_app::Options::default()
    })
    .map_err(|source| DrillError::StandIn { member: name.clone(), source })?;
    let config = format!(
        "roster = \"../roster.toml\"\n\n[signing]\nkey = \"observer.key\"\n\n[[coordinator]]\nurl = \"{}\"\nkey = \"{}\"\n\n\
         [validator_app]\nurl = \"{}\"\ntoken_file = \"token\"\nca_file = \"ca.pem\"\n",
        board.url(),
        board.key,
        app.url()
    );
    let files =
        [("agent.toml", config), ("token", app.options().token.clone()), ("ca.pem", pem(&app).to_owned())];
    for (file, content) in files {
        let path = network.folder.join(&name).join(file);
        svdr_files::write_private(&path, content.as_bytes(), svdr_files::Replace::Never)
            .map_err(std::io::Error::other)
            .map_err(failed(&path, "writing the file"))?;
    }
    Ok(Follower { name, app, is_pruned })
}

fn pem(app: &StandIn) -> &str {
    app.ca_pem().unwrap_or_default()
}

/// The dump is private, what was said of it, and the value that the app answered with.
fn check(
    network: &Network,
    options: &Options,
    chosen: &Chosen,
    follower: &Follower,
    out: &str,
    report: &Value,
) -> Result<(), DrillError> {
    let path: PathBuf = network.folder.join(Path::new(out));
    let reading = failed(&path, "reading the dump");
    let mode = fs::metadata(&path).map_err(&reading)?.permissions().mode() & 0o7777;
    let bytes = fs::read(&path).map_err(&reading)?;
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
    let time = chosen.recovery_timestamp.to_string();
    for (what, expected, found) in [
        ("mode", "0600", format!("{mode:04o}")),
        ("digest", digest.as_str(), text(report, "/sha256")?),
        ("time", time.as_str(), text(report, "/timestamp")?),
    ] {
        if expected != found {
            return Err(unexpected(&format!("the {what} of {out}"), expected, &found));
        }
    }
    if options.snapshot_megabytes > COMPARED_MEGABYTES {
        return Ok(());
    }
    let json = |error: serde_json::Error| unexpected(out, "JSON", &error.to_string());
    let found: Value =
        serde_json::from_reader(BufReader::new(File::open(&path).map_err(&reading)?)).map_err(json)?;
    let app = follower.app.options();
    let expected: Vec<u8> = validator::dump(
        app.snapshot,
        chosen.recovery_timestamp,
        MIGRATION_ID + 1,
        Flaw::Sound,
        &app.identities,
    )
    .flatten()
    .collect();
    let expected: Value = serde_json::from_slice(&expected).map_err(json)?;
    if found == expected {
        Ok(())
    } else {
        Err(unexpected(out, "the app's data_snapshot", "another document"))
    }
}

fn told(options: &Options, pruned: Option<&str>, timestamp: Timestamp) -> String {
    let made = usize::from(options.validators) - usize::from(pruned.is_some());
    let mut told = format!(
        "{made} of {} validators followed to {timestamp} by the completion certificate: the first as an observer of the \
         coordinator, any others by the file that it publishes.",
        options.validators
    );
    if let Some(name) = pruned {
        told += &format!(
            " {name}'s participant is pruned beyond that time: it has to be re-onboarded from the backup of its node identities, and \
             was told how."
        );
    }
    told
}
