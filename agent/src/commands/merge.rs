//! `merge`: the migration dump out of two files, for runbooks that took the snapshot by other means.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use svdr_cli::failure::Failure;
use svdr_cli::output::Output;
use svdr_cli::progress::Progress;
use svdr_dump::{
    CheckedFile, Document, DumpWriter, Expectations, MergeError, MergeSummary, Parts, Payload,
    PayloadFileError, PayloadPart,
};
use svdr_files::{PrivateFile, Replace};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::time::Timestamp;

use super::args::input::{self, InputError};
use super::args::node_identities;
use crate::operator::dump_summary;

/// Arguments of `merge`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    svdr-agent merge --node-identities identities.json --data snapshot.json \\\n      \
    --timestamp 2026-04-21T23:10:00Z --out domain_migration_dump.json\n  \
    curl … | svdr-agent merge --node-identities identities.json --data - \\\n      \
    --timestamp 2026-04-21T23:10:00Z --migration-id 6 --out domain_migration_dump.json\n\n\
    The result is that of `jq -s add` on the two files, checked, with mode 0600. The file appears when it is complete. \
    The form of the backup is detected automatically. Exit code 3 if one of the documents is refused.")]
pub struct MergeArgs {
    /// The backup of the node identities, plaintext or encrypted with age. Contains private keys
    #[arg(long, value_name = "FILE")]
    pub node_identities: PathBuf,
    /// The age identity that decrypts the backup, as age-keygen writes it
    #[arg(long, value_name = "FILE", env = "SVDR_AGE_IDENTITY")]
    pub age_identity: Option<PathBuf>,
    /// The data snapshot, as the SV app's data-snapshot returns it; - for standard input
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// The recovery timestamp in RFC 3339 with Z, which must be that of the snapshot
    #[arg(long, value_name = "TIME")]
    pub timestamp: Timestamp,
    /// The new migration id, which must be that of the snapshot
    #[arg(long, value_name = "N")]
    pub migration_id: Option<u64>,
    /// Also digest the active contracts, the genesis state and each DAR, to compare them with other members
    #[arg(long)]
    pub part_digests: bool,
    /// The folder of the payload files that the snapshot names; each must exist and be complete
    #[arg(long, value_name = "DIR")]
    pub payload_files: Option<PathBuf>,
    /// The migration dump to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the output if it exists
    #[arg(long)]
    pub force: bool,
}

/// Why there is no dump, as far as no other error says it.
#[derive(Debug, thiserror::Error)]
enum MergeCommandError {
    #[error("the payload file {} cannot be used", path.display())]
    PayloadFile { path: PathBuf, source: PayloadFileError },
    #[error(
        "{data} gives {named:?} as the path of a payload file, which is the path of no file\nhelp: take the snapshot again",
        data = data.display()
    )]
    NoFile { data: PathBuf, named: String },
}

impl CommandError for MergeCommandError {
    fn exit(&self) -> Exit {
        match self {
            MergeCommandError::PayloadFile { source: PayloadFileError::Chunks(_), .. }
            | MergeCommandError::NoFile { .. } => Exit::Refused,
            MergeCommandError::PayloadFile { .. } => Exit::Failed,
        }
    }
}

/// Merges, and prints what came out.
///
/// # Errors
/// If there is no dump; the output is then as it was before.
pub fn run(args: &MergeArgs, output: Output) -> Result<(), Failure> {
    let identities =
        node_identities::read(&args.node_identities, args.age_identity.as_deref(), Some(&args.out))?;
    let data = match args.data.as_os_str().as_encoded_bytes() {
        b"-" => None,
        _ => Some(input::open(Document::Snapshot, &args.data, Some(&args.out))?),
    };
    let mut out = PrivateFile::create(&args.out, Replace::from_force(args.force))?;
    let len = data.as_ref().and_then(|(_, metadata)| metadata.is_file().then_some(metadata.len()));
    let source: Box<dyn Read> = match data {
        Some((file, _)) => Box::new(file),
        None => Box::new(io::stdin().lock()),
    };
    let expectations = Expectations { timestamp: args.timestamp, migration_id: args.migration_id };
    let parts = if args.part_digests { Parts::Digest } else { Parts::Skip };
    let progress = Progress::bytes("merging", len);
    let mut summary = DumpWriter::merge(&identities, expectations, parts, &mut out)
        .and_then(|writer| writer.read(source, |bytes| progress.advance(bytes)))
        .map_err(|source| with_path(source, args))?;
    drop(progress);
    if let Some(folder) = &args.payload_files {
        check_payload_files(&mut summary, folder, &args.data)?;
    }
    out.commit()?;
    Ok(dump_summary::print(&args.out, &summary, output)?)
}

/// Looks for the payload files that the snapshot names, by their names, in `folder`.
fn check_payload_files(summary: &mut MergeSummary, folder: &Path, data: &Path) -> Result<(), Failure> {
    for part in [PayloadPart::GenesisState, PayloadPart::AcsSnapshot] {
        let Some(Payload::File { path: named, .. }) = summary.payload_mut(part) else { continue };
        let no_file = || MergeCommandError::NoFile { data: data.to_owned(), named: named.clone() };
        let name =
            Path::new(named.as_str()).file_name().and_then(|name| name.to_str()).ok_or_else(no_file)?;
        let (path, file) = (folder.join(name), name.to_owned());
        let failed = |source| MergeCommandError::PayloadFile { path: path.clone(), source };
        let opened =
            OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&path);
        let opened = opened.map_err(|source| failed(PayloadFileError::Read { offset: 0, source }))?;
        let progress =
            Progress::bytes("checking a payload file", opened.metadata().ok().map(|found| found.len()));
        let read = svdr_dump::read_payload_file(opened, |bytes| {
            progress.advance(bytes.len() as u64);
            Ok(())
        });
        let (size, sha256) = read.map_err(failed)?;
        summary.set_checked(part, CheckedFile { file, size, sha256 });
    }
    Ok(())
}

/// Says which of the inputs an error is about.
fn with_path(source: MergeError, args: &MergeArgs) -> Failure {
    let path = match source.document() {
        Some(Document::Identities) => &args.node_identities,
        Some(Document::Snapshot) => &args.data,
        // No validator's document is merged with anything, nor is a whole dump.
        Some(Document::Dump | Document::Validator | Document::ValidatorDump) | None => return source.into(),
    };
    InputError::Content { path: path.clone(), source }.into()
}

#[cfg(test)]
mod tests;
