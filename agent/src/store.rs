//! What this member has signed and seen, on disk: the agent's memory across crashes, and its only one.
//!
//! ```text
//! STATE/lock                          held while a vote is decided and written
//! STATE/run.lock                      held by the one `run` there may be
//! STATE/SESSION/000001-evidence.json  what this member signed, one DSSE envelope a file, by sequence number
//! STATE/SESSION/mirror.jsonl          what others signed in the session, as received, one envelope a line
//! STATE/SESSION/receipts-KEY.jsonl    what each coordinator acknowledged, likewise
//! STATE/SESSION/dump-1.json           the finished dump of a round: where it is, and what it is
//! STATE/SESSION/donation-1.json       the snapshot that this member donates in a round, likewise
//! STATE/SESSION/completed-1.jsonl     the completion certificate of a round, once this agent has one
//! ```
//!
//! * A vote is flushed, file and folder, before [`Locked::sign`] returns it. So no vote that left the process can be
//!   forgotten, and after a restart the same bytes are sent again.
//! * Deciding and signing happen under one lock, so that `run` and an operator's command cannot sign both sides
//!   of a decision. Nobody keeps the lock while waiting for a person or for the network.
//! * A corrupt vote is an error and never skipped: an agent that does not know what it promised must not promise more.
//!   What a coordinator has too is set aside, and comes again from there ([`Store::mend`]).
//! * Everything is readable with a text editor, and nothing in here is secret; the folder is private all the same.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use svdr_files::Replace;
use svdr_files::crash::around_flush;
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::session::Session;
use svdr_protocol::statement::{Body, Header, RoundOf, SessionId, Statement, StatementError, Verified};
use svdr_protocol::vote::Record;

mod donation;
mod dump;
mod error;
mod folder;
mod log;
mod mend;

pub use donation::DonationRecord;
pub(crate) use dump::parts;
pub use dump::{DumpRecord, PartRecord, ReceivedRecord};
pub use error::{CertificateFault, RecordFault, StoreError};
pub use log::EnvelopeLog;

use folder::{
    file_name, make_folder, names_in, numbered_files, open_lock, read_envelope, read_record, write_envelope,
    write_record,
};

const MIRROR: &str = "mirror.jsonl";

/// The agent's state folder. Cheap to clone; any number of processes may have it open.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// The store, with its lock held until this is dropped: the only way to sign.
#[derive(Debug)]
pub struct Locked<'a> {
    store: &'a Store,
    /// Holds the lock.
    _lock: File,
}

/// The right to be the `run` of this store, given back when dropped.
#[derive(Debug)]
pub struct RunClaim {
    _lock: File,
}

/// What became of a statement with this member's signature that came from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// The store has it.
    Known,
    /// It was added.
    New,
    /// It was added, and a corrupt file with its number was moved away before.
    InPlaceOf(PathBuf),
}

/// Who signs: a member, its key, and the roster that its statements name.
pub struct Signer {
    /// The member's name.
    pub member: MemberName,
    /// Its signing key.
    pub key: SigningKey,
    /// The roster's fingerprint.
    pub roster: Digest,
    /// Name and version of the software, as statements carry it.
    pub software: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("member", &self.member).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the state folder, making it if there is none.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(folder: &Path) -> Result<Store, StoreError> {
        make_folder(folder)?;
        Ok(Store { folder: folder.to_owned() })
    }

    /// The state folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits for the lock and takes it. It is held while a vote is decided and written, which takes milliseconds.
    ///
    /// # Errors
    /// If the lock file cannot be opened or locked.
    pub fn lock(&self) -> Result<Locked<'_>, StoreError> {
        let path = self.folder.join("lock");
        let file = open_lock(&path)?;
        file.lock().map_err(|source| StoreError::Lock { path, source })?;
        Ok(Locked { store: self, _lock: file })
    }

    /// Claims the store for a `run`: two at once would make every dump twice.
    ///
    /// # Errors
    /// [`StoreError::Running`] if another process has the claim.
    pub fn claim_run(&self) -> Result<RunClaim, StoreError> {
        let path = self.folder.join("run.lock");
        let file = open_lock(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(RunClaim { _lock: file }),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::Running { folder: self.folder.clone() }),
            Err(fs::TryLockError::Error(source)) => Err(StoreError::Lock { path, source }),
        }
    }

    /// The sessions that the store knows of, in the order of their ids.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn sessions(&self) -> Result<Vec<SessionId>, StoreError> {
        let mut sessions: Vec<SessionId> =
            names_in(&self.folder)?.iter().filter_map(|name| name.parse().ok()).collect();
        sessions.sort();
        Ok(sessions)
    }

    /// What this member signed in a session, by sequence number: the bytes to send again.
    ///
    /// # Errors
    /// If a file cannot be read, or is not an envelope.
    pub fn signed(&self, session: SessionId) -> Result<Vec<Envelope>, StoreError> {
        Ok(self.signed_files(session)?.into_iter().map(|(_, envelope)| envelope).collect())
    }

    fn signed_files(&self, session: SessionId) -> Result<Vec<(PathBuf, Envelope)>, StoreError> {
        let folder = self.session_folder(session);
        let files = numbered_files(&folder)?;
        let paths = files.into_values().flatten().map(|name| folder.join(name));
        paths.map(|path| read_envelope(&path).map(|envelope| (path, envelope))).collect()
    }

    /// What this member signed in a session with this roster, verified.
    fn own_statements(&self, session: SessionId, roster: &Roster) -> Result<Vec<Verified>, StoreError> {
        let mut statements = Vec::new();
        for (path, envelope) in self.signed_files(session)? {
            match verified(envelope, roster) {
                Ok(verified) => statements.extend(verified),
                Err(StatementError::Envelope(source)) => return Err(StoreError::Promise { path, source }),
                Err(source) => return Err(StoreError::Foreign { path, source }),
            }
        }
        Ok(statements)
    }

    /// What others signed in a session, in the order in which it was first seen.
    ///
    /// # Errors
    /// If the log cannot be read, or has a line that is not an envelope.
    pub fn mirrored(&self, session: SessionId) -> Result<Vec<Envelope>, StoreError> {
        EnvelopeLog::new(self.session_folder(session).join(MIRROR)).read()
    }

    /// The receipts that a coordinator gave for a session, in the order in which they came.
    ///
    /// # Errors
    /// If the log cannot be read, or has a line that is not an envelope.
    pub fn receipts(&self, session: SessionId, coordinator: &PublicKey) -> Result<Vec<Envelope>, StoreError> {
        self.receipt_log(session, coordinator).read()
    }

    /// The finished dump of a round, if there is one.
    ///
    /// # Errors
    /// If the record cannot be read.
    pub fn dump(&self, session: SessionId, round: u32) -> Result<Option<DumpRecord>, StoreError> {
        read_record(&self.session_folder(session).join(DumpRecord::file_name(round)))
    }

    /// The snapshot that this member donates in a round, if there is one.
    ///
    /// # Errors
    /// If the record cannot be read.
    pub fn donation(&self, session: SessionId, round: u32) -> Result<Option<DonationRecord>, StoreError> {
        read_record(&self.session_folder(session).join(DonationRecord::file_name(round)))
    }

    /// What this member has promised with this roster, in all sessions: what the voting rules go by.
    ///
    /// Statements made with another roster are skipped: they bind only there.
    ///
    /// # Errors
    /// If a part of it cannot be read, or is invalid.
    pub fn record(&self, roster: &Roster) -> Result<Record, StoreError> {
        let mut record = Record::new();
        for session in self.sessions()? {
            for statement in self.own_statements(session, roster)? {
                record.sign(Arc::new(statement));
            }
            self.none_is_missing(session)?;
            for certificate in self.certificates(session, roster)? {
                record.complete(&certificate);
            }
        }
        Ok(record)
    }

    /// The completion certificates of a session that this agent has held.
    ///
    /// # Errors
    /// If one cannot be read, or is invalid.
    pub fn certificates(
        &self,
        session: SessionId,
        roster: &Roster,
    ) -> Result<Vec<CompletionCertificate>, StoreError> {
        let folder = self.session_folder(session);
        let is_certificate = |name: &&String| name.starts_with("completed-") && name.ends_with(".jsonl");
        let mut certificates = Vec::new();
        for name in names_in(&folder)?.iter().filter(is_certificate) {
            certificates.extend(self.certificate(&folder.join(name), session, roster)?);
        }
        Ok(certificates)
    }

    /// The completion certificate in a file; `None` if it is of another roster, as it binds only there.
    fn certificate(
        &self,
        path: &Path,
        session: SessionId,
        roster: &Roster,
    ) -> Result<Option<CompletionCertificate>, StoreError> {
        let corrupt = |source| StoreError::Certificate { path: path.to_owned(), session, source };
        let lines = match EnvelopeLog::new(path.to_owned()).read_whole() {
            Ok(lines) => lines,
            Err(StoreError::Line { line, source, .. }) => {
                return Err(corrupt(CertificateFault::Line { line, source }));
            }
            Err(other) => return Err(other),
        };
        let lines = lines.ok_or_else(|| corrupt(CertificateFault::Incomplete))?;
        let mut statements = Vec::new();
        for envelope in lines {
            let statement = verified(envelope, roster);
            statements.extend(
                statement.map_err(|source| corrupt(CertificateFault::Statement(source)))?.map(Arc::new),
            );
        }
        if statements.is_empty() {
            return Ok(None);
        }
        let certificate = CompletionCertificate::check(roster, statements);
        certificate.map(Some).map_err(|source| corrupt(CertificateFault::Certificate(source)))
    }

    fn certificate_path(&self, round: RoundOf) -> PathBuf {
        self.session_folder(round.session).join(format!("completed-{}.jsonl", round.round))
    }

    /// The folder of a session, whether it exists or not.
    pub fn session_folder(&self, session: SessionId) -> PathBuf {
        self.folder.join(session.to_string())
    }

    /// The file of the receipts that a coordinator gave for a session, whether it exists or not.
    pub fn receipt_path(&self, session: SessionId, coordinator: &PublicKey) -> PathBuf {
        self.session_folder(session).join(receipt_file(coordinator))
    }

    fn receipt_log(&self, session: SessionId, coordinator: &PublicKey) -> EnvelopeLog {
        EnvelopeLog::new(self.receipt_path(session, coordinator))
    }
}

impl Locked<'_> {
    /// The store.
    pub const fn store(&self) -> &Store {
        self.store
    }

    /// Signs `body` in a session, under this member's next sequence number, and flushes it to the disk: after
    /// this it may leave the process, and after a crash it is sent again as it is.
    ///
    /// Whether it may be signed at all is for `svdr_protocol::vote` to say, under this same lock.
    ///
    /// # Errors
    /// If nobody would accept the statement, or it cannot be written. Then nothing was signed.
    pub fn sign(&self, signer: &Signer, session: &Session, body: Body) -> Result<Envelope, StoreError> {
        let folder = self.make_session_folder(session.id())?;
        let stored = numbered_files(&folder)?.last_key_value().map_or(0, |(sequence, _)| *sequence);
        // The number of a statement whose corrupt file was moved away is used as well.
        let stored =
            mend::moved_away(&folder)?.into_iter().fold(stored, |last, (number, _)| last.max(number));
        // What others have of this member counts too: the folder may have been restored from a backup.
        let sequence = Record::new().next_sequence(session, &signer.member).max(stored + 1);
        let header = Header {
            session: Some(session.id()),
            roster: signer.roster,
            drill: session.drill(),
            signer: signer.member.clone(),
            sequence,
            software: signer.software.clone(),
        };
        let kind = body.kind();
        let envelope = Statement { header, body }.sign(&signer.key)?;
        // Flushed before anybody sees the signature: a promise that could be forgotten must not leave the process.
        write_envelope(&folder.join(file_name(sequence, kind)), &envelope)?;
        Ok(envelope)
    }

    /// Keeps a completion certificate, flushed: from then on it binds this agent.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_certificate(&self, certificate: &CompletionCertificate) -> Result<(), StoreError> {
        let round = certificate.round();
        self.make_session_folder(round.session)?;
        let path = self.store.certificate_path(round);
        if path.exists() {
            return Ok(());
        }
        let lines = certificate_lines(certificate);
        around_flush(|| svdr_files::write_private(&path, lines.as_bytes(), Replace::Never))?;
        Ok(())
    }

    /// Adds a statement with this member's signature that the store does not have: the folder was lost or restored, or
    /// the key is also in use elsewhere.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn adopt(&self, session: SessionId, statement: &Verified) -> Result<Adopted, StoreError> {
        let folder = self.make_session_folder(session)?;
        let (sequence, kind, digest) =
            (statement.header().sequence, statement.body().kind(), statement.digest());
        let files = numbered_files(&folder)?;
        let same_number = files.get(&sequence).map_or(&[][..], Vec::as_slice);
        for name in same_number {
            if read_envelope(&folder.join(name))?.digest() == digest {
                return Ok(Adopted::Known);
            }
        }
        let name = match same_number {
            [] => file_name(sequence, kind),
            // Two statements with one number: both are kept, as what they are.
            _ => format!("{sequence:06}-{kind}-{}.json", hex::encode(&digest.as_bytes()[..8])),
        };
        write_envelope(&folder.join(name), statement.envelope())?;
        let moved_away = mend::moved_away(&folder)?.into_iter().find(|(number, _)| *number == sequence);
        Ok(moved_away.map_or(Adopted::New, |(_, name)| Adopted::InPlaceOf(folder.join(name))))
    }

    /// Adds what others signed in a session, flushed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn mirror(&self, session: SessionId, statements: &[&Envelope]) -> Result<(), StoreError> {
        let log = EnvelopeLog::new(self.make_session_folder(session)?.join(MIRROR));
        log.append(statements)
    }

    /// Keeps receipts of a coordinator, flushed.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn keep_receipts(
        &self,
        session: SessionId,
        coordinator: &PublicKey,
        receipts: &[&Envelope],
    ) -> Result<(), StoreError> {
        self.make_session_folder(session)?;
        self.store.receipt_log(session, coordinator).append(receipts)
    }

    /// Keeps, under a name of its own, receipts that prove a coordinator wrong. Returns the file's path.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn keep_proof(&self, session: SessionId, receipts: &[&Envelope]) -> Result<PathBuf, StoreError> {
        let folder = self.make_session_folder(session)?;
        let digests: Vec<u8> = receipts.iter().flat_map(|one| *one.digest().as_bytes()).collect();
        let name = format!("proof-{}.jsonl", hex::encode(&Digest::of(&digests).as_bytes()[..8]));
        let path = folder.join(name);
        if !path.exists() {
            EnvelopeLog::new(path.clone()).append(receipts)?;
        }
        Ok(path)
    }

    /// Writes down that the dump of a round is finished, flushed. Replaces an earlier record of the round.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_dump(&self, session: SessionId, record: &DumpRecord) -> Result<(), StoreError> {
        write_record(&self.make_session_folder(session)?.join(DumpRecord::file_name(record.round)), record)
    }

    /// Writes down what is donated, flushed. Replaces an earlier record of the round.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_donation(&self, session: SessionId, record: &DonationRecord) -> Result<(), StoreError> {
        write_record(
            &self.make_session_folder(session)?.join(DonationRecord::file_name(record.round)),
            record,
        )
    }

    fn make_session_folder(&self, session: SessionId) -> Result<PathBuf, StoreError> {
        let folder = self.store.session_folder(session);
        make_folder(&folder)?;
        Ok(folder)
    }
}

/// The statement in an envelope of the store; `None` if it was made with another roster, or a newer version
/// made it.
fn verified(envelope: Envelope, roster: &Roster) -> Result<Option<Verified>, StatementError> {
    match Verified::read(envelope, roster) {
        Ok(verified) => Ok(Some(verified)),
        Err(
            StatementError::OtherRoster { .. }
            | StatementError::UnknownKind { .. }
            | StatementError::NotKnown { .. },
        ) => Ok(None),
        Err(source) => Err(source),
    }
}

/// The name of the log of a coordinator's receipts.
fn receipt_file(coordinator: &PublicKey) -> String {
    format!("receipts-{}.jsonl", hex::encode(&coordinator.fingerprint().as_bytes()[..8]))
}

fn certificate_lines(certificate: &CompletionCertificate) -> String {
    certificate.statements().map(|one| one.envelope().to_json() + "\n").collect()
}

#[cfg(test)]
mod tests;
