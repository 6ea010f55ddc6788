//! Why a backup cannot be read: whose fault, and the way out.

use std::fmt;
use std::io;
use std::path::PathBuf;

use svdr_protocol::failure::{CommandError, Exit};

use super::age_identity::AgeIdentityError;
use super::limits::{MAX_HEADER_LEN, MAX_RECIPIENTS};
use svdr_dump::MergeError;

/// What is wrong with an encrypted file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Its header is no age header.
    Header,
    /// Its header does not end.
    LongHeader,
    /// Its header is not the one that it was written with.
    AlteredHeader,
    /// It ends in the middle.
    Torn,
    /// A part of its content is not what was written, or its armor is none.
    Altered,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Header => f.write_str("its age header is not valid"),
            Damage::LongHeader => write!(
                f,
                "its age header has more than {MAX_HEADER_LEN} bytes, expected that of at most {MAX_RECIPIENTS} recipients"
            ),
            Damage::AlteredHeader => f.write_str("its age header was altered after it was written"),
            Damage::Torn => f.write_str("it ends in the middle"),
            Damage::Altered => f.write_str("it was cut or altered after it was written"),
        }
    }
}

/// Why a backup cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("the backup of the node identities {} cannot be used", path.display())]
    Document { path: PathBuf, encrypted: bool, source: MergeError },
    #[error(
        "{} is encrypted with age, but no age identity is configured\n\
         help: name the file that `age-keygen -o` wrote with --age-identity, or as age_identity under \
         [node_identities] in agent.toml",
        path.display()
    )]
    NoAgeIdentity { path: PathBuf },
    #[error(transparent)]
    AgeIdentity(#[from] AgeIdentityError),
    #[error(
        "{} cannot be decrypted with {}, because it is encrypted to other recipients\n\
         help: give the age identity of one of its recipients, or make the backup again with `svdr-agent \
         backup identities`",
        path.display(), identity.display()
    )]
    OtherRecipients { path: PathBuf, identity: PathBuf },
    #[error(
        "{} is encrypted with a passphrase, which svdr does not ask for\n\
         help: make the backup again with `svdr-agent backup identities --recipient age1…`", path.display()
    )]
    Passphrase { path: PathBuf },
    #[error(
        "{} is an age file of another version than v1, which svdr does not know\n\
         help: make the backup again with `svdr-agent backup identities`", path.display()
    )]
    Version { path: PathBuf },
    #[error(
        "{} is corrupt: {damage}\n\
         help: use another copy of the backup, or make it again with `svdr-agent backup identities`",
        path.display()
    )]
    Damaged { path: PathBuf, damage: Damage, source: Option<io::Error> },
}

impl BackupError {
    /// Whether the file is known to be encrypted, so that its content is nobody's who has no age identity.
    pub(crate) const fn is_of_encrypted(&self) -> bool {
        !matches!(self, BackupError::Document { encrypted: false, .. })
    }
}

impl CommandError for BackupError {
    fn exit(&self) -> Exit {
        match self {
            BackupError::Document { source, .. } if source.is_refusal() => Exit::Refused,
            BackupError::Document { .. } => Exit::Failed,
            BackupError::NoAgeIdentity { .. } => Exit::Usage,
            BackupError::AgeIdentity(error) => error.exit(),
            BackupError::OtherRecipients { .. }
            | BackupError::Passphrase { .. }
            | BackupError::Version { .. }
            | BackupError::Damaged { .. } => Exit::Refused,
        }
    }
}
