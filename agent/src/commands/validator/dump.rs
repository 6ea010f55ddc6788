//! `validator dump`: the value of `data_snapshot` in what the validator app answers, for the certificate's time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::runtime;
use svdr_dump::{MergeSummary, Parts};
use svdr_files::{PrivateFile, Replace};
use svdr_protocol::digest::Digest;
use svdr_protocol::span;
use svdr_protocol::text::shown;

use super::delivery::DeliverWay;
use super::error::ValidatorError;
use super::proof::{Proof, ProofArgs};
use crate::commands::args::delivery::DeliveryArgs;
use crate::commands::args::sv_app::{self, App as _, AppArgs, OfValidator};
use crate::config::{AgentConfig, ConfigError};
use crate::deliver::DeliverError;
use crate::operator::dump_summary;
use crate::sources::app::AppSettings;
use crate::sources::fetch::{self, Request, RequestContent};
use crate::validator::Recovery;
use svdr_client::retry::RetryPolicy;

/// Threads that run the network: one download, and what watches for signals. Writing has a thread of its own.
const NETWORK_THREADS: usize = 2;

/// Arguments of `validator dump`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent validator dump --roster roster.toml --certificate certificate.jsonl --out dump.json\n  \
    svdr-agent validator dump --roster roster.toml --certificate certificate.jsonl --out dump.json \\\n      \
    --fingerprint sha256:… --deliver --yes --set pod=validator-app-0\n  \
    svdr-agent validator dump --roster roster.toml --session 4f3a --out dump.json \\\n      \
    --coordinator https://dr.sv-1.example.com:7443 --coordinator-key ed25519:… --signing-key observer.key\n\n\
    svdr-coordinator session certificate or serve --publish writes the certificate. The roster alone verifies it, so \
    the roster must be that of the SVs: the command shows the roster's twelve words and asks whether they are the SVs'. \
    --fingerprint answers that question in a script. --yes does not: it only answers whether to deliver.\n\n\
    Reads [validator_app] of agent.toml: url, token_file or [validator_app.oauth2], ca_file, time-outs, and \
    [validator_app.deliver] with path or command. Examples:\n  \
    command = [\"kubectl\", \"cp\", \"{dump}\", \"validator/{pod}:/domain-upgrade-dump/domain_migration_dump.json\"]\n  \
    command = [\"docker\", \"run\", \"--rm\", \"-v\", \"domain-upgrade-dump:/volume\", \"-v\", \"{dump}:/dump.json:ro\",\n             \
    \"alpine\", \"cp\", \"/dump.json\", \"/volume/domain_migration_dump.json\"]\n\n\
    Exit code 3 if the certificate or the roster is invalid, or if the app returns another snapshot. Exit code 4 if \
    the app answers 400 or 429: the validator must be re-onboarded, and the message says how.")]
pub struct ValidatorDumpArgs {
    /// Roster and certificate
    #[command(flatten)]
    pub proof: ProofArgs,
    /// Rehearse: follow the certificate of a drill and deliver nothing
    #[arg(long)]
    pub drill: bool,
    /// The migration dump to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the output and the target of the delivery, if they exist
    #[arg(long)]
    pub force: bool,
    /// How long to retry after errors that may pass, without the time in which a snapshot arrives; 0s for one try
    #[arg(long, value_name = "SPAN", env = "SVDR_RETRY_FOR", value_parser = span::parse, default_value = "10m")]
    pub retry_for: Duration,
    /// Put the finished dump where the app imports it
    #[arg(long)]
    pub deliver: bool,
    /// Target of the delivery
    #[command(flatten)]
    pub delivery: DeliveryArgs,
    /// How to reach the validator app
    #[command(flatten)]
    pub app: AppArgs<OfValidator>,
    /// Ask the app for the certificate's migration id, instead of only checking that it is its own + 1
    #[arg(long, env = "SVDR_REQUEST_MIGRATION_ID", help_heading = OfValidator::NAMES.heading)]
    pub request_migration_id: bool,
}

/// What is printed.
#[derive(Serialize)]
struct ValidatorDumpReport<'a> {
    path: &'a PathBuf,
    session: String,
    round: u32,
    drill: bool,
    roster: Digest,
    #[serde(flatten)]
    summary: &'a MergeSummary,
    delivered_to: Option<&'a PathBuf>,
    delivered_by: Option<&'a Vec<String>>,
}

/// Makes the dump, delivers it where that is asked for, and prints what came out.
///
/// # Errors
/// If there is no dump, or it is not delivered; the output is then as it was before, unless it is the delivery that failed.
pub(super) fn run(args: &ValidatorDumpArgs, output: Output) -> Result<(), Failure> {
    let config = AgentConfig::load(args.proof.config.as_deref())?;
    let settings = settings(args, &config)?;
    let proof = args.proof.proof(&config, args.drill)?;
    if args.drill && args.deliver {
        return Err(DeliverError::Drill { session: proof.recovery.round().session }.into());
    }
    if !args.deliver && (args.delivery.to.is_some() || !args.delivery.set.is_empty()) {
        tracing::warn!("the dump is not delivered without --deliver; --to and --set are for that");
    }
    let replace = Replace::from_force(args.force);
    let out = std::path::absolute(&args.out)
        .map_err(|source| ValidatorError::Absolute { path: args.out.clone(), source })?;
    // Everything on this machine is looked at before the first question: what is wrong with it is known at once.
    drop(PrivateFile::create(&args.out, replace)?);
    let way = match args.deliver {
        true => Some(DeliverWay::of(&args.delivery, &config, &proof.recovery, &out)?),
        false => None,
    };
    proof.confirm(way.as_ref().map(DeliverWay::words).as_deref(), args.delivery.yes)?;
    let summary = fetched(args, settings, &proof, replace)?;
    if let Some(way) = &way {
        way.deliver(&proof.recovery, out, &summary, replace)?;
    }
    let (path, command) = way.as_ref().map(DeliverWay::target).unwrap_or_default();
    let report = ValidatorDumpReport {
        path: &args.out,
        session: proof.recovery.round().session.to_string(),
        round: proof.recovery.round().round,
        drill: proof.recovery.drill(),
        roster: proof.roster.fingerprint(),
        summary: &summary,
        delivered_to: path,
        delivered_by: command,
    };
    let printed = output.show(&report, || {
        let next = next(args, &proof.recovery, way.as_ref());
        format!("{}\n{}", dump_summary::text(&args.out, &summary), shown(&next))
    });
    Ok(printed.map_err(|error| error.after("the dump is complete"))?)
}

/// How to reach the app.
fn settings(args: &ValidatorDumpArgs, config: &AgentConfig) -> Result<AppSettings, ConfigError> {
    let mut missing = Vec::new();
    let settings = args.app.resolve(&config.validator.app, config, &mut missing)?;
    settings.ok_or(ConfigError::Missing { missing })
}

fn fetched(
    args: &ValidatorDumpArgs,
    settings: AppSettings,
    proof: &Proof,
    replace: Replace,
) -> Result<MergeSummary, Failure> {
    let recovery = &proof.recovery;
    let request = Request {
        content: RequestContent::ValidatorDump,
        timestamp: recovery.recovery_timestamp(),
        migration_id: recovery.migration_id(),
        request_migration_id: args.request_migration_id,
        parts: Parts::Skip,
        out: args.out.clone(),
        replace,
        received: Arc::default(),
    };
    let policy = RetryPolicy::lasting(args.retry_for);
    let left = "no dump was made, and nothing was left behind";
    runtime::until_stopped(NETWORK_THREADS, left, async {
        let app = sv_app::connect(settings).await?;
        let fetched = fetch::fetch(&app, &request, policy).await;
        fetched.map(|dump| dump.summary).map_err(|error| ValidatorError::of_fetch(error, recovery))
    })
}

/// What the operator does now.
fn next(args: &ValidatorDumpArgs, recovery: &Recovery, way: Option<&DeliverWay>) -> String {
    if recovery.drill() {
        return "This was a drill: the dump is not delivered. Do not import it.".to_owned();
    }
    match way {
        Some(way) => way.next(recovery),
        None => {
            let certificate = match &args.proof.certificate {
                Some(path) => format!("--certificate {}", path.display()),
                None => format!("--session {}", recovery.round().session),
            };
            format!(
                "The dump contains this validator's private keys. Next: svdr-agent validator deliver {} \
                 {certificate} (with the same roster and coordinator)",
                args.out.display()
            )
        }
    }
}
