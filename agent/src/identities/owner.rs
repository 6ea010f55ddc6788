//! Whose backup is it?

use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Member;
use svdr_protocol::text::shown;

use svdr_dump::Identities;

/// The identities are not those of this member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    #[error(
        "the node identities name no participant (identities.participant.id): expected {expected}, the \
         participant of {member}\n\
         help: make the backup again"
    )]
    Unnamed { expected: String, member: MemberName },
    #[error(
        "the node identities belong to participant {found:?}, but the participant of {member} in the roster \
         is {expected}\n\
         help: use the SV app and the backup of {member}, or ask the convener to correct the roster"
    )]
    Other { found: String, expected: String, member: MemberName },
}

impl CommandError for NotOurs {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// Whether the identities are of the participant that the roster has for `member`.
///
/// # Errors
/// [`NotOurs`] where they are not.
pub fn check_owner(identities: &Identities, member: &Member) -> Result<(), NotOurs> {
    let (expected, name) = (member.participant.to_string(), member.name.clone());
    match identities.participant() {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(NotOurs::Other { found: shown(found), expected, member: name }),
        None => Err(NotOurs::Unnamed { expected, member: name }),
    }
}
