//! Who signs: the member of the roster that a signing key belongs to.

use std::path::{Path, PathBuf};

use svdr_cli::failure::Failure;
use svdr_cli::signing_key;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::roster::Roster;

use crate::store::Signer;
use crate::version::SOFTWARE;

/// The key is no member's.
#[derive(Debug, thiserror::Error)]
#[error(
    "the signing key ({key}) belongs to no member of the roster {}\nhelp: compare `svdr-agent key show` with the roster",
    roster.display()
)]
struct NotAMember {
    key: PublicKey,
    roster: PathBuf,
}

impl CommandError for NotAMember {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// Reads the key in `key_file`, for the member of `roster` that it belongs to.
///
/// # Errors
/// If the key cannot be read, or belongs to no member.
pub(crate) fn read(key_file: &Path, roster: &Roster, roster_file: &Path) -> Result<Signer, Failure> {
    let key = signing_key::read(key_file)?;
    let public = PublicKey::from(key.verifying_key());
    let member = roster.member_by_key(&public);
    let member = member.ok_or_else(|| NotAMember { key: public, roster: roster_file.to_owned() })?;
    Ok(Signer {
        member: member.name.clone(),
        roster: roster.fingerprint(),
        software: SOFTWARE.to_owned(),
        key,
    })
}
