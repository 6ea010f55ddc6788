//! Statements before the board sees them: envelopes whose signature, signer and content have been checked.
//!
//! Checking needs only the roster. So the task that received the envelope does it, in parallel with others, and not the
//! one task that owns the sessions. A statement of a newer version is kept: only its header is read, which is the same in
//! all kinds.

use std::sync::Arc;

use svdr_protocol::dsse::Envelope;
use svdr_protocol::roster::Roster;
use svdr_protocol::statement::{AnyStatement, SessionId};

use crate::refusal::CallRefusal;

/// A checked statement, and where it belongs.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What it is.
    pub statement: AnyStatement,
    /// The session it names, or opens.
    pub session: SessionId,
}

impl Incoming {
    /// Checks an envelope.
    ///
    /// # Errors
    /// If its signature is invalid, its signer may not sign it, or it names no session.
    pub fn read(envelope: Envelope, roster: &Roster) -> Result<Incoming, CallRefusal> {
        let statement =
            AnyStatement::read(envelope, roster).map_err(|error| CallRefusal::Statement(Arc::new(error)))?;
        let no_session = || CallRefusal::NoSession { kind: statement.kind().to_owned() };
        let session = statement.session().ok_or_else(no_session)?;
        Ok(Incoming { statement, session })
    }
}
