//! Why a validator has nothing to follow.

use std::path::PathBuf;

use svdr_files::FileIoError;
use svdr_protocol::certificate::CertificateError;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::session::Phase;
use svdr_protocol::statement::SessionId;
use svdr_protocol::transcript::LineError;

use crate::envelope_lines::MAX_LINES;

/// Why there is no certificate that a validator may follow.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error(transparent)]
    Io(#[from] FileIoError),
    #[error("{from} contains no statement\nhelp: give a file of DSSE envelopes in JSON, one a line")]
    Empty { from: String },
    #[error(
        "{} has more than {MAX_LINES} lines, more than a session can have\n\
         help: check that it is the right file",
        path.display()
    )]
    TooMany { path: PathBuf },
    #[error(
        "{from}, line {line}, is invalid with this roster, so nothing in it can be trusted\n\
         help: get the certificate from another source, and compare the words of the roster with the SVs"
    )]
    Line {
        from: String,
        line: usize,
        #[source]
        source: Box<LineError>,
    },
    #[error(
        "{from} contains no completion certificate, so no dump may be made yet\n\
         help: wait until the SVs have completed the session"
    )]
    Certificate {
        from: String,
        #[source]
        source: Box<CertificateError>,
    },
    #[error(
        "not everything in the transcript {from} is valid\n\
         help: run `svdr-agent verify`, which lists what is invalid, or use the completion certificate alone"
    )]
    Transcript { from: String },
    #[error(
        "{from} does not contain exactly one matching {}\nhelp: name the session with --session{}",
        if *drill { "drill" } else { "real session" },
        if *drill { "" } else { ", or give --drill for a rehearsal" }
    )]
    NotOneSession { from: String, drill: bool },
    #[error(
        "session {session} is not completed: {phase}\n\
         help: wait until {needed} members have attested their dumps"
    )]
    NotCompleted { session: SessionId, phase: Phase, needed: usize },
    #[error(
        "session {session} is a drill, which is not valid for a real recovery\n\
         help: get the certificate of the real session, or give --drill to rehearse"
    )]
    Drill { session: SessionId },
    #[error("session {session} is not a drill\nhelp: remove --drill if this is the real recovery")]
    Real { session: SessionId },
    #[error(
        "the certificate is of session {found}, but --session names {expected}\n\
         help: get the certificate of session {expected}"
    )]
    OtherSession { expected: SessionId, found: SessionId },
}

impl CommandError for RecoveryError {
    fn exit(&self) -> Exit {
        match self {
            RecoveryError::Io(error) => error.exit(),
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
