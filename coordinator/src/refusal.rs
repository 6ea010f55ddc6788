//! Why the coordinator refuses a call.

use std::sync::Arc;

use svdr_proto::limits::{
    MAX_BYTES_PER_MEMBER, MAX_CERTIFICATE_LEN, MAX_FOREIGN_PROPOSALS_PER_MEMBER, MAX_STATEMENTS_PER_MEMBER,
};
use svdr_protocol::dsse::EnvelopeError;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::{NotAccepted, NotAdmitted, Phase};
use svdr_protocol::statement::{SessionId, SessionIdError, StatementError};

use crate::limits::{CALLS_PER_SECOND, MAX_SESSIONS, MAX_STREAMS_PER_CLIENT};

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
pub enum CallRefusal {
    /// The request has no statement in it.
    #[error("the request contains no statement\nhelp: put a DSSE envelope into its field \"statement\"")]
    NoStatement,
    /// It is not an envelope.
    #[error(transparent)]
    Envelope(EnvelopeError),
    /// The statement is invalid.
    #[error(transparent)]
    Statement(Arc<StatementError>),
    /// The statement belongs to no session.
    #[error("this {kind} names no session\nhelp: sign it again for a session")]
    NoSession {
        /// Its kind.
        kind: String,
    },
    /// The text is not a session's id.
    #[error(transparent)]
    SessionId(#[from] SessionIdError),
    /// There is no such session.
    #[error(
        "this coordinator has no session {session}\n\
         help: list its sessions, or first submit the statement that opens this session"
    )]
    UnknownSession {
        /// The session.
        session: SessionId,
    },
    /// The session is not completed.
    #[error(
        "session {session} is not completed: {phase}\n\
         help: ask again when {needed} members have attested their dumps of one round"
    )]
    NotCompleted {
        /// The session.
        session: SessionId,
        /// Where it stands.
        phase: Phase,
        /// How many attestations a certificate needs.
        needed: usize,
    },
    /// The session is completed more than once.
    #[error(
        "session {session} has {found} completion certificates, because members contradicted themselves or \
         released attestations\n\
         help: follow none of them before the SVs have resolved this on the call"
    )]
    SeveralCertificates {
        /// The session.
        session: SessionId,
        /// How many there are.
        found: usize,
    },
    /// The certificate is too long for one message.
    #[error(
        "the completion certificate of session {session} has {found} bytes, but a message has at most \
         {MAX_CERTIFICATE_LEN}\n\
         help: download the transcript, which contains it"
    )]
    CertificateTooLong {
        /// The session.
        session: SessionId,
        /// Its length in bytes.
        found: usize,
    },
    /// It does not belong to the session it names.
    #[error(transparent)]
    NotAccepted(#[from] NotAccepted),
    /// The client may only read.
    #[error(
        "{client} is an observer, and observers only read\nhelp: submit statements with the key of a member"
    )]
    Observer {
        /// Who asks.
        client: MemberName,
    },
    /// The signer has too many statements in the session.
    #[error(
        "{signer} has {MAX_STATEMENTS_PER_MEMBER} statements in session {session}, which is the limit\n\
         help: find out which statements repeat, and open another session"
    )]
    TooManyStatements {
        /// Who signed.
        signer: MemberName,
        /// Where.
        session: SessionId,
    },
    /// The signer has too many bytes in the session.
    #[error(
        "the statements of {signer} in session {session} would have more than {MAX_BYTES_PER_MEMBER} bytes\n\
         help: report evidence less often, or of a shorter time"
    )]
    TooManyBytes {
        /// Who signed.
        signer: MemberName,
        /// Where.
        session: SessionId,
    },
    /// The client forwarded too many proposals of other coordinators.
    #[error(
        "{client} has submitted {MAX_FOREIGN_PROPOSALS_PER_MEMBER} proposals of other coordinators in session \
         {session}, which is the limit\n\
         help: ask a convener to propose"
    )]
    TooManyForeignProposals {
        /// Who submits.
        client: MemberName,
        /// Where.
        session: SessionId,
    },
    /// There are too many sessions.
    #[error(
        "this coordinator cannot store another session of this convener: the limit is {MAX_SESSIONS}, with a \
         share for each convener\n\
         help: start a coordinator on another folder with --data"
    )]
    TooManySessions,
    /// The client calls too often.
    #[error(
        "{client} makes more than {CALLS_PER_SECOND} calls a second\n\
         help: make fewer calls, and retry in a second"
    )]
    TooFast {
        /// Who.
        client: MemberName,
    },
    /// The client has too many streams.
    #[error(
        "{client} has {MAX_STREAMS_PER_CLIENT} open streams, which is the limit\nhelp: close some of them"
    )]
    TooManyStreams {
        /// Who.
        client: MemberName,
    },
    /// A watcher does not take what it asked for.
    #[error("the client did not read the stream for too long\nhelp: watch again from position {next}")]
    SlowWatcher {
        /// Where to continue.
        next: u64,
    },
    /// The coordinator is about to stop.
    #[error("the coordinator is stopping\nhelp: use another coordinator, or retry later")]
    Stopping,
    /// The journal has failed.
    #[error(
        "the coordinator accepts no statements, because its journal has failed. It still shows those that it \
         acknowledged\n\
         help: use another coordinator, and tell whoever runs this one to check its disk"
    )]
    JournalFailed,
    /// The connection says nothing of who is at its other end: no client's fault.
    #[error("the connection has lost its client\nhelp: connect again, and report this as a bug in svdr")]
    Anonymous,
}

#[cfg(test)]
mod tests;

impl From<NotAdmitted> for CallRefusal {
    fn from(refused: NotAdmitted) -> CallRefusal {
        match refused {
            NotAdmitted::Malformed(error) => CallRefusal::Statement(error),
            NotAdmitted::NotAccepted(error) => CallRefusal::NotAccepted(error),
        }
    }
}
