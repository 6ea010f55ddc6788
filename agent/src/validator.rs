//! What the SVs have completed, as a validator follows it: a completion certificate, checked with nothing but the roster.
//!
//! A validator is no member of the roster and signs nothing. What tells it where the network goes back to is the
//! certificate alone; whoever hands it over, a web server, a mail, a coordinator, need not be trusted. [`Recovery`] is a
//! certificate that was checked, and nothing here works without one. Rules:
//!
//! * Every line has to hold with this roster; one that does not makes the whole file worthless.
//! * A file of an opening, a proposal, agreements and attestations is a certificate, and counted as one. With
//!   anything else in it, it is a transcript: that has to hold as a whole, as `verify` says, and complete exactly one
//!   session.
//! * A certificate does not show who contradicted himself elsewhere. Two certificates of one session do; neither is
//!   followed.

use std::path::Path;
use std::sync::Arc;

use svdr_dump::Expectations;
use svdr_files::FileIoError;
use svdr_protocol::certificate::{AgreementCertificate, CompletionCertificate};
use svdr_protocol::names::MemberName;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{Body, RoundOf, SessionId, Verified};
use svdr_protocol::time::Timestamp;
use svdr_protocol::transcript::{Content, Report, Verifier};

use crate::envelope_lines::{MAX_LINES, for_each_line};

mod error;

pub use error::RecoveryError;

/// A completed session: where the network goes back to, and who has signed that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery(CompletionCertificate);

/// Which certificates a validator may follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WantedSession {
    /// That of a rehearsal, instead of a real one.
    pub drill: bool,
    /// That of this session; whichever it is where there is none.
    pub session: Option<SessionId>,
}

impl Recovery {
    /// Reads a certificate or a transcript, one envelope a line; `-` is standard input.
    ///
    /// # Errors
    /// [`RecoveryError`], where it cannot be read or anything of it does not hold.
    pub fn of_file(
        path: &Path,
        roster: &Arc<Roster>,
        wanted: WantedSession,
    ) -> Result<Recovery, RecoveryError> {
        let mut verifier = Verifier::new(Arc::clone(roster));
        let mut lines = 0;
        let unreadable = FileIoError::read("the certificate", path);
        let failed = |source| unreadable(source).into();
        for_each_line(path, failed, |number, bytes| {
            lines += 1;
            if lines > MAX_LINES {
                return Err(RecoveryError::TooMany { path: path.to_owned() });
            }
            verifier.line(number, bytes);
            Ok(())
        })?;
        Recovery::of_report(verifier.finish(), &path.display().to_string(), roster, wanted)
    }

    /// Takes a certificate that was checked already, as a coordinator's is.
    ///
    /// # Errors
    /// [`RecoveryError`] if it is not what is wanted.
    pub fn of_certificate(
        certificate: CompletionCertificate,
        wanted: WantedSession,
    ) -> Result<Recovery, RecoveryError> {
        Recovery(certificate).accepted(wanted)
    }

    fn of_report(
        report: Report,
        from: &str,
        roster: &Roster,
        wanted: WantedSession,
    ) -> Result<Recovery, RecoveryError> {
        let from = || from.to_owned();
        let holds = report.holds();
        let (mut statements, mut rest) = (Vec::new(), false);
        for line in report.lines {
            match line.content {
                Content::Statement(one) if is_of_certificate(one.body()) => statements.push(one),
                Content::Refused(source) => {
                    let (line, source) = (line.number, Box::new(source));
                    return Err(RecoveryError::Line { from: from(), line, source });
                }
                Content::Statement(_) | Content::Receipt(_) | Content::Unknown(_) => rest = true,
            }
        }
        if statements.is_empty() && !rest {
            return Err(RecoveryError::Empty { from: from() });
        }
        if !rest {
            return Recovery::of_statements(statements, &from(), roster, wanted);
        }
        if !holds {
            return Err(RecoveryError::Transcript { from: from() });
        }
        let mut sessions = report.sessions;
        sessions.retain(|one| wanted.session.is_none_or(|wanted| wanted == one.session.id()));
        if sessions.len() > 1 {
            sessions.retain(|one| one.session.drill() == wanted.drill);
        }
        let (1, Some(session)) = (sessions.len(), sessions.pop()) else {
            return Err(RecoveryError::NotOneSession { from: from(), drill: wanted.drill });
        };
        let (id, phase) = (session.session.id(), session.phase);
        match session.completed.into_iter().next() {
            Some(certificate) => Recovery(certificate).accepted(wanted),
            None => Err(RecoveryError::NotCompleted { session: id, phase, needed: roster.threshold() }),
        }
    }

    fn of_statements(
        statements: Vec<Arc<Verified>>,
        from: &str,
        roster: &Roster,
        wanted: WantedSession,
    ) -> Result<Recovery, RecoveryError> {
        let certificate = CompletionCertificate::check(roster, statements);
        let certificate = certificate.map_err(|source| RecoveryError::Certificate {
            from: from.to_owned(),
            source: Box::new(source),
        })?;
        Recovery(certificate).accepted(wanted)
    }

    /// The same where it is what is wanted.
    fn accepted(self, wanted: WantedSession) -> Result<Recovery, RecoveryError> {
        let session = self.round().session;
        match (self.drill(), wanted.drill, wanted.session) {
            (_, _, Some(expected)) if expected != session => {
                Err(RecoveryError::OtherSession { expected, found: session })
            }
            (true, false, _) => Err(RecoveryError::Drill { session }),
            (false, true, _) => Err(RecoveryError::Real { session }),
            _ => Ok(self),
        }
    }

    const fn agreement(&self) -> &AgreementCertificate {
        self.0.agreement()
    }

    /// The round that was completed.
    pub const fn round(&self) -> RoundOf {
        self.0.round()
    }

    /// Whether it is a rehearsal's.
    pub const fn drill(&self) -> bool {
        self.agreement().drill()
    }

    /// The time that the network goes back to.
    pub const fn recovery_timestamp(&self) -> Timestamp {
        self.0.recovery_timestamp()
    }

    /// What a dump of it has to be.
    pub(crate) const fn expectations(&self) -> Expectations {
        Expectations { timestamp: self.recovery_timestamp(), migration_id: Some(self.migration_id()) }
    }

    /// The migration id that the network will have.
    pub const fn migration_id(&self) -> u64 {
        self.agreement().plan().migration_id()
    }

    /// Why the session was opened, in the convener's words, and who that was.
    pub fn opening(&self) -> (&str, &MemberName) {
        let opened = self.agreement().opened();
        let reason = match opened.body() {
            Body::Open(open) => open.reason.as_str(),
            // The check lets nothing else be the opening.
            _ => "",
        };
        (reason, opened.signer())
    }

    /// The members whose dumps are made.
    pub fn attested_by(&self) -> impl Iterator<Item = &MemberName> {
        self.0.attestations().keys()
    }
}

const fn is_of_certificate(body: &Body) -> bool {
    matches!(body, Body::Open(_) | Body::Proposal(_) | Body::Agreement(_) | Body::Attestation(_))
}

#[cfg(test)]
mod tests;
