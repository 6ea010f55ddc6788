//! Reads a backup in either form, and checks the document in it.
//!
//! An encrypted one is taken in these steps, each of which bounds what the next can cost:
//!
//! 1. Of the armor, where there is any, only short lines.
//! 2. The header, found by its end within [`MAX_HEADER_LEN`] bytes before anything of it is parsed.
//! 3. A passphrase's header is refused, before its scrypt is computed, and before an age identity is asked for.
//! 4. The key is unwrapped, and the code over the header checked.
//! 5. The content is decrypted chunk by chunk into the document's memory, up to that one's limit.
//! 6. Once the last chunk is known to be the last, the document is checked.

use std::io::{self, BufReader, Read};
use std::path::Path;

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor};
use zeroize::Zeroizing;

use super::age_identity::AgeIdentity;
use super::backup_form::{BackupForm, MAX_START_LEN};
use super::error::{BackupError, Damage};
use super::limits::{MAX_ARMOR_LINE_LEN, MAX_HEADER_LEN};
use super::short_lines::ShortLines;
use svdr_dump::{Document, Identities, MergeError};

/// The first line of the version that is known.
const VERSION: &[u8] = b"age-encryption.org/v1\n";
/// Starts the last line of a header.
const LAST_LINE: &[u8] = b"\n---";
/// Bytes of that line, both line ends included: a space and 43 characters of base64 follow.
const LAST_LINE_LEN: usize = LAST_LINE.len() + 1 + 43 + 1;

/// A backup that has been read and checked.
#[derive(Debug)]
pub struct Backup {
    /// The document in it.
    pub identities: Identities,
    /// Whether the file is encrypted.
    pub encrypted: bool,
}

/// Reads the backup `source`, whose file is called `path` and is `len` bytes long, where that is known. The file
/// `age_identity` is read only where the backup is encrypted.
///
/// # Errors
/// [`BackupError`] where it cannot be read, decrypted, or is no identities document.
pub fn read(
    source: impl Read,
    len: Option<u64>,
    path: &Path,
    age_identity: Option<&Path>,
) -> Result<Backup, BackupError> {
    read_with(source, len, path, || {
        let file = age_identity.ok_or_else(|| BackupError::NoAgeIdentity { path: path.to_owned() })?;
        Ok(AgeIdentity::read(file)?)
    })
}

/// The same, with an age identity that is only asked for where it is needed.
pub(super) fn read_with(
    mut source: impl Read,
    len: Option<u64>,
    path: &Path,
    age_identity: impl FnOnce() -> Result<AgeIdentity, BackupError>,
) -> Result<Backup, BackupError> {
    let refused = |source| BackupError::Document { path: path.to_owned(), encrypted: false, source };
    // Wiped, because the keys may be in there already.
    let mut start = Zeroizing::new(Vec::with_capacity(MAX_START_LEN));
    let begun = (&mut source).take(MAX_START_LEN as u64).read_to_end(&mut start);
    begun
        .map_err(|source| refused(MergeError::Read { document: Document::Identities, offset: 0, source }))?;
    let form = BackupForm::of(&start);
    let start = start.as_slice();
    match form {
        BackupForm::Plain => {
            let identities = Identities::read(start.chain(source), len).map_err(refused)?;
            Ok(Backup { identities, encrypted: false })
        }
        BackupForm::Age => decrypt(start.chain(source), len, path, age_identity),
        BackupForm::Armored(spaces) => {
            // So many bytes of `start` are white space.
            let text = start[spaces..].chain(source);
            let text = ShortLines::new(text, MAX_ARMOR_LINE_LEN);
            decrypt(ArmoredReader::new(text), len, path, age_identity)
        }
    }
}

fn decrypt(
    mut source: impl Read,
    len: Option<u64>,
    path: &Path,
    age_identity: impl FnOnce() -> Result<AgeIdentity, BackupError>,
) -> Result<Backup, BackupError> {
    let damaged = |damage| BackupError::Damaged { path: path.to_owned(), damage, source: None };
    let mut start = Vec::with_capacity(MAX_HEADER_LEN);
    let begun = (&mut source).take(MAX_HEADER_LEN as u64).read_to_end(&mut start);
    begun.map_err(|source| unreadable(path, start.len() as u64, source))?;
    if !start.starts_with(VERSION) {
        // Armor hides what it holds until here.
        return Err(match BackupForm::of(&start) {
            BackupForm::Age => BackupError::Version { path: path.to_owned() },
            _ => damaged(Damage::Header),
        });
    }
    check_header_end(&start).map_err(damaged)?;
    let failed = |error| match error {
        DecryptError::Io(source) => unreadable(path, 0, source),
        DecryptError::InvalidMac => damaged(Damage::AlteredHeader),
        // Also said of a header of this version that cannot be parsed.
        _ => damaged(Damage::Header),
    };
    let decryptor = Decryptor::new_buffered(start.chain(BufReader::new(source))).map_err(failed)?;
    if decryptor.is_scrypt() {
        return Err(BackupError::Passphrase { path: path.to_owned() });
    }
    let keys = age_identity()?;
    let content = decryptor.decrypt(keys.iter()).map_err(|error| match error {
        DecryptError::NoMatchingKeys => {
            BackupError::OtherRecipients { path: path.to_owned(), identity: keys.path().to_owned() }
        }
        error => failed(error),
    })?;
    // What is encrypted is longer than what it holds.
    match Identities::read(content, len) {
        Ok(identities) => Ok(Backup { identities, encrypted: true }),
        Err(MergeError::Read { offset, source, .. }) => Err(unreadable(path, offset, source)),
        Err(source) => Err(BackupError::Document { path: path.to_owned(), encrypted: true, source }),
    }
}

/// Looks whether the header's last line is in `start`, the beginning of a file.
fn check_header_end(start: &[u8]) -> Result<(), Damage> {
    let Some(at) = memchr::memmem::find(start, LAST_LINE) else {
        return Err(if start.len() < MAX_HEADER_LEN { Damage::Torn } else { Damage::LongHeader });
    };
    match start.get(at..at + LAST_LINE_LEN) {
        Some(line) if line.ends_with(b"\n") => Ok(()),
        Some(_) => Err(Damage::Header),
        None if start.len() < MAX_HEADER_LEN => Err(Damage::Torn),
        None => Err(Damage::LongHeader),
    }
}

/// A failure of the disk, or of what was read from it: only the first has a number from the system.
fn unreadable(path: &Path, offset: u64, source: io::Error) -> BackupError {
    let path = path.to_owned();
    if source.raw_os_error().is_some() {
        let source = MergeError::Read { document: Document::Identities, offset, source };
        return BackupError::Document { path, encrypted: true, source };
    }
    let damage = match source.kind() {
        io::ErrorKind::UnexpectedEof => Damage::Torn,
        _ => Damage::Altered,
    };
    BackupError::Damaged { path, damage, source: Some(source) }
}
