//! The age identity that a backup is decrypted with: a file as `age-keygen` writes it.
//!
//! It may hold several identities, one a line, and comments. Who may read it is checked as for the member's own key: a
//! warning, and `svdr-agent check` fails.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use age::x25519::Identity;
use svdr_files::FileIoError;
use svdr_protocol::failure::{CommandError, Exit};
use zeroize::Zeroizing;

use super::backup_form::BackupForm;
use super::limits::{MAX_AGE_IDENTITIES, MAX_KEYS_FILE_LEN};
use super::recipients::Recipients;

/// Permission bits that let others than the owner at the file.
const OTHERS: u32 = 0o077;

/// The identities of one file: private keys, which are wiped when dropped. `Debug` shows nothing of them.
pub struct AgeIdentity {
    path: PathBuf,
    identities: Vec<Identity>,
}

impl fmt::Debug for AgeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgeIdentity({:?}, {} private)", self.path, self.identities.len())
    }
}

/// Why there is no age identity. Nothing of the file ever stands in one of these.
#[derive(Debug, thiserror::Error)]
pub enum AgeIdentityError {
    #[error(transparent)]
    Io(#[from] FileIoError),
    #[error(
        "{} is longer than {MAX_KEYS_FILE_LEN} bytes, so it is not an age identity\n\
         help: name the file that `age-keygen -o` wrote",
        path.display()
    )]
    TooLong { path: PathBuf },
    #[error(
        "the age identity {} is encrypted with a passphrase, which svdr does not ask for\n\
         help: decrypt it with `age -d` into a file that only its owner can read, and name that file", path.display()
    )]
    Encrypted { path: PathBuf },
    #[error(
        "{}, line {line}, is not an age identity: expected AGE-SECRET-KEY-1…, and no identity of a plugin or \
         of SSH\n\
         help: name the file that `age-keygen -o` wrote", path.display()
    )]
    NotAnIdentity { path: PathBuf, line: usize },
    #[error(
        "{} contains no age identity: expected AGE-SECRET-KEY-1…\n\
         help: name the file that `age-keygen -o` wrote",
        path.display()
    )]
    Empty { path: PathBuf },
    #[error(
        "{} contains more than {MAX_AGE_IDENTITIES} age identities\n\
         help: name a file with the needed age identities only",
        path.display()
    )]
    TooMany { path: PathBuf },
}

impl CommandError for AgeIdentityError {
    fn exit(&self) -> Exit {
        match self {
            AgeIdentityError::Io(error) => error.exit(),
            AgeIdentityError::TooLong { .. }
            | AgeIdentityError::Encrypted { .. }
            | AgeIdentityError::NotAnIdentity { .. }
            | AgeIdentityError::Empty { .. }
            | AgeIdentityError::TooMany { .. } => Exit::Refused,
        }
    }
}

impl AgeIdentity {
    /// Reads the file at `path`. Warns where others than its owner may read it too.
    ///
    /// # Errors
    /// [`AgeIdentityError`] where it cannot be read, or is no file of X25519 identities.
    pub fn read(path: &Path) -> Result<AgeIdentity, AgeIdentityError> {
        let failed = FileIoError::read("the age identity", path);
        let file = File::open(path).map_err(&failed)?;
        let metadata = file.metadata().map_err(&failed)?;
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_KEYS_FILE_LEN as usize + 1));
        file.take(MAX_KEYS_FILE_LEN + 1).read_to_end(&mut text).map_err(failed)?;
        let identity = AgeIdentity::parse(&text, path)?;
        if metadata.is_file() && metadata.mode() & OTHERS != 0 {
            tracing::warn!(
                "the age identity {} is readable by other users (mode {:04o}). Run: chmod 600 {}",
                path.display(),
                metadata.mode() & 0o7777,
                path.display()
            );
        }
        Ok(identity)
    }

    /// Reads the text of a file that is called `path`.
    ///
    /// # Errors
    /// As [`AgeIdentity::read`].
    pub fn parse(text: &[u8], path: &Path) -> Result<AgeIdentity, AgeIdentityError> {
        let path = || path.to_owned();
        if text.len() as u64 > MAX_KEYS_FILE_LEN {
            return Err(AgeIdentityError::TooLong { path: path() });
        }
        if BackupForm::of(text) != BackupForm::Plain {
            return Err(AgeIdentityError::Encrypted { path: path() });
        }
        let mut identities = Vec::new();
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let identity = std::str::from_utf8(line).ok().and_then(|line| line.parse::<Identity>().ok());
            let Some(identity) = identity else {
                return Err(AgeIdentityError::NotAnIdentity { path: path(), line: at + 1 });
            };
            if identities.len() == MAX_AGE_IDENTITIES {
                return Err(AgeIdentityError::TooMany { path: path() });
            }
            identities.push(identity);
        }
        match identities.is_empty() {
            true => Err(AgeIdentityError::Empty { path: path() }),
            false => Ok(AgeIdentity { path: path(), identities }),
        }
    }

    /// Whether it can decrypt what is encrypted to these recipients.
    pub fn is_among(&self, recipients: &Recipients) -> bool {
        let own: Vec<_> = self.identities.iter().map(Identity::to_public).collect();
        recipients.iter().any(|recipient| own.contains(recipient))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Each of them, as the crate `age` takes them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.identities.iter().map(|identity| identity as &dyn age::Identity)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use age::secrecy::ExposeSecret as _;

    use super::*;

    fn secret() -> String {
        Identity::generate().to_string().expose_secret().to_owned()
    }

    fn parse(text: impl AsRef<[u8]>) -> Result<AgeIdentity, AgeIdentityError> {
        AgeIdentity::parse(text.as_ref(), Path::new("age.key"))
    }

    #[test]
    fn a_file_of_age_keygen_is_read() {
        let (one, other) = (secret(), secret());
        let text = format!("# created: 2026-04-21T23:10:00Z\r\n# public key: age1…\r\n{one}\r\n\n {other}");
        assert_eq!(parse(text).unwrap().identities.len(), 2);
    }

    #[test]
    fn what_is_none_is_named_by_its_line_and_not_repeated() {
        let secret = secret();
        let cut = &secret[..70];
        for wrong in [cut, "AGE-SECRET-KEY-PQ-1QQQQ", "age1qqqq", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            let error = parse(format!("# a comment\n{wrong}\n")).unwrap_err();
            assert!(error.to_string().starts_with("age.key, line 2, is not an age identity"), "{error}");
            assert!(!format!("{error}{error:?}").contains(wrong), "{error}");
        }
        assert!(matches!(parse(b"\xff\xfe"), Err(AgeIdentityError::NotAnIdentity { line: 1, .. })));
        assert!(matches!(parse("\n# none\n"), Err(AgeIdentityError::Empty { .. })));
        assert!(matches!(parse("#".repeat(70_000)), Err(AgeIdentityError::TooLong { .. })));
        assert!(matches!(parse("age-encryption.org/v1\n-> scrypt"), Err(AgeIdentityError::Encrypted { .. })));
        let many = vec![secret; MAX_AGE_IDENTITIES + 1].join("\n");
        assert!(matches!(parse(many), Err(AgeIdentityError::TooMany { .. })));
        let absent = AgeIdentity::read(Path::new("/nowhere/age.key")).unwrap_err();
        assert_eq!((absent.exit(), parse("").unwrap_err().exit()), (Exit::Failed, Exit::Refused));
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let secret = secret();
        let shown = format!("{:?}", parse(&secret).unwrap());
        assert_eq!(shown, "AgeIdentity(\"age.key\", 1 private)");
    }
}
