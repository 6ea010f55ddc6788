//! Takes an export: reads it once, into private copies, checks what was copied, and gives the set its name.
//!
//! The copies are the agent's own files. A hard link would be quicker and is never made: the app opens its files to
//! write over them when it exports again, and what was attested would change. If the file system can share the blocks
//! of two files (`FICLONE`: XFS, Btrfs), a copy costs neither time nor room, and is still a file of its own; then the
//! copy is read and checked.

use std::path::Path;

use svdr_cli::progress::Progress;
use svdr_dump::{CheckedFile, DumpWriter, ExportedFile, MergeSummary, Relocation, copy_payload_file};
use svdr_files::{FolderFile, PrivateFolder, Replace};
use svdr_protocol::digest::Digest;

use super::folder::{ExportFolder, OpenedFile};
use super::{DUMP_FILE, Export, ExportError};
use crate::sources::cancel::Cancelled;

/// Takes the export into a folder `out` of its own: the dump, with the paths of its payload files as they are once it is
/// delivered, and those files beside it. Everything in it is private from its first byte; it appears whole or not at
/// all.
///
/// # Errors
/// [`ExportError`]; nothing is left behind then.
pub fn take(
    export: &Export<'_>,
    out: &Path,
    replace: Replace,
    cancelled: &Cancelled,
) -> Result<MergeSummary, ExportError> {
    let copied = copy(export, out, replace, cancelled);
    // What stopped it then is not the disk.
    cancelled.check().map_err(|_cancelled| ExportError::Cancelled)?;
    let (set, summary) = copied?;
    set.commit()?;
    Ok(summary)
}

/// Copies everything into a folder that has no name yet.
fn copy(
    export: &Export<'_>,
    out: &Path,
    replace: Replace,
    cancelled: &Cancelled,
) -> Result<(PrivateFolder, MergeSummary), ExportError> {
    let relocation = export.volume.relocation(export.expected.timestamp);
    let folder = ExportFolder::open(export.volume, &relocation)?;
    let dump = folder.open_file(DUMP_FILE)?;
    if dump.is_world_readable() {
        tracing::warn!(
            "{} contains private keys and is world-readable; run `chmod -R o= {}`",
            dump.path.display(),
            export.volume.dir.display()
        );
    }
    let set = PrivateFolder::create(out, replace, DUMP_FILE)?;
    let mut summary = copy_document(export, &relocation, &dump, &set, cancelled)?;
    check_participant(export, &dump, &summary)?;
    let files = std::mem::take(&mut summary.exported_files);
    let sources = open_payloads(&folder, &dump, &files)?;
    let progress = Progress::bytes("taking the payloads", Some(sources.iter().map(OpenedFile::size).sum()));
    for (named, source) in files.iter().zip(&sources) {
        let file = relocation.new_file(named.part);
        let (size, sha256) = copy_payload(source, set.file(&file)?, &progress, cancelled)?;
        summary.set_checked(named.part, CheckedFile { file, size, sha256 });
    }
    for source in sources.iter().chain([&dump]) {
        folder.check_unchanged(source)?;
    }
    let own: Vec<&str> = files.iter().map(|named| named.file.as_str()).chain([DUMP_FILE]).collect();
    folder.warn_of_others(&own).map_err(ExportError::read(folder.path()))?;
    Ok((set, summary))
}

fn copy_document(
    export: &Export<'_>,
    relocation: &Relocation,
    dump: &OpenedFile,
    set: &PrivateFolder,
    cancelled: &Cancelled,
) -> Result<MergeSummary, ExportError> {
    let mut out = set.file(DUMP_FILE)?;
    let writer = DumpWriter::relocate(export.expected, relocation.clone(), export.parts, &mut out);
    let summary = writer
        .and_then(|writer| writer.read(cancelled.reader(&dump.file), |_| {}))
        .map_err(|source| ExportError::Document { path: dump.path.clone(), source })?;
    out.finish()?;
    Ok(summary)
}

fn check_participant(
    export: &Export<'_>,
    dump: &OpenedFile,
    summary: &MergeSummary,
) -> Result<(), ExportError> {
    match (export.participant, summary.participant.as_deref()) {
        (Some(expected), found) if found != Some(expected) => Err(ExportError::OtherParticipant {
            path: dump.path.clone(),
            expected: expected.to_owned(),
            found: found
                .map_or_else(|| "an unnamed participant".to_owned(), |id| format!("participant {id}")),
        }),
        _ => Ok(()),
    }
}

/// Opens the files that the document names; none of them may be newer than it.
fn open_payloads(
    folder: &ExportFolder,
    dump: &OpenedFile,
    files: &[ExportedFile],
) -> Result<Vec<OpenedFile>, ExportError> {
    let open = |named: &ExportedFile| {
        let source = folder.open_file(&named.file)?;
        match source.is_newer_than(dump) {
            true => Err(ExportError::Newer { path: source.path }),
            false => Ok(source),
        }
    };
    files.iter().map(open).collect()
}

/// Copies a payload file and checks it; returns size and digest of the payload.
fn copy_payload(
    source: &OpenedFile,
    mut out: FolderFile,
    progress: &Progress,
    cancelled: &Cancelled,
) -> Result<(u64, Digest), ExportError> {
    let copied = copy_payload_file(&source.file, &mut out, |bytes| {
        progress.advance(bytes);
        cancelled.check()
    });
    let copied = copied.map_err(|error| ExportError::Payload { path: source.path.clone(), source: error })?;
    out.finish()?;
    Ok(copied)
}
