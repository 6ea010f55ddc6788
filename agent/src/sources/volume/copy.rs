//! Takes an export: reads it once, into private copies, checks what was copied, and gives the set its name.
//!
//! The copies are the agent's own files. A hard link would be quicker and is never made: the app opens its files to
//! write over them when it exports again, and what was attested would change. Where the file system can share the
//! blocks of two files (`FICLONE`: XFS, Btrfs), a copy costs neither time nor room, and is still a file of its own;
//! then it is the copy that is read and checked.

use std::io::{self, Read as _, Write as _};
use std::sync::atomic::Ordering;

use svdr_cli::progress::Progress;
use svdr_files::{FolderFile, PrivateFolder};
use svdr_protocol::digest::Digest;
use zeroize::Zeroizing;

use super::folder::{ExportFolder, Source};
use super::{DUMP_FILE, ExportError, TakeOrder};
use svdr_dump::{
    CheckedFile, Document, DumpCopy, MergeError, MergeSummary, NamedFile, PayloadFileError, ReadDump,
    Relocation, Shared, copy_payload_file,
};

/// Bytes of the document read at once.
const BUFFER_LEN: usize = 256 << 10;

/// Takes the export into a folder of its own: the dump, with the paths of its payload files as they are to be once
/// it is delivered, and those files beside it. Everything in it is private from its first byte; it appears whole or
/// not at all.
///
/// # Errors
/// [`ExportError`]; nothing is left behind then.
pub fn take(order: &TakeOrder<'_>) -> Result<MergeSummary, ExportError> {
    let relocation = order.volume.relocation(order.expectations.timestamp);
    let export = ExportFolder::open(order.volume, &relocation)?;
    let dump = export.open_file(DUMP_FILE)?;
    if dump.is_world_readable() {
        tracing::warn!(
            "{} holds private keys, and everybody on this machine can read it; run chmod -R o= on the SV app's volume",
            dump.path.display()
        );
    }
    let set = PrivateFolder::create(order.out, order.replace, DUMP_FILE)?;
    let read = copy_document(order, &relocation, &dump, &set)?;
    check_participant(order, &dump, &read)?;
    let ReadDump { mut summary, files, .. } = read;
    let sources = open_payloads(&export, &dump, &files)?;
    let progress = Progress::bytes("taking the payloads", Some(sources.iter().map(Source::size).sum()));
    for (named, source) in files.iter().zip(&sources) {
        let file = relocation.new_file(named.part);
        let (size, sha256) = copy_payload(order, source, set.file(&file)?, &progress)?;
        summary.set_checked(named.part, CheckedFile { file, size, sha256 });
    }
    for source in sources.iter().chain([&dump]) {
        export.check_unchanged(source)?;
    }
    let own: Vec<&str> = files.iter().map(|named| named.file.as_str()).chain([DUMP_FILE]).collect();
    export.warn_of_others(&own).map_err(ExportError::read(export.path()))?;
    check_wanted(order)?;
    set.commit()?;
    Ok(summary)
}

/// Stops where nobody wants the set any more.
fn check_wanted(order: &TakeOrder<'_>) -> Result<(), ExportError> {
    if order.given_up.load(Ordering::Relaxed) { Err(ExportError::GivenUp) } else { Ok(()) }
}

fn copy_document(
    order: &TakeOrder<'_>,
    relocation: &Relocation,
    dump: &Source,
    set: &PrivateFolder,
) -> Result<ReadDump, ExportError> {
    let refused = |source| ExportError::Document { path: dump.path.clone(), source };
    let mut out = set.file(DUMP_FILE)?;
    let copy = DumpCopy::new(order.expectations, relocation.clone(), order.parts, &mut out);
    let mut copy = copy.map_err(refused)?;
    let mut buffer = Zeroizing::new(vec![0; BUFFER_LEN]);
    let (mut from, mut offset) = (&dump.file, 0);
    loop {
        check_wanted(order)?;
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                copy.push(&buffer[..read]).map_err(refused)?;
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => {
                return Err(refused(MergeError::Read { document: Document::Dump, offset, source }));
            }
        }
    }
    let read = copy.finish().map_err(refused)?;
    out.finish()?;
    Ok(read)
}

fn check_participant(order: &TakeOrder<'_>, dump: &Source, read: &ReadDump) -> Result<(), ExportError> {
    match (order.participant, read.participant.as_deref()) {
        (Some(expected), found) if found != Some(expected) => Err(ExportError::OtherParticipant {
            path: dump.path.clone(),
            expected: expected.to_owned(),
            found: found.unwrap_or("that it does not name").to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Opens the files that the document names; none of them may be newer than it.
fn open_payloads(
    export: &ExportFolder,
    dump: &Source,
    files: &[NamedFile],
) -> Result<Vec<Source>, ExportError> {
    let open = |named: &NamedFile| {
        let source = export.open_file(&named.file)?;
        match source.is_newer_than(dump) {
            true => Err(ExportError::Newer { path: source.path }),
            false => Ok(source),
        }
    };
    files.iter().map(open).collect()
}

/// Copies a payload file and checks it; gives size and digest of the payload.
fn copy_payload(
    order: &TakeOrder<'_>,
    source: &Source,
    mut out: FolderFile,
    progress: &Progress,
) -> Result<(u64, Digest), ExportError> {
    let failed = |source_error| ExportError::Payload { path: source.path.clone(), source: source_error };
    let unreadable = |error| failed(PayloadFileError::Read { offset: 0, source: error });
    let target = out.as_file().try_clone().map_err(unreadable)?;
    let copied = copy_payload_file(&source.file, &target, |bytes, shared| {
        progress.advance(bytes.len() as u64);
        check_wanted(order).map_err(io::Error::other)?;
        if shared == Shared::Yes { Ok(()) } else { out.write_all(bytes) }
    });
    // What broke it off then is not the disk.
    check_wanted(order)?;
    let copied = copied.map_err(failed)?;
    out.finish()?;
    Ok(copied)
}
