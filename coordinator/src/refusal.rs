//! Why a call is refused: whose fault it is, and what to do.

use svdr_proto::limits::MAX_CERTIFICATE_LEN;
use svdr_protocol::dsse::EnvelopeError;
use svdr_protocol::names::MemberName;
use svdr_protocol::session::{NotAccepted, Phase};
use svdr_protocol::statement::{SessionId, SessionIdError, StatementError};

use crate::limits::{
    CALLS_PER_SECOND, MAX_BYTES_PER_MEMBER, MAX_FOREIGN_PROPOSALS, MAX_SESSIONS, MAX_STATEMENTS_PER_MEMBER,
    MAX_STREAMS_PER_CLIENT,
};

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The request has no statement in it.
    #[error("the request holds no statement; put a DSSE envelope into its field \"statement\"")]
    NoStatement,
    /// It is not an envelope.
    #[error(transparent)]
    Envelope(EnvelopeError),
    /// The statement does not hold.
    #[error(transparent)]
    Statement(Box<StatementError>),
    /// The statement belongs to no session.
    #[error("this {kind} names no session, so there is none to add it to; sign it again for a session")]
    NoSession {
        /// Its kind.
        kind: String,
    },
    /// A kind for newer versions that does not begin as all kinds do.
    #[error(
        "the statement of kind {kind:?} by {signer}, which this version does not know, does not begin with a header \
         for a session of this roster; sign it again with the svdr that everybody uses"
    )]
    UnknownKind {
        /// Its kind.
        kind: String,
        /// Who signed it.
        signer: MemberName,
    },
    /// The text is not a session's id.
    #[error(transparent)]
    SessionId(#[from] SessionIdError),
    /// There is no such session.
    #[error(
        "this coordinator has no session {session}; list its sessions, or submit the statement that opens it, and \
         then the others in it"
    )]
    UnknownSession {
        /// The session.
        session: SessionId,
    },
    /// The session is not completed.
    #[error(
        "session {session} is not completed: {phase}. There is a certificate once {needed} members have attested their \
         dumps of one round; watch the session, or ask again later"
    )]
    NotCompleted {
        /// The session.
        session: SessionId,
        /// Where it stands.
        phase: Phase,
        /// How many attestations it takes.
        needed: usize,
    },
    /// The session is completed more than once.
    #[error(
        "session {session} has {found} completion certificates, because members contradicted themselves or released an \
         attestation; follow none of them before the SVs have decided on the call, and let svdr-agent verify name those \
         members from the transcript"
    )]
    SeveralCertificates {
        /// The session.
        session: SessionId,
        /// How many there are.
        found: usize,
    },
    /// The certificate is too long for one message.
    #[error(
        "the completion certificate of session {session} has {found} bytes, more than a message may have \
         ({MAX_CERTIFICATE_LEN}); download the transcript, which holds it"
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
    #[error("{client} is an observer and may only read; a member has to submit statements")]
    Observer {
        /// Who asks.
        client: MemberName,
    },
    /// The signer has too many statements in the session.
    #[error(
        "{signer} has {MAX_STATEMENTS_PER_MEMBER} statements in session {session}, the most there may be; \
         find out what repeats itself there, and open another session if need be"
    )]
    TooManyStatements {
        /// Who signed.
        signer: MemberName,
        /// Where.
        session: SessionId,
    },
    /// The signer has too many bytes in the session.
    #[error(
        "{signer}'s statements in session {session} would have more than {MAX_BYTES_PER_MEMBER} bytes; report \
         evidence less often, or for a shorter window"
    )]
    TooManyBytes {
        /// Who signed.
        signer: MemberName,
        /// Where.
        session: SessionId,
    },
    /// The client handed on too many proposals of other coordinators.
    #[error(
        "{client} has handed on {MAX_FOREIGN_PROPOSALS} proposals of other coordinators in session {session}, the \
         most there may be; let a convener propose"
    )]
    TooManyForeignProposals {
        /// Who submits.
        client: MemberName,
        /// Where.
        session: SessionId,
    },
    /// There are too many sessions.
    #[error(
        "this coordinator has no place for another session of this convener: {MAX_SESSIONS} is the most there may be, \
         and some are kept for each convener; start one on another folder with --data"
    )]
    TooManySessions,
    /// The client calls too often.
    #[error(
        "{client} makes more than {CALLS_PER_SECOND} calls a second; wait a second and go on more slowly"
    )]
    TooFast {
        /// Who.
        client: MemberName,
    },
    /// The client has too many streams.
    #[error("{client} has {MAX_STREAMS_PER_CLIENT} streams open, the most there may be; close some of them")]
    TooManyStreams {
        /// Who.
        client: MemberName,
    },
    /// A watcher does not take what it asked for.
    #[error("the stream was not read for too long; watch again from position {next}")]
    SlowWatcher {
        /// Where to go on.
        next: u64,
    },
    /// The coordinator is about to stop.
    #[error("the coordinator is stopping; go on with another one, or try again when it is back")]
    Stopping,
    /// The connection says nothing of who is at its other end: no client's fault.
    #[error("the connection has lost who it belongs to; connect again, and report this as a fault of svdr")]
    Anonymous,
}

#[cfg(test)]
mod tests;
