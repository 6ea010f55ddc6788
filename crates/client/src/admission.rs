//! Which of the envelopes that coordinators send count in a session.
//!
//! What comes from a coordinator is only material. Each envelope is verified here, and only what is valid counts:
//!
//! * a statement of another session or another roster, or a drill in a real session, is left out, with a warning;
//! * one with an invalid signature or content likewise;
//! * one of a newer version is kept, to be forwarded, and counts for nothing.
//!
//! An invalid statement is the coordinator's fault if no coordinator of any version accepts it. What a member signed and
//! this version cannot read is not: a member could make others leave an honest coordinator with it.

use std::sync::Arc;

use svdr_protocol::digest::Digest;
use svdr_protocol::dsse::Envelope;
use svdr_protocol::failure::in_one_line;
use svdr_protocol::session::{NotAdmitted, Session};
use svdr_protocol::statement::{AnyStatement, StatementError, Unknown, Verified};

use crate::error::CallError;
use crate::limits::{MAX_INVALID, MAX_LOGGED, TranscriptLimits};

/// Result of verifying an envelope.
#[derive(Debug)]
pub enum Verdict {
    /// It counts.
    Counts(Arc<Verified>),
    /// It is of a newer version: to be kept and forwarded, but not counted.
    Kept(Arc<Unknown>),
    /// A member signed what this version cannot read: not to be kept, as a newer version may read it.
    Unreadable,
    /// No coordinator of any version accepts it: not to be kept.
    Invalid,
}

/// Verifies the envelopes of one session, and counts those that do not count.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Proposals that no member signed, and how many are admitted.
    foreign_proposals: u64,
    max_foreign_proposals: u64,
    invalid: usize,
    /// Statements of newer versions, or that cannot be read.
    not_understood: usize,
}

impl Admission {
    /// Returns the state before the first envelope.
    pub const fn new(limits: &TranscriptLimits) -> Admission {
        Admission {
            foreign_proposals: 0,
            max_foreign_proposals: limits.foreign_proposals,
            invalid: 0,
            not_understood: 0,
        }
    }

    /// Verifies an envelope, and logs why if it does not count.
    pub fn judge(&self, envelope: Envelope, session: &Session) -> Verdict {
        let digest = envelope.digest();
        let statement = match AnyStatement::read(envelope, session.roster()) {
            Ok(statement) => statement,
            Err(error) => return self.refuse(&digest, &error),
        };
        match (session.admits(&statement), statement) {
            (Ok(()), AnyStatement::Known(statement))
                if !statement.by_member() && self.foreign_proposals >= self.max_foreign_proposals =>
            {
                self.log(&format!(
                    "proposal {digest} is left out: the session already has {} proposals that no member signed",
                    self.max_foreign_proposals
                ));
                Verdict::Invalid
            }
            (Ok(()), AnyStatement::Known(statement)) => Verdict::Counts(statement),
            (Ok(()), AnyStatement::Unknown(unknown)) => {
                if self.are_few() {
                    let kind = unknown.kind();
                    tracing::info!(
                        "statement {digest} of kind {kind:?} is kept and not counted: a newer version of svdr made it"
                    );
                }
                Verdict::Kept(unknown)
            }
            (Err(NotAdmitted::Malformed(error)), _) => self.refuse(&digest, &error),
            (Err(error), _) => {
                self.log(&format!("statement {digest} is left out: {}", in_one_line(&error)));
                Verdict::Invalid
            }
        }
    }

    fn refuse(&self, digest: &Digest, error: &StatementError) -> Verdict {
        self.log(&format!("statement {digest} is left out: {}", in_one_line(error)));
        if is_invalid_for_all(error) { Verdict::Invalid } else { Verdict::Unreadable }
    }

    /// Counts a verdict on what a coordinator sent.
    pub fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Counts(statement) => self.foreign_proposals += u64::from(!statement.by_member()),
            Verdict::Kept(_) | Verdict::Unreadable => self.not_understood += 1,
            Verdict::Invalid => self.invalid += 1,
        }
    }

    /// How many invalid statements were counted: the coordinator's fault.
    pub const fn invalid(&self) -> usize {
        self.invalid
    }

    fn are_few(&self) -> bool {
        self.invalid + self.not_understood < MAX_LOGGED
    }

    /// Logs why a statement is left out, as a warning unless there are too many to warn of each.
    fn log(&self, text: &str) {
        if self.are_few() {
            tracing::warn!("{text}");
        } else {
            tracing::debug!("{text}");
        }
    }
}

/// Checks that a coordinator has sent at most [`MAX_INVALID`] invalid statements of a session.
///
/// # Errors
/// [`CallError::TooManyInvalid`].
pub fn check_invalid(url: &str, found: usize) -> Result<(), CallError> {
    if found <= MAX_INVALID {
        return Ok(());
    }
    Err(CallError::TooManyInvalid { url: url.to_owned(), found, limit: MAX_INVALID })
}

/// Whether no coordinator can have accepted a statement with this error, whatever its version knows more.
const fn is_invalid_for_all(error: &StatementError) -> bool {
    match error {
        StatementError::Envelope(_)
        | StatementError::ForeignType { .. }
        | StatementError::Stranger { .. }
        | StatementError::OtherSigner { .. }
        | StatementError::NotTheMember { .. }
        | StatementError::OtherRoster { .. }
        | StatementError::NotAConvener { .. }
        | StatementError::MembersKey { .. }
        | StatementError::Appointment { .. }
        | StatementError::Session { .. } => true,
        StatementError::UnknownKind { .. }
        | StatementError::NotKnown { .. }
        | StatementError::Decode { .. }
        | StatementError::Field { .. }
        | StatementError::Name { .. }
        | StatementError::Key { .. }
        | StatementError::Runs { .. }
        | StatementError::Evidence(_)
        | StatementError::Sequencing(_)
        | StatementError::Proof { .. }
        | StatementError::TooLarge { .. } => false,
    }
}
