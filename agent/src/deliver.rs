//! Puts a finished dump where the SV app, or the validator app, imports it from.
//!
//! This is the step after which a node leaves the old network, so it needs the whole proof: a completion
//! certificate of a real session, this member's own attestation in it, and a file that still is what was attested; for a
//! validator, a dump that was checked to be of the certificate's time. [`Permit`] is that proof, and nothing here works without one. What is delivered is read once and digested while
//! it is copied; a copy that turns out to be something else never gets its name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use svdr_cli::files::{PrivateFile, Replace};
use svdr_cli::progress::Progress;
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::digest::Digest;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Body, RoundOf, SessionId};
use svdr_protocol::time::Timestamp;

use crate::dump::MergeSummary;
use crate::store::DumpRecord;
use crate::validator::Recovery;

mod error;

pub use error::DeliverError;

/// Bytes read at once.
const BUFFER_LEN: usize = 1 << 20;
/// The placeholder of the dump's path in the arguments of a command.
pub const DUMP_PLACEHOLDER: &str = "dump";

/// The permission to deliver one dump. [`Permit::of`] and [`Permit::of_validator`] are the only ways to get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    round: RoundOf,
    recovery_timestamp: Timestamp,
    migration_id: u64,
    dump: Digest,
    size: u64,
    path: PathBuf,
}

impl Permit {
    /// The permission for `me` to deliver its dump of `session`. `held` are the certificates that this agent has
    /// held before; `record` gives what its store says of the dump of a round.
    ///
    /// # Errors
    /// [`DeliverError`] where anything of the proof is missing.
    pub fn of<E: From<DeliverError>>(
        session: &Session,
        me: &MemberName,
        held: &[CompletionCertificate],
        record: impl FnOnce(u32) -> Result<Option<DumpRecord>, E>,
    ) -> Result<Permit, E> {
        let id = session.id();
        if session.drill() {
            return Err(DeliverError::Drill { session: id }.into());
        }
        let certificates: Vec<CompletionCertificate> = session.completion_certificates().collect();
        let Some(certificate) = certificates.first() else {
            let needed = session.roster().threshold();
            return Err(match held.first() {
                Some(held) => DeliverError::NotStanding { round: held.round() },
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
            record(round.round)?.ok_or_else(|| DeliverError::NoRecord { member: me.clone(), round })?;
        Ok(Permit {
            round,
            recovery_timestamp: first,
            migration_id: attestation.migration_id,
            dump: attestation.dump.digest,
            size: attestation.dump.size,
            path: record.path,
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

    /// Copies the dump to `target`: 0600, complete and as attested, or not at all.
    ///
    /// # Errors
    /// [`DeliverError`]; the target is then as it was before.
    pub fn copy_to(&self, target: &Path, replace: Replace) -> Result<(), DeliverError> {
        let mut out = PrivateFile::create(target, replace)?;
        self.read_into(&mut out, target)?;
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
        let mut child = Command::new(program);
        child.args(arguments).stdin(Stdio::null()).stdout(Stdio::from(io::stderr()));
        let status = child.status();
        let status = status.map_err(|source| DeliverError::Start { program: program.clone(), source })?;
        if status.success() { Ok(()) } else { Err(DeliverError::Failed { program: program.clone(), status }) }
    }

    /// The program and its arguments, with every `{name}` replaced. No shell reads them, so a value with spaces
    /// or quotes stays one argument.
    ///
    /// # Errors
    /// Where a placeholder has no value.
    pub fn fill(
        &self,
        command: &[String],
        values: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, DeliverError> {
        let facts = (self.round.session, self.recovery_timestamp, self.migration_id);
        fill(command, &self.path, facts, values)
    }

    /// Reads the whole dump into `out`, and checks that it is the one attested.
    fn read_into(&self, out: &mut impl Write, target: &Path) -> Result<(), DeliverError> {
        let unreadable = |source| DeliverError::Read { path: self.path.clone(), source };
        let mut file = File::open(&self.path).map_err(unreadable)?;
        let progress = Progress::bytes("delivering the dump", Some(self.size));
        let (mut hash, mut size) = (Sha256::new(), 0);
        let mut buffer = vec![0; BUFFER_LEN];
        loop {
            let read = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => buffer.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(unreadable(source)),
            };
            hash.update(read);
            size += read.len() as u64;
            out.write_all(read).map_err(|source| DeliverError::Copy { path: target.to_owned(), source })?;
            progress.advance(read.len() as u64);
        }
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

/// The program and its arguments for a dump at `path`, of a session, a time and a migration id; see [`Permit::fill`].
///
/// # Errors
/// Where a placeholder has no value, or there is no program.
pub fn fill(
    command: &[String],
    path: &Path,
    (session, recovery_timestamp, migration_id): (SessionId, Timestamp, u64),
    values: &BTreeMap<String, String>,
) -> Result<Vec<String>, DeliverError> {
    let mut known = values.clone();
    known.extend([
        (DUMP_PLACEHOLDER.to_owned(), path.display().to_string()),
        ("session".to_owned(), session.to_string()),
        ("timestamp".to_owned(), recovery_timestamp.to_string()),
        ("migration_id".to_owned(), migration_id.to_string()),
    ]);
    if command.is_empty() {
        return Err(DeliverError::NoProgram);
    }
    command.iter().map(|argument| filled(argument, &known)).collect()
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
