//! Writes a backup: in the clear, or encrypted to age recipients, with or without ASCII armor.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use age::Encryptor;
use age::armor::{ArmoredWriter, Format};
use sha2::{Digest as _, Sha256};
use svdr_files::{FileError, PrivateFile, Replace};
use svdr_protocol::digest::Digest;
use svdr_protocol::failure::{CommandError, Exit};

use super::recipients::Recipients;
use svdr_dump::Identities;

/// How a backup is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// In the clear, for this machine alone.
    Plain,
    /// Encrypted, so that it may leave the machine.
    Encrypted {
        /// Whom it is encrypted to.
        recipients: Recipients,
        /// Whether it is text: for mail and the like.
        armor: bool,
    },
}

/// A backup that has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the file: to compare copies of it.
    pub sha256: Digest,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the backup cannot be encrypted to these recipients\nhelp: report this as a bug in svdr")]
    Encrypt(#[source] age::EncryptError),
}

impl CommandError for SealError {
    fn exit(&self) -> Exit {
        match self {
            SealError::File(error) => error.exit(),
            SealError::Encrypt(_) => Exit::Failed,
        }
    }
}

/// Writes the document to the file `out`: private from its first byte, and there when it is complete.
///
/// # Errors
/// [`SealError`]; what was at `out` is still there then.
pub fn seal(
    identities: &Identities,
    sealing: &Sealing,
    out: &Path,
    replace: Replace,
) -> Result<Sealed, SealError> {
    let mut file = PrivateFile::create(out, replace)?;
    let sealed = write(identities, sealing, &mut file).map_err(|error| match error {
        WriteError::Encrypt(error) => SealError::Encrypt(error),
        WriteError::Io(error) => SealError::File(FileError::of_write(out, error)),
    })?;
    file.commit()?;
    Ok(sealed)
}

/// Why the document cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Encrypt(age::EncryptError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes the document to `out`, which receives nothing of its plain text where it is encrypted.
pub(super) fn write(
    identities: &Identities,
    sealing: &Sealing,
    out: impl Write,
) -> Result<Sealed, WriteError> {
    let mut out = Digested { inner: out, size: 0, sha256: Sha256::new() };
    match sealing {
        Sealing::Plain => out.write_all(identities.expose())?,
        Sealing::Encrypted { recipients, armor } => {
            let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
            let encryptor = Encryptor::with_recipients(recipients).map_err(WriteError::Encrypt)?;
            let format = if *armor { Format::AsciiArmor } else { Format::Binary };
            // Headers and armor come in small pieces.
            let mut buffered = BufWriter::new(&mut out);
            let armored = ArmoredWriter::wrap_output(&mut buffered, format)?;
            let mut encrypted = encryptor.wrap_output(armored)?;
            encrypted.write_all(identities.expose())?;
            encrypted.finish()?.finish()?.flush()?;
        }
    }
    out.flush()?;
    let sha256 = Digest::from_bytes(out.sha256.finalize().into());
    Ok(Sealed { size: out.size, sha256 })
}

/// Counts and digests what is written through it.
struct Digested<W> {
    inner: W,
    size: u64,
    sha256: Sha256,
}

impl<W: Write> Write for Digested<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.size += written as u64;
        self.sha256.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
