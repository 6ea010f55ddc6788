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
    #[error("--from names this member itself\nhelp: name the donor with --from")]
    FromItself,
    /// Nobody has that name.
    #[error(
        "--from names {name}, which is not a member of the roster\n\
         help: give a name that `svdr-agent status` lists"
    )]
    NoSuchMember {
        /// The name.
        name: MemberName,
    },
    /// Nothing is agreed on.
    #[error(
        "round {round} is not agreed yet, so there is nothing to receive\n\
         help: run `svdr-agent status`, which shows what the session waits for"
    )]
    NotAgreedYet {
        /// The round.
        round: u32,
    },
    /// There is no donation that counts.
    #[error(
        "{from} has no valid donation in round {round} ({others}); only a covered member that agreed to the \
         round can donate\n\
         help: ask the operator of {from} to run `svdr-agent donate {session}`"
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
        "{from} donates its snapshot as a file, without a URL\n\
         help: get the file from the operator of {from}, and run `svdr-agent receive {session} --from {from} \
         --file FILE`"
    )]
    NoUrl {
        /// The donor.
        from: MemberName,
        /// The session.
        session: SessionId,
    },
    /// This member has promised not to attest the round.
    #[error(
        "this member has promised never to attest round {round}, so it cannot receive a snapshot in that \
         round\n\
         help: wait for a higher round"
    )]
    Abandoned {
        /// The round.
        round: u32,
    },
    /// This member has a dump of its own.
    #[error(
        "this member has already made its own dump of round {round}: {}\n\
         help: run `svdr-agent run`, which attests that dump, or move the dump away", path.display()
    )]
    OwnDump {
        /// The dump.
        path: PathBuf,
        /// The round.
        round: u32,
    },
    /// Stopped by a signal.
    #[error(
        "stopped by a signal, and the bytes that arrived are kept\nhelp: run the command again to continue"
    )]
    Interrupted,
    /// A thread has died.
    #[error("the thread that makes the dump stopped unexpectedly\nhelp: run the command again")]
    Died(#[from] tokio::task::JoinError),
    /// The system gives no threads or signals.
    #[error("this process cannot start its threads\nhelp: check the limits of the user that runs it")]
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
