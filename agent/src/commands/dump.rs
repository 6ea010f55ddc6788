//! `dump`: one data snapshot from the SV app, merged with the backup of the node identities while it arrives.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::runtime;
use svdr_cli::signing_key;
use svdr_dump::{Identities, Parts};
use svdr_files::{PrivateFile, PrivateFolder, Replace};
use svdr_protocol::span;
use svdr_protocol::time::Timestamp;

use super::args::node_identities::{self, NodeIdentitiesArgs};
use super::args::sv_app::{self, Resolved, SvAppArgs};
use crate::config::{AgentConfig, ConfigError};
use crate::operator::dump_summary;
use crate::roster_file;
use crate::sources::fetch::{self, Handover, Mode, Request, RequestContent, SvDump};
use crate::sources::volume::{DUMP_FILE, set_folder};
use svdr_client::retry::RetryPolicy;

/// Threads that run the network: one download, and what watches for signals. Merging has a thread of its own.
const NETWORK_THREADS: usize = 2;

/// Arguments of `dump`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent dump --timestamp 2026-04-21T23:10:00Z --out domain_migration_dump.json\n  \
    svdr-agent dump --timestamp 2026-04-21T23:10:00Z --out dump.json --url http://sv-app.sv:5014/api/sv \\\n      \
    --token-file token --migration-id 6 --node-identities identities.json\n  \
    svdr-agent dump --timestamp 2026-04-21T23:10:00Z --out dump --mode trigger --dump-dir /mnt/sv-dump\n\n\
    Reads [sv_app] and [node_identities] of agent.toml. Exit code 4 if the SV app cannot serve the \
    timestamp: it is pruned beyond the timestamp (400), or has not caught up to it (429). HTTPS_PROXY, HTTP_PROXY and \
    NO_PROXY are honoured.\n\n\
    A dump that the app writes into its volume has several files: --out, without .json, is then their folder.")]
pub struct DumpArgs {
    /// The recovery timestamp, in RFC 3339 with Z
    #[arg(long, value_name = "TIME")]
    pub timestamp: Timestamp,
    /// The migration dump to write, or the folder of a dump in several files
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the output if it exists
    #[arg(long)]
    pub force: bool,
    /// The agent's configuration [default: agent.toml]
    #[arg(long, value_name = "FILE", env = "SVDR_CONFIG")]
    pub config: Option<PathBuf>,
    /// How long to retry after errors that may pass, without the time in which a snapshot arrives; 0s for one try
    #[arg(long, value_name = "SPAN", env = "SVDR_RETRY_FOR", value_parser = span::parse, default_value = "10m")]
    pub retry_for: Duration,
    /// Also digest the active contracts, the genesis state and each DAR, to compare them with other members
    #[arg(long)]
    pub part_digests: bool,
    /// The backup of the node identities
    #[command(flatten)]
    pub node_identities: NodeIdentitiesArgs,
    /// How to reach the SV app
    #[command(flatten)]
    pub sv_app: SvAppArgs,
}

/// Takes the dump, and prints what came out.
///
/// # Errors
/// If there is no dump; the output is then as it was before.
pub fn run(args: &DumpArgs, output: Output) -> Result<(), Failure> {
    let config = AgentConfig::load(args.config.as_deref())?;
    let (resolved, identities) = resolve(args, &config)?;
    let replace = Replace::from_force(args.force);
    // Everything on this machine is looked at before the first request: what is wrong with it is known at once.
    let age_identity = args.node_identities.age_identity(&config);
    let read = |path: &PathBuf| node_identities::read(path, age_identity, Some(&args.out));
    let identities = identities.as_ref().map(read).transpose()?;
    let handover = resolved.handover;
    let volume_only = matches!(handover, Handover::Volume(_));
    if !volume_only {
        drop(PrivateFile::create(&args.out, replace)?);
    }
    if handover.volume().is_some() {
        drop(PrivateFolder::create(set_folder(&args.out), replace, DUMP_FILE)?);
    }
    let participant = participant(&config, identities.as_ref());
    if participant.is_none() && volume_only {
        tracing::warn!(
            "the participant of this SV is unknown, because there is no roster with a signing key and no \
             backup of the node identities. The owner of the identities in the dump is not checked"
        );
    }
    let request = Request {
        content: RequestContent::SvDump(SvDump {
            identities: identities.map(Arc::new),
            handover,
            participant,
        }),
        timestamp: args.timestamp,
        migration_id: resolved.migration_id,
        request_migration_id: resolved.request_migration_id,
        parts: if args.part_digests { Parts::Digest } else { Parts::Skip },
        out: args.out.clone(),
        replace,
        received: Arc::default(),
    };
    let policy = RetryPolicy::lasting(args.retry_for);
    let left = "no dump was made, and nothing was left behind";
    let made = runtime::until_stopped(NETWORK_THREADS, left, async {
        let app = sv_app::connect(resolved.settings).await?;
        Ok(fetch::fetch(&app, &request, policy).await?)
    })?;
    Ok(dump_summary::print(&made.path, &made.summary, output)?)
}

/// This SV's participant: as the roster has it, or else as the backup of the node identities says.
fn participant(config: &AgentConfig, identities: Option<&Identities>) -> Option<String> {
    let rostered = || {
        let roster = roster_file::read(config.roster.as_deref()?).ok()?;
        let key = signing_key::read(config.signing_key.as_deref()?).ok()?;
        let member = roster.member_by_key(&key.verifying_key().into())?;
        Some(member.participant.to_string())
    };
    rostered().or_else(|| identities.and_then(Identities::participant).map(str::to_owned))
}

/// The settings of flags and file together, and the backup of the node identities.
fn resolve(args: &DumpArgs, config: &AgentConfig) -> Result<(Resolved, Option<PathBuf>), ConfigError> {
    let mut missing = Vec::new();
    let resolved = args.sv_app.resolve(config, &mut missing)?;
    // The app's own dump holds them: then they are used where they are, and not missed where they are not.
    let mut lacking = Vec::new();
    let identities = args.node_identities.path(config, &mut lacking);
    if args.sv_app.mode(config) != Mode::Trigger {
        missing.append(&mut lacking);
    }
    match resolved {
        Some(resolved) if missing.is_empty() => Ok((resolved, identities)),
        _ => Err(ConfigError::Missing { missing }),
    }
}
