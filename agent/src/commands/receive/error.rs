//! Why a member has not received.

use std::path::PathBuf;

use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::statement::SessionId;

/// Why a member has not received, as far as no other error says it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReceiveCommandError {
    #[error(
        "--from names this member itself\nhelp: name the member whose snapshot this member's dump is to be made of"
    )]
    FromItself,
    #[error(
        "--from names {name}, who is not a member of the roster\nhelp: list the members with svdr-agent status"
    )]
    NoSuchMember { name: MemberName },
    #[error(
        "round {round} is not agreed yet, so there is nothing to receive\nhelp: see with svdr-agent status what it waits for"
    )]
    NotAgreedYet { round: u32 },
    #[error(
        "{from} has donated nothing that counts in round {round} ({others})\nhelp: ask the operator of {from} to run \
         `svdr-agent donate {session}`, which only a member can run that the round covers and that has agreed to it"
    )]
    NoDonation { from: MemberName, round: u32, session: SessionId, others: String },
    #[error(
        "{from} hands out its snapshot as a file, and not at a URL\nhelp: get the file from the operator of {from}, and give \
         it with `svdr-agent receive {session} --from {from} --file FILE`"
    )]
    NoUrl { from: MemberName, session: SessionId },
    #[error(
        "this member has promised never to attest round {round}, so it can receive nothing in this round\nhelp: wait for a \
         higher round"
    )]
    Abandoned { round: u32 },
    #[error(
        "this member has made its own dump of round {round}: {}\nhelp: attest it with `svdr-agent run`, or move it away if it \
         must not be used", path.display()
    )]
    OwnDump { path: PathBuf, round: u32 },
}

impl CommandError for ReceiveCommandError {
    fn exit(&self) -> Exit {
        match self {
            ReceiveCommandError::FromItself | ReceiveCommandError::NoSuchMember { .. } => Exit::Usage,
            ReceiveCommandError::Abandoned { .. } | ReceiveCommandError::OwnDump { .. } => Exit::Refused,
            ReceiveCommandError::NotAgreedYet { .. }
            | ReceiveCommandError::NoDonation { .. }
            | ReceiveCommandError::NoUrl { .. } => Exit::Failed,
        }
    }
}
