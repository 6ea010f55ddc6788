//! What is done about corrupt files in the state folder, before anything is decided or sent.
//!
//! | file | content | if it is corrupt |
//! | --- | --- | --- |
//! | `000001-evidence.json` | what this member signed | the agent refuses to start: it does not know what it promised |
//! | `mirror.jsonl` | what others signed | the corrupt lines are set aside, and a coordinator sends them again |
//! | `receipts-KEY.jsonl` | a coordinator's receipts | likewise |
//! | `completed-1.jsonl` | a completion certificate | made again of the session's statements, once they are complete; nothing is signed before |
//! | `dump-1.json`, `donation-1.json` | the record of a file | set aside, and made again |
//!
//! * A corrupt file says nothing about the coordinator or the member whose statements it contained. So nothing corrupt
//!   is handed to the rules that judge them.
//! * A corrupt statement of this member is moved to `….json.corrupt` by the operator, never by the agent. Its number is
//!   never used again, and if it was a promise, nothing is signed until a coordinator has given it back.
//! * The last line of a log may be incomplete after a crash. It is treated as the other corrupt lines are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use svdr_files::Replace;
use svdr_files::crash::around_flush;
use svdr_protocol::certificate::CompletionCertificate;
use svdr_protocol::dsse::{Envelope, EnvelopeError};
use svdr_protocol::failure::{in_one_line, split, text_in_one_line};
use svdr_protocol::receipt::{ReceiptError, VerifiedReceipt};
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::SessionId;

use super::folder::{CORRUPT, aside, names_in, numbered_files, read_record};
use super::{DonationRecord, DumpRecord, MIRROR, Store, StoreError, certificate_lines, receipt_file};

/// Kinds that bind this member to nothing but their number: one that is lost need not come back.
const NOT_PROMISES: [&str; 12] = [
    "open",
    "appointment",
    "evidence",
    "sequencing",
    "proposal",
    "rejection",
    "obstacle",
    "milestone",
    "readiness",
    "donation",
    "confirmation",
    "abort",
];

/// Why a line of a log is corrupt.
#[derive(Debug, thiserror::Error)]
enum LineFault {
    #[error("the line is incomplete")]
    Incomplete,
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    #[error("the line is a receipt of another session or coordinator")]
    OtherReceipt,
}

impl Store {
    /// Verifies every file of the state folder, and sets aside what is corrupt and a coordinator has too, with a warning.
    ///
    /// # Errors
    /// [`StoreError::Promise`] if a statement of this member is corrupt, and any other [`StoreError`] if the folder cannot
    /// be read or written.
    pub fn mend(&self, roster: &Roster) -> Result<(), StoreError> {
        for session in self.sessions()? {
            self.own_statements(session, roster)?;
        }
        let _locked = self.lock()?;
        for session in self.sessions()? {
            let folder = self.session_folder(session);
            for name in names_in(&folder)? {
                self.mend_file(session, &folder.join(&name), &name)?;
            }
        }
        Ok(())
    }

    fn mend_file(&self, session: SessionId, path: &Path, name: &str) -> Result<(), StoreError> {
        if name == MIRROR {
            let content = "what other members signed, and a coordinator sends it again";
            return mend_log(path, content, |envelope| Ok(envelope.verify().map(drop)?));
        }
        if name.starts_with("receipts-") && name.ends_with(".jsonl") {
            let content = "a coordinator's receipts, and the coordinator sends them again";
            return mend_log(path, content, |envelope| {
                let receipt = VerifiedReceipt::read(envelope.clone(), None)?;
                let is_here =
                    receipt.receipt().session == session && receipt_file(&receipt.coordinator()) == name;
                if is_here { Ok(()) } else { Err(LineFault::OtherReceipt) }
            });
        }
        let is_record = |kind: &str| name.starts_with(kind) && name.ends_with(".json");
        if is_record("dump-") {
            return mend_record(path, read_record::<DumpRecord>(path).map(drop));
        }
        if is_record("donation-") {
            return mend_record(path, read_record::<DonationRecord>(path).map(drop));
        }
        Ok(())
    }

    /// Checks that no promise of this member is missing, after its corrupt file was moved away.
    ///
    /// # Errors
    /// [`StoreError::Missing`] with the first that is.
    pub(super) fn none_is_missing(&self, session: SessionId) -> Result<(), StoreError> {
        let folder = self.session_folder(session);
        let moved_away = moved_away(&folder)?;
        let present = if moved_away.is_empty() { Default::default() } else { numbered_files(&folder)? };
        let missing =
            moved_away.into_iter().find(|(number, name)| !present.contains_key(number) && is_promise(name));
        match missing {
            Some((_, name)) => Err(StoreError::Missing { path: folder.join(name) }),
            None => Ok(()),
        }
    }

    /// Writes the certificate of a completed round again if its file is corrupt.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn mend_certificate(
        &self,
        certificate: &CompletionCertificate,
        roster: &Roster,
    ) -> Result<(), StoreError> {
        let round = certificate.round();
        let path = self.certificate_path(round);
        // One that is not there yet is kept by whoever acts on it.
        if !path.exists() || self.certificate(&path, round.session, roster).is_ok() {
            return Ok(());
        }
        let _locked = self.lock()?;
        let (beside, corrupt) = (aside(&path), fs::read(&path));
        let corrupt = corrupt.map_err(|source| StoreError::Read { path: path.clone(), source })?;
        around_flush(|| svdr_files::write_private(&beside, &corrupt, Replace::Force))?;
        // Replaced in one step, so that at no moment the agent does not know that the round is completed.
        let lines = certificate_lines(certificate);
        around_flush(|| svdr_files::write_private(&path, lines.as_bytes(), Replace::Force))?;
        tracing::warn!(
            "{} was corrupt. The completion certificate of round {} is written again from the statements of the \
             session. The corrupt file is set aside as {}",
            path.display(),
            round.round,
            beside.display()
        );
        Ok(())
    }
}

/// The statements of this member whose corrupt files were moved away: number and file name.
pub(super) fn moved_away(folder: &Path) -> Result<Vec<(u64, String)>, StoreError> {
    let names = names_in(folder)?.into_iter().filter(|name| name.ends_with(CORRUPT));
    Ok(names.filter_map(|name| Some((name.split_once('-')?.0.parse().ok()?, name))).collect())
}

/// Whether a file's name is that of a statement which binds this member, as far as this version knows.
fn is_promise(name: &str) -> bool {
    let kind = name.split_once('-').map_or(name, |(_, rest)| rest);
    !NOT_PROMISES.iter().any(|known| {
        kind.strip_prefix(known).is_some_and(|rest| rest.starts_with('.') || rest.starts_with('-'))
    })
}

/// Rewrites a log without its corrupt lines, and puts those beside it. The lock is held.
fn mend_log(
    path: &Path,
    content: &str,
    check: impl Fn(&Envelope) -> Result<(), LineFault>,
) -> Result<(), StoreError> {
    let bytes = fs::read(path).map_err(|source| StoreError::Read { path: path.to_owned(), source })?;
    let (mut sound, mut corrupt) = (Vec::with_capacity(bytes.len()), Vec::new());
    let mut first: Option<(usize, LineFault)> = None;
    let mut count = 0;
    for (at, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let judged = match line.strip_suffix(b"\n") {
            Some([]) => continue,
            Some(text) => Envelope::from_json(text).map_err(LineFault::from).and_then(|one| check(&one)),
            None => Err(LineFault::Incomplete),
        };
        match judged {
            Ok(()) => sound.extend_from_slice(line),
            Err(fault) => {
                corrupt.extend_from_slice(line);
                count += 1;
                first.get_or_insert((at + 1, fault));
            }
        }
    }
    let Some((line, fault)) = first else { return Ok(()) };
    // The corrupt lines first: a crash between the two leaves them in both files, and nothing is lost.
    let beside = aside(path);
    around_flush(|| svdr_files::write_private(&beside, &corrupt, Replace::Force))?;
    around_flush(|| svdr_files::write_private(path, &sound, Replace::Force))?;
    let more = match count {
        1 => String::new(),
        2 => " and 1 more line".to_owned(),
        _ => format!(" and {} more lines", count - 1),
    };
    tracing::warn!(
        "{}, line {line}{more}: corrupt ({}). The file contains {content}. The corrupt part is set aside in {}",
        path.display(),
        text_in_one_line(&split(&fault.to_string()).0),
        beside.display()
    );
    Ok(())
}

/// Moves the record of a file away if it cannot be read. The lock is held.
fn mend_record(path: &Path, read: Result<(), StoreError>) -> Result<(), StoreError> {
    let source = match read {
        Ok(()) => return Ok(()),
        Err(StoreError::Record { source, .. }) => source,
        Err(other) => return Err(other),
    };
    let beside = set_aside(path)?;
    tracing::warn!(
        "{} is corrupt ({}). The file says where a dump or snapshot is, and the agent makes it again. The corrupt file \
         is set aside as {}",
        path.display(),
        in_one_line(&source),
        beside.display()
    );
    Ok(())
}

/// Moves a file away under the name of a corrupt one, and flushes the folder.
fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let beside = aside(path);
    let moved = || -> io::Result<()> {
        fs::rename(path, &beside)?;
        match path.parent() {
            Some(folder) => fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    around_flush(moved).map_err(|source| StoreError::Append { path: path.to_owned(), source })?;
    Ok(beside)
}

#[cfg(test)]
mod tests;
