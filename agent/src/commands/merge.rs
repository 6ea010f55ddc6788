//! `merge`: the migration dump out of two files, for runbooks that took the snapshot by other means.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use svdr_cli::output::{self, Output};
use svdr_cli::progress::Progress;
use svdr_files::{FileError, PrivateFile, Replace};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::time::Timestamp;

use crate::identities::{self, BackupError};
use svdr_dump::{
    self, CheckedFile, Document, Expectations, Identities, MergeError, MergeSummary, Parts, Payload,
    PayloadFileError, PayloadPart,
};

/// Permission bits of anybody but the owner.
const OTHERS: u32 = 0o077;

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

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
pub enum MergeCommandError {
    /// An input cannot be opened.
    #[error("the {document} {} cannot be opened\nhelp: check its path and its permissions", path.display())]
    Open {
        /// Which one.
        document: Document,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The output would replace an input.
    #[error("the output {} is the {document} itself\nhelp: give another name for the output", path.display())]
    SameFile {
        /// Which one.
        document: Document,
        /// The output.
        path: PathBuf,
    },
    /// The backup of the node identities cannot be read.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The output cannot be made.
    #[error(transparent)]
    File(#[from] FileError),
    /// An input was refused, or could not be read to its end.
    #[error("{} cannot be used", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// Why.
        source: MergeError,
    },
    /// A payload file that the snapshot names is not what it should be.
    #[error("the payload file {} cannot be used", path.display())]
    PayloadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PayloadFileError,
    },
    /// The snapshot's path of a payload file names none.
    #[error(
        "{data} names {named:?} as a payload file, but that is not the path of a file\n\
         help: take the snapshot again",
        data = data.display()
    )]
    NoFile {
        /// The snapshot.
        data: PathBuf,
        /// What it names.
        named: String,
    },
    /// The merge failed beside the documents.
    #[error(transparent)]
    Merge(MergeError),
    /// Stdout cannot be written; the dump is complete.
    #[error("the dump is complete, but its summary cannot be printed")]
    Print(#[source] io::Error),
}

impl CommandError for MergeCommandError {
    fn exit(&self) -> Exit {
        match self {
            MergeCommandError::Document { source, .. } | MergeCommandError::Merge(source)
                if source.is_refusal() =>
            {
                Exit::Refused
            }
            MergeCommandError::Backup(error) => error.exit(),
            MergeCommandError::File(error) => error.exit(),
            MergeCommandError::PayloadFile { source: PayloadFileError::Chunks(_), .. }
            | MergeCommandError::NoFile { .. } => Exit::Refused,
            MergeCommandError::SameFile { .. } => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    path: &'a Path,
    #[serde(flatten)]
    summary: &'a MergeSummary,
}

/// Merges, and prints what came out.
///
/// # Errors
/// [`MergeCommandError`]; the output is then as it was before.
pub fn run(args: &MergeArgs, output: Output) -> Result<(), MergeCommandError> {
    let identities = open(Document::Identities, &args.node_identities, &args.out)?;
    let data = match args.data.as_os_str().as_encoded_bytes() {
        b"-" => None,
        _ => Some(open(Document::Snapshot, &args.data, &args.out)?),
    };
    let mut out = PrivateFile::create(&args.out, Replace::from_force(args.force))?;
    let identities = read_identities(identities, &args.node_identities, args.age_identity.as_deref())?;
    let len = data.as_ref().and_then(|(_, metadata)| metadata.is_file().then_some(metadata.len()));
    let source: Box<dyn Read> = match data {
        Some((file, _)) => Box::new(file),
        None => Box::new(io::stdin().lock()),
    };
    let expectations = Expectations { timestamp: args.timestamp, migration_id: args.migration_id };
    let parts = if args.part_digests { Parts::Digest } else { Parts::Skip };
    let progress = Progress::bytes("merging", len);
    let mut summary =
        svdr_dump::merge(&identities, source, expectations, parts, &mut out, |bytes| progress.advance(bytes))
            .map_err(|source| with_path(source, args))?;
    drop(progress);
    if let Some(folder) = &args.payload_files {
        check_payload_files(&mut summary, folder, &args.data)?;
    }
    out.commit()?;
    print(&args.out, &summary, output).map_err(MergeCommandError::Print)
}

/// Looks for the payload files that the snapshot names, by their names, in `folder`.
fn check_payload_files(
    summary: &mut MergeSummary,
    folder: &Path,
    data: &Path,
) -> Result<(), MergeCommandError> {
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

/// Opens an input that the output may not replace.
pub(super) fn open(
    document: Document,
    path: &Path,
    out: &Path,
) -> Result<(File, Metadata), MergeCommandError> {
    let opened = File::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    let (file, metadata) =
        opened.map_err(|source| MergeCommandError::Open { document, path: path.to_owned(), source })?;
    // An output that does not exist yet, or cannot be looked at, is none of the inputs.
    let same = out.metadata().is_ok_and(|out| (out.dev(), out.ino()) == (metadata.dev(), metadata.ino()));
    if same {
        return Err(MergeCommandError::SameFile { document, path: out.to_owned() });
    }
    Ok((file, metadata))
}

/// Reads and checks the backup of the node identities, and warns where others may read private keys in it.
pub(super) fn read_identities(
    (file, metadata): (File, Metadata),
    path: &Path,
    age_identity: Option<&Path>,
) -> Result<Identities, MergeCommandError> {
    let read = identities::read(file, metadata.is_file().then_some(metadata.len()), path, age_identity);
    let is_encrypted = match &read {
        Ok(backup) => backup.encrypted,
        Err(error) => error.is_of_encrypted(),
    };
    if !is_encrypted && metadata.is_file() && metadata.mode() & OTHERS != 0 {
        tracing::warn!(
            path = %path.display(),
            mode = format!("{:04o}", metadata.mode() & 0o7777),
            "the backup of the node identities contains private keys, but other users can access the file. \
             Run chmod 600"
        );
    }
    Ok(read?.identities)
}

fn with_path(source: MergeError, args: &MergeArgs) -> MergeCommandError {
    let path = match source.document() {
        Some(Document::Identities) => &args.node_identities,
        Some(Document::Snapshot) => &args.data,
        // No validator's document is merged with anything, nor is a whole dump.
        Some(Document::Dump | Document::Validator | Document::ValidatorDump) | None => {
            return MergeCommandError::Merge(source);
        }
    };
    MergeCommandError::Document { path: path.clone(), source }
}

/// Prints what a merge came to.
pub(super) fn print(path: &Path, summary: &MergeSummary, output: Output) -> io::Result<()> {
    if output == Output::Json {
        return output::print_json(&Report { path, summary });
    }
    let mut table = output::table(&["migration dump", &path.display().to_string()]);
    let payload = |payload: &Payload| match payload {
        Payload::Inline { size, sha256 } => with_digest(*size, sha256.as_ref()),
        Payload::File { path, checked: None } => format!("in its own file: {path}"),
        Payload::File { path, checked: Some(found) } => {
            format!("{}, in its own file: {path}", with_digest(found.size, Some(&found.sha256)))
        }
    };
    table.add_row(["size", &format!("{} bytes", summary.size)]);
    table.add_row(["digest", &summary.sha256.to_string()]);
    table.add_row(["timestamp", &summary.timestamp.to_string()]);
    table.add_row(["migration id", &summary.migration_id.to_string()]);
    table.add_row(["active contracts", &payload(&summary.acs_snapshot)]);
    if let Some(genesis_state) = &summary.genesis_state {
        table.add_row(["genesis state", &payload(genesis_state)]);
    }
    let dars: u64 = summary.dars.iter().map(|dar| dar.size).sum();
    table.add_row(["DARs", &format!("{}, {dars} bytes", summary.dars.len())]);
    for dar in summary.dars.iter().filter(|dar| dar.sha256.is_some()) {
        table.add_row([&dar.hash, &with_digest(dar.size, dar.sha256.as_ref())]);
    }
    output::print(&svdr_protocol::text::shown(&table.to_string()))
}

fn with_digest(size: u64, digest: Option<&svdr_protocol::digest::Digest>) -> String {
    digest.map_or_else(|| format!("{size} bytes"), |digest| format!("{size} bytes, {digest}"))
}

#[cfg(test)]
mod tests;
