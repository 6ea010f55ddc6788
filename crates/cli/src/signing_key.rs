//! A member's signing key: the Ed25519 key that signs its statements and opens its connections.
//!
//! The key file is PKCS#8 in PEM, version 1 without the public key, because OpenSSL reads only that; files
//! that carry the public key are read too, and refused where it does not belong to the private one.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{self, DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use svdr_files::{FileError, Replace};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use zeroize::Zeroizing;

/// The longest key file, in bytes; an Ed25519 key takes 119.
const MAX_KEY_FILE_LEN: u64 = 16 << 10;
/// Permission bits that let others than the owner at the file.
const OTHERS: u32 = 0o077;

/// Why a key could not be made or read. Nothing of a key ever stands in one of these.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The operating system gave no randomness.
    #[error("the operating system has no randomness for a key\nhelp: run the command again")]
    Randomness(#[source] getrandom::Error),
    /// The key has no PKCS#8 form.
    #[error("the key cannot be written as PKCS#8\nhelp: report this as a bug in svdr")]
    Encode(#[source] pkcs8::Error),
    /// There is such a file, and it may be a key.
    #[error(
        "{} already exists, and a signing key is never replaced\n\
         help: give another name, or move the old key away",
        path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error(transparent)]
    Write(FileError),
    /// The file could not be read.
    #[error("the signing key {} cannot be read\nhelp: check its path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is longer than a key.
    #[error(
        "{} is longer than a signing key\nhelp: name the file that `svdr-agent key new` wrote",
        path.display()
    )]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is no Ed25519 private key.
    #[error(
        "{} is not an Ed25519 private key in PKCS#8 and PEM (-----BEGIN PRIVATE KEY-----)\n\
         help: name the file that `svdr-agent key new` wrote",
        path.display()
    )]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What the decoder says; it never quotes the content.
        #[source]
        source: pkcs8::Error,
    },
}

impl CommandError for SigningKeyError {
    fn exit(&self) -> Exit {
        match self {
            SigningKeyError::NotAKey { .. } | SigningKeyError::TooLong { .. } => Exit::Refused,
            SigningKeyError::Randomness(_)
            | SigningKeyError::Encode(_)
            | SigningKeyError::Exists { .. }
            | SigningKeyError::Write(_)
            | SigningKeyError::Read { .. } => Exit::Failed,
        }
    }
}

/// Makes a new key and writes it to `path`: 0600, complete or not at all, never over an existing file.
///
/// # Errors
/// Where there is such a file already, or it cannot be written.
pub fn create(path: &Path) -> Result<PublicKey, SigningKeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(SigningKeyError::Randomness)?;
    let key = SigningKey::from_bytes(&seed);
    let pair = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    let pem = pair.to_pkcs8_pem(LineEnding::LF).map_err(SigningKeyError::Encode)?;
    svdr_files::write_private(path, pem.as_bytes(), Replace::Never).map_err(|error| match error {
        FileError::Exists { path } => SigningKeyError::Exists { path },
        error => SigningKeyError::Write(error),
    })?;
    Ok(key.verifying_key().into())
}

/// Reads the key in `path`. Warns where others than the owner may read it too.
///
/// # Errors
/// Where there is no such file, or it is not an Ed25519 private key.
pub fn read(path: &Path) -> Result<SigningKey, SigningKeyError> {
    let failed = |source| SigningKeyError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    let mut pem = Zeroizing::new(String::with_capacity(MAX_KEY_FILE_LEN as usize + 1));
    file.take(MAX_KEY_FILE_LEN + 1).read_to_string(&mut pem).map_err(failed)?;
    if pem.len() as u64 > MAX_KEY_FILE_LEN {
        return Err(SigningKeyError::TooLong { path: path.to_owned() });
    }
    let key = SigningKey::from_pkcs8_pem(pem.trim())
        .map_err(|source| SigningKeyError::NotAKey { path: path.to_owned(), source })?;
    if mode & OTHERS != 0 {
        tracing::warn!(
            "the signing key {} is readable by other users (mode {:04o}). Run: chmod 600 {}",
            path.display(),
            mode & 0o7777,
            path.display()
        );
    }
    Ok(key)
}
