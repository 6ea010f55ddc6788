//! A session as one coordinator's transcript shows it: read in pages, verified entry by entry, folded.
//!
//! Memory is bounded by what members signed: of the rest, a coordinator can add [`TranscriptLimits::foreign_proposals`],
//! and no statement twice.

use std::sync::Arc;

use svdr_protocol::certificate::{CertificateError, CompletionCertificate};
use svdr_protocol::dsse::Envelope;
use svdr_protocol::failure::{CommandError, Exit};
use svdr_protocol::roster::Roster;
use svdr_protocol::session::{NotAccepted, NotAdmitted, Session};
use svdr_protocol::statement::{AnyStatement, SessionId, StatementError, Verified};

use crate::admission::{Admission, Verdict, check_invalid};
use crate::connection::Connection;
use crate::error::CallError;
use crate::history::{History, HistoryError, ReceivedEntry};
use crate::limits::TranscriptLimits;

/// Why a session cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The coordinator contradicts itself.
    #[error("{url} contradicts what it signed itself")]
    History {
        /// The coordinator.
        url: String,
        /// How.
        #[source]
        source: HistoryError,
    },
    /// The session's opening is invalid.
    #[error(
        "the opening of session {session} is invalid\nhelp: compare the fingerprint of your roster with the others', \
         and do not join before they match"
    )]
    Opening {
        /// The session.
        session: SessionId,
        /// What is wrong with it.
        #[source]
        source: Box<StatementError>,
    },
    /// The statement does not open the session.
    #[error(transparent)]
    NotAccepted(#[from] NotAccepted),
    /// The statement does not belong to the session.
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    /// The coordinator does not know the session.
    #[error(
        "{url} has no statement of session {session}\nhelp: list its sessions with `svdr-coordinator session list`"
    )]
    Unknown {
        /// The session.
        session: SessionId,
        /// The coordinator.
        url: String,
    },
    /// The certificate contains an invalid statement.
    #[error(
        "statement {number} of the certificate that {url} sent is invalid\nhelp: use another coordinator"
    )]
    CertificateStatement {
        /// The coordinator.
        url: String,
        /// Its number in the certificate, from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: Box<StatementError>,
    },
    /// The statements are not a certificate.
    #[error("{url} sent no completion certificate of session {session}\nhelp: use another coordinator")]
    Certificate {
        /// The coordinator.
        url: String,
        /// The session.
        session: SessionId,
        /// What is missing.
        #[source]
        source: Box<CertificateError>,
    },
    /// The certificate is of another session.
    #[error(
        "{url} sent the certificate of session {found} for session {session}\nhelp: use another coordinator"
    )]
    OtherCertificate {
        /// The coordinator.
        url: String,
        /// The session.
        session: SessionId,
        /// The session of the certificate.
        found: SessionId,
    },
}

impl SessionError {
    /// What an error in the history of the coordinator at `url` means: another journal is no contradiction.
    pub fn of_history(url: &str, source: HistoryError) -> SessionError {
        let url = url.to_owned();
        match source {
            HistoryError::OtherJournal => CallError::OtherJournal { url }.into(),
            source => SessionError::History { url, source },
        }
    }
}

impl CommandError for SessionError {
    fn exit(&self) -> Exit {
        match self {
            SessionError::Call(error) => error.exit(),
            SessionError::Unknown { .. } => Exit::Failed,
            SessionError::History { .. }
            | SessionError::Opening { .. }
            | SessionError::NotAccepted(_)
            | SessionError::NotAdmitted(_)
            | SessionError::CertificateStatement { .. }
            | SessionError::Certificate { .. }
            | SessionError::OtherCertificate { .. } => Exit::Refused,
        }
    }
}

/// Reads one session.
#[derive(Debug)]
pub struct SessionReader {
    roster: Arc<Roster>,
    history: History,
    admission: Admission,
    session: Option<Session>,
}

impl SessionReader {
    /// Returns a reader that has read nothing yet.
    pub fn new(session: SessionId, roster: Arc<Roster>) -> SessionReader {
        let limits = TranscriptLimits::of(&roster);
        let (history, admission) = (History::new(session, limits), Admission::new(&limits));
        SessionReader { roster, history, admission, session: None }
    }

    /// The session as far as it has been read; `None` before its first entry.
    pub const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// The position of the next entry.
    pub const fn next(&self) -> u64 {
        self.history.next()
    }

    /// Begins with the first entry of another coordinator, which may have another order. The session is kept.
    pub fn begin_again(&mut self) {
        let limits = TranscriptLimits::of(&self.roster);
        self.history = History::new(self.history.session(), limits);
    }

    /// Begins with the first entry of the same coordinator again, which may have another journal. The session is kept, and
    /// what the coordinator said before stays known.
    pub fn begin_other_journal(&mut self) {
        self.history.begin_again();
    }

    /// Verifies the next entry of the transcript of the coordinator at `url`, and adds it to the session. Returns `None` if
    /// the session has it already.
    ///
    /// # Errors
    /// [`SessionError`] if the coordinator contradicts itself, the session's opening is invalid, or too many statements
    /// are.
    pub fn follow(&mut self, url: &str, entry: &ReceivedEntry) -> Result<Option<Verdict>, SessionError> {
        self.history.follow(entry).map_err(|source| SessionError::of_history(url, source))?;
        let statement = &entry.statement;
        let Some(session) = &mut self.session else {
            let opened = open(self.history.session(), statement, &self.roster)?;
            let verdict = Verdict::Counts(Arc::clone(opened.opened()));
            self.session = Some(opened);
            return Ok(Some(verdict));
        };
        if session.statement(&statement.digest()).is_some() {
            return Ok(None);
        }
        let verdict = self.admission.judge(statement.clone(), session);
        self.admission.count(&verdict);
        check_invalid(url, self.admission.invalid())?;
        let statement = match &verdict {
            Verdict::Counts(statement) => AnyStatement::Known(Arc::clone(statement)),
            Verdict::Kept(unknown) => AnyStatement::Unknown(Arc::clone(unknown)),
            Verdict::Unreadable | Verdict::Invalid => return Ok(Some(verdict)),
        };
        session.add(&statement)?;
        Ok(Some(verdict))
    }

    /// Reads from the next entry to the end of the transcript as it is now. `each` is called with every entry.
    ///
    /// # Errors
    /// As [`SessionReader::follow`], [`SessionError::Unknown`] if there is no entry at all, and those of `each`.
    pub async fn read<E: From<SessionError>>(
        mut self,
        connection: &mut Connection,
        mut each: impl FnMut(&ReceivedEntry) -> Result<(), E>,
    ) -> Result<Session, E> {
        let (id, url) = (self.history.session(), connection.coordinator().url.clone());
        loop {
            let page = connection.transcript(id, self.next()).await.map_err(SessionError::from)?;
            for entry in &page.entries {
                self.follow(&url, entry)?;
                each(entry)?;
            }
            if page.is_last {
                let unknown = || SessionError::Unknown { session: id, url };
                return Ok(self.session.ok_or_else(unknown)?);
            }
        }
    }
}

fn open(id: SessionId, opening: &Envelope, roster: &Arc<Roster>) -> Result<Session, SessionError> {
    let opened = Verified::read(opening.clone(), roster)
        .map_err(|source| SessionError::Opening { session: id, source: Box::new(source) })?;
    Ok(Session::open(Arc::new(opened), Arc::clone(roster))?)
}

/// Fetches the completion certificate of a session, verified with nothing but the roster.
///
/// # Errors
/// [`SessionError`] if the call fails, or the answer is not a certificate of that session.
pub async fn completion_certificate(
    connection: &mut Connection,
    roster: &Roster,
    session: SessionId,
) -> Result<CompletionCertificate, SessionError> {
    let statements = connection.certificate(session).await?;
    verified_certificate(&connection.coordinator().url, roster, session, statements)
}

fn verified_certificate(
    url: &str,
    roster: &Roster,
    session: SessionId,
    statements: Vec<Envelope>,
) -> Result<CompletionCertificate, SessionError> {
    let url = || url.to_owned();
    let mut verified = Vec::with_capacity(statements.len());
    for (number, statement) in (1..).zip(statements) {
        let one = Verified::read(statement, roster).map_err(|source| SessionError::CertificateStatement {
            url: url(),
            number,
            source: Box::new(source),
        })?;
        verified.push(Arc::new(one));
    }
    let certificate = CompletionCertificate::check(roster, verified)
        .map_err(|source| SessionError::Certificate { url: url(), session, source: Box::new(source) })?;
    match certificate.round().session {
        found if found == session => Ok(certificate),
        found => Err(SessionError::OtherCertificate { url: url(), session, found }),
    }
}

#[cfg(test)]
mod tests;
