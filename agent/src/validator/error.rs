//! Why a validator has nothing to follow.

use std::io;
use std::path::PathBuf;

use svdr_protocol::certificate::CertificateError;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::session::Phase;
use svdr_protocol::statement::SessionId;
use svdr_protocol::transcript::LineError;

use crate::envelope_lines::MAX_LINES;

/// Why there is no certificate that a validator may follow.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The file cannot be read.
    #[error("the certificate {} cannot be read; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{from} holds no statement; expected DSSE envelopes in JSON, one a line")]
    Empty {
        /// Where it is from.
        from: String,
    },
    /// There are more lines than anybody makes.
    #[error("{} has more than {MAX_LINES} lines, more than any session; is it the right file?", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
    },
    /// A line does not hold.
    #[error(
        "{from}, line {line}, does not hold with this roster, so nothing of it may be followed; get the certificate from \
         another source, and compare the roster's words with the SVs'"
    )]
    Line {
        /// Where it is from.
        from: String,
        /// The line, or the statement, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: Box<LineError>,
    },
    /// The statements are no completion certificate.
    #[error("{from} holds no completion certificate, so no dump may be made by it yet")]
    Certificate {
        /// Where it is from.
        from: String,
        /// Why.
        #[source]
        source: Box<CertificateError>,
    },
    /// A transcript has something in it that does not hold.
    #[error(
        "not everything in the transcript {from} holds; svdr-agent verify says what. The completion certificate alone is \
         enough: svdr-coordinator session certificate writes it"
    )]
    Transcript {
        /// Where it is from.
        from: String,
    },
    /// A transcript has none of the sessions that are wanted, or several.
    #[error(
        "{from} does not hold exactly one {} that could be meant; name the session with --session{}",
        if *drill { "drill" } else { "real session" },
        if *drill { "" } else { ", or give --drill where this is a rehearsal" }
    )]
    NotOneSession {
        /// Where it is from.
        from: String,
        /// Whether a drill is wanted.
        drill: bool,
    },
    /// The session has not come so far.
    #[error(
        "session {session} is not completed: {phase}. No dump may be made by it before {needed} members have attested \
         theirs; wait for the SVs"
    )]
    NotCompleted {
        /// The session.
        session: SessionId,
        /// Where it stands.
        phase: Phase,
        /// How many attestations it takes.
        needed: usize,
    },
    /// It is a rehearsal's.
    #[error(
        "session {session} is a drill; nobody recovers by it. Get the certificate of the real session, or give --drill to \
         rehearse"
    )]
    Drill {
        /// The session.
        session: SessionId,
    },
    /// It is no rehearsal's.
    #[error("session {session} is no drill; leave --drill out where this is the real recovery")]
    Real {
        /// The session.
        session: SessionId,
    },
    /// It is another session's.
    #[error("the certificate is session {found}'s, but session {expected} was asked for; get the right one")]
    OtherSession {
        /// The session asked for.
        expected: SessionId,
        /// The certificate's.
        found: SessionId,
    },
}

impl CommandError for RecoveryError {
    fn exit(&self) -> Exit {
        match self {
            RecoveryError::Read { .. } => Exit::Failed,
            RecoveryError::NotOneSession { .. } => Exit::Usage,
            RecoveryError::Empty { .. }
            | RecoveryError::TooMany { .. }
            | RecoveryError::Line { .. }
            | RecoveryError::Certificate { .. }
            | RecoveryError::Transcript { .. }
            | RecoveryError::NotCompleted { .. }
            | RecoveryError::Drill { .. }
            | RecoveryError::Real { .. }
            | RecoveryError::OtherSession { .. } => Exit::Refused,
        }
    }
}
