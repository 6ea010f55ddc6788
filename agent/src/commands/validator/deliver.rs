//! `validator deliver`: the finished dump goes where the validator app imports it from.
//!
//! No state is kept between the commands: the dump is checked again, whole, against the certificate.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::progress::Progress;
use svdr_dump::{Document, DumpWriter, MergeSummary};
use svdr_files::Replace;
use svdr_protocol::digest::Digest;
use svdr_protocol::text::shown;
use svdr_protocol::time::Timestamp;

use super::delivery::DeliverWay;
use super::error::ValidatorError;
use super::proof::ProofArgs;
use crate::commands::args::delivery::DeliveryArgs;
use crate::commands::args::input::{self, InputError};
use crate::config::AgentConfig;
use crate::deliver::DeliverError;
use crate::validator::{Recovery, RecoveryError};

/// Arguments of `validator deliver`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent validator deliver dump.json --certificate certificate.jsonl --set pod=validator-app-0\n  \
    svdr-agent validator deliver dump.json --certificate certificate.jsonl --to /volume/dump.json\n\n\
    Checks the whole dump against the certificate again. Exit code 3 in a drill, and if the dump is not that of the \
    certificate.")]
pub struct ValidatorDeliverArgs {
    /// The dump that `validator dump` made
    #[arg(value_name = "DUMP")]
    pub dump: PathBuf,
    /// Roster and certificate
    #[command(flatten)]
    pub proof: ProofArgs,
    /// Target of the delivery
    #[command(flatten)]
    pub delivery: DeliveryArgs,
    /// Replace the target if it exists
    #[arg(long)]
    pub force: bool,
}

/// What is printed.
#[derive(Serialize)]
struct ValidatorDelivered {
    session: String,
    round: u32,
    recovery_timestamp: Timestamp,
    migration_id: u64,
    dump: Digest,
    size: u64,
    from: PathBuf,
    to: Option<PathBuf>,
    command: Option<Vec<String>>,
}

/// Delivers the dump, and prints where to.
///
/// # Errors
/// If nothing was delivered.
pub(super) fn run(args: &ValidatorDeliverArgs, output: Output) -> Result<(), Failure> {
    let config = AgentConfig::load(args.proof.config.as_deref())?;
    let proof = args.proof.proof(&config, false).map_err(|failure| match failure.error().downcast_ref() {
        Some(RecoveryError::Drill { session }) => DeliverError::Drill { session: *session }.into(),
        _ => failure,
    })?;
    let path = std::path::absolute(&args.dump)
        .map_err(|source| ValidatorError::Absolute { path: args.dump.clone(), source })?;
    let way = DeliverWay::of(&args.delivery, &config, &proof.recovery, &path)?;
    let dump = checked(&args.dump, &proof.recovery)?;
    proof.confirm(Some(&way.words()), args.delivery.yes)?;
    way.deliver(&proof.recovery, path.clone(), &dump, Replace::from_force(args.force))?;
    let (to, command) = way.target();
    let delivered = ValidatorDelivered {
        session: proof.recovery.round().session.to_string(),
        round: proof.recovery.round().round,
        recovery_timestamp: proof.recovery.recovery_timestamp(),
        migration_id: proof.recovery.migration_id(),
        dump: dump.sha256,
        size: dump.size,
        from: path,
        to: to.cloned(),
        command: command.cloned(),
    };
    let printed = output.show(&delivered, || shown(&way.next(&proof.recovery)));
    Ok(printed.map_err(|error| error.after("the dump is delivered"))?)
}

/// Reads the dump, whole.
fn checked(path: &Path, recovery: &Recovery) -> Result<MergeSummary, InputError> {
    let (file, metadata) = input::open(Document::ValidatorDump, path, None)?;
    let progress = Progress::bytes("checking the dump", Some(metadata.len()));
    let checked = DumpWriter::check(recovery.expectations(), std::io::sink())
        .and_then(|writer| writer.read(file, |bytes| progress.advance(bytes)));
    checked.map_err(|source| InputError::Content { path: path.to_owned(), source })
}
