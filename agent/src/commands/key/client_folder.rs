//! A folder with what a gRPC client that is not svdr needs to take part as this member or observer.
//!
//! The folder is made anew, 0700, and its files are 0600: a key is never written over, and a folder is never half
//! of one client and half of another. What the files hold is [`ClientFiles`]'s matter.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use rustls::pki_types::UnixTime;
use svdr_files::{FileError, Replace};
use svdr_proto::tls::{ClientFiles, TlsError};
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;

/// The longest that a client's certificate may hold. Nobody can take its key back before that, short of a new
/// signing key in everybody's roster; it is what web browsers allow: a year, and a month to renew in.
const MAX_VALID_FOR: Duration = Duration::from_secs(398 * SECONDS_PER_DAY);

const SECONDS_PER_DAY: u64 = 86_400;

/// The files of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientFolder {
    /// The private key: secret.
    pub(super) key: PathBuf,
    /// The certificate of that key.
    pub(super) certificate: PathBuf,
    /// What to trust as a coordinator.
    pub(super) coordinators: PathBuf,
    /// Until when the certificate holds.
    pub(super) valid_until: UnixTime,
}

/// Why there is no such folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientFolderError {
    #[error(
        "a client's certificate cannot be valid for {} s\nhelp: give a time from 1s to {}d",
        valid_for.as_secs(), MAX_VALID_FOR.as_secs() / SECONDS_PER_DAY
    )]
    ValidFor { valid_for: Duration },
    #[error(
        "{} already exists, and a client's key is never replaced\nhelp: name a folder that does not exist",
        path.display()
    )]
    Exists { path: PathBuf },
    #[error(
        "the folder {} cannot be created\nhelp: check that its parent exists and is writable",
        path.display()
    )]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Make(#[from] TlsError),
    #[error(transparent)]
    Write(#[from] FileError),
}

impl CommandError for ClientFolderError {
    fn exit(&self) -> Exit {
        match self {
            ClientFolderError::ValidFor { .. } => Exit::Usage,
            ClientFolderError::Write(error) => error.exit(),
            _ => Exit::Failed,
        }
    }
}

impl ClientFolder {
    /// Makes the folder `path` for a client of the signing key `key`, whose certificate holds from `now` for `valid_for`
    /// and which talks to the coordinators with these keys.
    ///
    /// # Errors
    /// Where the time is out of bounds, the folder is there already, or it cannot be written.
    pub(super) fn create(
        path: &Path,
        key: &SigningKey,
        coordinators: &[PublicKey],
        now: UnixTime,
        valid_for: Duration,
    ) -> Result<ClientFolder, ClientFolderError> {
        if valid_for.as_secs() == 0 || valid_for > MAX_VALID_FOR {
            return Err(ClientFolderError::ValidFor { valid_for });
        }
        let coordinators: Vec<_> = coordinators.iter().map(|key| key.verifying_key().to_bytes()).collect();
        let content = ClientFiles::new(key, &coordinators, now, valid_for)?;
        DirBuilder::new().mode(0o700).create(path).map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::AlreadyExists => ClientFolderError::Exists { path },
                _ => ClientFolderError::Folder { path, source },
            }
        })?;
        let folder = ClientFolder {
            key: path.join("client.key"),
            certificate: path.join("client.crt"),
            coordinators: path.join("coordinator.crt"),
            valid_until: content.valid_until,
        };
        svdr_files::write_private(&folder.coordinators, content.coordinators.as_bytes(), Replace::Never)?;
        svdr_files::write_private(&folder.certificate, content.certificate.as_bytes(), Replace::Never)?;
        svdr_files::write_private(&folder.key, content.key.as_bytes(), Replace::Never)?;
        Ok(folder)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const DAY: Duration = Duration::from_secs(SECONDS_PER_DAY);

    fn create(path: &Path, valid_for: Duration) -> Result<ClientFolder, ClientFolderError> {
        let key = SigningKey::from_bytes(&[7; 32]);
        let coordinator = SigningKey::from_bytes(&[8; 32]).verifying_key().into();
        ClientFolder::create(path, &key, &[coordinator], UnixTime::now(), valid_for)
    }

    #[test]
    fn everything_is_private_and_nothing_is_written_over() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("client");
        let folder = create(&path, DAY).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        for file in [&folder.key, &folder.certificate, &folder.coordinators] {
            assert_eq!(mode(file), 0o600);
        }
        let key = fs::read_to_string(&folder.key).unwrap();
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let again = create(&path, DAY);
        assert!(matches!(again, Err(ClientFolderError::Exists { .. })), "{again:?}");
        assert_eq!(fs::read_to_string(&folder.key).unwrap(), key);
        let deep = create(&above.path().join("a").join("b"), DAY);
        assert!(matches!(deep, Err(ClientFolderError::Folder { .. })), "{deep:?}");
    }

    #[test]
    fn a_client_is_one_for_a_limited_time() {
        let above = tempfile::tempdir().unwrap();
        for valid_for in [Duration::ZERO, Duration::from_millis(999), MAX_VALID_FOR + DAY, Duration::MAX] {
            let path = above.path().join("never");
            let refused = create(&path, valid_for);
            assert!(matches!(refused, Err(ClientFolderError::ValidFor { .. })), "{refused:?}");
            assert!(!path.exists());
        }
        assert!(create(&above.path().join("longest"), MAX_VALID_FOR).is_ok());
    }
}
