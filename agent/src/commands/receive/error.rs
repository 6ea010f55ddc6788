//! Why a member has not received.

use std::io;
use std::path::PathBuf;

use svdr_proto::tls::TlsError;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::names::MemberName;
use svdr_protocol::statement::SessionId;

use crate::commands::merge::MergeCommandError;
use crate::config::ConfigError;
use crate::operator::decide::DecideError;
use crate::operator::online::OnlineError;
use crate::sources::donor::ReceiveError;

/// Why a member has not received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveCommandError {
    /// Something is missing.
    #[error(transparent)]
    Online(#[from] OnlineError),
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The backup of the node identities.
    #[error(transparent)]
    Identities(MergeCommandError),
    /// The rules or the operator say no.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The transfer, the snapshot, the dump.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// TLS.
    #[error(transparent)]
    Tls(TlsError),
    /// The donor is this member.
    #[error("--from names this member itself; name the member whose snapshot this one is to be made of")]
    FromItself,
    /// Nobody has that name.
    #[error("--from names {name}, who is no member of the roster; svdr-agent status lists the members")]
    NoSuchMember {
        /// The name.
        name: MemberName,
    },
    /// Nothing is agreed on.
    #[error(
        "round {round} is not agreed yet, so that there is nothing to receive; svdr-agent status says what it waits for"
    )]
    NotAgreedYet {
        /// The round.
        round: u32,
    },
    /// There is no donation that counts.
    #[error(
        "{from} has donated nothing that counts in round {round} ({others}). Ask {from}'s operator to run `svdr-agent \
         donate {session}`, which takes a member that the round covers and that has agreed to it"
    )]
    NoDonation {
        /// The donor that was named.
        from: MemberName,
        /// The round.
        round: u32,
        /// The session.
        session: SessionId,
        /// Who has donated.
        others: String,
    },
    /// The donation names no URL.
    #[error(
        "{from} hands its snapshot out as a file and by no URL. Get the file from {from}'s operator, and give it with \
         `svdr-agent receive {session} --from {from} --file FILE`"
    )]
    NoUrl {
        /// The donor.
        from: MemberName,
        /// The session.
        session: SessionId,
    },
    /// This member has promised not to attest the round.
    #[error(
        "this member has promised never to attest round {round}, so that it can receive nothing in it; wait for a higher \
         round"
    )]
    Abandoned {
        /// The round.
        round: u32,
    },
    /// This member has a dump of its own.
    #[error(
        "this member's own dump of round {round} is made: {}. `svdr-agent run` attests it; move it away if it is not to be \
         used", path.display()
    )]
    OwnDump {
        /// The dump.
        path: PathBuf,
        /// The round.
        round: u32,
    },
    /// Stopped by a signal.
    #[error("stopped by a signal; what has arrived is kept, run it again to go on")]
    Interrupted,
    /// A thread has died.
    #[error("the thread that makes the dump has died; run this again, and report it if it happens again")]
    Died(#[from] tokio::task::JoinError),
    /// The system gives no threads or signals.
    #[error("this process cannot start its threads; look at the limits of the user it runs as")]
    Runtime(#[source] io::Error),
    /// Stdout cannot be written; it is done.
    #[error("the dump is made and attested, but the result cannot be printed")]
    Print(#[source] io::Error),
}

impl CommandError for ReceiveCommandError {
    fn exit(&self) -> Exit {
        match self {
            ReceiveCommandError::Online(error) => error.exit(),
            ReceiveCommandError::Config(error) => error.exit(),
            ReceiveCommandError::Identities(error) => error.exit(),
            ReceiveCommandError::Decide(error) => error.exit(),
            ReceiveCommandError::Receive(error) => error.exit(),
            ReceiveCommandError::FromItself | ReceiveCommandError::NoSuchMember { .. } => Exit::Usage,
            ReceiveCommandError::Abandoned { .. } | ReceiveCommandError::OwnDump { .. } => Exit::Refused,
            ReceiveCommandError::Tls(_)
            | ReceiveCommandError::NotAgreedYet { .. }
            | ReceiveCommandError::NoDonation { .. }
            | ReceiveCommandError::NoUrl { .. }
            | ReceiveCommandError::Interrupted
            | ReceiveCommandError::Died(_)
            | ReceiveCommandError::Runtime(_)
            | ReceiveCommandError::Print(_) => Exit::Failed,
        }
    }
}
