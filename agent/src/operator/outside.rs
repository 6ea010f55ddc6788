//! Signs a statement outside of any session, for a member who has no coordinator at hand.

use std::path::Path;
use std::time::{SystemTime, SystemTimeError};

use svdr_cli::failure::Failure;
use svdr_cli::signing_key;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::keys::PublicKey;
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{Body, Header, Statement};

use crate::store::Signer;
use crate::version::SOFTWARE;

/// Why a member cannot sign outside of a session.
#[derive(Debug, thiserror::Error)]
enum OutsideError {
    #[error(
        "the key {path} is {found}, but the roster says that {member} signs with {expected}\nhelp: give the key of {member}"
    )]
    OtherKey { path: String, member: MemberName, expected: Box<PublicKey>, found: Box<PublicKey> },
    #[error(
        "the clock of this machine is set before 1970, so no sequence number can be made\nhelp: set the clock"
    )]
    Clock(#[source] SystemTimeError),
}

impl CommandError for OutsideError {
    fn exit(&self) -> Exit {
        match self {
            OutsideError::OtherKey { .. } => Exit::Refused,
            OutsideError::Clock(_) => Exit::Failed,
        }
    }
}

/// The key in `path`, if the roster says that `member` signs with it.
///
/// # Errors
/// If the key cannot be read or is another's.
pub(crate) fn signer(path: &Path, member: &MemberName, roster: &Roster) -> Result<Signer, Failure> {
    let key = signing_key::read(path)?;
    let found = PublicKey::from(key.verifying_key());
    match roster.member(member) {
        None => Err(svdr_logs::LogsError::not_a_member(member, roster).into()),
        Some(listed) if listed.key != found => Err(OutsideError::OtherKey {
            path: path.display().to_string(),
            member: member.clone(),
            expected: Box::new(listed.key),
            found: Box::new(found),
        }
        .into()),
        Some(_) => Ok(Signer {
            member: member.clone(),
            key,
            roster: roster.fingerprint(),
            software: SOFTWARE.to_owned(),
        }),
    }
}

/// The signed statement in JSON. Its sequence number is the time in microseconds, so that of two statements the later one
/// counts.
///
/// # Errors
/// If nobody would accept it.
pub(crate) fn sign(signer: &Signer, body: Body) -> Result<String, Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(OutsideError::Clock)?;
    let header = Header {
        session: None,
        roster: signer.roster,
        drill: false,
        signer: signer.member.clone(),
        sequence: u64::try_from(now.as_micros()).unwrap_or(u64::MAX),
        software: signer.software.clone(),
    };
    Ok(Statement { header, body }.sign(&signer.key)?.to_json())
}
