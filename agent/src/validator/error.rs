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
    #[error("the certificate {} cannot be read\nhelp: check its path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{from} contains no statement\nhelp: give a file of DSSE envelopes in JSON, one a line")]
    Empty {
        /// Where it is from.
        from: String,
    },
    /// There are more lines than anybody makes.
    #[error(
        "{} has more than {MAX_LINES} lines, more than a session can have\n\
         help: check that it is the right file",
        path.display()
    )]
    TooMany {
        /// The file.
        path: PathBuf,
    },
    /// A line does not hold.
    #[error(
        "{from}, line {line}, is invalid with this roster, so nothing in it can be trusted\n\
         help: get the certificate from another source, and compare the words of the roster with the SVs"
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
    #[error(
        "{from} contains no completion certificate, so no dump may be made yet\n\
         help: wait until the SVs have completed the session"
    )]
    Certificate {
        /// Where it is from.
        from: String,
        /// Why.
        #[source]
        source: Box<CertificateError>,
    },
    /// A transcript has something in it that does not hold.
    #[error(
        "not everything in the transcript {from} is valid\n\
         help: run `svdr-agent verify`, which lists what is invalid, or use the completion certificate alone"
    )]
    Transcript {
        /// Where it is from.
        from: String,
    },
    /// A transcript has none of the sessions that are wanted, or several.
    #[error(
        "{from} does not contain exactly one matching {}\nhelp: name the session with --session{}",
        if *drill { "drill" } else { "real session" },
        if *drill { "" } else { ", or give --drill for a rehearsal" }
    )]
    NotOneSession {
        /// Where it is from.
        from: String,
        /// Whether a drill is wanted.
        drill: bool,
    },
    /// The session has not come so far.
    #[error(
        "session {session} is not completed: {phase}\n\
         help: wait until {needed} members have attested their dumps"
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
        "session {session} is a drill, which is not valid for a real recovery\n\
         help: get the certificate of the real session, or give --drill to rehearse"
    )]
    Drill {
        /// The session.
        session: SessionId,
    },
    /// It is no rehearsal's.
    #[error("session {session} is not a drill\nhelp: remove --drill if this is the real recovery")]
    Real {
        /// The session.
        session: SessionId,
    },
    /// It is another session's.
    #[error(
        "the certificate is of session {found}, but --session names {expected}\n\
         help: get the certificate of session {expected}"
    )]
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
