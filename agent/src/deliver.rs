//! Puts a finished dump where the SV app, or the validator app, imports it from.
//!
//! This is the step after which a node leaves the old network, so it needs the whole proof: a completion
//! certificate of a real session, this member's own attestation in it, and a file that still is what was attested; for a
//! validator, a dump that was checked to be of the certificate's time. [`Permit`] is that proof, and nothing here works without one. What is delivered is read once and digested while
//! it is copied; a copy that turns out to be something else never gets its name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use svdr_cli::progress::Progress;
use svdr_files::{FileError, FileIoError, PrivateFile, Replace, read_in_chunks};
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::digest::Digest;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Attestation, Body, Part, RoundOf, SessionId};
use svdr_protocol::time::Timestamp;

use crate::store::DumpRecord;
use crate::validator::Recovery;
use svdr_dump::{MergeSummary, PayloadFileError, copy_payload_file, read_payload_file};

mod error;

pub use error::DeliverError;

/// Bytes read at once.
const BUFFER_LEN: usize = 1 << 20;
/// The placeholder of the dump's path in the arguments of a command.
pub const DUMP_PLACEHOLDER: &str = "dump";

/// The argument of a command that the paths of the payload files come in the place of.
const FILES: &str = "{files}";

/// Which signers of a certificate have made it invalid since, and how.
fn why_invalid(session: &Session, certificate: &CompletionCertificate) -> String {
    let round = certificate.round().round;
    let agreed = certificate.agreement().agreements();
    let signers: BTreeSet<&MemberName> = agreed.keys().chain(certificate.attestations().keys()).collect();
    let released = signers
        .iter()
        .filter(|name| session.released(round, name))
        .map(|name| (name, "released its attestation"));
    let void = signers
        .iter()
        .filter(|name| session.is_void(round, name))
        .map(|name| (name, "signed statements that contradict each other"));
    let whys: Vec<String> = released.chain(void).map(|(name, how)| format!("{name} has {how}")).collect();
    // Without either, the state folder has the certificate and the session lacks one of its statements.
    if whys.is_empty() { "a statement of it is missing in the session".to_owned() } else { whys.join(", ") }
}

/// The permission to deliver one dump. [`Permit::of`] and [`Permit::of_validator`] are the only ways to get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    round: RoundOf,
    recovery_timestamp: Timestamp,
    migration_id: u64,
    dump: Digest,
    size: u64,
    path: PathBuf,
    /// The payload files beside the dump.
    files: Vec<AttestedFile>,
}

/// A payload file beside a dump, as it was attested.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AttestedFile {
    name: String,
    /// Of the payload in it, in bytes.
    size: u64,
    digest: Digest,
}

impl AttestedFile {
    /// `None` for a part that is in the dump itself.
    fn of(part: &Part) -> Option<AttestedFile> {
        let name = part.file.clone()?;
        Some(AttestedFile { name, size: part.size, digest: part.digest })
    }
}

impl Permit {
    /// The permission for `me` to deliver its dump of `session`. `held` are the certificates that this agent has
    /// held before; `record` gives what its store says of the dump that it
    /// attested.
    ///
    /// # Errors
    /// [`DeliverError`] where anything of the proof is missing.
    pub fn of<E: From<DeliverError>>(
        session: &Session,
        me: &MemberName,
        held: &[CompletionCertificate],
        record: impl FnOnce(&Attestation) -> Result<Option<DumpRecord>, E>,
    ) -> Result<Permit, E> {
        let id = session.id();
        if session.drill() {
            return Err(DeliverError::Drill { session: id }.into());
        }
        let certificates: Vec<CompletionCertificate> = session.completion_certificates().collect();
        let Some(certificate) = certificates.first() else {
            let needed = session.roster().threshold();
            return Err(match held.first() {
                Some(held) => {
                    DeliverError::NoLongerValid { round: held.round(), why: why_invalid(session, held) }
                }
                None => DeliverError::NotCompleted { session: id, needed },
            }
            .into());
        };
        let first = certificate.recovery_timestamp();
        let mut others = certificates.iter().chain(held).map(CompletionCertificate::recovery_timestamp);
        if let Some(second) = others.find(|other| *other != first) {
            return Err(DeliverError::Two { session: id, first, second }.into());
        }
        let round = certificate.round();
        let attestation = match certificate.attestations().get(me).map(|one| one.body()) {
            Some(Body::Attestation(attestation)) => attestation,
            _ => return Err(DeliverError::NotAttested { member: me.clone(), round }.into()),
        };
        let record =
            record(attestation)?.ok_or_else(|| DeliverError::NoRecord { member: me.clone(), round })?;
        Ok(Permit {
            round,
            recovery_timestamp: first,
            migration_id: attestation.migration_id,
            dump: attestation.dump.digest,
            size: attestation.dump.size,
            path: record.path,
            files: attestation.parts.iter().filter_map(AttestedFile::of).collect(),
        })
    }

    /// The permission for a validator to deliver the dump at `path`, of which a check says `dump`.
    ///
    /// # Errors
    /// [`DeliverError::Drill`] in a rehearsal, [`DeliverError::OtherRecovery`] where the dump is not the certificate's.
    pub fn of_validator(
        recovery: &Recovery,
        path: PathBuf,
        dump: &MergeSummary,
    ) -> Result<Permit, DeliverError> {
        if recovery.drill() {
            return Err(DeliverError::Drill { session: recovery.round().session });
        }
        let (expected, expected_id) = (recovery.recovery_timestamp(), recovery.migration_id());
        let (found, found_id) = (dump.timestamp, dump.migration_id);
        if (expected, expected_id) != (found, found_id) {
            return Err(DeliverError::OtherRecovery { path, expected, expected_id, found, found_id });
        }
        Ok(Permit {
            round: recovery.round(),
            recovery_timestamp: expected,
            migration_id: expected_id,
            dump: dump.sha256,
            size: dump.size,
            path,
            // What its app answers holds everything.
            files: Vec::new(),
        })
    }

    /// The round whose dump it is.
    pub const fn round(&self) -> RoundOf {
        self.round
    }

    /// The time that the dump is of.
    pub const fn recovery_timestamp(&self) -> Timestamp {
        self.recovery_timestamp
    }

    /// Its digest.
    pub const fn dump(&self) -> Digest {
        self.dump
    }

    /// Its size in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its payload files, where it has some.
    pub fn files(&self) -> Vec<PathBuf> {
        let folder = folder_of(&self.path);
        self.files.iter().map(|file| folder.join(&file.name)).collect()
    }

    /// Bytes of the dump and its payloads.
    pub fn total_size(&self) -> u64 {
        self.files.iter().fold(self.size, |sum, file| sum.saturating_add(file.size))
    }

    /// Copies the dump to `target`, and its payload files beside it: 0600, each complete and as attested, or not at
    /// all. The dump itself comes last, so that where it is, everything is. A payload file that is there already, as
    /// an earlier delivery has left it, is checked and kept.
    ///
    /// # Errors
    /// [`DeliverError`]; the target is then as it was before.
    pub fn copy_to(&self, target: &Path, replace: Replace) -> Result<(), DeliverError> {
        let mut out = PrivateFile::create(target, replace)?;
        self.read_into(&mut out, target)?;
        let folder = target.parent().unwrap_or(Path::new(""));
        for file in &self.files {
            self.copy_file(file, folder, replace)?;
        }
        Ok(out.commit()?)
    }

    fn copy_file(&self, file: &AttestedFile, folder: &Path, replace: Replace) -> Result<(), DeliverError> {
        let (path, target) = (folder_of(&self.path).join(&file.name), folder.join(&file.name));
        if is_there(file, &target) {
            tracing::info!("{} already exists and is the attested file", target.display());
            return Ok(());
        }
        let unreadable = FileIoError::read("the payload file", &path);
        let source = File::open(&path).map_err(unreadable)?;
        let mut out = PrivateFile::create(&target, replace)?;
        let progress =
            Progress::bytes("delivering a payload", source.metadata().ok().map(|found| found.len()));
        let copied = copy_payload_file(&source, &mut out, |bytes| {
            progress.advance(bytes);
            Ok(())
        });
        check_file(file, &path, copied)?;
        Ok(out.commit()?)
    }

    /// Runs `command` with its placeholders filled in, after checking that the dump is as attested. What the
    /// program prints on stdout goes to stderr, where everything goes that is no result.
    ///
    /// # Errors
    /// [`DeliverError`] where the dump is not as attested, or the program does not end well.
    pub fn run(&self, command: &[String], values: &BTreeMap<String, String>) -> Result<(), DeliverError> {
        let arguments = self.fill(command, values)?;
        let Some((program, arguments)) = arguments.split_first() else { return Err(DeliverError::NoProgram) };
        self.read_into(&mut io::sink(), &self.path)?;
        for file in &self.files {
            let path = folder_of(&self.path).join(&file.name);
            let unreadable = FileIoError::read("the payload file", &path);
            check_file(file, &path, read_payload_file(File::open(&path).map_err(unreadable)?, |_| Ok(())))?;
        }
        let mut child = Command::new(program);
        child.args(arguments).stdin(Stdio::null()).stdout(Stdio::from(io::stderr()));
        let status = child.status();
        let status = status.map_err(|source| DeliverError::Start { program: program.clone(), source })?;
        if status.success() { Ok(()) } else { Err(DeliverError::Failed { program: program.clone(), status }) }
    }

    /// The program and its arguments, with every `{name}` replaced, and an argument `{files}` by the paths of the
    /// payload files, as many as there are. No shell reads them, so a value with spaces or quotes stays one argument.
    ///
    /// # Errors
    /// Where a placeholder has no value, or payload files would be left behind.
    pub fn fill(
        &self,
        command: &[String],
        values: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, DeliverError> {
        let facts = (self.round.session, self.recovery_timestamp, self.migration_id);
        fill(command, &self.path, &self.files(), facts, values)
    }

    /// Reads the whole dump into `out`, and checks that it is the one attested.
    fn read_into(&self, out: &mut impl Write, target: &Path) -> Result<(), DeliverError> {
        let unreadable = FileIoError::read("the dump", &self.path);
        let file = File::open(&self.path).map_err(&unreadable)?;
        let progress = Progress::bytes("delivering the dump", Some(self.size));
        let mut hash = Sha256::new();
        let failed = |_, source| DeliverError::from(unreadable(source));
        let size = read_in_chunks(file, &mut vec![0; BUFFER_LEN], failed, |chunk| {
            hash.update(chunk);
            out.write_all(chunk).map_err(|error| FileError::of_write(target, error))?;
            progress.advance(chunk.len() as u64);
            Ok(())
        })?;
        let found = Digest::from_bytes(hash.finalize().into());
        if (found, size) == (self.dump, self.size) {
            return Ok(());
        }
        Err(DeliverError::OtherDump {
            path: self.path.clone(),
            expected: self.dump,
            expected_size: self.size,
            found,
            found_size: size,
        })
    }
}

/// Whether a payload file is at `target`, whole and as attested.
fn is_there(file: &AttestedFile, target: &Path) -> bool {
    // A link is not followed: what it leads to is not beside the dump.
    let is_file = target.symlink_metadata().is_ok_and(|found| found.is_file());
    let found = || read_payload_file(File::open(target).ok()?, |_| Ok(())).ok();
    is_file && found() == Some((file.size, file.digest))
}

/// Checks what was read of a payload file.
fn check_file(
    file: &AttestedFile,
    path: &Path,
    read: Result<(u64, Digest), PayloadFileError>,
) -> Result<(), DeliverError> {
    let (found_size, found) =
        read.map_err(|source| DeliverError::Payload { path: path.to_owned(), source })?;
    if (found_size, found) == (file.size, file.digest) {
        return Ok(());
    }
    Err(DeliverError::OtherDump {
        path: path.to_owned(),
        expected: file.digest,
        expected_size: file.size,
        found,
        found_size,
    })
}

/// The program and its arguments for a dump at `path` with its payload files, of a session, a time and a migration id;
/// see [`Permit::fill`].
///
/// # Errors
/// Where a placeholder has no value, payload files would be left behind, or there is no program.
pub fn fill(
    command: &[String],
    path: &Path,
    files: &[PathBuf],
    (session, recovery_timestamp, migration_id): (SessionId, Timestamp, u64),
    values: &BTreeMap<String, String>,
) -> Result<Vec<String>, DeliverError> {
    if command.is_empty() {
        return Err(DeliverError::NoProgram);
    }
    let mut known = values.clone();
    known.extend([
        (DUMP_PLACEHOLDER.to_owned(), path.display().to_string()),
        ("session".to_owned(), session.to_string()),
        ("timestamp".to_owned(), recovery_timestamp.to_string()),
        ("migration_id".to_owned(), migration_id.to_string()),
    ]);
    let holds = |placeholder: &str| command.iter().any(|argument| argument.contains(placeholder));
    if files.is_empty() && holds("{dump_dir}") {
        return Err(DeliverError::OneFile { path: path.to_owned() });
    }
    if !files.is_empty() {
        if !holds(FILES) && !holds("{dump_dir}") {
            return Err(DeliverError::FilesLeft { files: files.to_vec() });
        }
        known.insert("dump_dir".to_owned(), folder_of(path).display().to_string());
    }
    let mut filled_in = Vec::new();
    for argument in command {
        match argument.as_str() {
            FILES => filled_in.extend(files.iter().map(|file| file.display().to_string())),
            _ => filled_in.push(filled(argument, &known)?),
        }
    }
    Ok(filled_in)
}

/// The folder that a dump is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn filled(argument: &str, known: &BTreeMap<String, String>) -> Result<String, DeliverError> {
    let mut text = String::new();
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            return Err(DeliverError::OpenBrace { argument: argument.to_owned() });
        };
        let value = known.get(name).ok_or_else(|| DeliverError::Placeholder {
            name: name.to_owned(),
            known: known.keys().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", "),
        })?;
        text += before;
        text += value;
        rest = behind;
    }
    Ok(text + rest)
}

#[cfg(test)]
mod tests;
